//! Gemini's and Vertex's endpoints: `…/models/<model>:<verb>`.

use creto_call::{ModelApi, ModelOperation};

use super::{BodyForm, Head, ModelHead, joined};

pub(super) fn find(head: &Head<'_>) -> Option<ModelHead> {
    if let Some(found) = live(head) {
        return Some(found);
    }
    if !head.is_post() {
        return None;
    }
    if let Some(found) = service(head) {
        return Some(found);
    }
    // Interactions: model and stream stand in the body.
    if head.known && head.path.ends_with(&["interactions"]) {
        return Some(ModelHead::of(ModelApi::Gemini, ModelOperation::GenerateContent));
    }
    verb(head)
}

fn verb(head: &Head<'_>) -> Option<ModelHead> {
    let segments = head.path.segments();
    let (last, verb) = head.path.last().rsplit_once(':')?;
    let (operation, streaming) = operation(verb)?;
    let before = segments.get(..segments.len() - 1)?;
    let from = before
        .iter()
        .rposition(|segment| matches!(&**segment, "models" | "tunedModels" | "endpoints" | "dynamic"))?;
    let mut name = joined(before.get(from + 1..)?);
    if !name.is_empty() {
        name.push('/');
    }
    name.push_str(last);
    let collection = &*before[from];
    if collection != "models" {
        name = format!("{collection}/{name}");
    }
    let found = if verb.eq_ignore_ascii_case("rawPredict") || verb.eq_ignore_ascii_case("streamRawPredict") {
        let publisher = before.get(from.checked_sub(2)?..from)?;
        if !publisher[0].eq_ignore_ascii_case("publishers") {
            return None;
        }
        if !publisher[1].eq_ignore_ascii_case("anthropic") {
            // The other publishers on Vertex speak OpenAI's format.
            ModelHead::of(ModelApi::OpenAi, ModelOperation::Chat)
        } else if name == "count-tokens" {
            // The model to count for stands in the body.
            return Some(ModelHead::of(ModelApi::Anthropic, ModelOperation::CountTokens));
        } else {
            ModelHead::of(ModelApi::Anthropic, ModelOperation::Messages)
        }
    } else {
        ModelHead::of(ModelApi::Gemini, operation)
    };
    Some(found.streaming(streaming).in_path(&name, head.path))
}

/// What a verb asks, and whether it always streams.
fn operation(verb: &str) -> Option<(ModelOperation, bool)> {
    Some(match &*verb.to_ascii_lowercase() {
        "generatecontent"
        | "generateanswer"
        | "batchgeneratecontent"
        | "predict"
        | "predictlongrunning"
        | "rawpredict" => (ModelOperation::GenerateContent, false),
        "streamgeneratecontent" | "serverstreamingpredict" | "streamrawpredict" => {
            (ModelOperation::GenerateContent, true)
        }
        "embedcontent" | "batchembedcontents" | "asyncbatchembedcontent" => {
            (ModelOperation::Embeddings, false)
        }
        "counttokens" | "computetokens" => (ModelOperation::CountTokens, false),
        _ => return None,
    })
}

/// The live API, a WebSocket whose first message names the model; it is not read.
fn live(head: &Head<'_>) -> Option<ModelHead> {
    let last = head.path.last();
    let last = last.rsplit_once('.').map_or(last, |(_, method)| method);
    let is_live =
        matches!(last, "BidiGenerateContent" | "BidiGenerateContentConstrained") && head.is_web_socket();
    is_live.then(|| {
        ModelHead::of(ModelApi::Gemini, ModelOperation::Realtime).streaming(true).body(BodyForm::Unread)
    })
}

/// gRPC: `/google.ai.generativelanguage.v1beta.GenerativeService/GenerateContent` and Vertex's own services. The
/// model stands in the message, which is not read.
fn service(head: &Head<'_>) -> Option<ModelHead> {
    let [service, method] = head.path.segments() else { return None };
    let google = service.starts_with("google.ai.generativelanguage.")
        || service.starts_with("google.cloud.aiplatform.");
    if !google || !head.is_grpc() {
        return None;
    }
    let (operation, streaming) = operation(method)?;
    Some(ModelHead::of(ModelApi::Gemini, operation).streaming(streaming).body(BodyForm::Unread))
}
