//! The one change that is made to a body: a stream is asked to say what it used.

use bytes::Bytes;
use creto_classify::{Meanings, add_include_usage};

use crate::path::admitted::Admitted;
use crate::path::classify::Understood;

/// Bytes that an edit adds at most.
pub(crate) const MOST_ADDED: u64 = 64;

/// Adds `stream_options.include_usage` where the agent did not ask for it; the chunk it brings is then taken out of the
/// answer. Other bodies stay as they are.
pub(crate) fn ask_for_usage(admitted: &mut Admitted, understood: &Understood, body: Bytes) -> Bytes {
    let Meanings::Model(call) = &understood.meanings else { return body };
    let Some(plan) = &mut admitted.plan else { return body };
    match add_include_usage(&body, call) {
        Some(edited) => {
            plan.strip_usage = true;
            edited.into()
        }
        None => body,
    }
}
