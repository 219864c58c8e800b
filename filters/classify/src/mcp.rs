//! Facts of MCP requests.

use creto_call::McpCall;
use creto_mcp::{McpMessage, RequestLimits, check_headers, read_request};
use http::HeaderMap;

use crate::{BodyProblem, Meanings};

/// Reads the body as MCP and compares it with the headers that repeat it.
pub(crate) fn read(server: &str, headers: &HeaderMap, body: &[u8]) -> Result<Meanings, BodyProblem> {
    let request = read_request(body, &RequestLimits::default())
        .map_err(|problem| BodyProblem::Mcp(Box::new(problem)))?;
    check_headers(headers, &request.messages).map_err(|mismatch| BodyProblem::Headers(Box::new(mismatch)))?;
    let calls = request.messages.iter().flat_map(|message| facts(server, message)).collect();
    Ok(Meanings::Mcp { calls, request })
}

fn facts(server: &str, message: &McpMessage) -> Vec<McpCall> {
    let call = McpCall {
        server: server.to_owned(),
        method: message.method.clone(),
        tool: message.tool.clone(),
        arguments: message.arguments.clone(),
        resource: message.resource_uri.clone(),
        prompt: message.prompt.clone(),
    };
    if message.subscribed_uris.is_empty() {
        return vec![call];
    }
    let of = |uri: &String| McpCall { resource: Some(uri.clone()), ..call.clone() };
    message.subscribed_uris.iter().map(of).collect()
}
