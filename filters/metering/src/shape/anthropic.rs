//! Anthropic messages, whole and streamed.
//!
//! The counts of a stream are cumulative: the last one of each field that is not null is the one that counts.

use crate::field::Field;
use crate::json::{Node, To};

const fn keys(keys: &'static [(&'static str, To)]) -> Node {
    Node { keys, items: None, field: None }
}

pub(super) static CACHE_CREATION: Node = keys(&[
    ("ephemeral_5m_input_tokens", To::Leaf(Field::CacheWrite5m)),
    ("ephemeral_1h_input_tokens", To::Leaf(Field::CacheWrite1h)),
]);
pub(super) static OUTPUT_DETAILS: Node = keys(&[("thinking_tokens", To::Leaf(Field::Reasoning))]);
pub(super) static SERVER_TOOL_USE: Node = keys(&[
    ("web_search_requests", To::Leaf(Field::Searches)),
    ("web_fetch_requests", To::Leaf(Field::Fetches)),
    ("code_execution_requests", To::Leaf(Field::CodeRuns)),
]);

/// Steps of kinds that the totals leave out: compaction of the context, and advisors.
pub(super) static STEPS: Node = Node { keys: &[], items: Some(To::Node(&STEP)), field: Some(Field::Steps) };
static STEP: Node = Node {
    keys: &[
        ("type", To::Leaf(Field::DetailName)),
        ("input_tokens", To::Leaf(Field::StepInput)),
        ("output_tokens", To::Leaf(Field::StepOutput)),
        ("cache_read_input_tokens", To::Leaf(Field::StepCached)),
        ("cache_creation_input_tokens", To::Leaf(Field::StepCacheWrite)),
        ("cache_creation", To::Node(&STEP_CACHE_CREATION)),
    ],
    items: None,
    field: Some(Field::Step),
};
static STEP_CACHE_CREATION: Node = keys(&[("ephemeral_1h_input_tokens", To::Leaf(Field::StepCacheWrite1h))]);

static USAGE: Node = Node {
    keys: &[
        ("input_tokens", To::Leaf(Field::Input)),
        ("cache_creation_input_tokens", To::Leaf(Field::CacheWrite)),
        ("cache_read_input_tokens", To::Leaf(Field::Cached)),
        ("cache_creation", To::Node(&CACHE_CREATION)),
        ("output_tokens", To::Leaf(Field::Output)),
        ("output_tokens_details", To::Node(&OUTPUT_DETAILS)),
        ("server_tool_use", To::Node(&SERVER_TOOL_USE)),
        ("service_tier", To::Leaf(Field::Tier)),
        ("iterations", To::Node(&STEPS)),
    ],
    items: None,
    field: Some(Field::Usage),
};

static BLOCK: Node = keys(&[("text", To::Leaf(Field::Text)), ("thinking", To::Leaf(Field::Text))]);
pub(super) static CONTENT: Node = Node { keys: &[], items: Some(To::Node(&BLOCK)), field: None };

/// The message within `message_start`.
static MESSAGE: Node = keys(&[("model", To::Leaf(Field::Model)), ("usage", To::Node(&USAGE))]);

static DELTA: Node = keys(&[
    ("text", To::Leaf(Field::Text)),
    ("partial_json", To::Leaf(Field::Text)),
    ("thinking", To::Leaf(Field::Text)),
    ("stop_reason", To::Leaf(Field::Finish)),
]);

pub(crate) static MESSAGES: Node = Node {
    keys: &[
        ("type", To::Leaf(Field::Event)),
        ("delta", To::Node(&DELTA)),
        ("message", To::Node(&MESSAGE)),
        ("model", To::Leaf(Field::Model)),
        ("content", To::Node(&CONTENT)),
        ("stop_reason", To::Leaf(Field::Finish)),
        ("usage", To::Node(&USAGE)),
        ("error", To::Leaf(Field::Failure)),
    ],
    items: None,
    field: Some(Field::Answer),
};
