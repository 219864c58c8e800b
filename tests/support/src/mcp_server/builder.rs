//! What a fake MCP server is to be, before it starts.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::message::Form;
use super::tools::Shelf;
use super::{BACKLOG, FakeMcp, Inner, McpKind, PATH, answer};
use crate::hosts::{UPSTREAM_NAME, ensure_upstream_name};
use crate::upstream::{Upstream, UpstreamBuilder};

/// Describes a [`FakeMcp`].
pub struct FakeMcpBuilder {
    upstream: UpstreamBuilder,
    kind: McpKind,
    form: Form,
    page: usize,
    challenge: Option<String>,
    coding: Option<String>,
    shelf: Shelf,
}

impl Default for FakeMcpBuilder {
    fn default() -> Self {
        Self {
            upstream: Upstream::builder(),
            kind: McpKind::Both,
            form: Form::Json,
            page: usize::MAX,
            challenge: None,
            coding: None,
            shelf: Shelf::default(),
        }
    }
}

impl FakeMcpBuilder {
    /// Which kinds of the protocol; both if not said.
    #[must_use]
    pub fn kind(mut self, kind: McpKind) -> Self {
        self.kind = kind;
        self
    }

    /// Answers as server-sent events.
    #[must_use]
    pub fn events(mut self) -> Self {
        self.form = Form::Events;
        self
    }

    /// Lists in pages of so many.
    #[must_use]
    pub fn page(mut self, size: usize) -> Self {
        self.page = size.max(1);
        self
    }

    /// Lists so many tools in all: `tool_0004` and on after its own four.
    #[must_use]
    pub fn tools(mut self, count: usize) -> Self {
        self.shelf.fill(count);
        self
    }

    /// Shows the tool's own description in the first list, another one in all later ones.
    #[must_use]
    pub fn turning(mut self, tool: &str) -> Self {
        self.shelf.turn_after_first_list(tool);
        self
    }

    /// Answers 401 with this `WWW-Authenticate` to whoever sends no `Authorization`.
    #[must_use]
    pub fn challenge(mut self, value: &str) -> Self {
        self.challenge = Some(value.to_owned());
        self
    }

    /// Says of every answer that it is encoded so, whatever the client accepts; the bytes stay as they are.
    #[must_use]
    pub fn coding(mut self, name: &str) -> Self {
        self.coding = Some(name.to_owned());
        self
    }

    /// Without TLS.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.upstream = self.upstream.plain();
        self
    }

    /// Starts it; it answers when this returns.
    pub async fn start(self) -> FakeMcp {
        ensure_upstream_name();
        let inner = Arc::new(Inner {
            kind: self.kind,
            form: self.form,
            page: self.page,
            challenge: self.challenge,
            coding: self.coding,
            shelf: Mutex::new(self.shelf),
            sessions: Mutex::default(),
            seen: Mutex::default(),
            own: broadcast::channel(BACKLOG).0,
        });
        let answering = inner.clone();
        let upstream = self
            .upstream
            .name(UPSTREAM_NAME)
            .handle_streamed(PATH, move |request| answer(answering.clone(), request))
            .start()
            .await;
        FakeMcp { upstream, inner }
    }
}
