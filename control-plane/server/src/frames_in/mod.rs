//! The door of frames: how many streams of producers there are, how long they may say nothing, and how many bytes of
//! frames are in memory, taken account of before they are.
//!
//! It stands between the connection and the gRPC decoder: it reads the length before each message (gRPC over HTTP/2,
//! "Length-Prefixed-Message"), waits for room for that many bytes, and only then lets the message through. Until then
//! the sender's bytes stay with the sender, but for what HTTP/2 lets one connection send ahead.

mod scan;

use std::time::Duration;

use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;

use crate::shares::{Holder, Most, Share, Shares};
use scan::Scan;

/// Streams of frames open at once: of all, of a namespace, of one sidecar or token.
pub(crate) const MAX_STREAMS: Most = Most { all: 1_024, of_namespace: 512, of_caller: 128 };
/// Bytes of frames that come in or are being taken in, as they were sent: of all, of a namespace, of one caller.
pub(crate) const MAX_BYTES: Most = Most { all: 256 << 20, of_namespace: 128 << 20, of_caller: 64 << 20 };
/// How long a stream may take to begin its first frame, how long a frame waits for room, and how long it may take to come
/// whole. Together less than a call may take.
const FIRST_FRAME: Duration = Duration::from_secs(5);
const ROOM: Duration = Duration::from_secs(5);
const WHOLE_FRAME: Duration = Duration::from_secs(15);
/// How long a stream may be silent between frames; then it ends, without an error.
const SILENCE: Duration = Duration::from_secs(60);

/// How long it waits for what.
#[derive(Clone, Copy, Debug)]
struct Patience {
    first: Duration,
    room: Duration,
    whole: Duration,
    silence: Duration,
}

/// What comes before a message: a flag and its length.
const PREFIX: usize = 5;

/// The door.
#[derive(Clone, Debug)]
pub(crate) struct FramesIn {
    streams: Shares,
    bytes: Shares,
    patience: Patience,
}

impl Default for FramesIn {
    fn default() -> Self {
        let patience = Patience { first: FIRST_FRAME, room: ROOM, whole: WHOLE_FRAME, silence: SILENCE };
        Self { streams: Shares::new(MAX_STREAMS), bytes: Shares::new(MAX_BYTES), patience }
    }
}

impl FramesIn {
    /// The same body, held to its bounds. It holds a stream's share until it is dropped.
    pub(crate) fn enter(&self, holder: Holder, body: Body) -> Result<Body, Status> {
        let stream = self.streams.take(&holder, 1);
        let stream = stream.map_err(|spent| Status::resource_exhausted(spent.told()))?;
        let passing = Passing {
            body,
            door: self.clone(),
            holder,
            _stream: stream,
            came: Bytes::new(),
            prefix: Vec::with_capacity(PREFIX),
            left: 0,
            scan: Scan::new(),
            frame: None,
            until: Some(Instant::now() + self.patience.first),
            any: false,
        };
        let passed = stream::unfold(Some(passing), async |passing| {
            let mut passing = passing?;
            match passing.next().await {
                Some(Ok(bytes)) => Some((Ok(Frame::data(bytes)), Some(passing))),
                Some(Err(status)) => Some((Err(status), None)),
                None => None,
            }
        });
        Ok(Body::new(StreamBody::new(passed)))
    }
}

/// A stream that passes the door.
struct Passing {
    body: Body,
    door: FramesIn,
    holder: Holder,
    _stream: Share,
    /// What came and was not let through yet.
    came: Bytes,
    prefix: Vec<u8>,
    /// Bytes that the message lacks.
    left: usize,
    scan: Scan,
    /// The room of the message. It is asked for more only once the message was taken in, and then this goes.
    frame: Option<Share>,
    /// When the patience with what is awaited now ends.
    until: Option<Instant>,
    /// Whether any message began.
    any: bool,
}

impl Passing {
    /// The next bytes to let through.
    async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        loop {
            let between = self.left == 0 && self.prefix.is_empty();
            if between {
                self.frame = None;
            }
            if self.came.is_empty() {
                match self.more(between).await? {
                    Ok(came) => self.came = came,
                    Err(status) => return Some(Err(status)),
                }
                continue;
            }
            if self.left > 0 {
                let part = self.came.split_to(self.left.min(self.came.len()));
                self.left -= part.len();
                if self.left == 0 {
                    self.until = None;
                }
                if !self.scan.feed(&part) {
                    let said = "a frame has at most 65,536 strings and 256 property columns: send fewer events a frame";
                    return Some(Err(Status::invalid_argument(said)));
                }
                return Some(Ok(part));
            }
            if self.prefix.is_empty() {
                self.any = true;
                self.until = Some(Instant::now() + self.door.patience.whole);
            }
            let part = self.came.split_to((PREFIX - self.prefix.len()).min(self.came.len()));
            self.prefix.extend_from_slice(&part);
            if let &[_, a, b, c, d] = self.prefix.as_slice() {
                return Some(self.begin(u32::from_be_bytes([a, b, c, d]) as usize).await);
            }
        }
    }

    /// Waits for room for a message, and lets its prefix through.
    async fn begin(&mut self, length: usize) -> Result<Bytes, Status> {
        let patience = self.door.patience;
        let room = self.door.bytes.wait(&self.holder, length, patience.room).await;
        self.frame = Some(room.map_err(|spent| Status::resource_exhausted(spent.told()))?);
        self.until = (length > 0).then(|| Instant::now() + patience.whole);
        self.left = length;
        self.scan = Scan::new();
        Ok(std::mem::take(&mut self.prefix).into())
    }

    /// What comes next; `None` when the stream ends, which it does when it was silent for too long.
    async fn more(&mut self, between: bool) -> Option<Result<Bytes, Status>> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + self.door.patience.silence);
        match timeout_at(until, self.body.frame()).await {
            Ok(Some(Ok(frame))) => frame.into_data().ok().map(Ok),
            Ok(Some(Err(status))) => Some(Err(status)),
            Ok(None) => None,
            Err(_) if !self.any => {
                Some(Err(Status::deadline_exceeded("no frame came: open a stream to send one")))
            }
            Err(_) if between => None,
            Err(_) => Some(Err(Status::deadline_exceeded("the frame did not come whole in time"))),
        }
    }
}

#[cfg(test)]
mod tests;
