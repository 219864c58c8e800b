//! JSON-RPC on a host that no policy names.

use std::ops::Range;

use creto_mcp::strict_json::looks_like;
use http::HeaderMap;
use memchr::memmem;

use crate::{
    A2aBinding, BodyProblem, Meanings, a2a, body,
    json::{self, Scalar, Shape, Sink},
    mcp,
};

/// Methods of MCP in all its revisions, without those that A2A has too.
const MCP: [&str; 30] = [
    "initialize",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "roots/list",
    "sampling/createMessage",
    "elicitation/create",
    "server/discover",
    "subscriptions/listen",
    "tasks/result",
    "tasks/update",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/message",
    "notifications/roots/list_changed",
    "notifications/tools/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/prompts/list_changed",
    "notifications/elicitation/complete",
];

/// Methods that both have.
const BOTH: [&str; 3] = ["tasks/get", "tasks/list", "tasks/cancel"];

/// What a body means that nobody has said anything about.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Meanings, BodyProblem> {
    if let Some(encoding) = body::encoding(headers) {
        // What cannot be JSON need not be decoded to know that it is no JSON-RPC.
        let maybe = body::is_json_like(headers) && !body.is_empty();
        return if maybe { Err(BodyProblem::Encoded(encoding)) } else { Ok(Meanings::Plain) };
    }
    if is_wide(body) {
        return Err(BodyProblem::unclear("it is JSON-RPC in another encoding than UTF-8"));
    }
    let start = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    if !matches!(start.first(), Some(b'{' | b'[')) {
        return Ok(Meanings::Plain);
    }
    let mut looking = Looking::default();
    let valid = match std::str::from_utf8(body) {
        Ok(text) => json::walk(text, &mut looking),
        Err(error) => {
            let before = body.get(..error.valid_up_to()).unwrap_or_default();
            // What stands before the broken byte tells whether it matters.
            let _ = json::walk(std::str::from_utf8(before).unwrap_or_default(), &mut looking);
            json::utf8(body).map(|_| ())
        }
    };
    if let Err(problem) = valid {
        let claims = looking.json_rpc || memmem::find(body, b"\"jsonrpc\"").is_some();
        return if claims { Err(problem) } else { Ok(Meanings::Plain) };
    }
    if looking.json_rpc
        && let Some(problem) = looking.twice
    {
        return Err(problem);
    }
    let mcp_headers = ["mcp-protocol-version", "mcp-session-id", "mcp-method"];
    let says_mcp = mcp_headers.iter().any(|name| headers.contains_key(*name));
    let is_mcp = looking.mcp || (looking.json_rpc && (looking.plain_word || (looking.both && says_mcp)));
    let is_a2a = looking.json_rpc && (looking.a2a || (looking.both && !is_mcp));
    match (is_mcp, is_a2a) {
        (false, false) => Ok(Meanings::Plain),
        (true, true) => Err(BodyProblem::unclear("it mixes messages of MCP and A2A")),
        (true, false) => {
            body::check_media(headers)?;
            mcp::read("", headers, body)
        }
        (false, true) => {
            body::check_media(headers)?;
            a2a::read("", A2aBinding::JsonRpc, "", body)
        }
    }
}

/// Whether it is JSON-RPC in UTF-16 or UTF-32, which some servers detect by themselves.
fn is_wide(body: &[u8]) -> bool {
    let start = body.get(..4).unwrap_or_default();
    if !start.contains(&0) && !start.starts_with(b"\xFF\xFE") && !start.starts_with(b"\xFE\xFF") {
        return false;
    }
    let contains = |zeros: usize| {
        let mut text = Vec::new();
        for letter in b"jsonrp" {
            text.push(*letter);
            text.resize(text.len() + zeros, 0);
        }
        text.push(b'c');
        memmem::find(body, &text).is_some()
    };
    contains(1) || contains(3)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Message,
    Method,
    Elsewhere,
}

/// What the body looks like, without refusing anything.
#[derive(Default)]
struct Looking {
    json_rpc: bool,
    mcp: bool,
    /// A method of MCP's that is a word others use as well.
    plain_word: bool,
    a2a: bool,
    both: bool,
    twice: Option<BodyProblem>,
}

impl Sink for Looking {
    type Place = Place;

    fn top(&mut self) -> Place {
        Place::Top
    }

    fn member(&mut self, object: Place, key: &str) -> Result<Place, BodyProblem> {
        if !matches!(object, Place::Top | Place::Message) {
            return Ok(Place::Elsewhere);
        }
        // A key that only some servers take for `method` is looked at too: the strict reading refuses it.
        let is = |name| key == name || looks_like(key, name);
        self.json_rpc |= is("jsonrpc");
        Ok(if is("method") { Place::Method } else { Place::Elsewhere })
    }

    fn element(&mut self, array: Place) -> Result<Place, BodyProblem> {
        Ok(if array == Place::Top { Place::Message } else { Place::Elsewhere })
    }

    fn scalar(&mut self, place: Place, value: Scalar<'_>, _span: Range<usize>) -> Result<(), BodyProblem> {
        if place == Place::Method
            && let Scalar::Text(text) = value
            && let Some(method) = text.read_up_to(128)
        {
            let is_mcp = MCP.contains(&&*method);
            // `ping` alone may be anybody's; `tools/call` is not.
            self.mcp |= is_mcp && method.contains('/');
            self.plain_word |= is_mcp && !method.contains('/');
            self.both |= BOTH.contains(&&*method);
            self.a2a |= !BOTH.contains(&&*method) && a2a::is_method(&method);
        }
        Ok(())
    }

    fn open(&mut self, _place: Place, _shape: Shape, _at: usize) -> Result<(), BodyProblem> {
        Ok(())
    }

    fn twice(&mut self, problem: BodyProblem) -> Result<(), BodyProblem> {
        self.twice.get_or_insert(problem);
        Ok(())
    }
}
