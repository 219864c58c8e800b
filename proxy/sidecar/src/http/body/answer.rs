//! An upstream's answer on its way.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use creto_call::RefusalCode;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::BodyError;
use super::vigil::{Vigil, Way};
use crate::path::observe::{Ending, PAUSE, Reading};
use crate::path::record::{CallRecord, Outcome};
use crate::path::tenure::Tenure;
use crate::upstream::Lease;

/// Ends the call's record, gives the connection back, and shows what passes to whoever reads it.
#[derive(Debug)]
pub(crate) struct ObservedAnswer {
    inner: Incoming,
    record: Arc<CallRecord>,
    lease: Option<Lease>,
    vigil: Vigil,
    /// None for an answer that nobody reads.
    reading: Option<Box<Reading>>,
    /// Held until the last bytes of a read answer are out.
    trailers: Option<HeaderMap>,
    ended: bool,
    /// Runs while bytes are held back.
    pause: Option<Pin<Box<Sleep>>>,
}

impl ObservedAnswer {
    pub(crate) fn new(
        inner: Incoming,
        record: Arc<CallRecord>,
        tenure: Arc<Tenure>,
        lease: Lease,
        idle: Duration,
        reading: Option<Box<Reading>>,
    ) -> Self {
        let mut body = Self {
            inner,
            record,
            lease: Some(lease),
            vigil: Vigil::new(tenure, Way::Back, idle),
            reading,
            trailers: None,
            ended: false,
            pause: None,
        };
        if body.inner.is_end_stream() {
            // Nothing came, so nothing is left to hand on either.
            let _ = body.complete();
        }
        body
    }

    /// Before the last bytes are handed on, so that whoever was answered is on record. Gives what was held back.
    fn complete(&mut self) -> Result<Bytes, BodyError> {
        self.ended = true;
        let rest = match self.reading.take() {
            None => Bytes::new(),
            Some(reading) => match reading.end(&self.record, Ending::Complete) {
                Ok(rest) => rest,
                Err(fault) => return Err(self.fail(fault.into())),
            },
        };
        self.record.finish(Outcome::Completed);
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        Ok(rest)
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        self.ended = true;
        self.lease = None;
        if let Some(reading) = self.reading.take() {
            // The call has failed already; what its reading would have held back goes with it.
            let _ = reading.end(&self.record, Ending::Broken);
        }
        let taken_away = match &error {
            BodyError::TakenAway(code) => Some(*code),
            // The upload of the same call may have been ended for it just before.
            _ => self.vigil.taken_away().or(self.record.ended_for()),
        };
        match taken_away {
            Some(code) => {
                self.record.taken_away(code);
                self.record.finish(Outcome::Refused);
            }
            None => self.record.finish(Outcome::UpstreamFailed),
        }
        error
    }

    /// Nothing came: what is held back is given out after a moment. Ready without anything when nothing is held.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(reading) = self.reading.as_mut().filter(|reading| reading.holds()) else {
            self.pause = None;
            return Poll::Ready(None);
        };
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
        std::task::ready!(pause.as_mut().poll(cx));
        self.pause = None;
        match reading.pause() {
            Ok(given) if given.is_empty() => Poll::Ready(None),
            Ok(given) => Poll::Ready(Some(Ok(given))),
            Err(fault) => Poll::Ready(Some(Err(self.fail(fault.into())))),
        }
    }

    /// Data as the agent gets it: `None` when all of it is held back for now.
    fn pass(&mut self, data: Bytes) -> Result<Option<Bytes>, BodyError> {
        self.record.answered(data.len());
        let Some(reading) = &mut self.reading else {
            if self.inner.is_end_stream() {
                self.complete()?;
            }
            return Ok(Some(data));
        };
        let pushed = reading.push(data);
        if reading.output_so_far() > self.record.cut_at() {
            return Err(self.fail(BodyError::TakenAway(RefusalCode::OverQuota)));
        }
        let mut passed = pushed.map_err(|fault| self.fail(fault.into()))?;
        if self.inner.is_end_stream() {
            passed = joined(passed, self.complete()?);
        }
        Ok(Some(passed).filter(|passed| !passed.is_empty()))
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
        loop {
            if this.ended {
                return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Err(error) = this.vigil.heard() {
                        return Poll::Ready(Some(Err(this.fail(error))));
                    }
                    let rest = match frame.into_data() {
                        Ok(data) => this.pass(data),
                        Err(frame) => {
                            this.trailers = frame.into_trailers().ok();
                            if let (Some(trailers), Some(reading)) = (&mut this.trailers, &this.reading) {
                                reading.cover(trailers);
                            }
                            this.complete().map(|rest| Some(rest).filter(|rest| !rest.is_empty()))
                        }
                    };
                    if let Some(passed) = rest.transpose() {
                        return Poll::Ready(Some(passed.map(Frame::data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(this.fail(error.into())))),
                Poll::Ready(None) => match this.complete() {
                    Ok(rest) if rest.is_empty() => return Poll::Ready(None),
                    rest => return Poll::Ready(Some(rest.map(Frame::data))),
                },
                Poll::Pending => {
                    if let Some(given) = std::task::ready!(this.poll_pause(cx)) {
                        return Poll::Ready(Some(given.map(Frame::data)));
                    }
                    let error = std::task::ready!(this.vigil.poll(cx));
                    return Poll::Ready(Some(Err(this.fail(error))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        if self.reading.is_some() || self.trailers.is_some() { false } else { self.inner.is_end_stream() }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.reading {
            Some(reading) if reading.changes_length() => SizeHint::default(),
            _ => self.inner.size_hint(),
        }
    }
}

impl Drop for ObservedAnswer {
    fn drop(&mut self) {
        // The agent left: what it got is settled all the same.
        if let Some(reading) = self.reading.take() {
            let _ = reading.end(&self.record, Ending::ClientGone);
        }
    }
}

fn joined(first: Bytes, second: Bytes) -> Bytes {
    if second.is_empty() {
        return first;
    }
    if first.is_empty() {
        return second;
    }
    [first, second].concat().into()
}
