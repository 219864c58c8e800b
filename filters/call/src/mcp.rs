//! Messages of the Model Context Protocol.

use serde_json::Value;

/// One JSON-RPC message to an MCP server. A batch is several calls, each decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct McpCall {
    /// Name of the server as policy names it; empty when no policy names its host.
    pub server: String,
    /// JSON-RPC method; empty for an answer to the server, and until the body has been read.
    pub method: String,
    /// Tool of a `tools/call`.
    pub tool: Option<String>,
    /// Arguments of the tool or prompt.
    pub arguments: Option<Value>,
    /// URI of a resource that is read or subscribed to.
    pub resource: Option<String>,
    /// Prompt of a `prompts/get`.
    pub prompt: Option<String>,
}
