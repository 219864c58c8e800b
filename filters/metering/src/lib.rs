//! Metering: what the answer to a model call used.
//!
//! A [`Scanner`] reads an answer while it streams to the agent, untouched: it undoes the content coding, cuts the
//! bytes into documents (JSON, server-sent events, AWS event streams, WebSocket messages), and notes the few numbers
//! that stand at the paths its [`Shape`] names. [`Scanner::finish`] turns them into [`Usage`], the same kinds for
//! every provider and none in two fields. What a provider did not say is estimated and marked so; a model call that
//! took place never counts as zero.
//!
//! [`UsageChunkStripper`] takes out of an OpenAI chat stream the one chunk the agent did not ask for.
#![forbid(unsafe_code)]

mod base64_stream;
mod decode;
mod document;
mod estimate;
mod event_stream;
mod field;
mod framing;
mod json;
mod meter;
mod resolve;
mod scanner;
mod shape;
mod sse;
mod strip;
mod usage;
mod websocket;

pub use decode::{MAX_DECODED_BYTES, MAX_WINDOW_LOG};
pub use event_stream::{MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES};
pub use framing::{Encoding, Framing};
pub use scanner::Scanner;
pub use shape::Shape;
pub use strip::{MAX_HELD_BYTES, UsageChunkStripper};
pub use usage::{Ending, MAX_COUNT, MAX_MODEL_BYTES, MAX_TIER_BYTES, Settled, Usage};
