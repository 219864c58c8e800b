//! OpenAI's endpoints, under whatever base path.

use creto_call::{ModelApi, ModelOperation};

use super::{BodyForm, Head, ModelHead};
use crate::{BodyProblem, model_name, path};

pub(super) fn find(head: &Head<'_>) -> Option<ModelHead> {
    of(head, ModelApi::OpenAi)
}

/// OpenAI's endpoints, for an API that shares them.
pub(super) fn of(head: &Head<'_>, api: ModelApi) -> Option<ModelHead> {
    if head.is_post() {
        return posted(head, api);
    }
    if head.versioned(&["realtime"]) && head.is_web_socket() {
        return Some(realtime(head, api));
    }
    // Responses over a WebSocket: the model stands in its messages, which are not read.
    (head.versioned(&["responses"]) && head.is_web_socket())
        .then(|| ModelHead::of(api, ModelOperation::Responses).streaming(true).body(BodyForm::Unread))
}

fn posted(head: &Head<'_>, api: ModelApi) -> Option<ModelHead> {
    let path = head.path;
    let (operation, body) = if path.ends_with(&["chat", "completions"]) {
        (ModelOperation::Chat, BodyForm::Json)
    } else if head.versioned(&["completions"]) {
        (ModelOperation::Completions, BodyForm::Json)
    } else if head.versioned(&["responses"]) || head.versioned(&["responses", "compact"]) {
        (ModelOperation::Responses, BodyForm::Json)
    } else if head.versioned(&["responses", "input_tokens"]) {
        (ModelOperation::CountTokens, BodyForm::Json)
    } else if head.versioned(&["embeddings"]) {
        (ModelOperation::Embeddings, BodyForm::Json)
    } else if path.ends_with(&["images", "generations"]) {
        (ModelOperation::Images, BodyForm::Json)
    } else if path.ends_with(&["images", "edits"]) || path.ends_with(&["images", "variations"]) {
        (ModelOperation::Images, BodyForm::JsonOrForm)
    } else {
        return None;
    };
    Some(ModelHead::of(api, operation).body(body))
}

/// The model of a realtime call stands in the query, as `model` or, at Azure, as `deployment`.
fn realtime(head: &Head<'_>, api: ModelApi) -> ModelHead {
    let mut found = ModelHead::of(api, ModelOperation::Realtime).streaming(true).body(BodyForm::Unread);
    let named = path::query_values(head.query, "model").and_then(|mut models| {
        models.extend(path::query_values(head.query, "deployment")?);
        Ok(models)
    });
    match named.as_deref() {
        Ok([]) => {}
        Ok([model]) => match model_name::check_decoded(model) {
            Ok(()) => found.model = Some(model.to_string()),
            Err(problem) => found.problem = Some(problem),
        },
        Ok(_) => found.problem = Some(BodyProblem::Model("the query names it more than once".to_owned())),
        Err(()) => {
            found.problem = Some(BodyProblem::Model("the query holds a broken percent escape".to_owned()));
        }
    }
    found
}
