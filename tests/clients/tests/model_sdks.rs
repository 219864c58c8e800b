//! SDKs of models against the fake provider itself, without a sidecar: the baseline that shows the provider faithful.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use creto_test_clients::{ModelAccess, ModelSdk, provider_with_key};
use creto_test_support::{Conduct, Encoding, FakeProvider, Upstream, agent_environment, write_bundle};
use serde_json::Value;
use tempfile::TempDir;

/// The key that the provider takes.
const KEY: &str = "AKIDCRETOREALKEY0001";

/// A provider that is called directly.
struct Direct {
    provider: FakeProvider,
    access: ModelAccess,
    _upstream: Upstream,
    _folder: TempDir,
}

impl Direct {
    async fn start() -> Self {
        let provider = provider_with_key(KEY);
        let upstream = provider.start().await;
        let folder = tempfile::tempdir().unwrap();
        let (ca, bundle) = (folder.path().join("ca.pem"), folder.path().join("bundle.pem"));
        std::fs::write(&ca, upstream.ca_pem()).unwrap();
        write_bundle(&ca, &bundle);
        // As an agent's, without the proxy.
        let variables = agent_environment("", &ca, &bundle)
            .into_iter()
            .filter(|(name, _)| !name.to_lowercase().ends_with("proxy"))
            .collect();
        let access = ModelAccess { base: upstream.url(""), key: KEY.to_owned(), variables };
        Self { provider, access, _upstream: upstream, _folder: folder }
    }

    /// Runs one command that fails; gives what it printed.
    async fn failure(&self, sdk: ModelSdk, command: &str, model: &str) -> Value {
        let printed = sdk.run(&self.access, &[command], &[("MODEL", model)]).await.remove(0);
        assert!(printed["error"].is_string(), "{sdk:?} {command} {model}: {printed}");
        printed
    }
}

async fn understood(sdk: ModelSdk) {
    let direct = Direct::start().await;
    for answer in sdk.is_understood(&direct.access, &direct.provider).await {
        let seen = answer.seen;
        let key = seen.signature.as_ref().map_or(seen.key.clone(), |signed| Some(signed.access_key.clone()));
        assert_eq!(key.as_deref(), Some(KEY), "{sdk:?} {}", answer.command);
        if let Some(signature) = seen.signature {
            assert_eq!((signature.right, signature.service.as_str()), (Some(true), "bedrock"));
        }
    }
}

#[tokio::test]
async fn openai_for_python_is_understood() {
    understood(ModelSdk::OpenAi).await;
}

#[tokio::test]
async fn openai_for_python_on_azure_is_understood() {
    understood(ModelSdk::AzureOpenAi).await;
}

#[tokio::test]
async fn anthropic_for_python_is_understood() {
    understood(ModelSdk::Anthropic).await;
}

#[tokio::test]
async fn google_genai_is_understood() {
    understood(ModelSdk::GoogleGenAi).await;
}

#[tokio::test]
async fn boto3_bedrock_is_understood_and_its_signature_is_right() {
    understood(ModelSdk::Boto3Bedrock).await;
}

#[tokio::test]
async fn langchain_openai_is_understood() {
    understood(ModelSdk::LangChainOpenAi).await;
}

#[tokio::test]
async fn litellm_is_understood() {
    understood(ModelSdk::LiteLlm).await;
}

#[tokio::test]
async fn openai_for_node_is_understood() {
    understood(ModelSdk::NodeOpenAi).await;
}

#[tokio::test]
async fn anthropic_for_node_is_understood() {
    understood(ModelSdk::NodeAnthropic).await;
}

/// Each SDK, a model that its provider does not have, and what it makes of the refusal: class, status, code.
const UNKNOWN_MODEL: [(ModelSdk, &str, &str, u64, &str); 9] = [
    (ModelSdk::OpenAi, "no-such", "NotFoundError", 404, "model_not_found"),
    (ModelSdk::AzureOpenAi, "missing", "NotFoundError", 404, "DeploymentNotFound"),
    (ModelSdk::Anthropic, "no-such", "NotFoundError", 404, "not_found_error"),
    (ModelSdk::GoogleGenAi, "no-such", "ClientError", 404, "NOT_FOUND"),
    (ModelSdk::Boto3Bedrock, "no-such", "ValidationException", 400, "ValidationException"),
    (ModelSdk::LangChainOpenAi, "no-such", "OpenAIModelNotFoundError", 404, "model_not_found"),
    (ModelSdk::LiteLlm, "no-such", "NotFoundError", 404, ""),
    (ModelSdk::NodeOpenAi, "no-such", "NotFoundError", 404, "model_not_found"),
    (ModelSdk::NodeAnthropic, "no-such", "NotFoundError", 404, "not_found_error"),
];

#[tokio::test]
async fn an_unknown_model_is_refused_in_each_providers_words() {
    let direct = Direct::start().await;
    for (sdk, model, class, status, code) in UNKNOWN_MODEL {
        let printed = direct.failure(sdk, "chat", model).await;
        let found = (&printed["error"], &printed["status"], printed["code"].as_str().unwrap_or_default());
        assert_eq!(found, (&class.into(), &status.into(), code), "{sdk:?}: {printed}");
        assert_eq!(direct.provider.last_call().tokens, None, "{sdk:?}");
    }
}

/// As [`UNKNOWN_MODEL`], for a key that the provider does not know.
const WRONG_KEY: [(ModelSdk, &str, u64, &str); 8] = [
    (ModelSdk::OpenAi, "AuthenticationError", 401, "invalid_api_key"),
    (ModelSdk::AzureOpenAi, "AuthenticationError", 401, "401"),
    (ModelSdk::Anthropic, "AuthenticationError", 401, "authentication_error"),
    (ModelSdk::GoogleGenAi, "ClientError", 400, "INVALID_ARGUMENT"),
    (ModelSdk::Boto3Bedrock, "ClientError", 403, "UnrecognizedClientException"),
    (ModelSdk::LiteLlm, "AuthenticationError", 401, ""),
    (ModelSdk::NodeOpenAi, "AuthenticationError", 401, "invalid_api_key"),
    (ModelSdk::NodeAnthropic, "AuthenticationError", 401, "authentication_error"),
];

#[tokio::test]
async fn a_wrong_key_is_refused_in_each_providers_words() {
    let mut direct = Direct::start().await;
    direct.access.key = "creto-placeholder-openai".to_owned();
    for (sdk, class, status, code) in WRONG_KEY {
        let printed = sdk.run(&direct.access, &["chat"], &[]).await.remove(0);
        let found = (&printed["error"], &printed["status"], printed["code"].as_str().unwrap_or_default());
        assert_eq!(found, (&class.into(), &status.into(), code), "{sdk:?}: {printed}");
    }
}

#[tokio::test]
async fn a_signature_by_another_secret_is_refused() {
    let direct = Direct::start().await;
    let more = [("AWS_SECRET_ACCESS_KEY", "another secret")];
    let printed = ModelSdk::Boto3Bedrock.run(&direct.access, &["chat"], &more).await.remove(0);
    assert_eq!(
        (&printed["status"], &printed["code"]),
        (&403.into(), &"InvalidSignatureException".into()),
        "{printed}"
    );
    assert_eq!(direct.provider.last_call().signature.unwrap().right, Some(false));
}

#[tokio::test]
async fn a_rate_limit_is_tried_again_as_the_sdks_do() {
    let direct = Direct::start().await;
    for (sdk, model, class, tries) in [
        (ModelSdk::OpenAi, "gpt-rate-limited", "RateLimitError", 3),
        (ModelSdk::NodeOpenAi, "gpt-rate-limited", "RateLimitError", 3),
        (ModelSdk::Anthropic, "claude-rate-limited", "RateLimitError", 3),
    ] {
        direct.provider.forget();
        let printed = direct.failure(sdk, "chat", model).await;
        assert_eq!((&printed["error"], &printed["status"]), (&class.into(), &429.into()), "{printed}");
        assert_eq!(direct.provider.calls().len(), tries, "{sdk:?}");
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_an_error_of_the_sdk() {
    let direct = Direct::start().await;
    for (sdk, command, model, class) in [
        (ModelSdk::OpenAi, "stream", "gpt-fails-midway", "APIError"),
        // Its helper takes the event for one of many and misses the last one.
        (ModelSdk::OpenAi, "responses-stream", "gpt-fails-midway", "RuntimeError"),
        (ModelSdk::Anthropic, "stream", "claude-fails-midway", "APIStatusError"),
        (ModelSdk::GoogleGenAi, "stream", "gemini-fails-midway", "ServerError"),
        (ModelSdk::Boto3Bedrock, "stream", "anthropic.fails-midway", "EventStreamError"),
        (ModelSdk::NodeOpenAi, "stream", "gpt-fails-midway", "APIError"),
        (ModelSdk::NodeAnthropic, "stream", "claude-fails-midway", "APIError"),
    ] {
        let printed = direct.failure(sdk, command, model).await;
        assert_eq!(printed["error"], class, "{sdk:?} {command}: {printed}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_of_the_sdk() {
    let direct = Direct::start().await;
    direct.provider.behave(Conduct { break_after: Some(3), ..Conduct::default() });
    for (sdk, model) in [
        (ModelSdk::OpenAi, "gpt-4o"),
        (ModelSdk::Anthropic, "claude-sonnet-4-5"),
        (ModelSdk::GoogleGenAi, "gemini-2.5-flash"),
        (ModelSdk::Boto3Bedrock, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        (ModelSdk::NodeOpenAi, "gpt-4o"),
        (ModelSdk::NodeAnthropic, "claude-sonnet-4-5"),
    ] {
        direct.failure(sdk, "stream", model).await;
    }
}

#[tokio::test]
async fn compressed_answers_are_understood() {
    let direct = Direct::start().await;
    for encoding in [Encoding::Gzip, Encoding::Brotli] {
        direct.provider.behave(Conduct { encoding, ..Conduct::default() });
        for sdk in [ModelSdk::NodeOpenAi, ModelSdk::NodeAnthropic] {
            sdk.is_understood(&direct.access, &direct.provider).await;
        }
    }
    direct.provider.behave(Conduct { encoding: Encoding::Gzip, ..Conduct::default() });
    ModelSdk::OpenAi.is_understood(&direct.access, &direct.provider).await;
}

#[tokio::test]
async fn a_slow_stream_takes_its_time() {
    let direct = Direct::start().await;
    direct.provider.behave(Conduct { pace: Duration::from_millis(300), ..Conduct::default() });
    let begun = Instant::now();
    let printed = ModelSdk::NodeOpenAi.run(&direct.access, &["stream-usage"], &[]).await.remove(0);
    assert_eq!(printed["events"], 9, "{printed}");
    assert!(begun.elapsed() > Duration::from_millis(2700));
}
