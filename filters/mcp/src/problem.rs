//! What can be wrong with an MCP request, and which JSON-RPC error says so.

use crate::message::RequestId;
use crate::refusal::{INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RpcError};
use crate::strict_json::StrictJsonProblem;

/// A body that is no acceptable MCP request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}")]
pub struct McpProblem {
    /// What is wrong.
    pub wrong: Wrong,
    /// The id of the message it is wrong with, where it could be read; none in a batch.
    pub id: Option<RequestId>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Not JSON, or JSON that two readers may read in two ways.
    #[error("the body cannot be accepted: {0}")]
    Json(StrictJsonProblem),
    /// An empty batch or one of too many messages.
    #[error("a batch holds 1 to {limit} messages, this one {messages}")]
    BatchSize {
        /// Messages sent.
        messages: usize,
        /// The bound.
        limit: usize,
    },
    /// A message is not a JSON object.
    #[error("a JSON-RPC message must be an object")]
    NotAnObject,
    /// `jsonrpc` is not `"2.0"`.
    #[error("a JSON-RPC message must say \"jsonrpc\": \"2.0\"")]
    Version,
    /// The id is no string or integer.
    #[error("the id of a request must be a string or an integer")]
    Id,
    /// Neither request nor notification nor response, or more than one of them.
    #[error("a message must have either a string `method`, or one of `result` and `error`")]
    Kind,
    /// `params` is not an object.
    #[error("`params` must be an object")]
    Params,
    /// `_meta`, or the protocol version in it, has the wrong type.
    #[error("`_meta` must be an object and the protocol version in it a string")]
    Meta,
    /// A key that some readers take for another one.
    #[error("a key differs from \"{known}\" only in letter case, so that readers disagree; leave it out")]
    LookAlike {
        /// The key it looks like.
        known: &'static str,
    },
    /// A parameter without which the method says nothing.
    #[error("`params.{key}`, the {what}, must be a string that is not empty")]
    Missing {
        /// The parameter.
        key: &'static str,
        /// What it says.
        what: &'static str,
    },
    /// `arguments` is not an object.
    #[error("`params.arguments` must be an object")]
    Arguments,
    /// The arguments of a tool call are over the limit.
    #[error("the tool's arguments have {bytes} bytes, more than the {limit} allowed")]
    ArgumentsTooLarge {
        /// Bytes as sent.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// A name, URI or id is over the limit.
    #[error("the {what} has {bytes} bytes, more than the {limit} allowed")]
    TooLong {
        /// Which.
        what: &'static str,
        /// Its bytes.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// `resourceSubscriptions` is not a list of strings, or too long.
    #[error("`resourceSubscriptions` must be a list of at most {limit} URIs")]
    Subscriptions {
        /// The bound.
        limit: usize,
    },
}

impl McpProblem {
    pub(crate) fn about(wrong: Wrong, id: Option<RequestId>) -> Self {
        Self { wrong, id }
    }

    /// The JSON-RPC error that tells the client.
    ///
    /// A malformed body is HTTP 400 with the code JSON-RPC has for it; a body that is well formed and only over a limit
    /// of ours is an ordinary refusal with code 413.
    #[must_use]
    pub fn rpc_error(&self) -> RpcError {
        let message = self.to_string();
        match &self.wrong {
            Wrong::Json(StrictJsonProblem::TooLong { .. } | StrictJsonProblem::TooManyValues { .. })
            | Wrong::ArgumentsTooLarge { .. } => RpcError::refused(413, message, None),
            Wrong::Json(_) => RpcError::malformed(PARSE_ERROR, message),
            Wrong::Params
            | Wrong::Meta
            | Wrong::Missing { .. }
            | Wrong::Arguments
            | Wrong::Subscriptions { .. }
            | Wrong::TooLong { .. } => RpcError::malformed(INVALID_PARAMS, message),
            Wrong::BatchSize { .. }
            | Wrong::NotAnObject
            | Wrong::Version
            | Wrong::Id
            | Wrong::Kind
            | Wrong::LookAlike { .. } => RpcError::malformed(INVALID_REQUEST, message),
        }
    }
}
