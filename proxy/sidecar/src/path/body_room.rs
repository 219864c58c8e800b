//! classify, the part that reads: a request's body is held whole, within bounds of its own and of the sidecar.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use creto_call::RefusalCode;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::refuse::Refused;

/// Room is counted in these, bytes.
const UNIT: usize = 1024;
/// Taken first for a body that does not say how long it is, bytes.
const FIRST: usize = 64 * UNIT;
/// Longest wait for room.
const WAIT: Duration = Duration::from_secs(60);

/// Most of a refused body that is read and let go, so that its sender gets to read the refusal, bytes.
const DISCARDED: usize = 256 << 20;
/// Longest time spent on that.
const DISCARDING: Duration = Duration::from_secs(10);

/// Reads on to the end of a body that nobody wants, within bounds: a connection that is closed under a sender takes the
/// answer along.
pub(crate) async fn discard(body: &mut Incoming) {
    let mut left = DISCARDED;
    let end = tokio::time::Instant::now() + DISCARDING;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(end, body.frame()).await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Memory for the bodies that are held at once.
#[derive(Debug)]
pub(crate) struct BodyRoom {
    room: Arc<Semaphore>,
    /// One longest body's room beside it, for one body at a time that grows and finds none: so it ends, and those that
    /// wait go on. Without it, bodies that grow would wait for each other.
    last: Arc<Semaphore>,
    longest: usize,
    idle: Duration,
}

/// A body's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    taken: OwnedSemaphorePermit,
    last: Option<OwnedSemaphorePermit>,
}

/// A body that was read.
#[derive(Debug)]
pub(crate) struct HeldBody {
    pub(crate) bytes: Bytes,
    pub(crate) room: Room,
}

impl BodyRoom {
    /// `longest` of one body and `memory` of all, bytes, at least that of two; `idle` is the longest silence within one.
    pub(crate) fn new(longest: usize, memory: usize, idle: Duration) -> Self {
        let shared = memory.saturating_sub(longest).max(longest);
        Self {
            room: Arc::new(Semaphore::new(shared / UNIT)),
            last: Arc::new(Semaphore::new(1)),
            longest,
            idle,
        }
    }

    /// Reads a body to its end.
    pub(crate) async fn read(&self, mut body: Incoming) -> Result<HeldBody, Refused> {
        let announced = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > self.longest) {
            discard(&mut body).await;
            return Err(self.too_large());
        }
        let mut held = announced.unwrap_or(FIRST).max(UNIT).next_multiple_of(UNIT);
        let mut room = Room { taken: self.take(&self.room, held.div_ceil(UNIT)).await?, last: None };
        let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0));
        loop {
            let frame = match tokio::time::timeout(self.idle, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return Err(Refused::of(
                        RefusalCode::MalformedRequest,
                        format!("the request's body broke off: {error}"),
                    ));
                }
                Ok(None) => return Ok(HeldBody { bytes: bytes.freeze(), room }),
                Err(_) => {
                    let idle = self.idle;
                    return Err(Refused::of(
                        RefusalCode::MalformedRequest,
                        format!("nothing of the request's body came for {idle:?}"),
                    ));
                }
            };
            let Some(data) = frame.data_ref() else { continue };
            let length = bytes.len() + data.len();
            if length > self.longest {
                drop((bytes, room));
                discard(&mut body).await;
                return Err(self.too_large());
            }
            if length > held {
                // Doubled, as the buffer under it is.
                let more = length.next_power_of_two().min(self.longest.next_multiple_of(UNIT)) - held;
                self.grow(&mut room, more.div_ceil(UNIT)).await?;
                held += more;
            }
            bytes.extend_from_slice(data);
        }
    }

    /// More room for a body that has some.
    async fn grow(&self, room: &mut Room, units: usize) -> Result<(), Refused> {
        if room.last.is_some() {
            return Ok(());
        }
        match Arc::clone(&self.room).try_acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)) {
            Ok(more) => room.taken.merge(more),
            Err(_) => room.last = Some(self.take(&self.last, 1).await?),
        }
        Ok(())
    }

    async fn take(&self, from: &Arc<Semaphore>, units: usize) -> Result<OwnedSemaphorePermit, Refused> {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        match tokio::time::timeout(WAIT, Arc::clone(from).acquire_many_owned(units)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refused::of(
                RefusalCode::Overloaded,
                format!("no memory to hold the request's body became free within {WAIT:?}"),
            )),
        }
    }

    fn too_large(&self) -> Refused {
        Refused::of(
            RefusalCode::BodyTooLarge,
            format!("bodies that must be read are at most {} MiB", self.longest >> 20),
        )
    }
}
