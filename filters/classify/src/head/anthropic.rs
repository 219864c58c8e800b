//! Anthropic's endpoints.
//!
//! `…/messages/batches` is plain: a batch holds many requests of many models, which no single call's facts say. A policy
//! that allows models only lets no batch through.

use creto_call::{ModelApi, ModelOperation};

use super::{Head, ModelHead};

pub(super) fn find(head: &Head<'_>) -> Option<ModelHead> {
    if !head.is_post() {
        return None;
    }
    let operation = if head.versioned(&["messages"]) {
        ModelOperation::Messages
    } else if head.versioned(&["messages", "count_tokens"]) {
        ModelOperation::CountTokens
    } else if head.known && head.path.ends_with(&["complete"]) {
        ModelOperation::Completions
    } else {
        return None;
    };
    Some(ModelHead::of(ModelApi::Anthropic, operation))
}
