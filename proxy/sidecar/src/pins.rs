//! Definitions of MCP tools, pinned when they are first seen; kept across restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use creto_mcp::{PinBook, PinVerdict, ToolDefinition, ToolPin};
use creto_policy::{PolicySet, ToolsChanged};
use parking_lot::Mutex;

use crate::path::judge::now_s;
use crate::state::{StateError, StateFolder};

/// Changes within this are written together.
const TOGETHER: Duration = Duration::from_millis(200);

/// Most lines about tools in the log, a second.
const LINES: u32 = 20;

/// The pins of one sidecar.
#[derive(Debug)]
pub(crate) struct ToolPins {
    book: Mutex<PinBook>,
    state: StateFolder,
    /// Tools came in that are not on disk yet.
    new: AtomicBool,
    /// Tools changed, and what they changed to is not on disk yet.
    changed: AtomicBool,
    /// Held while the file is written.
    writing: Mutex<()>,
    /// Second of the last line in the log, and lines in it.
    complained: Mutex<(u64, u32)>,
}

impl ToolPins {
    /// Those of the state folder.
    pub(crate) fn load(state: StateFolder) -> Result<Self, StateError> {
        let book = match state.pins()? {
            None => PinBook::new(),
            Some(bytes) => PinBook::from_json(&bytes).map_err(|problem| state.damaged_pins(&problem))?,
        };
        Ok(Self {
            book: Mutex::new(book),
            state,
            new: AtomicBool::new(false),
            changed: AtomicBool::new(false),
            writing: Mutex::new(()),
            complained: Mutex::new((0, 0)),
        })
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

    /// Takes note of a listed tool; false when it may not be shown. [`ToolPins::keep_new`] is to be called before
    /// anything of the list is handed on.
    pub(crate) fn may_show(
        self: &Arc<Self>,
        server: &str,
        tool: &ToolDefinition<'_>,
        changed: ToolsChanged,
    ) -> bool {
        let mut book = self.book.lock();
        match book.observe(server, tool) {
            PinVerdict::Same => true,
            PinVerdict::New => {
                self.new.store(true, Ordering::Relaxed);
                true
            }
            PinVerdict::NoRoom => {
                if self.may_complain() {
                    tracing::warn!(
                        server,
                        tool = tool.name(),
                        "a tool is hidden: there is no room for another pin"
                    );
                }
                false
            }
            PinVerdict::Changed { was, is } if changed == ToolsChanged::Allow => {
                if self.may_complain() {
                    tracing::info!(server, tool = tool.name(), %was, %is, "a tool changed; policy lets it");
                }
                book.accept(server, tool.name());
                self.keep_later();
                true
            }
            PinVerdict::Changed { was, is } => {
                if self.may_complain() {
                    tracing::warn!(
                        server,
                        tool = tool.name(),
                        %was,
                        %is,
                        "a tool changed since it was first seen and is refused; review it, then pin the new hash in policy"
                    );
                }
                self.keep_later();
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

    /// At once, and once for a whole list: a pin that a crash forgets would let the next definition in as the first.
    /// Calls wait for it, which the bounds of the book keep from happening often.
    pub(crate) fn keep_new(&self) {
        if self.new.swap(false, Ordering::Relaxed) {
            self.keep();
        }
    }

    /// Soon, and not by those who carry calls: a server can change its tools as often as it likes. Until then a crash
    /// forgets what the tool changed to, not what it was pinned as.
    fn keep_later(self: &Arc<Self>) {
        if !self.changed.swap(true, Ordering::Relaxed) {
            let pins = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(TOGETHER).await;
                pins.changed.store(false, Ordering::Relaxed);
                let written = tokio::task::spawn_blocking(move || pins.keep()).await;
                if let Err(error) = written {
                    tracing::error!(%error, "the pins of tools could not be kept on disk");
                }
            });
        }
    }

    /// Some lines a second: what a server does over and over must not fill the log.
    fn may_complain(&self) -> bool {
        let now = now_s();
        let mut complained = self.complained.lock();
        if complained.0 != now {
            *complained = (now, 0);
        }
        complained.1 += 1;
        complained.1 <= LINES
    }

    fn keep(&self) {
        let _writing = self.writing.lock();
        let json = self.book.lock().to_json();
        if let Err(error) = self.state.keep_pins(&json) {
            tracing::error!(%error, "the pins of tools could not be kept on disk");
        }
    }
}
