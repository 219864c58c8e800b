//! Amazon Bedrock: Converse, and InvokeModel with the answers of the models behind it.

use super::{anthropic, openai};
use crate::field::Field;
use crate::json::{Node, To};

const fn keys(keys: &'static [(&'static str, To)]) -> Node {
    Node { keys, items: None, field: None }
}

const fn list(item: &'static Node) -> Node {
    Node { keys: &[], items: Some(To::Node(item)), field: None }
}

static TTL: Node = Node {
    keys: &[("ttl", To::Leaf(Field::DetailName)), ("inputTokens", To::Leaf(Field::DetailCount))],
    items: None,
    field: Some(Field::DetailTtl),
};
static TTLS: Node = list(&TTL);

/// `totalTokens` is left alone: the models differ in whether it counts what was cached.
static USAGE: Node = Node {
    keys: &[
        ("inputTokens", To::Leaf(Field::Input)),
        ("outputTokens", To::Leaf(Field::Output)),
        ("cacheReadInputTokens", To::Leaf(Field::Cached)),
        ("cacheWriteInputTokens", To::Leaf(Field::CacheWrite)),
        ("cacheDetails", To::Node(&TTLS)),
        // The names before general availability, and those of Nova.
        ("cacheReadInputTokenCount", To::Leaf(Field::Cached)),
        ("cacheWriteInputTokenCount", To::Leaf(Field::CacheWrite)),
    ],
    items: None,
    field: Some(Field::Usage),
};

static REASONING_TEXT: Node = keys(&[("text", To::Leaf(Field::Text))]);
static REASONING: Node =
    keys(&[("text", To::Leaf(Field::Text)), ("reasoningText", To::Node(&REASONING_TEXT))]);
static BLOCK: Node = keys(&[("text", To::Leaf(Field::Text)), ("reasoningContent", To::Node(&REASONING))]);
static CONTENT: Node = list(&BLOCK);
static MESSAGE: Node = keys(&[("content", To::Node(&CONTENT))]);
static OUTPUT: Node = keys(&[("message", To::Node(&MESSAGE))]);
static TOOL_USE: Node = keys(&[("input", To::Leaf(Field::Text))]);
static DELTA: Node = keys(&[
    ("text", To::Leaf(Field::Text)),
    ("reasoningContent", To::Node(&REASONING)),
    ("toolUse", To::Node(&TOOL_USE)),
]);
static TIER: Node = keys(&[("type", To::Leaf(Field::Tier))]);
static ROUTER: Node = keys(&[("invokedModelId", To::Leaf(Field::Model))]);
static TRACE: Node = keys(&[("promptRouter", To::Node(&ROUTER))]);

/// The answer, and the payload of every event: no name means two things in them.
pub(crate) static CONVERSE: Node = Node {
    keys: &[
        ("delta", To::Node(&DELTA)),
        ("output", To::Node(&OUTPUT)),
        ("stopReason", To::Leaf(Field::Finish)),
        ("usage", To::Node(&USAGE)),
        ("serviceTier", To::Node(&TIER)),
        ("trace", To::Node(&TRACE)),
    ],
    items: None,
    field: Some(Field::Answer),
};

/// What an event of an invoke stream carries: the model's own event, in base64.
pub(crate) static CHUNK: Node = keys(&[("bytes", To::Leaf(Field::Payload))]);

static METRICS: Node = Node {
    keys: &[
        ("inputTokenCount", To::Leaf(Field::MetricIn)),
        ("outputTokenCount", To::Leaf(Field::MetricOut)),
        ("cacheReadInputTokenCount", To::Leaf(Field::MetricCached)),
        ("cacheWriteInputTokenCount", To::Leaf(Field::MetricCacheWrite)),
    ],
    items: None,
    field: Some(Field::Metrics),
};

/// A usage object of any family: Claude and OpenAI forms in snake case, Nova in camel case.
static ANY_USAGE: Node = Node {
    keys: &[
        ("input_tokens", To::Leaf(Field::Input)),
        ("output_tokens", To::Leaf(Field::Output)),
        ("cache_creation_input_tokens", To::Leaf(Field::CacheWrite)),
        ("cache_read_input_tokens", To::Leaf(Field::Cached)),
        ("cache_creation", To::Node(&anthropic::CACHE_CREATION)),
        ("output_tokens_details", To::Node(&anthropic::OUTPUT_DETAILS)),
        ("server_tool_use", To::Node(&anthropic::SERVER_TOOL_USE)),
        ("service_tier", To::Leaf(Field::Tier)),
        ("iterations", To::Node(&anthropic::STEPS)),
        ("prompt_tokens", To::Leaf(Field::InputAll)),
        ("completion_tokens", To::Leaf(Field::Output)),
        ("total_tokens", To::Leaf(Field::Total)),
        ("prompt_tokens_details", To::Node(&openai::INPUT_DETAILS)),
        ("completion_tokens_details", To::Node(&openai::OUTPUT_DETAILS)),
        ("inputTokens", To::Leaf(Field::Input)),
        ("outputTokens", To::Leaf(Field::Output)),
        ("cacheReadInputTokenCount", To::Leaf(Field::Cached)),
        ("cacheWriteInputTokenCount", To::Leaf(Field::CacheWrite)),
        ("cacheReadInputTokens", To::Leaf(Field::Cached)),
        ("cacheWriteInputTokens", To::Leaf(Field::CacheWrite)),
    ],
    items: None,
    field: Some(Field::Usage),
};

static ANY_MESSAGE: Node = keys(&[("model", To::Leaf(Field::Model)), ("usage", To::Node(&ANY_USAGE))]);
static ANY_DELTA: Node = keys(&[
    ("text", To::Leaf(Field::Text)),
    ("partial_json", To::Leaf(Field::Text)),
    ("thinking", To::Leaf(Field::Text)),
    ("stop_reason", To::Leaf(Field::Finish)),
    ("reasoningContent", To::Node(&REASONING)),
    ("toolUse", To::Node(&TOOL_USE)),
]);
static BLOCK_DELTA: Node = keys(&[("delta", To::Node(&ANY_DELTA))]);
static MESSAGE_STOP: Node = keys(&[("stopReason", To::Leaf(Field::Finish))]);
static METADATA: Node = keys(&[("usage", To::Node(&ANY_USAGE))]);
/// Titan (`results`), Mistral (`outputs`), Cohere (`generations`).
static RESULT: Node = keys(&[
    ("tokenCount", To::Leaf(Field::OutputPart)),
    ("outputText", To::Leaf(Field::Text)),
    ("text", To::Leaf(Field::Text)),
    ("completionReason", To::Leaf(Field::Finish)),
    ("stop_reason", To::Leaf(Field::Finish)),
    ("finish_reason", To::Leaf(Field::Finish)),
]);
static RESULTS: Node = list(&RESULT);

/// The answer of any model, and any event of its stream.
pub(crate) static INVOKE: Node = Node {
    keys: &[
        // Claude.
        ("type", To::Leaf(Field::Event)),
        ("delta", To::Node(&ANY_DELTA)),
        ("message", To::Node(&ANY_MESSAGE)),
        ("model", To::Leaf(Field::Model)),
        ("content", To::Node(&anthropic::CONTENT)),
        ("stop_reason", To::Leaf(Field::Finish)),
        ("usage", To::Node(&ANY_USAGE)),
        ("error", To::Leaf(Field::Failure)),
        ("amazon-bedrock-invocationMetrics", To::Node(&METRICS)),
        // Nova.
        ("output", To::Node(&OUTPUT)),
        ("stopReason", To::Leaf(Field::Finish)),
        ("contentBlockDelta", To::Node(&BLOCK_DELTA)),
        ("messageStop", To::Node(&MESSAGE_STOP)),
        ("metadata", To::Node(&METADATA)),
        // The OpenAI form: gpt-oss, DeepSeek, Qwen, AI21, newer Mistral.
        ("choices", To::Node(&openai::CHOICES)),
        // Llama, Titan, older Mistral, Cohere.
        ("generation", To::Leaf(Field::Text)),
        ("prompt_token_count", To::Leaf(Field::InputAll)),
        ("generation_token_count", To::Leaf(Field::Output)),
        ("inputTextTokenCount", To::Leaf(Field::InputAll)),
        ("totalOutputTextTokenCount", To::Leaf(Field::Output)),
        ("outputText", To::Leaf(Field::Text)),
        ("completionReason", To::Leaf(Field::Finish)),
        ("results", To::Node(&RESULTS)),
        ("outputs", To::Node(&RESULTS)),
        ("generations", To::Node(&RESULTS)),
        ("finish_reason", To::Leaf(Field::Finish)),
        ("text", To::Leaf(Field::Text)),
        ("completion", To::Leaf(Field::Text)),
    ],
    items: None,
    field: Some(Field::Answer),
};
