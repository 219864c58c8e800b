//! Bodies that pass through: counted, bounded in silence, never collected.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::path::record::{CallRecord, Outcome};
use crate::upstream::Lease;

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the other side broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("nothing came for {0:?}")]
    Silent(Duration),
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
            Self::Upstream(body) => body.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Upstream(body) => body.inner.size_hint(),
        }
    }
}

/// An upstream's answer on its way: ends the call's record, gives the connection back.
#[derive(Debug)]
pub(crate) struct ObservedAnswer {
    inner: Incoming,
    record: Arc<CallRecord>,
    lease: Option<Lease>,
    silence: Silence,
}

impl ObservedAnswer {
    pub(crate) fn new(
        inner: Incoming,
        record: Arc<CallRecord>,
        lease: Option<Lease>,
        idle: Duration,
    ) -> Self {
        let mut body = Self { inner, record, lease, silence: Silence::new(idle) };
        if body.inner.is_end_stream() {
            body.complete();
        }
        body
    }

    /// Before the last bytes are handed on, so that whoever was answered is on record.
    fn complete(&mut self) {
        self.record.finish(Outcome::Completed);
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Body for ObservedAnswer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.silence.broken();
                if let Some(data) = frame.data_ref() {
                    this.record.answered(data.len());
                }
                if this.inner.is_end_stream() || frame.is_trailers() {
                    this.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.lease = None;
                this.record.finish(Outcome::UpstreamFailed);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.complete();
                Poll::Ready(None)
            }
            Poll::Pending => {
                if this.silence.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.lease = None;
                this.record.finish(Outcome::UpstreamFailed);
                Poll::Ready(Some(Err(BodyError::Silent(this.silence.longest))))
            }
        }
    }
}

/// The agent's body on its way to the upstream.
#[derive(Debug)]
pub(crate) struct ObservedRequest {
    inner: Incoming,
    record: Arc<CallRecord>,
    silence: Silence,
}

impl ObservedRequest {
    pub(crate) fn new(inner: Incoming, record: Arc<CallRecord>, idle: Duration) -> Self {
        Self { inner, record, silence: Silence::new(idle) }
    }
}

impl Body for ObservedRequest {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.silence.broken();
                if let Some(data) = frame.data_ref() {
                    this.record.sent(data.len());
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(BodyError::from))),
            // The answer has a bound of its own; a request that waits for nothing but a slow agent is cut here.
            Poll::Pending if this.silence.poll(cx).is_ready() => {
                Poll::Ready(Some(Err(BodyError::Silent(this.silence.longest))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A watch on silence. A timer exists only once a body has been silent at all.
#[derive(Debug)]
struct Silence {
    longest: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    heard: bool,
}

impl Silence {
    fn new(longest: Duration) -> Self {
        Self { longest, timer: None, heard: false }
    }

    fn broken(&mut self) {
        self.heard = true;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let longest = self.longest;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
        if std::mem::take(&mut self.heard) {
            timer.as_mut().reset(Instant::now() + longest);
        }
        timer.as_mut().poll(cx)
    }
}
