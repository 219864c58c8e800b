//! Content codings undone, for reading only: the agent gets the bytes as they came.
//!
//! Memory is bounded by the windows, work by [`MAX_DECODED_BYTES`].

mod brotli;
mod inflate;
mod zstd;

use crate::framing::Encoding;

/// Most bytes decoded of one answer: 64 MiB. What a coding unfolds beyond it is not read, and the usage estimated.
pub const MAX_DECODED_BYTES: u64 = 64 << 20;
/// Largest window a coding may ask for, as a power of two: 8 MiB, as RFC 9659 sets for zstd. Brotli may ask for no
/// more. A larger one is not read, and the usage estimated. (gzip and deflate: always 32 KiB.)
pub const MAX_WINDOW_LOG: u32 = 23;

/// Bytes decoded at once.
const SCRATCH: usize = 16 << 10;

/// What one step of a coding did.
struct Step {
    read: usize,
    written: usize,
    /// The coded stream is over.
    end: bool,
}

/// The bytes were not what their coding says, or ask for too much.
struct Undecodable;

enum Coding {
    Inflate(inflate::Inflater),
    Brotli(brotli::Unbrotli),
    Zstd(zstd::Unzstd),
}

/// Undoes one coding. See the module.
pub(crate) struct Decoder {
    coding: Coding,
    scratch: Box<[u8; SCRATCH]>,
    decoded: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
    /// The bytes were not what their coding says: nothing that came out of it is certain.
    Failed,
    /// [`MAX_DECODED_BYTES`] have come out.
    Full,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("decoded", &self.decoded).field("state", &self.state).finish()
    }
}

impl Decoder {
    /// None for codings that need no decoder or have none.
    pub(crate) fn new(encoding: Encoding) -> Option<Self> {
        let coding = match encoding {
            Encoding::Gzip => Coding::Inflate(inflate::Inflater::gzip()),
            Encoding::Deflate => Coding::Inflate(inflate::Inflater::deflate()),
            Encoding::Brotli => Coding::Brotli(brotli::Unbrotli::new()),
            Encoding::Zstd => Coding::Zstd(zstd::Unzstd::new()?),
            Encoding::Identity | Encoding::Unknown => return None,
        };
        Some(Self { coding, scratch: Box::new([0; SCRATCH]), decoded: 0, state: State::Reading })
    }

    /// The bytes were not what their coding says.
    pub(crate) fn failed(&self) -> bool {
        self.state == State::Failed
    }

    /// More came out than is read.
    pub(crate) fn full(&self) -> bool {
        self.state == State::Full
    }

    /// The coding is over, and nothing was in it.
    pub(crate) fn was_empty(&self) -> bool {
        let over = match &self.coding {
            Coding::Zstd(unzstd) => self.state == State::Reading && unzstd.is_between_frames(),
            Coding::Inflate(_) | Coding::Brotli(_) => self.state == State::Ended,
        };
        over && self.decoded == 0
    }

    /// Decodes on.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut pass: impl FnMut(&[u8])) {
        while self.state == State::Reading {
            let step = match &mut self.coding {
                Coding::Inflate(inflater) => inflater.step(bytes, &mut self.scratch[..]),
                Coding::Brotli(unbrotli) => unbrotli.step(bytes, &mut self.scratch[..]),
                Coding::Zstd(unzstd) => unzstd.step(bytes, &mut self.scratch[..]),
            };
            let Ok(step) = step else {
                self.state = State::Failed;
                return;
            };
            bytes = bytes.get(step.read..).unwrap_or_default();
            let room = MAX_DECODED_BYTES - self.decoded;
            let written = step.written.min(usize::try_from(room).unwrap_or(usize::MAX));
            self.decoded += written as u64;
            pass(self.scratch.get(..written).unwrap_or_default());
            if written < step.written {
                self.state = State::Full;
            } else if step.end {
                self.state = State::Ended;
            } else if bytes.is_empty() && step.written < SCRATCH {
                // Nothing is left in the coding either: it would have filled the buffer.
                return;
            } else if step.read == 0 && step.written == 0 {
                return;
            }
        }
    }
}
