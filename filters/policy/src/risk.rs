//! How much harm a call can do while policy may be out of date.

use creto_call::{Call, Kind, McpCall, Meaning};

/// What a call risks, from least to most; of several messages or readings of one request the highest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RiskClass {
    /// It only reads: GET, HEAD and OPTIONS (RFC 9110 section 9.2.1), and messages of MCP that list, open or ping.
    Read,
    /// It may change something: everything else, and all that is not looked into.
    Write,
    /// It costs money, or goes out with a secret: calls of models, and calls that a credential is put into.
    Spend,
}

impl RiskClass {
    /// All of them, from least to most.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Spend];

    /// The class of a call; `credential` says whether one would be put into it.
    ///
    /// Listing the models of a provider is plain HTTP ([`Meaning::Plain`]), so it is a matter of its method. A
    /// WebSocket and a tunnel may carry anything.
    #[must_use]
    pub fn of(call: &Call<'_>, credential: bool) -> Self {
        let meaning = call.details.meaning;
        if credential || matches!(meaning, Meaning::Model(_)) {
            return Self::Spend;
        }
        let reads = match (call.kind, meaning) {
            (Kind::Opaque | Kind::WebSocket, _) => false,
            (_, Meaning::Mcp(message)) if !message.method.is_empty() => only_lists(message),
            _ => matches!(call.method, "GET" | "HEAD" | "OPTIONS"),
        };
        if reads { Self::Read } else { Self::Write }
    }

    /// Name as written in policies and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Spend => "spend",
        }
    }
}

/// Whether a message opens a session, pings, tells, or asks what there is.
fn only_lists(message: &McpCall) -> bool {
    match message.method.as_str() {
        "initialize" | "ping" | "server/discover" => true,
        method => method.starts_with("notifications/") || method.ends_with("/list"),
    }
}
