//! Definitions of MCP tools, pinned when they are first seen; kept across restarts.

use std::collections::BTreeMap;

use creto_mcp::{PinBook, PinVerdict, ToolDefinition, ToolPin};
use creto_policy::{PolicySet, ToolsChanged};
use parking_lot::Mutex;

use crate::state::{StateError, StateFolder};

/// The pins of one sidecar.
#[derive(Debug)]
pub(crate) struct ToolPins {
    book: Mutex<PinBook>,
    state: StateFolder,
}

impl ToolPins {
    /// Those of the state folder.
    pub(crate) fn load(state: StateFolder) -> Result<Self, StateError> {
        let book = match state.pins()? {
            None => PinBook::new(),
            Some(bytes) => PinBook::from_json(&bytes).map_err(|problem| state.damaged_pins(&problem))?,
        };
        Ok(Self { book: Mutex::new(book), state })
    }

    /// Takes over the pins that operators write in policies.
    pub(crate) fn follow(&self, policy: Option<&PolicySet>) {
        let servers = policy.into_iter().flat_map(|policy| policy.mcp_servers());
        let pins = servers
            .filter(|server| !server.pins().is_empty())
            .map(|server| {
                let pins =
                    server.pins().iter().map(|(tool, hash)| (tool.clone(), ToolPin::from_bytes(*hash)));
                (server.name().to_owned(), pins.collect())
            })
            .collect::<BTreeMap<_, BTreeMap<_, _>>>();
        self.book.lock().set_operator_pins(pins);
    }

    /// Takes note of a listed tool; false when it may not be shown.
    pub(crate) fn may_show(&self, server: &str, tool: &ToolDefinition<'_>, changed: ToolsChanged) -> bool {
        let mut book = self.book.lock();
        match book.observe(server, tool) {
            PinVerdict::Same => true,
            PinVerdict::New => {
                self.keep(&book);
                true
            }
            PinVerdict::NoRoom => {
                tracing::warn!(
                    server,
                    tool = tool.name(),
                    "a tool is hidden: there is no room for another pin"
                );
                false
            }
            PinVerdict::Changed { was, is } if changed == ToolsChanged::Allow => {
                tracing::info!(server, tool = tool.name(), %was, %is, "a tool changed; policy lets it");
                book.accept(server, tool.name());
                self.keep(&book);
                true
            }
            PinVerdict::Changed { was, is } => {
                tracing::warn!(
                    server,
                    tool = tool.name(),
                    %was,
                    %is,
                    "a tool changed since it was first seen and is refused; review it, then pin the new hash in policy"
                );
                self.keep(&book);
                false
            }
        }
    }

    /// Whether nothing that the server showed speaks against calling the tool.
    pub(crate) fn may_call(&self, server: &str, tool: &str) -> bool {
        self.book.lock().may_call(server, tool)
    }

    /// Looks at the headers that repeat arguments of the tool.
    pub(crate) fn check_mirrored(
        &self,
        server: &str,
        headers: &http::HeaderMap,
        message: &creto_mcp::McpMessage,
    ) -> Result<(), creto_mcp::HeaderMismatch> {
        let Some(tool) = &message.tool else { return Ok(()) };
        match self.book.lock().mirrored(server, tool) {
            Some(mirrored) => mirrored.check(headers, message),
            None => Ok(()),
        }
    }

    /// At once: a pin that a crash forgets would let the next definition in as the first.
    fn keep(&self, book: &PinBook) {
        if let Err(error) = self.state.keep_pins(&book.to_json()) {
            tracing::error!(%error, "the pins of tools could not be kept on disk");
        }
    }
}
