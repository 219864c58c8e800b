//! Why a request cannot be understood in only one way.

use creto_call::RefusalCode;
use creto_mcp::{HeaderMismatch, McpProblem, Wrong, strict_json::StrictJsonProblem};
use thiserror::Error;

/// What is wrong with a request whose meaning is asked for. The text says what and, where there is one, the byte.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BodyProblem {
    /// The body cannot be read, or can be read in more than one way.
    #[error("the request is unclear: {0}")]
    Unclear(String),
    /// The body came encoded.
    #[error("the body has the Content-Encoding \"{0}\"")]
    Encoded(String),
    /// The model's name could be taken for another one.
    #[error("the model is unclear: {0}")]
    Model(String),
    /// The body is no acceptable MCP request; [`creto_mcp::refuse_unread`] makes the answer.
    #[error(transparent)]
    Mcp(Box<McpProblem>),
    /// Headers and body of an MCP request do not agree; [`creto_mcp::RpcError::header_mismatch`] makes the answer.
    #[error(transparent)]
    Headers(Box<HeaderMismatch>),
}

impl BodyProblem {
    /// The refusal it is.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::Unclear(_) => RefusalCode::BodyUnclear,
            Self::Encoded(_) => RefusalCode::BodyEncoded,
            Self::Model(_) => RefusalCode::ModelUnclear,
            Self::Mcp(problem) => match &problem.wrong {
                Wrong::Json(StrictJsonProblem::TooLong { .. } | StrictJsonProblem::TooManyValues { .. })
                | Wrong::ArgumentsTooLarge { .. } => RefusalCode::BodyTooLarge,
                _ => RefusalCode::BodyUnclear,
            },
            Self::Headers(_) => RefusalCode::HeaderMismatch,
        }
    }

    pub(crate) fn unclear(words: impl Into<String>) -> Self {
        Self::Unclear(words.into())
    }

    /// Something at a byte of the body, counted from 1.
    pub(crate) fn at(byte: usize, words: &str) -> Self {
        Self::Unclear(format!("{words} (byte {})", byte.saturating_add(1)))
    }
}

/// Most characters shown of what a request said.
const MAX_SHOWN: usize = 64;

/// What was written, shortened, with everything that is not plain ASCII escaped: it goes into logs and answers.
pub(crate) fn shown(written: &str) -> String {
    let mut text: String = written.chars().take(MAX_SHOWN).flat_map(char::escape_default).collect();
    if written.chars().nth(MAX_SHOWN).is_some() {
        text.push_str("...");
    }
    text
}
