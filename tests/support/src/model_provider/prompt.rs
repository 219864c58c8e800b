//! What was asked, and what the model says to it: both follow from the request alone.

use serde_json::{Map, Value};

/// Tokens of a request and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All of the prompt: what was read from the cache and written to it counts too.
    pub input: u64,
    /// Of `input`: read from the cache.
    pub cached: u64,
    /// Of `input`: written to the cache.
    pub cache_written: u64,
    /// All of the answer, reasoning too.
    pub output: u64,
    /// Of `output`: reasoning.
    pub reasoning: u64,
}

impl Tokens {
    /// Of `input`: neither read from the cache nor written to it.
    #[must_use]
    pub fn fresh(&self) -> u64 {
        self.input - self.cached - self.cache_written
    }
}

/// Tokens that a message costs besides its words.
const PER_MESSAGE: u64 = 3;
/// Tokens that a model which reasons spends on it.
const REASONING: u64 = 7;
/// Deeper documents are not searched for text.
const DEPTH: usize = 16;

/// A tool that the caller offers.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    /// JSON schema of its arguments.
    pub(super) schema: Value,
}

/// What a request asks, in no provider's words.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompt {
    pub(super) model: String,
    /// Words of all messages and the system prompt, and what each message costs besides.
    pub(super) input: u64,
    pub(super) cached: u64,
    pub(super) cache_written: u64,
    /// What was said last.
    pub(super) last: String,
    /// The tool to call: the first one offered, unless its result is there already.
    pub(super) tool: Option<Tool>,
    /// Most output tokens that the caller wants.
    pub(super) limit: Option<u64>,
    pub(super) reasons: bool,
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// The answer of the model.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The text, a token a piece; empty when a tool is called.
    pub(super) pieces: Vec<String>,
    pub(super) call: Option<Call>,
    /// The limit cut it short.
    pub(super) cut: bool,
    pub(super) tokens: Tokens,
}

impl Prompt {
    pub(super) fn counts_message(&mut self, text: &str) {
        self.input += words(text) + PER_MESSAGE;
    }

    /// The system prompt: the providers that cache unasked have it in their cache already.
    pub(super) fn counts_cached(&mut self, text: &str) {
        self.input += words(text);
        self.cached += words(text);
    }

    pub(super) fn said(&self) -> Said {
        let reasoning = if self.reasons { REASONING } else { 0 };
        let mut said = Said { pieces: Vec::new(), call: None, cut: false, tokens: self.tokens(0) };
        if let Some(tool) = &self.tool {
            let arguments = arguments(&tool.schema, &self.last);
            said.tokens = self.tokens(reasoning + 2 + words(&arguments.to_string()));
            said.call = Some(Call { name: tool.name.clone(), arguments });
            return said;
        }
        let text = format!("You said: {}", self.last);
        let mut pieces: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
        if let Some(limit) = self.limit.and_then(|limit| usize::try_from(limit).ok()) {
            said.cut = pieces.len() > limit;
            pieces.truncate(limit);
        }
        said.tokens = self.tokens(reasoning + pieces.len() as u64);
        said.pieces = pieces;
        said
    }

    /// Tokens with this many in the answer.
    pub(super) fn tokens(&self, output: u64) -> Tokens {
        Tokens {
            input: self.input,
            cached: self.cached,
            cache_written: self.cache_written,
            output,
            reasoning: if self.reasons { REASONING.min(output) } else { 0 },
        }
    }
}

impl Said {
    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}

pub(super) fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// All text of a message's content: a string, or parts of which some have one.
pub(super) fn text_of(content: &Value) -> String {
    let mut found = Vec::new();
    gather(content, &mut found, DEPTH);
    found.join(" ")
}

fn gather(value: &Value, found: &mut Vec<String>, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| gather(item, found, depth)),
        Value::Object(members) => {
            for key in ["text", "content", "parts"] {
                if let Some(inner) = members.get(key) {
                    gather(inner, found, depth);
                }
            }
        }
        _ => {}
    }
}

/// Arguments that fit a schema: `last` for text, 1 for numbers, true for booleans.
fn arguments(schema: &Value, last: &str) -> Value {
    let mut found = Map::new();
    for (name, about) in schema["properties"].as_object().into_iter().flatten() {
        let kind = about["type"].as_str().unwrap_or_default().to_lowercase();
        let value = match (about["enum"].as_array().and_then(|list| list.first()), kind.as_str()) {
            (Some(first), _) => first.clone(),
            (None, "integer" | "number") => 1.into(),
            (None, "boolean") => true.into(),
            (None, "array") => Value::Array(Vec::new()),
            (None, "object") => Value::Object(Map::new()),
            (None, _) => last.into(),
        };
        found.insert(name.clone(), value);
    }
    Value::Object(found)
}
