//! Whether what a call does can be taken back, as operators say of the tools of MCP servers.

use creto_call::{McpCall, Meaning};

use crate::{
    facts::Facts,
    text_glob::{Case, TextGlob},
    truth::Truth,
};

/// What it takes to undo what a tool did, from least to most (OWASP AISVS 9.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reversibility {
    /// There is nothing to undo.
    ReadOnly,
    /// Another call to the same service undoes it.
    Reversible,
    /// Somebody outside has to undo it: a mail that was sent, a payment.
    ExternallyReversible,
    /// Nobody can.
    Irreversible,
}

impl Reversibility {
    /// All of them, from least to most.
    pub const ALL: [Self; 4] =
        [Self::ReadOnly, Self::Reversible, Self::ExternallyReversible, Self::Irreversible];
    /// Their names, in the same order.
    pub(crate) const NAMES: [&'static str; 4] =
        ["read-only", "reversible", "externally-reversible", "irreversible"];

    /// Name as written in policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Reversible => "reversible",
            Self::ExternallyReversible => "externally-reversible",
            Self::Irreversible => "irreversible",
        }
    }

    /// Reads a name as written in policies.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// What an operator says of a server's tools: of several globs that mean a tool the highest class counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes(pub(crate) Vec<(TextGlob, Reversibility)>);

impl Classes {
    /// The class of a tool; none where nothing is said of it, or it cannot be told whether something is.
    pub(crate) fn of(&self, tool: &str) -> Option<Reversibility> {
        let mut highest = None;
        for (glob, class) in &self.0 {
            match glob.matches(tool, Case::Counts) {
                Truth::False => {}
                Truth::True => highest = highest.max(Some(*class)),
                Truth::Unknown => return None,
            }
        }
        highest
    }
}

/// Whether a message is of one of these classes; `classes` are what is said of its server's tools.
pub(crate) fn is_one_of(wanted: &[Reversibility], facts: &Facts<'_>, classes: Option<&Classes>) -> Truth {
    let Meaning::Mcp(message) = facts.call.details.meaning else {
        return if facts.may_be_message() { Truth::Unknown } else { Truth::False };
    };
    if !facts.body_known {
        return Truth::Unknown;
    }
    match class_of(message, classes) {
        Some(class) => Truth::of(wanted.contains(&class)),
        None => Truth::Unknown,
    }
}

fn class_of(message: &McpCall, classes: Option<&Classes>) -> Option<Reversibility> {
    match message.method.as_str() {
        "tools/call" => classes?.of(message.tool.as_deref()?),
        // The stream from the server, and answers to what it asks.
        "" => Some(Reversibility::ReadOnly),
        "initialize"
        | "ping"
        | "server/discover"
        | "resources/read"
        | "resources/subscribe"
        | "resources/unsubscribe"
        | "subscriptions/listen"
        | "prompts/get"
        | "completion/complete"
        | "logging/setLevel"
        | "tasks/get"
        | "tasks/result" => Some(Reversibility::ReadOnly),
        method if method.starts_with("notifications/") || method.ends_with("/list") => {
            Some(Reversibility::ReadOnly)
        }
        _ => None,
    }
}
