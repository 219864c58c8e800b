//! What a fake MCP server remembers of a request.

use http::HeaderMap;
use http::request::Parts;
use serde_json::Value;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct McpExchange {
    /// The HTTP method.
    pub method: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body; none when there was none, or no JSON.
    pub body: Option<Value>,
}

impl McpExchange {
    pub(super) fn new(head: &Parts, body: Option<Value>) -> Self {
        Self { method: head.method.to_string(), headers: head.headers.clone(), body }
    }

    /// A header as text; empty if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| value.as_bytes());
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    }

    /// Its messages: several when the body is an array.
    #[must_use]
    pub fn messages(&self) -> Vec<Value> {
        match &self.body {
            Some(Value::Array(messages)) => messages.clone(),
            Some(message) => vec![message.clone()],
            None => Vec::new(),
        }
    }

    /// The JSON-RPC method of each message that has one.
    #[must_use]
    pub fn methods(&self) -> Vec<String> {
        self.messages().iter().filter_map(|message| message["method"].as_str().map(str::to_owned)).collect()
    }

    /// The tools that its messages call.
    #[must_use]
    pub fn tools_called(&self) -> Vec<String> {
        let messages = self.messages();
        let calls = messages.iter().filter(|message| message["method"] == "tools/call");
        calls.filter_map(|call| call["params"]["name"].as_str().map(str::to_owned)).collect()
    }
}
