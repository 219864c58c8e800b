//! Response bodies that are made as they are sent.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use sha2::{Digest, Sha256};

/// Why a body broke off.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A body that is made as it is sent; an error in it breaks the connection (HTTP/1.1) or the stream (HTTP/2) off.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A multiple of 251, so that every block begins the pattern anew.
const BLOCK: usize = 251 * 256;

/// The first `length` bytes of the endless pattern 0, 1, ... 250, 0, 1, ...
#[must_use]
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect()
}

/// SHA-256 of [`pattern`], hex, without holding it.
#[must_use]
pub fn pattern_sha256(length: u64) -> String {
    let block = pattern(BLOCK);
    let mut digest = Sha256::new();
    let mut left = length;
    while left > 0 {
        let take = left.min(BLOCK as u64);
        digest.update(&block[..usize::try_from(take).unwrap_or(BLOCK)]);
        left -= take;
    }
    hex::encode(digest.finalize())
}

/// A body that is there already.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A body of frames.
pub(crate) fn frames(frames: impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static) -> Body {
    StreamBody::new(frames).boxed_unsync()
}

pub(super) fn pattern_body(length: u64) -> Body {
    let block = Bytes::from(pattern(BLOCK));
    frames(stream::unfold(length, move |left| {
        let block = block.clone();
        async move {
            if left == 0 {
                return None;
            }
            let take = usize::try_from(left.min(BLOCK as u64)).unwrap_or(BLOCK);
            Some((Ok(Frame::data(block.slice(..take))), left - take as u64))
        }
    }))
}

/// `count` frames, `every` apart; the first goes at once.
pub(super) fn timed(count: u64, every: Duration, make: impl Fn(u64) -> Bytes + Send + 'static) -> Body {
    frames(stream::iter(0..count).then(move |index| {
        let data = make(index);
        async move {
            if index > 0 {
                tokio::time::sleep(every).await;
            }
            Ok(Frame::data(data))
        }
    }))
}

pub(super) fn with_trailers(data: Bytes, trailers: HeaderMap) -> Body {
    frames(stream::iter([Ok(Frame::data(data)), Ok(Frame::trailers(trailers))]))
}

/// Some bytes, then nothing more and no end.
pub(super) fn then_silence(data: &'static [u8]) -> Body {
    frames(stream::iter([Ok(Frame::data(Bytes::from_static(data)))]).chain(stream::pending()))
}
