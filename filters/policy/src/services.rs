//! The services that a document names: model providers, MCP servers, agents.

use std::collections::BTreeMap;

use creto_call::ModelApi;

use crate::{
    place::{Place, Placed},
    reversibility::Classes,
};

/// A host that speaks a known model API: `[[provider]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub(crate) name: String,
    pub(crate) api: ModelApi,
    pub(crate) place: Place,
    pub(crate) base: Option<String>,
}

impl Provider {
    /// Its name, unique in its document.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose wire format it speaks.
    #[must_use]
    pub fn api(&self) -> ModelApi {
        self.api
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Path before that of the API, absolute and without a slash at its end; none when any path may stand there.
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }
}

/// What happens when a server changes the definition of a tool after it was first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolsChanged {
    /// The tool is refused.
    Refuse,
    /// The new definition is taken.
    Allow,
}

/// A server of the Model Context Protocol: `[[mcp_server]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpServer {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) tools_changed: ToolsChanged,
    pub(crate) pins: BTreeMap<String, [u8; 32]>,
    pub(crate) reversibility: Classes,
}

impl McpServer {
    /// Its name, unique in its document.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What happens when a tool changes.
    #[must_use]
    pub fn tools_changed(&self) -> ToolsChanged {
        self.tools_changed
    }

    /// SHA-256 of tool definitions as the operator says them, by name of the tool; they win over the first seen.
    #[must_use]
    pub fn pins(&self) -> &BTreeMap<String, [u8; 32]> {
        &self.pins
    }
}

/// Another agent, spoken to in A2A: `[[a2a_agent]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct A2aAgent {
    pub(crate) name: String,
    pub(crate) place: Place,
}

impl A2aAgent {
    /// Its name, unique in its document.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }
}

macro_rules! placed {
    ($($kind:ty),+) => {
        $(impl Placed for $kind {
            fn place(&self) -> &Place {
                &self.place
            }

            fn name(&self) -> &str {
                &self.name
            }
        })+
    };
}

placed!(Provider, McpServer, A2aAgent, crate::Credential);
