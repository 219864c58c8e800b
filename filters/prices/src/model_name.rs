//! Names of models and providers as calls carry them.

/// Longest model name looked up, in bytes, resource paths included; a longer one is unknown.
pub const MAX_LOOKUP_BYTES: usize = 512;

/// Other names of providers: those of the OpenTelemetry conventions, and common spellings.
const PROVIDER_ALIASES: [(&str, &str); 13] = [
    ("aws.bedrock", "bedrock"),
    ("azure", "azure-openai"),
    ("azure.ai.inference", "azure-openai"),
    ("azure.ai.openai", "azure-openai"),
    ("azure_openai", "azure-openai"),
    ("gcp.gemini", "gemini"),
    ("gcp.gen_ai", "gemini"),
    ("gcp.vertex_ai", "vertex"),
    ("google", "gemini"),
    ("mistral_ai", "mistral"),
    ("mistralai", "mistral"),
    ("vertex_ai", "vertex"),
    ("x_ai", "xai"),
];

/// The provider's name in rows.
pub(crate) fn provider(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let alias = PROVIDER_ALIASES.iter().find(|(alias, _)| *alias == lower);
    alias.map_or(lower, |(_, provider)| (*provider).to_owned())
}

/// The model's name in lower case and without the resource path around it: `models/x`, `publishers/google/models/x`,
/// and ARNs of Bedrock's foundation models and system inference profiles. Application inference profiles and
/// provisioned models have names of the customer's own, which tell nothing.
pub(crate) fn model(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > MAX_LOOKUP_BYTES {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("arn:") {
        let (head, model) = lower.split_once('/')?;
        let ours = head.ends_with(":foundation-model") || head.ends_with(":inference-profile");
        return ours.then(|| model.to_owned());
    }
    match lower.rsplit_once("models/") {
        Some((head, model)) if head.is_empty() || head.ends_with('/') => Some(model.to_owned()),
        _ => Some(lower),
    }
}

/// The undated name of a dated one: `gpt-4o` of `gpt-4o-2024-08-06`, `claude-opus-4` of `claude-opus-4@20250514`.
///
/// Only a whole date of the calendar from 2020 on, after `-` or `@`, is taken off, so the rest is the name of a model
/// whose snapshot this is. Anything shorter (`-0613`, `-002`, `-mini`) can be a model of its own.
pub(crate) fn undated(name: &str) -> Option<&str> {
    let whole = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let valid = |year: &str, month: &str, day: &str| {
        let number = |digits: &str| if whole(digits) { digits.parse::<i16>().ok() } else { None };
        let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else {
            return false;
        };
        let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return false };
        (2020..2100).contains(&year) && jiff::civil::Date::new(year, month, day).is_ok()
    };
    let cut = |length: usize| name.split_at_checked(name.len().checked_sub(length)?);
    let base = |rest: &'_ str| rest.ends_with(['-', '@']) && rest.len() > 1;
    if let Some((rest, date)) = cut(10)
        && base(rest)
        && date.is_ascii()
        && date.as_bytes()[4] == b'-'
        && date.as_bytes()[7] == b'-'
        && valid(&date[..4], &date[5..7], &date[8..])
    {
        return Some(&rest[..rest.len() - 1]);
    }
    if let Some((rest, date)) = cut(8)
        && base(rest)
        && date.is_ascii()
        && valid(&date[..4], &date[4..6], &date[6..])
    {
        return Some(&rest[..rest.len() - 1]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{model, provider, undated};

    #[test]
    fn a_whole_date_is_taken_off_and_nothing_else() {
        for (name, base) in [
            ("gpt-4o-2024-08-06", Some("gpt-4o")),
            ("claude-opus-4@20250514", Some("claude-opus-4")),
            ("claude-opus-4-20250514", Some("claude-opus-4")),
            ("gpt-4-0613", None),
            ("gpt-4o-mini", None),
            ("gemini-1.5-pro-002", None),
            ("gpt-4o-2024-13-06", None),
            ("gpt-4o-2023-02-29", None),
            ("gpt-4o-20230229", None),
            ("gpt-4o2024-08-06", None),
            ("model-12345678", None),
            ("-20250514", None),
            ("20250514", None),
            ("", None),
            ("gpt-é-2024-08-06", Some("gpt-é")),
            ("gpt-4o-2024-08-0é", None),
        ] {
            assert_eq!(undated(name), base, "{name}");
        }
    }

    #[test]
    fn resource_paths_are_taken_off() {
        for (name, bare) in [
            ("GPT-4o", Some("gpt-4o")),
            ("models/gemini-2.5-pro", Some("gemini-2.5-pro")),
            ("publishers/google/models/gemini-2.5-pro", Some("gemini-2.5-pro")),
            ("mymodels/x", Some("mymodels/x")),
            ("openai/gpt-oss-120b", Some("openai/gpt-oss-120b")),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
                Some("amazon.nova-pro-v1:0"),
            ),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0",
                Some("us.amazon.nova-pro-v1:0"),
            ),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/ab12", None),
            ("arn:aws:bedrock:us-east-1:1:provisioned-model/ab12", None),
            ("", None),
        ] {
            assert_eq!(model(name).as_deref(), bare, "{name}");
        }
        assert_eq!(model(&"x".repeat(513)), None);
    }

    #[test]
    fn a_providers_other_names_lead_to_it() {
        for (name, row) in
            [("OpenAI", "openai"), ("azure", "azure-openai"), ("gcp.vertex_ai", "vertex"), ("acme", "acme")]
        {
            assert_eq!(provider(name), row);
        }
    }
}
