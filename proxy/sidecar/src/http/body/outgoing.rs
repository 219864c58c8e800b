//! The agent's body on its way to the upstream.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::BodyError;
use super::vigil::{Vigil, Way};
use crate::path::body_room::Room;
use crate::path::record::{ASK_AGAIN, CallRecord};
use crate::path::tenure::Tenure;
use crate::quota::Sending;

/// Bytes of a whole body handed on at once, so that what has left is let go of.
const SLICE: usize = 64 * 1024;

/// What a request carries.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// As it comes from the agent.
    Streamed(Streamed),
    /// Read before it was decided on.
    Whole(Whole),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Streamed(body) => Pin::new(body).poll_frame(cx),
            Self::Whole(body) => Poll::Ready(body.next().map(|data| Ok(Frame::data(data)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Streamed(body) => body.waiting.is_none() && body.inner.is_end_stream(),
            Self::Whole(body) => body.left.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Streamed(body) => body.inner.size_hint(),
            Self::Whole(body) => SizeHint::with_exact(body.left.len() as u64),
        }
    }
}

/// A body as it comes from the agent.
#[derive(Debug)]
pub(crate) struct Streamed {
    inner: Incoming,
    record: Arc<CallRecord>,
    vigil: Vigil,
    /// Came, and waits for a lease that covers it.
    waiting: Option<Box<Waiting>>,
}

/// Boxed: hardly any body ever waits.
#[derive(Debug)]
struct Waiting {
    frame: Frame<Bytes>,
    pause: Pin<Box<Sleep>>,
}

impl Streamed {
    pub(crate) fn new(inner: Incoming, record: Arc<CallRecord>, tenure: Arc<Tenure>, idle: Duration) -> Self {
        Self { inner, record, vigil: Vigil::new(tenure, Way::Out, idle), waiting: None }
    }

    /// Hands data on if the call's quotas cover it; what waits is looked at again in a moment.
    fn pass(&mut self, frame: Frame<Bytes>, cx: &mut Context<'_>) -> Poll<Result<Frame<Bytes>, BodyError>> {
        let Some(bytes) = frame.data_ref().map(Bytes::len) else { return Poll::Ready(Ok(frame)) };
        match self.record.may_send(bytes) {
            Ok(Sending::Goes) => {
                self.record.sent(bytes);
                Poll::Ready(Ok(frame))
            }
            Ok(Sending::Waits) => {
                let mut pause = Box::pin(tokio::time::sleep(ASK_AGAIN));
                // Polled once, so that it wakes.
                let _ = pause.as_mut().poll(cx);
                self.waiting = Some(Box::new(Waiting { frame, pause }));
                Poll::Pending
            }
            Err(code) => {
                self.record.refused(code);
                Poll::Ready(Err(BodyError::TakenAway(code)))
            }
        }
    }

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(mut waiting) = this.waiting.take() {
            if waiting.pause.as_mut().poll(cx).is_pending() {
                this.waiting = Some(waiting);
                return Poll::Pending;
            }
            return this.pass(waiting.frame, cx).map(Some);
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Err(error) = this.vigil.heard() {
                    return Poll::Ready(Some(Err(error)));
                }
                this.pass(frame, cx).map(Some)
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(BodyError::from))),
            // The answer has a bound of its own; a request that waits for nothing but a slow agent is cut here.
            Poll::Pending => this.vigil.poll(cx).map(|error| Some(Err(error))),
        }
    }
}

/// A body that was read before it was decided on.
#[derive(Debug)]
pub(crate) struct Whole {
    left: Bytes,
    /// None for requests of the sidecar itself.
    record: Option<Arc<CallRecord>>,
    /// Its place among the bodies held at once; free when the last byte has left.
    room: Option<Room>,
}

impl Whole {
    pub(crate) fn new(bytes: Bytes, room: Option<Room>, record: Arc<CallRecord>) -> Self {
        Self { left: bytes, record: Some(record), room }
    }

    /// A request of the sidecar's own.
    pub(crate) fn own(bytes: Bytes) -> Self {
        Self { left: bytes, record: None, room: None }
    }

    fn next(&mut self) -> Option<Bytes> {
        if self.left.is_empty() {
            return None;
        }
        let slice = self.left.split_to(self.left.len().min(SLICE));
        if let Some(record) = &self.record {
            record.sent(slice.len());
        }
        if self.left.is_empty() {
            self.room = None;
        }
        Some(slice)
    }
}
