//! A cheap look at a body: could it be JSON-RPC?

use crate::span;

/// Whether the body's first value is an object, or an array whose first element is one, with a `jsonrpc` member.
///
/// For hosts that policy does not name as MCP servers. Looks at the text once and checks nothing else: the answer is a
/// reason to call [`read_request`](crate::read_request), not a finding.
#[must_use]
pub fn is_json_rpc(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let mut value = span::document(body);
    if body.get(value.start) == Some(&b'[') {
        // Only the first: a batch is one protocol throughout.
        match span::first_element(body, value) {
            Some(first) => value = first,
            None => return false,
        }
    }
    body.get(value.start) == Some(&b'{') && span::member(body, value, "jsonrpc").is_some()
}
