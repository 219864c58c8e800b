//! What people are shown of a call: all of it, and where each part comes from.

use serde::{Deserialize, Serialize};

use crate::bounds::{MAX_CONTEXT_BYTES, MAX_REVIEWED_BYTES};

/// A header as it leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Lower case.
    pub name: String,
    /// As text; bytes that are none are written as `\xNN`.
    pub value: String,
}

/// A body as it leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", content = "content", rename_all = "snake_case")]
pub enum Payload {
    /// There is none.
    Nothing,
    /// UTF-8, byte for byte.
    Text(String),
    /// Hexadecimal digits.
    Binary(String),
}

/// What people are shown. Facts are told by the sidecar; what the agent wrote is kept apart, and never to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// What it is in a few words, made from facts: `POST https://bank.example/transfers`, `tool transfer of MCP server bank`.
    pub action: String,
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Every header that is bound.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Payload,
    /// Why it is held: what the rule says.
    pub trigger: String,
    /// What makes it risky, from facts.
    #[serde(default)]
    pub risks: Vec<String>,
    /// What it may cost, in decimals with the currency; empty when nothing is known.
    #[serde(default)]
    pub cost: String,
    /// The delegation it happens under, names from the root to the agent.
    pub delegation: Vec<String>,
    /// What the agent says about it. Written by a program that may have been talked into it.
    #[serde(default)]
    pub said_by_agent: Option<String>,
}

/// Why a call cannot be shown.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ContextProblem {
    /// Too much to review.
    #[error(
        "the call has {found} bytes to review, at most {MAX_REVIEWED_BYTES} can be shown whole: make it smaller"
    )]
    TooLarge {
        /// How many.
        found: usize,
    },
}

impl Context {
    /// Without headers and body.
    #[must_use]
    pub fn summary(&self) -> Self {
        Self { headers: Vec::new(), body: Payload::Nothing, ..self.clone() }
    }

    /// The document that is kept.
    ///
    /// # Errors
    /// [`ContextProblem::TooLarge`]: nobody approves what they cannot see whole.
    pub fn written(&self) -> Result<String, ContextProblem> {
        let body = match &self.body {
            Payload::Nothing => 0,
            Payload::Text(text) => text.len(),
            Payload::Binary(digits) => digits.len() / 2,
        };
        if body > MAX_REVIEWED_BYTES {
            return Err(ContextProblem::TooLarge { found: body });
        }
        // Texts and lists of them: serialising has nothing to fail at.
        let text = serde_json::to_string(self).unwrap_or_default();
        if text.is_empty() || text.len() > MAX_CONTEXT_BYTES {
            return Err(ContextProblem::TooLarge { found: text.len() });
        }
        Ok(text)
    }
}
