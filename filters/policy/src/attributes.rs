//! The attributes that `when` may read, and their values for a call.

use std::{cell::Cell, ops::ControlFlow, sync::LazyLock};

use creto_authz::CallPath;
use creto_call::{A2aCall, McpCall, Meaning, ModelCall};
use creto_expression::{Entry, Key, List, Lookup, Map, Schema, SchemaError, Slot, Slots, Type, Value, View};
use http::HeaderMap;

use crate::{conditions::asks_for_skill, facts::Facts};

macro_rules! attributes {
    ($($name:ident = $slot:literal, $text:literal, $kind:expr;)+) => {
        $(const $name: Slot = Slot($slot);)+

        static SCHEMA: LazyLock<Result<Schema, SchemaError>> =
            LazyLock::new(|| Schema::new([$(($text, $kind, $name)),+]));
    };
}

attributes! {
    REQUEST_METHOD = 0, "request.method", Type::String;
    REQUEST_HOST = 1, "request.host", Type::String;
    REQUEST_SCHEME = 2, "request.scheme", Type::String;
    REQUEST_PATH = 3, "request.path", Type::String;
    REQUEST_URL_PATH = 4, "request.url_path", Type::String;
    REQUEST_QUERY = 5, "request.query", Type::String;
    REQUEST_HEADERS = 6, "request.headers", Type::string_map();
    REQUEST_SIZE = 7, "request.size", Type::Int;
    DESTINATION_HOST = 8, "destination.host", Type::String;
    DESTINATION_PORT = 9, "destination.port", Type::Int;
    AGENT_NAME = 10, "agent.name", Type::String;
    AGENT_TIER = 11, "agent.tier", Type::String;
    AGENT_TRUST = 12, "agent.trust", Type::String;
    AGENT_LABELS = 13, "agent.labels", Type::string_map();
    LLM_PROVIDER = 14, "llm.provider", Type::String;
    LLM_OPERATION = 15, "llm.operation", Type::String;
    LLM_REQUEST_MODEL = 16, "llm.request_model", Type::String;
    LLM_STREAMING = 17, "llm.streaming", Type::Bool;
    LLM_MAX_OUTPUT_TOKENS = 18, "llm.max_output_tokens", Type::Int;
    LLM_TOOLS = 19, "llm.tools", Type::strings();
    MCP_SERVER = 20, "mcp.server", Type::String;
    MCP_METHOD = 21, "mcp.method", Type::String;
    MCP_TOOL_NAME = 22, "mcp.tool.name", Type::String;
    MCP_TOOL_ARGUMENTS = 23, "mcp.tool.arguments", Type::Dyn;
    MCP_RESOURCE_URI = 24, "mcp.resource.uri", Type::String;
    MCP_PROMPT_NAME = 25, "mcp.prompt.name", Type::String;
    A2A_AGENT = 26, "a2a.agent", Type::String;
    A2A_METHOD = 27, "a2a.method", Type::String;
    A2A_SKILL = 28, "a2a.skill", Type::String;
}

/// The closed set of attributes.
///
/// # Errors
/// Never, as a test shows; the table above would have to contradict itself.
pub(crate) fn schema() -> Result<&'static Schema, &'static SchemaError> {
    SCHEMA.as_ref()
}

/// Those that need nothing of the request.
pub(crate) fn of_the_destination() -> Slots {
    [REQUEST_HOST, DESTINATION_HOST, DESTINATION_PORT, AGENT_NAME, AGENT_TIER, AGENT_TRUST, AGENT_LABELS]
        .into_iter()
        .collect()
}

/// The attributes of one call.
pub(crate) struct Attributes<'f, 'c> {
    facts: &'f Facts<'c>,
    headers: Option<Headers<'c>>,
    /// Whether one was read that this kind of call has, and this call leaves out.
    left_out: Cell<bool>,
    /// Whether one was read that is not known.
    met_unknown: Cell<bool>,
}

impl<'f, 'c> Attributes<'f, 'c> {
    pub(crate) fn of(facts: &'f Facts<'c>) -> Self {
        Self {
            facts,
            headers: facts.call.details.headers.map(Headers),
            left_out: Cell::new(false),
            met_unknown: Cell::new(false),
        }
    }

    /// Whether an attribute was absent that this kind of call has; else absent ones were those of other protocols.
    pub(crate) fn left_out(&self) -> bool {
        self.left_out.get()
    }

    /// Whether an attribute was read that is not known, so that another value may come out once it is.
    pub(crate) fn met_unknown(&self) -> bool {
        self.met_unknown.get()
    }

    /// The value, or none where the call leaves it out.
    fn or_left_out<'v>(&self, value: Option<Value<'v>>) -> Value<'v> {
        if value.is_none() {
            self.left_out.set(true);
        }
        value.unwrap_or(Value::Absent)
    }

    fn of_agent(&self, slot: Slot) -> Value<'_> {
        let Some(agent) = self.facts.agent else { return Value::Unknown };
        match slot {
            AGENT_NAME => Value::Str(&agent.name),
            AGENT_TIER => Value::Str(agent.tier.as_str()),
            AGENT_TRUST => Value::Str(agent.trust.as_str()),
            _ => Value::Lookup(&agent.labels),
        }
    }

    fn of_request(&self, slot: Slot) -> Value<'_> {
        let call = &self.facts.call;
        match slot {
            REQUEST_METHOD => Value::Str(call.method),
            REQUEST_SCHEME => Value::Str(call.scheme.as_str()),
            // What can be read in more than one way is not known.
            REQUEST_PATH | REQUEST_URL_PATH if !CallPath::new(call.path).is_plain() => Value::Unknown,
            REQUEST_PATH | REQUEST_URL_PATH => Value::Str(call.path),
            REQUEST_QUERY => Value::Str(call.details.query),
            REQUEST_HEADERS => match &self.headers {
                Some(headers) => Value::Lookup(headers),
                None => Value::Unknown,
            },
            REQUEST_SIZE => match call.details.size {
                _ if self.facts.body_known && !self.facts.arguments_known => Value::Unknown,
                Some(size) => Value::Int(i64::try_from(size).unwrap_or(i64::MAX)),
                None if self.facts.body_known => Value::Int(0),
                None => Value::Unknown,
            },
            _ => Value::Absent,
        }
    }

    fn of_model<'v>(&self, call: &'v ModelCall, slot: Slot) -> Value<'v> {
        match slot {
            LLM_PROVIDER => return Value::Str(&call.provider),
            LLM_OPERATION => return Value::Str(call.operation.as_str()),
            _ => {}
        }
        if let (LLM_REQUEST_MODEL, Some(model)) = (slot, &call.model) {
            return Value::Str(model);
        }
        if !self.facts.body_known {
            return Value::Unknown;
        }
        match slot {
            LLM_STREAMING => Value::Bool(call.streaming),
            LLM_TOOLS => Value::List(List::from_strings(&call.tools)),
            LLM_MAX_OUTPUT_TOKENS => {
                let most = call.max_output_tokens.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
                self.or_left_out(most.map(Value::Int))
            }
            _ => self.or_left_out(None),
        }
    }

    fn of_mcp<'v>(&self, call: &'v McpCall, slot: Slot) -> Value<'v> {
        if slot == MCP_SERVER {
            return Value::Str(&call.server);
        }
        if !self.facts.body_known {
            return Value::Unknown;
        }
        let text = |text: &'v Option<String>, method: &[&str]| match text {
            Some(text) => Value::Str(text),
            None if method.contains(&call.method.as_str()) => self.or_left_out(None),
            None => Value::Absent,
        };
        match slot {
            MCP_METHOD => Value::Str(&call.method),
            MCP_TOOL_NAME => text(&call.tool, &["tools/call"]),
            MCP_RESOURCE_URI => text(&call.resource, &["resources/read"]),
            MCP_PROMPT_NAME => text(&call.prompt, &["prompts/get"]),
            _ if !matches!(call.method.as_str(), "tools/call" | "prompts/get") => Value::Absent,
            _ if !self.facts.arguments_known => Value::Unknown,
            // A call without arguments is a call with none.
            _ => call.arguments.as_ref().map_or(Value::Map(Map::from_pairs(&[])), Value::Json),
        }
    }

    fn of_a2a<'v>(&self, call: &'v A2aCall, slot: Slot) -> Value<'v> {
        match slot {
            A2A_AGENT => Value::Str(&call.agent),
            A2A_METHOD if self.facts.body_known || !call.method.is_empty() => Value::Str(&call.method),
            _ if !self.facts.body_known => Value::Unknown,
            _ => match &call.skill {
                Some(skill) => Value::Str(skill),
                None if asks_for_skill(&call.method) => self.or_left_out(None),
                None => Value::Absent,
            },
        }
    }
}

impl View for Attributes<'_, '_> {
    fn get<'v>(&'v self, slot: Slot) -> Value<'v> {
        let value = self.value(slot);
        if matches!(value, Value::Unknown) {
            self.met_unknown.set(true);
        }
        value
    }

    #[inline]
    fn entry<'v>(&'v self, slot: Slot, key: &Key) -> Entry<'v> {
        match (slot, &self.headers) {
            (REQUEST_HEADERS, Some(headers)) if self.facts.request_known => {
                self.facts.found.entry(key, || headers.entry(key.as_str()))
            }
            (AGENT_LABELS, _) => match self.facts.agent {
                Some(agent) => {
                    agent.labels.get(key.as_str()).map_or(Entry::Missing, |text| Entry::Text(text))
                }
                None => Entry::NoMap,
            },
            _ => Entry::NoMap,
        }
    }
}

impl Attributes<'_, '_> {
    fn value(&self, slot: Slot) -> Value<'_> {
        let call = &self.facts.call;
        match slot {
            REQUEST_HOST | DESTINATION_HOST => Value::Str(call.host),
            DESTINATION_PORT => Value::Int(i64::from(call.port)),
            AGENT_NAME | AGENT_TIER | AGENT_TRUST | AGENT_LABELS => self.of_agent(slot),
            _ if !self.facts.request_known => Value::Unknown,
            _ if slot <= REQUEST_SIZE => self.of_request(slot),
            _ => match call.details.meaning {
                Meaning::Model(call) if (LLM_PROVIDER..=LLM_TOOLS).contains(&slot) => {
                    self.of_model(call, slot)
                }
                Meaning::Mcp(call) if (MCP_SERVER..=MCP_PROMPT_NAME).contains(&slot) => {
                    self.of_mcp(call, slot)
                }
                Meaning::A2a(call) if (A2A_AGENT..=A2A_SKILL).contains(&slot) => self.of_a2a(call, slot),
                _ if slot >= MCP_SERVER && self.facts.may_be_message() => Value::Unknown,
                _ => Value::Absent,
            },
        }
    }
}

/// So many headers are looked through faster than a name is read and hashed.
const FEW_HEADERS: usize = 12;

/// Headers as a map: names in lower case, of several values the first.
struct Headers<'h>(&'h HeaderMap);

impl<'h> Headers<'h> {
    fn entry(&self, name: &str) -> Entry<'h> {
        let found = if self.0.len() <= FEW_HEADERS {
            self.0.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(name)).map(|(_, value)| value)
        } else {
            self.0.get(name)
        };
        match found {
            Some(value) => value.to_str().map_or(Entry::NoText, Entry::Text),
            None => Entry::Missing,
        }
    }
}

impl Lookup for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn len(&self) -> usize {
        self.0.keys_len()
    }

    fn each<'s>(&'s self, visit: &mut dyn FnMut(&'s str, &'s str) -> ControlFlow<()>) {
        for name in self.0.keys() {
            // A value that is no text is shown as an empty one, so that its name is not hidden.
            let value = self.0.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if visit(name.as_str(), value).is_break() {
                return;
            }
        }
    }

    fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_attributes_is_a_schema() {
        assert_eq!(schema().unwrap().names().count(), 29);
    }
}
