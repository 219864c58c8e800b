//! A policy document as people write it.

use std::sync::Arc;

use crate::{
    A2aAgent, Credential, Hold, McpServer, Problems, Provider, QuotaRule, Route, Rule, Selector, read,
    staleness::Limits,
};

/// What happens to calls that would be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// They are refused.
    Enforce,
    /// They are let through and recorded, when every document of the agent says so.
    Observe,
}

/// A document that was read without a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) selector: Selector,
    pub(crate) staleness: Limits,
    pub(crate) rules: Vec<Arc<Rule>>,
    pub(crate) holds: Vec<Arc<Hold>>,
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) providers: Vec<Arc<Provider>>,
    pub(crate) mcp_servers: Vec<Arc<McpServer>>,
    pub(crate) a2a_agents: Vec<Arc<A2aAgent>>,
    pub(crate) credentials: Vec<Arc<Credential>>,
    pub(crate) quotas: Vec<Arc<QuotaRule>>,
}

impl Document {
    /// Reads a document. `file_name` is only shown in problems.
    ///
    /// # Errors
    /// [`Problems`]: everything that is wrong with it, not only the first thing.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Problems> {
        read::document(file_name, text)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Enforce or observe.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whom it is for.
    #[must_use]
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Its rules, in the order of the document.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|rule| &**rule)
    }

    /// Its holds, in the order of the document.
    pub fn holds(&self) -> impl ExactSizeIterator<Item = &Hold> {
        self.holds.iter().map(|hold| &**hold)
    }

    /// The hold of this name: who decides, and what an approval gives.
    #[must_use]
    pub fn hold(&self, name: &str) -> Option<&Hold> {
        self.holds().find(|hold| hold.name() == name)
    }

    /// Its base-URL routes.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Route> {
        self.routes.iter().map(|route| &**route)
    }

    /// The model providers that it names.
    pub fn providers(&self) -> impl ExactSizeIterator<Item = &Provider> {
        self.providers.iter().map(|provider| &**provider)
    }

    /// The MCP servers that it names.
    pub fn mcp_servers(&self) -> impl ExactSizeIterator<Item = &McpServer> {
        self.mcp_servers.iter().map(|server| &**server)
    }

    /// The agents that it names.
    pub fn a2a_agents(&self) -> impl ExactSizeIterator<Item = &A2aAgent> {
        self.a2a_agents.iter().map(|agent| &**agent)
    }

    /// Its credentials.
    pub fn credentials(&self) -> impl ExactSizeIterator<Item = &Credential> {
        self.credentials.iter().map(|credential| &**credential)
    }

    /// Its quotas, then its budgets, each in the order of the document.
    pub fn quotas(&self) -> impl ExactSizeIterator<Item = &Arc<QuotaRule>> {
        self.quotas.iter()
    }
}
