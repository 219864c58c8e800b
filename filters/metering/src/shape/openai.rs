//! OpenAI: chat completions, responses, embeddings, images and realtime, and what compatible hosts add.

use crate::field::Field;
use crate::json::{Node, To};

const fn keys(keys: &'static [(&'static str, To)]) -> Node {
    Node { keys, items: None, field: None }
}

/// `prompt_tokens_details` of chat and `input_tokens_details` of responses and images, `input_token_details` of
/// realtime.
pub(super) static INPUT_DETAILS: Node = keys(&[
    ("cached_tokens", To::Leaf(Field::Cached)),
    ("audio_tokens", To::Leaf(Field::AudioIn)),
    ("image_tokens", To::Leaf(Field::ImageIn)),
    ("cache_write_tokens", To::Leaf(Field::CacheWrite)),
    ("cached_tokens_details", To::Node(&CACHED_DETAILS)),
]);

static CACHED_DETAILS: Node =
    keys(&[("audio_tokens", To::Leaf(Field::CachedAudio)), ("image_tokens", To::Leaf(Field::CachedImage))]);

pub(super) static OUTPUT_DETAILS: Node =
    keys(&[("reasoning_tokens", To::Leaf(Field::Reasoning)), ("audio_tokens", To::Leaf(Field::AudioOut))]);

static SERVER_TOOLS: Node = keys(&[("web_search_requests", To::Leaf(Field::Searches))]);

static CHAT_USAGE: Node = Node {
    keys: &[
        ("prompt_tokens", To::Leaf(Field::InputAll)),
        ("completion_tokens", To::Leaf(Field::Output)),
        ("total_tokens", To::Leaf(Field::Total)),
        ("prompt_tokens_details", To::Node(&INPUT_DETAILS)),
        ("completion_tokens_details", To::Node(&OUTPUT_DETAILS)),
        // DeepSeek; it says the same as `cached_tokens` where both stand.
        ("prompt_cache_hit_tokens", To::Leaf(Field::Cached)),
        // xAI, Perplexity, OpenRouter.
        ("num_sources_used", To::Leaf(Field::Searches)),
        ("num_search_queries", To::Leaf(Field::Searches)),
        ("server_tool_use", To::Node(&SERVER_TOOLS)),
    ],
    items: None,
    field: Some(Field::Usage),
};

static FUNCTION: Node = keys(&[("arguments", To::Leaf(Field::Text))]);
static CUSTOM: Node = keys(&[("input", To::Leaf(Field::Text))]);
static TOOL_CALL: Node = keys(&[("function", To::Node(&FUNCTION)), ("custom", To::Node(&CUSTOM))]);
static TOOL_CALLS: Node = Node { keys: &[], items: Some(To::Node(&TOOL_CALL)), field: None };
static AUDIO: Node = keys(&[("transcript", To::Leaf(Field::Text))]);

/// `content` is a string, or a list of parts (Mistral).
static CONTENT: Node = Node { keys: &[], items: Some(To::Node(&PART)), field: Some(Field::Text) };
static PART: Node = keys(&[("text", To::Leaf(Field::Text)), ("thinking", To::Node(&CONTENT))]);

static MESSAGE: Node = keys(&[
    ("content", To::Node(&CONTENT)),
    ("tool_calls", To::Node(&TOOL_CALLS)),
    ("function_call", To::Node(&FUNCTION)),
    ("refusal", To::Leaf(Field::Text)),
    ("reasoning_content", To::Leaf(Field::Text)),
    ("reasoning", To::Leaf(Field::Text)),
    ("audio", To::Node(&AUDIO)),
]);

static CHOICE: Node = keys(&[
    ("delta", To::Node(&MESSAGE)),
    ("message", To::Node(&MESSAGE)),
    ("text", To::Leaf(Field::Text)),
    ("finish_reason", To::Leaf(Field::Finish)),
    // Moonshot tells the usage here.
    ("usage", To::Node(&CHAT_USAGE)),
]);
pub(super) static CHOICES: Node = Node { keys: &[], items: Some(To::Node(&CHOICE)), field: None };

/// Groq told the usage of streams here before it told it in `usage`.
static X_GROQ: Node = keys(&[("usage", To::Node(&CHAT_USAGE))]);

pub(crate) static CHAT: Node = Node {
    keys: &[
        ("choices", To::Node(&CHOICES)),
        ("model", To::Leaf(Field::Model)),
        ("usage", To::Node(&CHAT_USAGE)),
        ("service_tier", To::Leaf(Field::Tier)),
        ("x_groq", To::Node(&X_GROQ)),
        ("error", To::Leaf(Field::Failure)),
    ],
    items: None,
    field: Some(Field::Answer),
};

pub(crate) static EMBEDDINGS: Node = Node {
    keys: &[
        ("model", To::Leaf(Field::Model)),
        ("usage", To::Node(&CHAT_USAGE)),
        ("error", To::Leaf(Field::Failure)),
    ],
    items: None,
    field: Some(Field::Answer),
};

static RESPONSE_USAGE: Node = Node {
    keys: &[
        ("input_tokens", To::Leaf(Field::InputAll)),
        ("output_tokens", To::Leaf(Field::Output)),
        ("total_tokens", To::Leaf(Field::Total)),
        ("input_tokens_details", To::Node(&INPUT_DETAILS)),
        ("output_tokens_details", To::Node(&OUTPUT_DETAILS)),
        ("input_token_details", To::Node(&INPUT_DETAILS)),
        ("output_token_details", To::Node(&OUTPUT_DETAILS)),
    ],
    items: None,
    field: Some(Field::Usage),
};

static WEB_SEARCH: Node = keys(&[("num_requests", To::Leaf(Field::Searches))]);
static TOOL_USAGE: Node = keys(&[("web_search", To::Node(&WEB_SEARCH))]);
static TEXTS: Node = Node { keys: &[], items: Some(To::Node(&TEXT)), field: None };
static TEXT: Node = keys(&[("text", To::Leaf(Field::Text)), ("refusal", To::Leaf(Field::Text))]);

/// An item of the output of a whole answer: its text counts.
static OUTPUT_ITEM: Node = keys(&[
    ("type", To::Leaf(Field::Item)),
    ("content", To::Node(&TEXTS)),
    ("summary", To::Node(&TEXTS)),
    ("arguments", To::Leaf(Field::Text)),
    ("input", To::Leaf(Field::Text)),
    ("code", To::Leaf(Field::Text)),
]);
static OUTPUT: Node = Node { keys: &[], items: Some(To::Node(&OUTPUT_ITEM)), field: None };

/// An item in an event: its text has been counted from the deltas.
static EVENT_ITEM: Node = keys(&[("type", To::Leaf(Field::Item))]);
static EVENT_OUTPUT: Node = Node { keys: &[], items: Some(To::Node(&EVENT_ITEM)), field: None };

/// The answer within an event.
static RESPONSE: Node = keys(&[
    ("model", To::Leaf(Field::Model)),
    ("output", To::Node(&EVENT_OUTPUT)),
    ("service_tier", To::Leaf(Field::Tier)),
    ("usage", To::Node(&RESPONSE_USAGE)),
    ("tool_usage", To::Node(&TOOL_USAGE)),
    ("error", To::Leaf(Field::Failure)),
]);

pub(crate) static RESPONSES: Node = Node {
    keys: &[
        ("type", To::Leaf(Field::Event)),
        ("delta", To::Leaf(Field::Delta)),
        ("item", To::Node(&EVENT_ITEM)),
        ("response", To::Node(&RESPONSE)),
        ("model", To::Leaf(Field::Model)),
        ("output", To::Node(&OUTPUT)),
        ("service_tier", To::Leaf(Field::Tier)),
        ("usage", To::Node(&RESPONSE_USAGE)),
        ("tool_usage", To::Node(&TOOL_USAGE)),
        ("error", To::Leaf(Field::Failure)),
    ],
    items: None,
    field: Some(Field::Answer),
};

static IMAGE_DATA: Node = Node { keys: &[], items: Some(To::Node(&IMAGE)), field: None };
static IMAGE: Node = Node { keys: &[], items: None, field: Some(Field::Image) };

pub(crate) static IMAGES: Node = Node {
    keys: &[
        ("type", To::Leaf(Field::Event)),
        ("data", To::Node(&IMAGE_DATA)),
        ("model", To::Leaf(Field::Model)),
        ("usage", To::Node(&RESPONSE_USAGE)),
        ("error", To::Leaf(Field::Failure)),
    ],
    items: None,
    field: Some(Field::Answer),
};

static SESSION: Node = keys(&[("model", To::Leaf(Field::Model))]);

pub(crate) static REALTIME: Node = Node {
    keys: &[
        ("type", To::Leaf(Field::Event)),
        ("delta", To::Leaf(Field::Delta)),
        ("response", To::Node(&RESPONSE)),
        ("session", To::Node(&SESSION)),
        // Of a transcription, which is billed beside the responses.
        ("usage", To::Node(&RESPONSE_USAGE)),
    ],
    items: None,
    field: Some(Field::Answer),
};

/// What the stripper must know of a chunk.
pub(crate) static STRIPPED: Node =
    keys(&[("choices", To::Node(&STRIPPED_CHOICES)), ("usage", To::Leaf(STRIP_USAGE))]);
static STRIPPED_CHOICES: Node =
    Node { keys: &[], items: Some(To::Leaf(Field::Item)), field: Some(STRIP_CHOICES) };
pub(crate) const STRIP_CHOICES: Field = Field::Answer;
pub(crate) const STRIP_USAGE: Field = Field::Usage;
