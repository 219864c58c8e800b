//! Gemini and Vertex: `generateContent` and its stream (events, or one array of answers), embeddings, `predict`.
//!
//! A stream repeats `usageMetadata`, each time for all that came so far.

use crate::field::Field;
use crate::json::{Node, To};

const fn keys(keys: &'static [(&'static str, To)]) -> Node {
    Node { keys, items: None, field: None }
}

const fn list(item: &'static Node) -> Node {
    Node { keys: &[], items: Some(To::Node(item)), field: None }
}

/// An entry of a list of tokens by modality.
const fn detail(field: Field) -> Node {
    Node {
        keys: &[("modality", To::Leaf(Field::DetailName)), ("tokenCount", To::Leaf(Field::DetailCount))],
        items: None,
        field: Some(field),
    }
}

static IN: Node = detail(Field::DetailIn);
static CACHED: Node = detail(Field::DetailCached);
static OUT: Node = detail(Field::DetailOut);
static INS: Node = list(&IN);
static CACHEDS: Node = list(&CACHED);
static OUTS: Node = list(&OUT);

static USAGE: Node = Node {
    keys: &[
        ("promptTokenCount", To::Leaf(Field::InputAll)),
        ("candidatesTokenCount", To::Leaf(Field::OutputPlain)),
        ("totalTokenCount", To::Leaf(Field::Total)),
        ("thoughtsTokenCount", To::Leaf(Field::Reasoning)),
        ("cachedContentTokenCount", To::Leaf(Field::Cached)),
        ("toolUsePromptTokenCount", To::Leaf(Field::ToolInput)),
        ("promptTokensDetails", To::Node(&INS)),
        ("cacheTokensDetails", To::Node(&CACHEDS)),
        ("candidatesTokensDetails", To::Node(&OUTS)),
        ("serviceTier", To::Leaf(Field::Tier)),
        ("trafficType", To::Leaf(Field::Traffic)),
    ],
    items: None,
    field: Some(Field::Usage),
};

static INLINE_DATA: Node = keys(&[("mimeType", To::Leaf(Field::Media))]);
static CODE: Node =
    Node { keys: &[("code", To::Leaf(Field::Text))], items: None, field: Some(Field::CodeRun) };
static PART: Node = keys(&[
    ("text", To::Leaf(Field::Text)),
    ("inlineData", To::Node(&INLINE_DATA)),
    ("executableCode", To::Node(&CODE)),
]);
static PARTS: Node = list(&PART);
static CONTENT: Node = keys(&[("parts", To::Node(&PARTS))]);
static QUERIES: Node = Node { keys: &[], items: Some(To::Leaf(Field::SearchQuery)), field: None };
static GROUNDING: Node = keys(&[("webSearchQueries", To::Node(&QUERIES))]);
static CANDIDATE: Node = keys(&[
    ("content", To::Node(&CONTENT)),
    ("finishReason", To::Leaf(Field::Finish)),
    ("groundingMetadata", To::Node(&GROUNDING)),
]);
static CANDIDATES: Node = list(&CANDIDATE);
static FEEDBACK: Node = keys(&[("blockReason", To::Leaf(Field::Finish))]);

/// `predict`: embeddings tell tokens each, images their media type.
static STATISTICS: Node = keys(&[("token_count", To::Leaf(Field::InputPart))]);
static EMBEDDING: Node = keys(&[("statistics", To::Node(&STATISTICS))]);
static PREDICTION: Node = keys(&[("embeddings", To::Node(&EMBEDDING)), ("mimeType", To::Leaf(Field::Media))]);
static PREDICTIONS: Node = list(&PREDICTION);

/// One answer, or the elements of an array of them.
pub(crate) static GENERATE: Node =
    Node { keys: ANSWER_KEYS, items: Some(To::Node(&ANSWER)), field: Some(Field::Answer) };
static ANSWER: Node = Node { keys: ANSWER_KEYS, items: None, field: Some(Field::Answer) };
const ANSWER_KEYS: &[(&str, To)] = &[
    ("candidates", To::Node(&CANDIDATES)),
    ("usageMetadata", To::Node(&USAGE)),
    ("modelVersion", To::Leaf(Field::Model)),
    ("promptFeedback", To::Node(&FEEDBACK)),
    ("predictions", To::Node(&PREDICTIONS)),
    ("error", To::Leaf(Field::Failure)),
];
