//! SDKs of models, unmodified, through a real sidecar that reads their calls and holds their keys: they notice nothing,
//! the provider sees the real key, and what was used is on record to the token.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod place;
mod record;

use std::time::Duration;

use bytes::Bytes;
use creto_proto::v1::{Outcome, Verdict};
use creto_test_clients::{ModelAccess, ModelAnswer, ModelSdk};
use creto_test_support::{Conduct, Encoding, FakeProvider, Upstream};
use serde_json::Value;

use place::{AWS_SECRET, Direct, KEY, Through, api};
use record::{assert_has_the_real_key, assert_keeps_the_key, assert_on_record, assert_stream_is_as_asked};

/// Between two events of a stream.
const PACE: Duration = Duration::from_millis(40);

/// Every command is answered as without a sidecar, and on record with what the provider counted.
async fn understood_and_metered(sdk: ModelSdk) {
    let through = Through::start(sdk).await;
    through.provider.behave(Conduct { pace: PACE, ..Conduct::default() });
    let answers = sdk.is_understood(&through.access, &through.provider).await;
    assert_keeps_the_key(&through, &answers);
    for ModelAnswer { command, printed, seen } in &answers {
        assert_has_the_real_key(sdk, seen);
        let long = ["stream", "stream-usage", "stream-cached", "responses-stream", "invoke-stream"];
        // With its first stream LiteLLM loads half of itself, while the events come.
        if long.contains(command) && (sdk, *command) != (ModelSdk::LiteLlm, "stream") {
            // Six events or more, each of them waited for: what is held back arrives at once.
            assert!(printed["pauses"].as_u64().unwrap() >= 4, "{sdk:?} {command}: {printed}");
        }
    }
    assert_stream_is_as_asked(sdk, &answers);
    let records = through.beside.into_records().await;
    assert_eq!(records.len(), answers.len(), "{records:#?}");
    for (answer, (begun, ended)) in answers.iter().zip(&records) {
        assert_on_record(sdk, answer, begun, ended);
    }
    let text = format!("{records:?}");
    assert!(!text.contains(KEY) && !text.contains(AWS_SECRET), "{text}");
}

/// What a denied model is to the SDK: class, status and code of its error.
fn refusal(sdk: ModelSdk) -> (&'static str, &'static str, &'static str) {
    match sdk {
        ModelSdk::OpenAi | ModelSdk::AzureOpenAi | ModelSdk::NodeOpenAi => {
            ("gpt-forbidden", "PermissionDeniedError", "rule_denies")
        }
        ModelSdk::LangChainOpenAi => ("gpt-forbidden", "OpenAIPermissionDeniedError", "rule_denies"),
        // Its class for all that it has no class for.
        ModelSdk::LiteLlm => ("gpt-forbidden", "APIError", ""),
        ModelSdk::Anthropic | ModelSdk::NodeAnthropic => {
            ("claude-forbidden", "PermissionDeniedError", "permission_error")
        }
        ModelSdk::GoogleGenAi => ("gemini-forbidden", "ClientError", "PERMISSION_DENIED"),
        ModelSdk::Boto3Bedrock => {
            ("anthropic.forbidden-v1:0", "AccessDeniedException", "AccessDeniedException")
        }
    }
}

/// A denied model is the SDK's own error, at the first try, and nothing of it leaves.
async fn refused(sdk: ModelSdk) {
    let through = Through::start(sdk).await;
    let (model, class, code) = refusal(sdk);
    let commands: Vec<_> = sdk.commands().iter().copied().filter(|command| *command != "models").collect();
    let printed = sdk.fails(&through.access, &commands, &[("MODEL", model)]).await;
    for (command, printed) in commands.iter().zip(&printed) {
        if *command == "realtime" {
            // Not of the SDK, but of the WebSocket library that it uses.
            assert_eq!(printed["error"], "InvalidStatus", "{printed}");
            assert!(printed["message"].as_str().unwrap().contains("HTTP 403"), "{printed}");
            continue;
        }
        let class = match (sdk, *command) {
            // These objects of LangChain know no errors of their own.
            (ModelSdk::LangChainOpenAi, "embeddings") => "PermissionDeniedError",
            _ => class,
        };
        let found = (&printed["error"], &printed["status"], printed["code"].as_str().unwrap_or_default());
        assert_eq!(found, (&class.into(), &403.into(), code), "{sdk:?} {command}: {printed}");
        let message = printed["message"].as_str().unwrap_or_default();
        let said = "[creto: rule_denies by rule through/forbidden]";
        assert!(message.contains(said), "{sdk:?} {command}: {printed}");
    }
    assert!(through.provider.calls().is_empty(), "{:?}", through.provider.calls());
    let records = through.beside.into_records().await;
    assert_eq!(records.len(), commands.len(), "more than one try: {records:#?}");
    for (begun, ended) in records {
        assert_eq!((begun.verdict(), begun.code.as_str()), (Verdict::Denied, "rule_denies"), "{begun:?}");
        assert_eq!(begun.meaning.unwrap().subjects, [model]);
        assert_eq!((ended.outcome(), ended.usage), (Outcome::Refused, None));
    }
}

/// Models that the provider answers with errors: at once, and in the middle of a stream.
fn faults(sdk: ModelSdk) -> (&'static str, &'static str) {
    match api(sdk) {
        "anthropic" => ("claude-rate-limited", "claude-fails-midway"),
        "gemini" => ("gemini-rate-limited", "gemini-fails-midway"),
        "bedrock" => ("anthropic.rate-limited", "anthropic.fails-midway"),
        _ => ("gpt-rate-limited", "gpt-fails-midway"),
    }
}

/// What the provider says is wrong is to the SDK what it is without a sidecar, word for word, and as often tried.
async fn errors_are_left_as_they_are(sdk: ModelSdk) {
    let through = Through::start(sdk).await;
    let direct = Direct::start().await;
    let (limited, midway) = faults(sdk);
    let stream = if sdk.commands().contains(&"stream") { "stream" } else { "stream-usage" };
    let commands = [format!("chat@{limited}"), format!("{stream}@{midway}")];
    // At once, since most of the time goes into starting programs.
    let (found, expected) = tokio::join!(
        failures(sdk, &through.access, &commands, "not the secret"),
        failures(sdk, &direct.access, &commands, AWS_SECRET),
    );
    assert_eq!(found, expected, "{sdk:?}");
    let tries = |provider: &FakeProvider, model: &str| {
        provider.calls().iter().filter(|seen| seen.model == model).count()
    };
    for model in [limited, midway] {
        let tried = tries(&through.provider, model);
        assert!(tried > 0 && tried == tries(&direct.provider, model), "{sdk:?} {model}: {tried}");
    }
    let records = through.beside.into_records().await;
    assert_eq!(records.len(), through.provider.calls().len(), "{records:#?}");
    for (begun, ended) in records {
        assert_eq!((begun.verdict(), ended.outcome()), (Verdict::Allowed, Outcome::Completed), "{begun:?}");
        match ended.usage {
            None => assert_eq!((begun.meaning.unwrap().subjects[0].as_str(), ended.status), (limited, 429)),
            Some(usage) => assert!(usage.estimated && usage.input > 0 && ended.status == 200, "{ended:?}"),
        }
    }
}

/// What a program prints of calls that fail, without the headers that differ between two calls.
async fn failures(sdk: ModelSdk, access: &ModelAccess, commands: &[String], aws_secret: &str) -> Vec<Value> {
    let commands: Vec<_> = commands.iter().map(String::as_str).collect();
    // The SDK of AWS would wait longer and longer.
    let more = [("AWS_MAX_ATTEMPTS", "2"), ("AWS_SECRET_ACCESS_KEY", aws_secret)];
    let mut printed = sdk.fails(access, &commands, &more).await;
    for headers in printed.iter_mut().filter_map(|printed| printed["headers"].as_object_mut()) {
        headers.retain(|name, _| {
            !["date", "x-request-id", "request-id", "x-amzn-requestid"].contains(&name.as_str())
        });
    }
    printed
}

macro_rules! through_the_sidecar {
    ($($name:ident: $sdk:ident,)+) => {$(
        mod $name {
            use super::ModelSdk;

            #[tokio::test]
            async fn is_understood_and_metered_and_has_a_placeholder_for_a_key() {
                super::understood_and_metered(ModelSdk::$sdk).await;
            }

            #[tokio::test]
            async fn knows_a_refusal_for_what_it_is_and_does_not_try_again() {
                super::refused(ModelSdk::$sdk).await;
            }

            #[tokio::test]
            async fn sees_the_errors_of_its_provider_as_they_are() {
                super::errors_are_left_as_they_are(ModelSdk::$sdk).await;
            }
        }
    )+};
}

through_the_sidecar! {
    openai_for_python: OpenAi,
    openai_for_python_on_azure: AzureOpenAi,
    anthropic_for_python: Anthropic,
    google_genai: GoogleGenAi,
    boto3_bedrock: Boto3Bedrock,
    langchain_openai: LangChainOpenAi,
    litellm: LiteLlm,
    openai_for_node: NodeOpenAi,
    anthropic_for_node: NodeAnthropic,
}

/// Only where no key is kept from the agent: else the sidecar asks for answers that are not encoded.
#[tokio::test]
async fn compressed_answers_are_metered_and_left_compressed() {
    for (sdk, encoding) in
        [(ModelSdk::NodeOpenAi, Encoding::Gzip), (ModelSdk::NodeAnthropic, Encoding::Brotli)]
    {
        let through = Through::with(sdk, "", KEY).await;
        through.provider.behave(Conduct { encoding, ..Conduct::default() });
        let answers = sdk.is_understood(&through.access, &through.provider).await;
        let records = through.beside.into_records().await;
        assert_eq!(records.len(), answers.len(), "{records:#?}");
        for (answer, (mut begun, ended)) in answers.iter().zip(records) {
            assert_eq!(std::mem::replace(&mut begun.credential, "real".to_owned()), "");
            assert_on_record(sdk, answer, &begun, &ended);
        }
    }
}

/// SDKs repeat a call that was answered with 502, unless the answer says not to.
#[tokio::test]
async fn a_refusal_that_will_stay_one_is_not_tried_again_whatever_its_status() {
    for (sdk, class) in [
        (ModelSdk::OpenAi, "InternalServerError"),
        (ModelSdk::Anthropic, "InternalServerError"),
        (ModelSdk::NodeOpenAi, "InternalServerError"),
        (ModelSdk::NodeAnthropic, "InternalServerError"),
    ] {
        // It is asked for plain bytes and sends others, which might hold the key.
        let encoded = Upstream::builder().handle("/v1/", |_| async {
            let answer = http::Response::builder().header("content-encoding", "gzip");
            answer.body(Bytes::from_static(b"\x1f\x8b not looked into")).unwrap()
        });
        let through = Through::before_another(sdk, encoded).await;
        let printed = sdk.fails(&through.access, &["chat"], &[]).await.remove(0);
        assert_eq!((&printed["error"], &printed["status"]), (&class.into(), &502.into()), "{printed}");
        assert!(printed["message"].as_str().unwrap().contains("[creto: answer_unclear]"), "{printed}");
        assert_eq!(through.upstream.requests().len(), 1, "{sdk:?}");
    }
}
