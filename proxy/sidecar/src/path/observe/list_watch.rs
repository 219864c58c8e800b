//! Lists of tools on their way to the agent: filtered where they may be, cut where they have no business.

use bytes::Bytes;
use creto_mcp::{AnswerFilter, AnswerKind, AnswerLimits};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::answer_room::HeldAnswer;
use super::stray_list::StrayList;
use super::{AnswerFault, ToolGate, said};

/// What is done about lists of tools in an answer.
#[derive(Debug)]
pub(super) enum ListWatch {
    /// Held message by message, and filtered.
    Filter(Box<AnswerFilter>, HeldAnswer),
    /// One JSON text that has no list in it by right. It can be large, so it is not held.
    NoList(StrayList),
}

impl ListWatch {
    /// None for an answer that no client reads as messages.
    pub(super) fn of<B>(gate: &ToolGate, response: &Response<B>) -> Result<Option<Self>, AnswerFault> {
        let types = said(response.headers(), &CONTENT_TYPE);
        let kind = match AnswerKind::of(HeaderValue::from_bytes(types.as_bytes()).ok().as_ref())? {
            // A client that waits for a stream may read it as one, whatever it says it is.
            None if gate.awaits_stream && response.status().is_success() => Some(AnswerKind::EventStream),
            kind => kind,
        };
        Ok(kind.map(|kind| match kind {
            AnswerKind::Json if !gate.lists => Self::NoList(StrayList::default()),
            kind => {
                Self::Filter(Box::new(AnswerFilter::new(kind, AnswerLimits::default())), gate.room.answer())
            }
        }))
    }

    pub(super) fn push(&mut self, gate: &ToolGate, data: Bytes) -> Result<Bytes, AnswerFault> {
        match self {
            Self::Filter(filter, held) => {
                if !held.came(data.len()) {
                    return Err(AnswerFault::NoRoom);
                }
                let mut out = Vec::with_capacity(data.len());
                let pushed = filter.push(&data, &mut |tool| gate.shows(tool), &mut out);
                // Before anything of it is handed on.
                gate.pins.keep_new();
                pushed?;
                if !out.is_empty() {
                    // At most the end of this chunk is held still.
                    held.left(data.len());
                }
                Ok(out.into())
            }
            // Cut before its end, the text is none to any reader.
            Self::NoList(watch) => match watch.push(&data) {
                true => Err(AnswerFault::StrayList),
                false => Ok(data),
            },
        }
    }

    /// Whether it may take something out.
    pub(super) fn changes_length(&self) -> bool {
        matches!(self, Self::Filter(..))
    }

    /// The answer is over: appends what was held back.
    pub(super) fn finish(&mut self, gate: &ToolGate, out: &mut Vec<u8>) -> Result<(), AnswerFault> {
        if let Self::Filter(filter, _) = self {
            filter.finish(&mut |tool| gate.shows(tool), out)?;
            gate.pins.keep_new();
        }
        Ok(())
    }
}
