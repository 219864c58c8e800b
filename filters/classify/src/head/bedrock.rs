//! Bedrock runtime's endpoints: `/model/<id or ARN>/<verb>`.

use creto_call::{ModelApi, ModelOperation};

use super::{BodyForm, Head, ModelHead, joined};

pub(super) fn find(head: &Head<'_>) -> Option<ModelHead> {
    if !head.is_post() {
        return None;
    }
    // The model of an asynchronous call stands in its body.
    if head.known && head.path.ends_with(&["async-invoke"]) {
        return Some(ModelHead::of(ModelApi::Bedrock, ModelOperation::InvokeModel));
    }
    let (operation, streaming, body) = match &*head.path.last().to_ascii_lowercase() {
        "converse" => (ModelOperation::Converse, false, BodyForm::Json),
        "converse-stream" => (ModelOperation::Converse, true, BodyForm::Json),
        "invoke" => (ModelOperation::InvokeModel, false, BodyForm::Json),
        "invoke-with-response-stream" => (ModelOperation::InvokeModel, true, BodyForm::Json),
        // Its body is a stream of events that goes on while the answer comes.
        "invoke-with-bidirectional-stream" => (ModelOperation::InvokeModel, true, BodyForm::Unread),
        "count-tokens" => (ModelOperation::CountTokens, false, BodyForm::Json),
        _ => return None,
    };
    let segments = head.path.segments();
    let from = segments.iter().position(|segment| segment.eq_ignore_ascii_case("model"))?;
    // An ARN's slashes may stand there unencoded.
    let id = segments.get(from + 1..segments.len() - 1).filter(|id| !id.is_empty())?;
    Some(
        ModelHead::of(ModelApi::Bedrock, operation)
            .streaming(streaming)
            .body(body)
            .in_path(&joined(id), head.path),
    )
}
