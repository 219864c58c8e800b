//! Hosts of the providers that are built in.

use creto_call::ModelApi;

/// Name and API of the provider whose host it is. The host is in normal form.
pub(crate) fn built_in(host: &str) -> Option<(&'static str, ModelApi)> {
    Some(match host {
        "api.openai.com" => ("openai", ModelApi::OpenAi),
        "api.anthropic.com" => ("anthropic", ModelApi::Anthropic),
        "generativelanguage.googleapis.com" => ("gemini", ModelApi::Gemini),
        _ if is_openai_region(host) => ("openai", ModelApi::OpenAi),
        _ if is_vertex(host) => ("vertex", ModelApi::Gemini),
        _ if is_bedrock(host) => ("bedrock", ModelApi::Bedrock),
        _ if is_azure(host) => ("azure-openai", ModelApi::AzureOpenAi),
        _ => return None,
    })
}

/// `eu.api.openai.com`, `us.api.openai.com` and the other regions, two letters each.
fn is_openai_region(host: &str) -> bool {
    host.strip_suffix(".api.openai.com")
        .is_some_and(|region| region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// `aiplatform.googleapis.com`, `us-central1-aiplatform.googleapis.com`, `aiplatform.eu.rep.googleapis.com`.
fn is_vertex(host: &str) -> bool {
    let Some(service) = host.strip_suffix(".googleapis.com") else { return false };
    service == "aiplatform"
        || service.strip_suffix("-aiplatform").is_some_and(is_label)
        || service
            .strip_prefix("aiplatform.")
            .and_then(|rest| rest.strip_suffix(".rep"))
            .is_some_and(is_label)
}

/// `bedrock-runtime.<region>.amazonaws.com` with its FIPS, China and dual-stack twins, and VPC endpoints
/// (`vpce-….bedrock-runtime.<region>.vpce.amazonaws.com`).
fn is_bedrock(host: &str) -> bool {
    if let Some(rest) = host.strip_suffix(".vpce.amazonaws.com") {
        return rest
            .split_once(".bedrock-runtime.")
            .is_some_and(|(endpoint, region)| is_label(endpoint) && is_label(region));
    }
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| {
        host.strip_suffix(end)
            .and_then(|rest| {
                rest.strip_prefix("bedrock-runtime.").or_else(|| rest.strip_prefix("bedrock-runtime-fips."))
            })
            .is_some_and(is_label)
    })
}

/// A resource's own name before one of Azure's suffixes.
fn is_azure(host: &str) -> bool {
    [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"]
        .iter()
        .any(|end| host.strip_suffix(end).is_some_and(|resource| !resource.is_empty()))
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && !text.contains('.')
}

#[cfg(test)]
mod tests {
    use super::built_in;

    #[test]
    fn a_providers_hosts_are_known_and_look_alikes_are_not() {
        for (host, name) in [
            ("api.openai.com", Some("openai")),
            ("eu.api.openai.com", Some("openai")),
            ("us.api.openai.com", Some("openai")),
            ("api.anthropic.com", Some("anthropic")),
            ("generativelanguage.googleapis.com", Some("gemini")),
            ("aiplatform.googleapis.com", Some("vertex")),
            ("us-central1-aiplatform.googleapis.com", Some("vertex")),
            ("aiplatform.eu.rep.googleapis.com", Some("vertex")),
            ("bedrock-runtime.us-east-1.amazonaws.com", Some("bedrock")),
            ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("bedrock")),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("bedrock")),
            ("bedrock-runtime.us-east-1.api.aws", Some("bedrock")),
            ("vpce-1-2.bedrock-runtime.us-east-1.vpce.amazonaws.com", Some("bedrock")),
            ("acme.openai.azure.com", Some("azure-openai")),
            ("acme.services.ai.azure.com", Some("azure-openai")),
            ("acme.cognitiveservices.azure.com", Some("azure-openai")),
            ("api.openai.com.evil.example", None),
            ("evil-api.openai.com", None),
            ("api.openai.com-evil.example", None),
            ("openai.com", None),
            ("evil.eu.api.openai.com", None),
            ("xapi.anthropic.com", None),
            ("bedrock-runtime.us-east-1.amazonaws.com.evil.example", None),
            ("bedrock-runtime.amazonaws.com", None),
            ("bedrock-runtime.a.b.amazonaws.com", None),
            ("bedrock-agent-runtime.us-east-1.amazonaws.com", None),
            ("notaiplatform.googleapis.com", None),
            ("evil.example-aiplatform.googleapis.com", None),
            ("openai.azure.com", None),
            ("acme.openai.azure.com.evil.example", None),
            ("acmeopenai.azure.com", None),
            ("", None),
        ] {
            assert_eq!(built_in(host).map(|(name, _)| name), name, "{host}");
        }
    }
}
