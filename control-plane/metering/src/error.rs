//! Why a store did not do it.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::bounds::{
    MAX_FRAME_BYTES, MAX_FRAME_CELLS, MAX_FRAME_COLUMNS, MAX_FRAME_EVENTS, MAX_FRAME_STRINGS, MAX_MEMBERS,
    MAX_NAME_BYTES,
};
use crate::{MeterError, QueryError};

/// Why a frame is no frame: its producer is broken, and nothing of it is taken in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// It is not protobuf.
    #[error(
        "the frame cannot be decoded ({0}); check that the producer and this server speak the same version"
    )]
    Encoding(String),
    /// Over [`MAX_FRAME_BYTES`].
    #[error("a frame of {0} bytes is too large: at most {MAX_FRAME_BYTES}; send fewer events a frame")]
    TooLarge(usize),
    /// No events, or more than [`MAX_FRAME_EVENTS`].
    #[error("a frame of {0} events: send 1 to {MAX_FRAME_EVENTS}")]
    Events(u32),
    /// More strings than there may be.
    #[error("a frame with {0} strings is too large: at most {MAX_FRAME_STRINGS}")]
    Strings(usize),
    /// More property columns than there may be.
    #[error("a frame with {0} property columns is too large: at most {MAX_FRAME_COLUMNS}")]
    Columns(usize),
    /// Columns that would take too much memory.
    #[error(
        "{columns} property columns over {events} events: at most {MAX_FRAME_CELLS} together; send fewer events a frame"
    )]
    Cells {
        /// Columns.
        columns: usize,
        /// Events.
        events: u32,
    },
    /// Not a producer's name.
    #[error("`{0}` is no producer: 1 to {MAX_NAME_BYTES} visible ASCII characters")]
    Producer(String),
    /// Sequences that are zero or beyond 64 bits.
    #[error("a frame of {count} events from sequence {first}: sequences are from 1 and fit 63 bits")]
    Sequence {
        /// Of the first event.
        first: u64,
        /// How many.
        count: u32,
    },
    /// A column of another length.
    #[error("column `{column}` has {found} entries for {expected} events")]
    Length {
        /// Which.
        column: String,
        /// Entries.
        found: usize,
        /// Events.
        expected: usize,
    },
    /// An index into the strings that leads nowhere.
    #[error("column `{column}` points to string {index}, and there are {strings}")]
    Index {
        /// Which.
        column: String,
        /// Where it points.
        index: u32,
        /// Strings of the frame.
        strings: usize,
    },
    /// A property column that is not one.
    #[error("property column `{column}`: {problem}")]
    Column {
        /// Which.
        column: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Times that do not fit 64 bits.
    #[error("the times of the frame overflow: at_us holds differences of microseconds")]
    Times,
}

/// Why an event store did not do it. Sending the same again is always safe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Not a namespace.
    #[error("`{0}` is no namespace: 1 to 63 characters of a-z, 0-9 and -")]
    Namespace(String),
    /// The frame is broken.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The frame says another namespace.
    #[error("the frame says namespace `{said}` and came in for `{expected}`")]
    OtherNamespace {
        /// In the frame.
        said: String,
        /// Where it came in.
        expected: String,
    },
    /// Events before the frame are missing.
    #[error(
        "the frame of {producer} begins at sequence {first} and the mark of epoch {epoch:x} is {mark}: send from {} on, or begin a new epoch at 1",
        mark + 1
    )]
    Gap {
        /// Whose.
        producer: Arc<str>,
        /// Of which run.
        epoch: u64,
        /// Everything up to here is on disk or rejected.
        mark: u64,
        /// Where the frame begins.
        first: u64,
    },
    /// The meter is wrong.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// The name stands for another meter.
    #[error("meter {0} is defined otherwise already; meters do not change: give the new one another name")]
    MeterChanged(Arc<str>),
    /// No such meter.
    #[error("there is no meter {0} in this namespace; `creto meter list` shows them")]
    NoMeter(String),
    /// The question is wrong.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Distinct values beyond what is counted.
    #[error(
        "meter {meter} has more than {MAX_MEMBERS} distinct values in one window; ask for shorter windows, or group by fewer"
    )]
    TooManyMembers {
        /// Which.
        meter: Arc<str>,
    },
    /// As many as may be.
    #[error("there are {most} {what} already, which is the limit; {next_step}")]
    Full {
        /// What of.
        what: &'static str,
        /// How many.
        most: u64,
        /// What helps.
        next_step: &'static str,
    },
    /// More in one request than may be.
    #[error("{found} events in one request: at most {most}")]
    TooMany {
        /// How many came.
        found: usize,
        /// How many may come.
        most: usize,
    },
    /// More bytes in one request than may be.
    #[error("{found} bytes of events in one request: at most {most}")]
    TooLarge {
        /// How many came.
        found: usize,
        /// How many may come.
        most: usize,
    },
    /// The events of that time are not kept any more.
    #[error("events before {before_us} (microseconds since 1970) are not all kept any more; rollups are")]
    Gone {
        /// The first time whose events are all kept.
        before_us: i64,
    },
    /// No room on disk.
    #[error(
        "no room on disk for events ({0}): free some; what was acknowledged is safe, and nothing is taken in until then"
    )]
    DiskFull(String),
    /// What is kept is not what was written.
    #[error(
        "the events in {segment} are damaged at byte {offset} ({what}): restore the file from a backup, or go on without what is lost (--skip-damaged)"
    )]
    Damaged {
        /// The file.
        segment: PathBuf,
        /// Where.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The folder or database cannot be opened.
    #[error("{path} cannot be opened ({cause}): check that it is there and belongs to this user")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Another process has the folder.
    #[error("{0} is in use by another control plane: stop it, or give this one another data folder")]
    InUse(PathBuf),
    /// Written by a later version.
    #[error(
        "{path} has schema version {found}, this control plane knows up to {known}: run the newer control plane again, or restore a backup"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// An option out of range.
    #[error("option {name}: {problem}")]
    Option {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The store is away; whether the request was carried out is not known.
    #[error("events cannot be kept now ({0}); send them again")]
    Away(String),
}

impl StoreError {
    /// Epochs are at a bound.
    pub(crate) const fn epochs(what: &'static str, most: usize) -> Self {
        let next_step = "have producers keep their epoch while they run; epochs nobody sends in any more make room once they are older than events may be late";
        Self::Full { what, most: most as u64, next_step }
    }

    /// Bytes are at a bound.
    pub(crate) const fn bytes(what: &'static str, most: u64) -> Self {
        let next_step = "give events more disk, or keep them for a shorter time; older ones make room when they are past retention";
        Self::Full { what, most, next_step }
    }
}
