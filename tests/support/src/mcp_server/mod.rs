//! A fake MCP server that speaks both kinds of the protocol at `/mcp`, as the specification has them.
//!
//! - **With sessions** (2025-03-26, 2025-06-18, 2025-11-25): `initialize` gives an `Mcp-Session-Id` without which
//!   nothing else is answered; a GET is the stream of the server's own messages, a DELETE the end. Arrays of messages
//!   (2025-03-26) are answered as arrays.
//! - **Without** (2026-07-28): `server/discover`, the version in every `_meta`, and headers that repeat the body, where
//!   a wrong one is `-32020` with status 400.
//!
//! Tools: `search`, `add`, `delete_ticket` and `echo_arguments`. Answers come as JSON, or as server-sent events with
//! progress where it was asked for.

mod builder;
mod content;
mod message;
mod record;
mod sessions;
mod stateless;
mod tools;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::hosts::UPSTREAM_NAME;
use crate::upstream::stream_body::full;
use crate::upstream::{BufferedRequest, StreamedResponse, Upstream};

pub use builder::FakeMcpBuilder;
use message::Form;
pub use record::McpExchange;
use tools::Shelf;

/// Where it listens on its host.
const PATH: &str = "/mcp";
/// Messages of the server's own that a stream may lag behind.
const BACKLOG: usize = 64;

/// Which kinds of the protocol it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum McpKind {
    /// Both: a request says which it is.
    Both,
    /// The revisions of 2025.
    Sessions,
    /// 2026-07-28.
    Stateless,
}

/// What the server remembers and how it answers.
struct Inner {
    kind: McpKind,
    form: Form,
    page: usize,
    challenge: Option<String>,
    coding: Option<String>,
    shelf: Mutex<Shelf>,
    sessions: Mutex<Vec<String>>,
    seen: Mutex<Vec<McpExchange>>,
    /// What goes to every open GET stream and subscription.
    own: broadcast::Sender<Value>,
}

/// A running one; it ends when dropped.
pub struct FakeMcp {
    upstream: Upstream,
    inner: Arc<Inner>,
}

impl FakeMcp {
    /// Both kinds, over TLS, answering as JSON.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// One to be described.
    #[must_use]
    pub fn builder() -> FakeMcpBuilder {
        FakeMcpBuilder::default()
    }

    /// Where it speaks MCP, by [`UPSTREAM_NAME`].
    #[must_use]
    pub fn url(&self) -> String {
        self.upstream.url(PATH).replacen("localhost", UPSTREAM_NAME, 1)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.upstream.port()
    }

    /// The HTTP server under it.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Every request that came, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<McpExchange> {
        self.inner.seen.lock().clone()
    }

    /// JSON-RPC methods of all messages that came, in order.
    #[must_use]
    pub fn methods(&self) -> Vec<String> {
        self.requests().iter().flat_map(McpExchange::methods).collect()
    }

    /// How often a tool was called, however it was wrapped.
    #[must_use]
    pub fn calls_of(&self, tool: &str) -> usize {
        self.requests().iter().flat_map(McpExchange::tools_called).filter(|called| called == tool).count()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.inner.seen.lock().clear();
    }

    /// Sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.inner.sessions.lock().len()
    }

    /// From now on the tool's description is another: what a server does that turns on its users later. Every open
    /// stream hears that the list changed.
    pub fn change_tool(&self, tool: &str) {
        self.inner.shelf.lock().change(tool);
        self.announce();
    }

    /// The tool's description is again what it was.
    pub fn restore_tool(&self, tool: &str) {
        self.inner.shelf.lock().restore(tool);
        self.announce();
    }

    /// The definition of a tool as it is listed now.
    #[must_use]
    pub fn definition(&self, tool: &str) -> Option<Value> {
        self.inner.shelf.lock().definition(tool)
    }

    fn announce(&self) {
        // Nobody listening is no failure.
        self.inner.own.send(message::notification("notifications/tools/list_changed", &json!({}))).ok();
    }
}

async fn answer(inner: Arc<Inner>, request: BufferedRequest) -> StreamedResponse {
    let (head, body) = request.into_parts();
    let text: Option<Value> = serde_json::from_slice(&body).ok();
    inner.seen.lock().push(McpExchange::new(&head, text.clone()));
    if let Some(challenge) = &inner.challenge
        && !head.headers.contains_key("authorization")
    {
        let mut response = plain(StatusCode::UNAUTHORIZED, "a token is wanted");
        response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
        return response;
    }
    let modern = stateless::is_meant(&head.headers, text.as_ref());
    let mut response = match (inner.kind, modern) {
        (McpKind::Stateless, _) | (McpKind::Both, true) => match (head.method, text) {
            (Method::POST, Some(text)) => stateless::answer(&inner, &head.headers, &text),
            (Method::POST, None) => message::error(400, None, -32700, "Parse error"),
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, ""),
        },
        (McpKind::Sessions, _) | (McpKind::Both, false) => match (head.method, text) {
            (Method::POST, Some(text)) => sessions::posted(&inner, &head.headers, text),
            (Method::POST, None) => message::error(400, None, -32700, "Parse error"),
            (Method::GET, _) => sessions::stream(&inner, &head.headers),
            (Method::DELETE, _) => sessions::end(&inner, &head.headers),
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, ""),
        },
    };
    if let Some(coding) = &inner.coding {
        response.headers_mut().insert("content-encoding", coding.parse().unwrap());
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> StreamedResponse {
    Response::builder().status(status).body(full(Bytes::from_static(text.as_bytes()))).unwrap()
}
