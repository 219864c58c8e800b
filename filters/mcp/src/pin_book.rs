//! Which definition of each tool was seen first, and which last.

use std::collections::BTreeMap;

use crate::mirrored::MirroredParams;
use crate::pin::ToolPin;
use crate::tool::{MAX_TOOL_NAME, ToolDefinition};

/// Most servers in a book.
pub const MAX_SERVERS: usize = 256;
/// Most tools of one server.
pub const MAX_TOOLS_OF_SERVER: usize = 1_024;
/// Most tools in a book, all servers together.
pub const MAX_TOOLS: usize = 4_096;
/// Longest name of a server, in bytes.
pub const MAX_SERVER_NAME: usize = 300;

/// What a definition is to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinVerdict {
    /// Never seen under this server and name: from now on this is its definition.
    New,
    /// As pinned.
    Same,
    /// Another than pinned. The tool may not be called until the definition is back or accepted.
    Changed {
        /// The pin that holds.
        was: ToolPin,
        /// The pin of what the server shows now.
        is: ToolPin,
    },
    /// New, but the book is full: a later change of it would go unseen, so it should not be shown.
    NoRoom,
}

/// The pins of all servers: first seen, last seen, and those an operator gave.
///
/// - The first definition seen is pinned; a pin that the operator gives wins over it, and where the server shows what
///   the operator pinned, that becomes the first seen.
/// - A tool that was never listed may be called: there is nothing it could have changed from.
/// - A tool whose last seen definition is not the pinned one may not be called, until a list shows the pinned one
///   again, the operator pins the new one, or [`accept`](Self::accept) takes it over.
/// - A tool under a new name is new, whatever its text.
/// - Two definitions of one name in a list: the second is a change of the first, and the tool stays blocked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinBook {
    pub(crate) servers: BTreeMap<String, BTreeMap<String, Seen>>,
    operator: BTreeMap<String, BTreeMap<String, ToolPin>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) first: ToolPin,
    pub(crate) last: ToolPin,
    pub(crate) mirrored: MirroredParams,
}

impl PinBook {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the operator's pins of all servers: by server, then by tool. They come from policy and are not saved.
    pub fn set_operator_pins(&mut self, pins: BTreeMap<String, BTreeMap<String, ToolPin>>) {
        self.operator = pins;
    }

    /// Takes note of a definition that a server shows.
    pub fn observe(&mut self, server: &str, tool: &ToolDefinition<'_>) -> PinVerdict {
        let is = ToolPin::of(tool);
        let given = self.operator_pin(server, tool.name());
        if let Some(seen) = self.servers.get_mut(server).and_then(|tools| tools.get_mut(tool.name())) {
            if seen.last != is {
                seen.last = is;
                seen.mirrored = MirroredParams::of(tool);
            }
            if given == Some(is) {
                seen.first = is;
            }
            let was = given.unwrap_or(seen.first);
            return if was == is { PinVerdict::Same } else { PinVerdict::Changed { was, is } };
        }
        let kept = self.add(server, tool, is);
        match given {
            Some(was) if was != is => PinVerdict::Changed { was, is },
            Some(_) => PinVerdict::Same,
            None if kept => PinVerdict::New,
            None => PinVerdict::NoRoom,
        }
    }

    /// Takes the definition seen last for the pinned one: for servers whose tools may change.
    pub fn accept(&mut self, server: &str, tool: &str) {
        if let Some(seen) = self.servers.get_mut(server).and_then(|tools| tools.get_mut(tool)) {
            seen.first = seen.last;
        }
    }

    /// Whether nothing the server showed speaks against calling the tool.
    #[must_use]
    pub fn may_call(&self, server: &str, tool: &str) -> bool {
        let Some(seen) = self.seen(server, tool) else { return true };
        self.operator_pin(server, tool).unwrap_or(seen.first) == seen.last
    }

    /// Which arguments of the tool have a header, by the definition seen last.
    #[must_use]
    pub fn mirrored(&self, server: &str, tool: &str) -> Option<&MirroredParams> {
        self.seen(server, tool).map(|seen| &seen.mirrored)
    }

    /// The pin that holds for a tool: the operator's, or that of the first definition seen.
    #[must_use]
    pub fn pinned(&self, server: &str, tool: &str) -> Option<ToolPin> {
        self.operator_pin(server, tool).or_else(|| self.seen(server, tool).map(|seen| seen.first))
    }

    /// Tools in the book.
    #[must_use]
    pub fn len(&self) -> usize {
        self.servers.values().map(BTreeMap::len).sum()
    }

    /// Whether no tool was seen yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn seen(&self, server: &str, tool: &str) -> Option<&Seen> {
        self.servers.get(server)?.get(tool)
    }

    fn operator_pin(&self, server: &str, tool: &str) -> Option<ToolPin> {
        self.operator.get(server)?.get(tool).copied()
    }

    fn add(&mut self, server: &str, tool: &ToolDefinition<'_>, is: ToolPin) -> bool {
        let seen = Seen { first: is, last: is, mirrored: MirroredParams::of(tool) };
        self.insert(server, tool.name(), seen)
    }

    /// Adds a tool that is not in the book; false when a bound forbids it.
    pub(crate) fn insert(&mut self, server: &str, tool: &str, seen: Seen) -> bool {
        let known = self.servers.get(server);
        let room = match known {
            Some(tools) => tools.len() < MAX_TOOLS_OF_SERVER,
            None => self.servers.len() < MAX_SERVERS && server.len() <= MAX_SERVER_NAME,
        };
        if !room || self.len() >= MAX_TOOLS || tool.len() > MAX_TOOL_NAME {
            return false;
        }
        self.servers.entry(server.to_owned()).or_default().insert(tool.to_owned(), seen);
        true
    }
}
