//! Bodies that pass through: counted, bounded in silence, ended when what lets them through is taken away, never collected
//! unless policy asks what they say.

mod answer;
mod outgoing;
mod vigil;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use creto_call::RefusalCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

pub(crate) use answer::ObservedAnswer;
pub(crate) use outgoing::{Outgoing, Streamed, Whole};

use crate::path::observe::AnswerFault;

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the other side broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("what let the call through is taken away: {}", .0.as_str())]
    TakenAway(RefusalCode),
    #[error("nothing came for {0:?}")]
    Silent(Duration),
    #[error(transparent)]
    Unclear(#[from] AnswerFault),
}

/// What the agent gets: an answer of ours, or the upstream's as it comes.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    Own(Full<Bytes>),
    Upstream(Box<ObservedAnswer>),
}

impl AnswerBody {
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::Own(Full::new(bytes))
    }

    /// Without bytes of our own; an upstream's answer stays as it is.
    pub(crate) fn without_own(self) -> Self {
        match self {
            Self::Own(_) => Self::empty(),
            upstream @ Self::Upstream(_) => upstream,
        }
    }

    pub(crate) fn empty() -> Self {
        Self::Own(Full::default())
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            Self::Upstream(body) => Pin::new(body.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}
