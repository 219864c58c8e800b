//! What has to be so of a call that was answered.

use creto_proto::v1::{CallBegun, CallEnded, Outcome, Verdict};
use creto_test_clients::{ModelAnswer, ModelSdk};
use creto_test_support::SeenCall;
use serde_json::json;

use crate::place::{AWS_SECRET, KEY, PLACEHOLDER, Through, api};

/// The real key is nowhere where the agent is.
pub(crate) fn assert_keeps_the_key(through: &Through, answers: &[ModelAnswer]) {
    let printed: Vec<_> = answers.iter().map(|answer| &answer.printed).collect();
    let texts = [format!("{:?}", through.access), format!("{printed:?}"), through.beside.sidecar().log()];
    for text in texts {
        assert!(!text.contains(KEY) && !text.contains(AWS_SECRET), "{text}");
    }
}

pub(crate) fn assert_has_the_real_key(sdk: ModelSdk, seen: &SeenCall) {
    let header = match api(sdk) {
        // Anthropic's SDKs of today send the key so too: a placeholder is replaced where it stands.
        "openai" | "anthropic" => ("authorization", format!("Bearer {KEY}")),
        "azure-openai" => ("api-key", KEY.to_owned()),
        "gemini" => ("x-goog-api-key", KEY.to_owned()),
        _ => {
            let signed = seen.signature.as_ref().unwrap();
            let found = (signed.access_key.as_str(), signed.service.as_str(), signed.right);
            assert_eq!(found, (KEY, "bedrock", Some(true)), "{seen:?}");
            ("host", seen.header("host").unwrap_or_default().to_owned())
        }
    };
    assert_eq!(seen.header(header.0).unwrap_or_default(), header.1, "{seen:?}");
    assert!(!format!("{:?} {}", seen.headers, seen.query).contains(PLACEHOLDER), "{seen:?}");
}

/// A stream that asks for no usage has none, although the provider was asked for it.
pub(crate) fn assert_stream_is_as_asked(sdk: ModelSdk, answers: &[ModelAnswer]) {
    let answer = |command: &str| answers.iter().find(|answer| answer.command == command);
    let Some(plain) = answer("stream").filter(|_| api(sdk) == "openai") else { return };
    assert_eq!(plain.seen.json()["stream_options"], json!({"include_usage": true}), "{:?}", plain.seen);
    assert!(!sdk.is_told_usage("stream") && plain.printed["usage"].is_null(), "{}", plain.printed);
    if let (Some(asked), Some(events)) = (answer("stream-usage"), plain.printed["events"].as_u64()) {
        assert_eq!(Some(events + 1), asked.printed["events"].as_u64(), "{}", plain.printed);
    }
}

pub(crate) fn assert_on_record(sdk: ModelSdk, answer: &ModelAnswer, begun: &CallBegun, ended: &CallEnded) {
    let what = format!("{sdk:?} {}: {begun:#?}\n{ended:#?}\n{:#?}", answer.command, answer.seen);
    let seen = &answer.seen;
    let rule = if answer.command == "models" { "list" } else { "models" };
    assert_eq!((begun.verdict(), begun.rule.as_str()), (Verdict::Allowed, rule), "{what}");
    assert_eq!((begun.path.as_str(), begun.credential.as_str()), (seen.path.as_str(), "real"), "{what}");
    assert_eq!((ended.outcome(), ended.status), (Outcome::Completed, u32::from(seen.status)), "{what}");
    let operation = match seen.operation {
        "generateContent" | "streamGenerateContent" => "generate_content",
        "embedContent" | "batchEmbedContents" => "embeddings",
        "converse-stream" => "converse",
        "invoke" | "invoke-with-response-stream" => "invoke_model",
        "models" => return assert_eq!((&begun.meaning, ended.usage), (&None, None), "{what}"),
        same => same,
    };
    let meaning = begun.meaning.as_ref().unwrap();
    let found = (meaning.protocol.as_str(), meaning.service.as_str(), meaning.operation.as_str());
    assert_eq!(found, ("model", "fake", operation), "{what}");
    assert_eq!(meaning.subjects, [seen.model.as_str()], "{what}");
    let usage = ended.usage.unwrap_or_default();
    match &seen.tokens {
        Some(tokens) => {
            let recorded = (
                usage.input,
                usage.cached_input,
                usage.cache_write + usage.cache_write_1h,
                usage.output,
                usage.reasoning,
                usage.estimated,
            );
            let output = tokens.output - tokens.reasoning;
            let counted =
                (tokens.fresh(), tokens.cached, tokens.cache_written, output, tokens.reasoning, false);
            assert_eq!(recorded, counted, "{what}");
            let searches = answer.printed["usage"]["server_tool_use"]["web_search_requests"].as_u64();
            assert_eq!(usage.server_tool_calls, searches.unwrap_or_default(), "{what}");
            if operation != "realtime" {
                assert_eq!(
                    ended.response_model.is_empty(),
                    api(sdk) == "bedrock" && operation == "converse",
                    "{what}"
                );
            }
        }
        // Counting is free; the rest is not, whether the API says what it used or not.
        None if operation == "count_tokens" => assert_eq!(ended.usage, None, "{what}"),
        None => assert!(usage.estimated && usage.input > 0, "{what}"),
    }
}
