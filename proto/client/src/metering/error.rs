//! What can go wrong.

use std::path::PathBuf;

use thiserror::Error;

use super::event::MAX_EVENT_BYTES;
use super::ring::MAX_HANDLES;
use crate::ConnectError;

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The ring is full: the control plane is away or slower than the recording. Counted as dropped.
    #[error("the ring of events is full: record with record_async to wait for room, or make the ring larger")]
    Full,
    /// A field that no control plane takes.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The spool cannot be written; what is in memory is kept, and it is tried again.
    #[error("the spool cannot be written ({0}): free its disk, or mend its permissions")]
    Spool(String),
    /// The client was closed.
    #[error("this metering client is closed: make another")]
    Closed,
}

/// Why not everything is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FlushError {
    /// The control plane refuses the stream; it is tried again, slowly.
    #[error("the control plane refuses the events ({code}): {message}")]
    Refused {
        /// gRPC's name of the status.
        code: String,
        /// What the control plane said.
        message: String,
    },
    /// The control plane could not be reached in the time that closing may take.
    #[error("{events} events are not acknowledged: {reason}")]
    Unacknowledged {
        /// How many.
        events: u64,
        /// What was last heard.
        reason: String,
    },
    /// The spool cannot be written.
    #[error("the spool cannot be written ({0}): free its disk, or mend its permissions")]
    Spool(String),
    /// The client was closed.
    #[error("this metering client is closed: make another")]
    Closed,
}

/// Why a client does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The endpoint or token.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// An option out of its range.
    #[error("{option}: {problem}")]
    Option {
        /// Which.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The spool folder.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// No randomness for the epoch.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// Not called within a tokio runtime.
    #[error("a metering client is started within a tokio runtime: call it from an async function")]
    NoRuntime,
    /// Too many handles.
    #[error("a metering client has at most {MAX_HANDLES} handles: clone one of them instead")]
    TooManyHandles,
}

/// What is wrong with the spool.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// Another process has it.
    #[error("{} is in use by another process: give each producer its own spool folder", .0.display())]
    InUse(PathBuf),
    /// The file system.
    #[error("{}: {source}", path.display())]
    File {
        /// What it was about.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// As much as it may hold.
    #[error("the spool holds {bytes} bytes, as much as it may: the control plane has been away for too long")]
    Full {
        /// Bytes.
        bytes: u64,
    },
    /// A frame that does not fit a record; events of at most [`MAX_EVENT_BYTES`] always do.
    #[error(
        "a frame of {0} bytes is larger than a record may be (events have at most {MAX_EVENT_BYTES} bytes)"
    )]
    TooLarge(usize),
}
