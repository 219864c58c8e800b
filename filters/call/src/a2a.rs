//! Messages of the Agent2Agent protocol.

/// One message to another agent. A batch is several calls, each decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct A2aCall {
    /// Name of the agent as policy names it; empty when no policy names its host.
    pub agent: String,
    /// Method as version 1.0 names it (`SendMessage`, `GetTask`, …), whatever binding and version it came in; `agent-card` for
    /// the card. Empty until the body has been read, where it stands there.
    pub method: String,
    /// The skill asked for, when the message names one.
    pub skill: Option<String>,
}
