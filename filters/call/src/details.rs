//! What a call says beyond its destination and request line.

use http::HeaderMap;

use crate::{A2aCall, McpCall, ModelCall};

/// The rest of a request, as far as it is known. The default knows nothing of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Details<'a> {
    /// Query without `?`, as sent; empty when there is none.
    pub query: &'a str,
    /// Headers, when there are any to ask.
    pub headers: Option<&'a HeaderMap>,
    /// Length of the body in bytes: what the head announces, or what was read.
    pub size: Option<u64>,
    /// Whether the body has been read; until then facts that stand in it are unknown, not absent.
    pub body_read: bool,
    /// What the call means.
    pub meaning: Meaning<'a>,
}

/// What a call means to the service that it goes to.
#[derive(Clone, Copy, Debug, Default)]
pub enum Meaning<'a> {
    /// HTTP without a closer reading.
    #[default]
    Plain,
    /// A question to a model.
    Model(&'a ModelCall),
    /// One message of the Model Context Protocol.
    Mcp(&'a McpCall),
    /// One message between agents (A2A).
    A2a(&'a A2aCall),
}

impl<'a> Meaning<'a> {
    /// The model call, if it is one.
    #[must_use]
    pub fn model(self) -> Option<&'a ModelCall> {
        match self {
            Self::Model(call) => Some(call),
            _ => None,
        }
    }

    /// The MCP message, if it is one.
    #[must_use]
    pub fn mcp(self) -> Option<&'a McpCall> {
        match self {
            Self::Mcp(call) => Some(call),
            _ => None,
        }
    }

    /// The A2A message, if it is one.
    #[must_use]
    pub fn a2a(self) -> Option<&'a A2aCall> {
        match self {
            Self::A2a(call) => Some(call),
            _ => None,
        }
    }
}
