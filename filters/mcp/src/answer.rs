//! The answer of an MCP server on its way to the agent, without the tools it may not see.

use crate::event_stream::EventStream;
use crate::strict_json::{Bounds, MAX_DEPTH, StrictJsonProblem};
use crate::tool::ToolDefinition;
use crate::tool_list::{may_hold_tools, show};

/// How large a message of an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimits {
    /// Most bytes of one message: a whole JSON body, or one event of a stream with all its lines.
    pub message: usize,
    /// Most values in one message that may hold tools.
    pub values: usize,
}

impl Default for AnswerLimits {
    /// 4 MiB, 250,000 values.
    fn default() -> Self {
        Self { message: 4 << 20, values: 250_000 }
    }
}

/// Why an answer cannot go on to the agent. Nothing of the message has been handed on: cut the answer here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerProblem {
    /// A message is over the limit.
    #[error("the MCP server sent a message of more than {limit} bytes; raise the limit or ask for less")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// An event is cut into more lines than the limit.
    #[error("the MCP server sent an event of more than {limit} lines")]
    TooManyLines {
        /// The bound.
        limit: usize,
    },
    /// A message that may hold a tool list is not JSON in one reading.
    #[error("the MCP server sent a message that cannot be read safely: {0}")]
    Json(#[from] StrictJsonProblem),
    /// A key that some readers take for another one.
    #[error("the MCP server sent a key that differs from \"{known}\" only in letter case")]
    LookAlike {
        /// The key it looks like.
        known: &'static str,
    },
    /// The content type names two formats, or a charset other than UTF-8.
    #[error("the MCP server's content type \"{said}\" does not say one format in UTF-8")]
    ContentType {
        /// The header, its first 100 bytes.
        said: String,
    },
    /// An event that some clients cut into other lines than others.
    #[error("the MCP server sent an event with a line that some clients end elsewhere than others")]
    HiddenLine,
    /// The place of the tools in the text could not be found.
    #[error("the MCP server sent a tool list that cannot be taken apart")]
    Unclear,
}

/// The form of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// One JSON text.
    Json,
    /// Server-sent events.
    EventStream,
}

impl AnswerKind {
    /// The form a client will see in the `content-type` header; none for a body that no client reads as messages.
    ///
    /// Clients differ: some compare the media type, some look whether the name occurs anywhere in the header. A header
    /// in which both names occur means two things. So does another charset than UTF-8: some clients decode by it, others
    /// never look.
    ///
    /// # Errors
    /// [`AnswerProblem::ContentType`] for such a header.
    pub fn of(content_type: Option<&http::HeaderValue>) -> Result<Option<Self>, AnswerProblem> {
        let Some(said) = content_type else { return Ok(None) };
        let said = said.as_bytes().to_ascii_lowercase();
        let has = |name: &[u8]| memchr::memmem::find(&said, name).is_some();
        let kind = match (has(b"application/json"), has(b"text/event-stream")) {
            (true, false) if says_utf8(&said) => Self::Json,
            (false, true) if says_utf8(&said) => Self::EventStream,
            (false, false) => return Ok(None),
            _ => {
                let said = String::from_utf8_lossy(&said[..said.len().min(100)]).into_owned();
                return Err(AnswerProblem::ContentType { said });
            }
        };
        Ok(Some(kind))
    }
}

/// Whether every charset in a content type, in lower case, is UTF-8.
fn says_utf8(content_type: &[u8]) -> bool {
    memchr::memmem::find_iter(content_type, b"charset").all(|at| {
        let rest = content_type[at + b"charset".len()..].trim_ascii_start();
        let value = rest.strip_prefix(b"=").unwrap_or_default().trim_ascii_start();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let end = value.strip_prefix(b"utf-8").or_else(|| value.strip_prefix(b"utf8"));
        end.is_some_and(|end| matches!(end.first(), None | Some(b'"' | b';' | b' ')))
    })
}

/// What the filter did to an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerSummary {
    /// Whether any byte changed: `content-length` and digests of the body no longer hold.
    pub changed: bool,
    /// Tools the server listed.
    pub tools: usize,
    /// Tools that were taken out.
    pub removed: usize,
}

/// Decides about one listed tool: whether the agent may see it.
pub type Keep<'k> = dyn FnMut(&ToolDefinition<'_>) -> bool + 'k;

/// Filters one answer, whatever the chunks it comes in.
///
/// A JSON body is handed on at its end, an event of a stream at its blank line, a comment at the end of its line.
/// Only bodies without `content-encoding` make sense here: ask the server for `identity`.
#[derive(Debug)]
pub struct AnswerFilter {
    limits: AnswerLimits,
    body: Body,
    summary: AnswerSummary,
    failed: Option<AnswerProblem>,
}

#[derive(Debug)]
enum Body {
    Json(Vec<u8>),
    Events(EventStream),
}

impl AnswerFilter {
    /// A filter for one answer.
    #[must_use]
    pub fn new(kind: AnswerKind, limits: AnswerLimits) -> Self {
        let body = match kind {
            AnswerKind::Json => Body::Json(Vec::new()),
            AnswerKind::EventStream => Body::Events(EventStream::default()),
        };
        Self { limits, body, summary: AnswerSummary::default(), failed: None }
    }

    /// Takes a chunk of the answer and appends to `out` what can be handed on.
    ///
    /// # Errors
    /// The first [`AnswerProblem`]; from then on always the same. What is in `out` by then may go on.
    pub fn push(
        &mut self,
        chunk: &[u8],
        keep: &mut Keep<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), AnswerProblem> {
        if let Some(problem) = &self.failed {
            return Err(problem.clone());
        }
        let taken = self.take(chunk, keep, out);
        taken.inspect_err(|problem| self.failed = Some(problem.clone()))
    }

    /// The answer has ended: appends to `out` what was held back.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, keep: &mut Keep<'_>, out: &mut Vec<u8>) -> Result<AnswerSummary, AnswerProblem> {
        if let Some(problem) = &self.failed {
            return Err(problem.clone());
        }
        let ended = self.end(keep, out);
        ended.map(|()| self.summary).inspect_err(|problem| self.failed = Some(problem.clone()))
    }

    /// What was done so far.
    #[must_use]
    pub fn summary(&self) -> AnswerSummary {
        self.summary
    }

    fn take(&mut self, chunk: &[u8], keep: &mut Keep<'_>, out: &mut Vec<u8>) -> Result<(), AnswerProblem> {
        match &mut self.body {
            Body::Json(held) => {
                if chunk.len() > self.limits.message.saturating_sub(held.len()) {
                    return Err(AnswerProblem::TooLarge { limit: self.limits.message });
                }
                held.extend_from_slice(chunk);
                Ok(())
            }
            Body::Events(events) => {
                let mut message = |text: &[u8]| shown(text, self.limits, keep, &mut self.summary);
                events.push(chunk, self.limits.message, &mut message, out)
            }
        }
    }

    fn end(&mut self, keep: &mut Keep<'_>, out: &mut Vec<u8>) -> Result<(), AnswerProblem> {
        match &mut self.body {
            Body::Json(held) => {
                let held = std::mem::take(held);
                match shown(&held, self.limits, keep, &mut self.summary)? {
                    Some(rewritten) => out.extend_from_slice(&rewritten),
                    None => out.extend_from_slice(&held),
                }
                Ok(())
            }
            Body::Events(events) => {
                let mut message = |text: &[u8]| shown(text, self.limits, keep, &mut self.summary);
                events.finish(&mut message, out)
            }
        }
    }
}

/// The message without the refused tools; none when it stays as it is.
fn shown(
    text: &[u8],
    limits: AnswerLimits,
    keep: &mut Keep<'_>,
    summary: &mut AnswerSummary,
) -> Result<Option<Vec<u8>>, AnswerProblem> {
    if !may_hold_tools(text) {
        return Ok(None);
    }
    let bounds = Bounds { bytes: limits.message, depth: MAX_DEPTH, values: limits.values };
    let shown = show(text, bounds, keep)?;
    summary.tools += shown.tools;
    summary.removed += shown.removed;
    summary.changed |= shown.rewritten.is_some();
    Ok(shown.rewritten)
}
