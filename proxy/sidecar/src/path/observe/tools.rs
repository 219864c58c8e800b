//! Which tools of a list the agent may see.

use std::sync::Arc;

use creto_call::{Call, Capture, Details, Kind, McpCall, Meaning};
use creto_mcp::ToolDefinition;
use creto_policy::ToolsChanged;

use crate::enforcement::Enforced;
use crate::path::observe::AnswerRoom;
use crate::pins::ToolPins;
use crate::upstream::Origin;

/// Judges listed tools by the policy in force when the list comes.
#[derive(Debug)]
pub(crate) struct ToolGate {
    pub(crate) enforced: Arc<Enforced>,
    pub(crate) pins: Arc<ToolPins>,
    /// Where the answer is held.
    pub(crate) room: Arc<AnswerRoom>,
    pub(crate) capture: Capture,
    pub(crate) origin: Arc<Origin>,
    pub(crate) path: String,
    /// As policy names it; empty when none does.
    pub(crate) server: String,
    pub(crate) changed: ToolsChanged,
    /// Whether the call asks for a list, or its stream may bring one.
    pub(crate) lists: bool,
    /// Whether the agent opens a stream, which some clients read as one without a look at its content type.
    pub(crate) awaits_stream: bool,
}

impl ToolGate {
    /// Name that the pins of a server go under: its own, or its address.
    pub(crate) fn pinned_as(server: &str, origin: &Origin) -> String {
        if server.is_empty() { origin.to_string() } else { server.to_owned() }
    }

    /// A tool is shown when some call of it could be allowed, and it is the one that was seen before.
    pub(crate) fn shows(&self, tool: &ToolDefinition<'_>) -> bool {
        let enforcement = self.enforced.load();
        let Some(policy) = &enforcement.policy else { return false };
        let asked = McpCall {
            server: self.server.clone(),
            method: "tools/call".to_owned(),
            tool: Some(tool.name().to_owned()),
            ..McpCall::default()
        };
        let call = Call {
            capture: self.capture,
            kind: Kind::Http,
            scheme: self.origin.scheme,
            method: "POST",
            host: self.origin.host.as_str(),
            port: self.origin.port,
            path: &self.path,
            details: Details { body_read: true, meaning: Meaning::Mcp(&asked), ..Details::default() },
        };
        let known = Self::pinned_as(&self.server, &self.origin);
        // Pinned even when it is hidden: policy may show it later.
        let unchanged = self.pins.may_show(&known, tool, self.changed);
        unchanged && (policy.observes() || policy.could_allow(&call))
    }
}
