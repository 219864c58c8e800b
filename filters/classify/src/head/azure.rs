//! Azure OpenAI's endpoints: OpenAI's, below `/openai/v1` or below a deployment, which is the model then.

use creto_call::{ModelApi, ModelOperation};

use super::{BodyForm, Head, ModelHead, openai};

/// `…/openai/…` as OpenAI has it; anything else is another API on the same resource.
pub(super) fn find(head: &Head<'_>) -> Option<ModelHead> {
    let below = head.path.segments().iter().any(|segment| segment.eq_ignore_ascii_case("openai"));
    below.then(|| openai::of(head, ModelApi::AzureOpenAi)).flatten()
}

/// What Azure has below a deployment.
const BELOW: [(&[&str], ModelOperation, BodyForm); 7] = [
    (&["extensions", "chat", "completions"], ModelOperation::Chat, BodyForm::Json),
    (&["chat", "completions"], ModelOperation::Chat, BodyForm::Json),
    (&["completions"], ModelOperation::Completions, BodyForm::Json),
    (&["responses"], ModelOperation::Responses, BodyForm::Json),
    (&["embeddings"], ModelOperation::Embeddings, BodyForm::Json),
    (&["images", "generations"], ModelOperation::Images, BodyForm::Json),
    (&["images", "edits"], ModelOperation::Images, BodyForm::JsonOrForm),
];

/// `…/deployments/<deployment>/chat/completions` and its like; also OpenAI's own retired `engines/<model>/…`.
pub(super) fn deployment(head: &Head<'_>) -> Option<ModelHead> {
    if !head.is_post() {
        return None;
    }
    BELOW.into_iter().find_map(|(ends, operation, body)| {
        let [before @ .., word, deployment] = head.path.before(ends)? else { return None };
        let known = head.known || before.last().is_some_and(|segment| segment.eq_ignore_ascii_case("openai"));
        let api = match &*word.to_ascii_lowercase() {
            "deployments" if known => ModelApi::AzureOpenAi,
            "engines" if head.known => ModelApi::OpenAi,
            _ => return None,
        };
        Some(ModelHead::of(api, operation).body(body).in_path(deployment, head.path))
    })
}
