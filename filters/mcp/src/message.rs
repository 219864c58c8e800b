//! One JSON-RPC message of MCP, as facts.

use serde_json::Value;

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Has a method and an id: wants an answer.
    Request,
    /// Has a method and no id: wants none.
    Notification,
    /// Has a result or an error: the client answers a request of the server (2025 revisions).
    Response,
}

/// The id of a request, in the very bytes it was sent in, so that an error answer repeats it exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub(crate) String);

impl RequestId {
    /// The JSON text of the id: a string with its quotes, or an integer.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

/// The facts of one message.
#[derive(Clone, Debug, PartialEq)]
pub struct McpMessage {
    /// Request, notification or response.
    pub kind: MessageKind,
    /// The id; always there for a request, never for a notification.
    pub id: Option<RequestId>,
    /// The method, letter case as sent; empty for a response.
    pub method: String,
    /// `tools/call`: the tool.
    pub tool: Option<String>,
    /// `tools/call`: the arguments, an object; none when left out or null.
    pub arguments: Option<Value>,
    /// `resources/read`, `resources/subscribe`, `resources/unsubscribe`, or a completion for a resource: the URI.
    pub resource_uri: Option<String>,
    /// `subscriptions/listen`: the URIs of `resourceSubscriptions`, which stand for the `resources/subscribe` of old.
    pub subscribed_uris: Vec<String>,
    /// `prompts/get`, or a completion for a prompt: the prompt's name.
    pub prompt: Option<String>,
    /// `tasks/get`, `tasks/result`, `tasks/update`, `tasks/cancel`: the task.
    pub task_id: Option<String>,
    /// The protocol version this message says for itself in `_meta` (2026-07-28 and later).
    pub protocol_version: Option<String>,
}

impl McpMessage {
    pub(crate) fn bare(kind: MessageKind, id: Option<RequestId>, method: String) -> Self {
        Self {
            kind,
            id,
            method,
            tool: None,
            arguments: None,
            resource_uri: None,
            subscribed_uris: Vec::new(),
            prompt: None,
            task_id: None,
            protocol_version: None,
        }
    }

    /// What the `Mcp-Name` header of this message says, where the specification gives it one.
    ///
    /// `params.name` of `tools/call` and `prompts/get`, `params.uri` of the `resources/…` methods, `params.taskId` of
    /// the `tasks/…` methods.
    #[must_use]
    pub fn header_name(&self) -> Option<&str> {
        match self.method.as_str() {
            "tools/call" => self.tool.as_deref(),
            "prompts/get" => self.prompt.as_deref(),
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                self.resource_uri.as_deref()
            }
            "tasks/get" | "tasks/result" | "tasks/update" | "tasks/cancel" => self.task_id.as_deref(),
            _ => None,
        }
    }
}

/// All messages of one HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub struct McpRequest {
    /// The messages, in order; at least one.
    pub messages: Vec<McpMessage>,
    /// Whether they came in an array (a batch, revision 2025-03-26), be it of one.
    pub batch: bool,
}

impl McpRequest {
    /// The ids of all requests among the messages, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<RequestId> {
        let requests = self.messages.iter().filter(|message| message.kind == MessageKind::Request);
        requests.filter_map(|message| message.id.clone()).collect()
    }
}
