//! Headers that repeat the body (MCP 2026-07-28, "Request Metadata"): they must say what the body says.
//!
//! Policy decides by the body. A load balancer or a server behind us may go by the headers, so a request in which they
//! differ has two meanings and is refused, whatever revision it claims. A header that is *missing* has no second
//! meaning; that 2026 servers demand it is for them to say. A header that occurs twice is refused even when both are
//! equal: readers of the first and of the last copy must not be told apart by us.

use std::collections::HashSet;
use std::fmt::Write as _;

use http::header::HeaderMap;
use serde_json::Value;

use crate::header_value;
use crate::message::{McpMessage, MessageKind};

/// Header of the protocol version.
pub const PROTOCOL_VERSION_HEADER: &str = "mcp-protocol-version";
/// Header that repeats the method.
pub const METHOD_HEADER: &str = "mcp-method";
/// Header that repeats the name of what is called.
pub const NAME_HEADER: &str = "mcp-name";
/// Header of the session (2025 revisions).
pub const SESSION_HEADER: &str = "mcp-session-id";
/// What the names of headers begin with that repeat an argument.
pub const PARAM_HEADER_PREFIX: &str = "mcp-param-";
/// Most `Mcp-Param-*` headers in a request.
pub const MAX_PARAM_HEADERS: usize = 64;

/// A header and the body disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Header mismatch: {header} header value '{said}' does not match body value '{body}'")]
pub struct HeaderMismatch {
    /// The header, in lower case.
    pub header: String,
    /// What it says, at most 100 characters, what is not printable escaped.
    pub said: String,
    /// What the body says, likewise.
    pub body: String,
}

impl HeaderMismatch {
    pub(crate) fn new(header: &str, said: &[u8], body: &str) -> Self {
        Self {
            header: header.to_owned(),
            said: printable(&String::from_utf8_lossy(said)),
            body: printable(body),
        }
    }
}

/// Compares the headers with every message of the request.
///
/// `Mcp-Method` with the method, `Mcp-Name` with [`McpMessage::header_name`] where there is one,
/// `MCP-Protocol-Version` with the version in `_meta` where there is one. An `Mcp-Param-*` header of a tool call must
/// repeat *some* argument: which one only the tool's schema says, see
/// [`MirroredParams::check`](crate::MirroredParams::check).
///
/// # Errors
/// The first [`HeaderMismatch`].
pub fn check_headers(headers: &HeaderMap, messages: &[McpMessage]) -> Result<(), HeaderMismatch> {
    let version = single(headers, PROTOCOL_VERSION_HEADER)?;
    let method = single(headers, METHOD_HEADER)?;
    let name = single(headers, NAME_HEADER)?;
    for message in messages {
        if let (Some(said), Some(body)) = (version, &message.protocol_version) {
            same(PROTOCOL_VERSION_HEADER, said, trimmed(said), body)?;
        }
        if let Some(said) = method {
            let body = if message.kind == MessageKind::Response { "(a response)" } else { &message.method };
            same(METHOD_HEADER, said, trimmed(said), body)?;
        }
        if let (Some(said), Some(body)) = (name, message.header_name()) {
            same(NAME_HEADER, said, header_value::decode(said).as_deref(), body)?;
        }
        if message.method == "tools/call" {
            some_argument(headers, message.arguments.as_ref())?;
        }
    }
    Ok(())
}

/// The one value of a header; none when it is not there.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, HeaderMismatch> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(http::HeaderValue::as_bytes);
    match values.next() {
        None => Ok(first),
        Some(second) => Err(HeaderMismatch::new(name, second.as_bytes(), "(the header occurs twice)")),
    }
}

fn trimmed(said: &[u8]) -> Option<&str> {
    std::str::from_utf8(said).ok().map(|text| text.trim_matches([' ', '\t']))
}

fn same(header: &str, raw: &[u8], said: Option<&str>, body: &str) -> Result<(), HeaderMismatch> {
    if said == Some(body) { Ok(()) } else { Err(HeaderMismatch::new(header, raw, body)) }
}

/// Without the schema a mirrored header can only be held against all arguments: one that repeats none of them repeats
/// nothing.
fn some_argument(headers: &HeaderMap, arguments: Option<&Value>) -> Result<(), HeaderMismatch> {
    let mirrored = headers.keys().filter(|name| name.as_str().starts_with(PARAM_HEADER_PREFIX));
    let mut scalars: Option<HashSet<String>> = None;
    for (count, name) in mirrored.enumerate() {
        let Some(said) = single(headers, name.as_str())? else { continue };
        if count >= MAX_PARAM_HEADERS {
            return Err(HeaderMismatch::new(name.as_str(), said, "(too many Mcp-Param headers)"));
        }
        let scalars = scalars.get_or_insert_with(|| arguments.map(all_scalars).unwrap_or_default());
        let found = header_value::decode(said).is_some_and(|text| {
            scalars.contains(text.as_ref()) || scalars.contains(canonical_decimal(&text))
        });
        if !found {
            return Err(HeaderMismatch::new(name.as_str(), said, "(no argument has this value)"));
        }
    }
    Ok(())
}

/// All strings, booleans and numbers among the arguments, as a header writes them.
fn all_scalars(arguments: &Value) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut open = vec![arguments];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => found.extend(rendered(value)),
        }
    }
    found
}

/// A scalar as a header writes it; whole numbers as integers, so that `42` and `42.0` are equal.
pub(crate) fn rendered(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(yes) => Some(if *yes { "true" } else { "false" }.to_owned()),
        Value::Number(number) => {
            let text = number.to_string();
            Some(canonical_decimal(&text).to_owned())
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A decimal without a fraction of zeros; anything else as it is.
pub(crate) fn canonical_decimal(text: &str) -> &str {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction))
            if digits(whole.strip_prefix('-').unwrap_or(whole))
                && !fraction.is_empty()
                && fraction.bytes().all(|byte| byte == b'0') =>
        {
            whole
        }
        _ => text,
    }
}

fn printable(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars().take(100) {
        if letter.is_control() {
            let _ = write!(shown, "{}", letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}
