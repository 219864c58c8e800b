//! How the embedded store behaves, and its own bounds.

use std::path::PathBuf;
use std::time::Duration;

use crate::bounds::{DEFAULT_DISK_BYTES, DEFAULT_NAMESPACE_BYTES, DEFAULT_RETENTION_US, DEFAULT_SERIES};
use crate::{Acceptance, EpochBounds, StoreError};

/// Bytes of one segment of the log.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Smallest segment: one record fits.
pub const MIN_SEGMENT_BYTES: u64 = 8 << 20;
/// Bytes of encoded named events in one request.
pub const MAX_NAMED_BYTES: usize = 4 << 20;
/// Requests that wait for the log.
pub const MAX_WAITING_REQUESTS: usize = 1_024;
/// Memory of requests that wait for the log, in bytes.
pub const MAX_WAITING_BYTES: usize = 128 << 20;
/// How long a request waits for room among those that wait for the log.
pub const MAX_WAIT: Duration = Duration::from_secs(30);
/// Bytes of one write to the log; a record more may be in it.
pub const MAX_WRITE_BYTES: usize = 8 << 20;
/// Writes to the log that wait to be counted.
pub const MAX_WRITES_TO_COUNT: usize = 8;
/// Memory of what was counted since the last checkpoint, in bytes; the one being written may hold as much again.
pub const MAX_LIVE_BYTES: usize = 512 << 20;
/// Sources of named events that have an account of their own, of all namespaces; the rest share `(other sources)`.
pub const MAX_SOURCES: usize = 100_000;
/// Series whose numbers a checkpoint remembers; beyond it they are looked up again.
pub const MAX_CACHED_SERIES: usize = 1_000_000;
/// How long closing waits for what is being written.
pub const MAX_CLOSE: Duration = Duration::from_secs(45);
/// How long after a failure a checkpoint is tried again.
pub const CHECKPOINT_RETRY: Duration = Duration::from_secs(1);
/// Connections that read rollups.
pub const MAX_READERS: u32 = 4;
/// Named events and accounts one checkpoint forgets because of their age, of each.
pub const MAX_FORGOTTEN: u32 = 20_000;

/// How the embedded store behaves.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// When events may have happened.
    pub acceptance: Acceptance,
    /// How long events, marks of producers and identities of named events are kept, in microseconds; more than
    /// `acceptance.max_age_us` and a day, so that what is forgotten would be too old to come in again.
    pub retention_us: i64,
    /// Bytes of one segment of the log.
    pub segment_bytes: u64,
    /// A checkpoint is made this long after the last one,
    pub checkpoint_every: Duration,
    /// or after so many bytes of the log.
    pub checkpoint_bytes: u64,
    /// Memory of what was counted since the last checkpoint, in bytes.
    pub live_bytes: usize,
    /// How many epochs of producers are held.
    pub epochs: EpochBounds,
    /// Bytes of the log one namespace may have; beyond it, its events are refused until older ones are past retention.
    pub namespace_bytes: u64,
    /// Bytes of the log and of the database together; beyond it no segment is begun, and events are refused.
    pub disk_bytes: u64,
    /// Series of one namespace that are kept apart by all they say: see [`DEFAULT_SERIES`].
    pub series: u64,
    /// Goes on without what is damaged, instead of refusing to start and to read.
    pub skip_damaged: bool,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self {
            acceptance: Acceptance::default(),
            retention_us: DEFAULT_RETENTION_US,
            segment_bytes: SEGMENT_BYTES,
            checkpoint_every: Duration::from_secs(30),
            checkpoint_bytes: 512 << 20,
            live_bytes: MAX_LIVE_BYTES,
            epochs: EpochBounds::default(),
            namespace_bytes: DEFAULT_NAMESPACE_BYTES,
            disk_bytes: DEFAULT_DISK_BYTES,
            series: DEFAULT_SERIES,
            skip_damaged: false,
        }
    }
}

impl EmbeddedOptions {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        const DAY_US: i64 = 86_400_000_000;
        let wrong = |name, problem: String| Err(StoreError::Option { name, problem });
        let least = self.acceptance.max_age_us.saturating_add(DAY_US);
        if self.acceptance.max_age_us < 0 || self.acceptance.max_ahead_us < 0 {
            return wrong("acceptance", "times are not negative".into());
        }
        if self.retention_us < least {
            return wrong(
                "retention",
                format!("at least {least} microseconds: a day more than events may be old"),
            );
        }
        if !(MIN_SEGMENT_BYTES..=1 << 31).contains(&self.segment_bytes) {
            return wrong("segment_bytes", format!("{MIN_SEGMENT_BYTES} to {}", 1_u64 << 31));
        }
        if self.live_bytes < 1 << 20 {
            return wrong("live_bytes", "at least a mebibyte".into());
        }
        let EpochBounds { of_producer, of_namespace, all } = self.epochs;
        if of_producer == 0 || of_producer > of_namespace || of_namespace > all {
            return wrong(
                "epochs",
                "from 1, of a producer at most as many as of a namespace, and of it as of all".into(),
            );
        }
        if self.series == 0 {
            return wrong("series", "at least 1".into());
        }
        if self.namespace_bytes > self.disk_bytes || self.disk_bytes < 2 * self.segment_bytes {
            return wrong("disk_bytes", "as much as a namespace may have, and two segments at least".into());
        }
        Ok(())
    }
}

/// Damage that was gone over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub segment: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What was found.
    pub what: String,
}

/// What was found at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records that were counted again from the log.
    pub replayed_records: u64,
    /// Events in them.
    pub replayed_events: u64,
    /// A write that was not finished, cut off at the end of the log: nothing in it was acknowledged.
    pub torn: Option<Damage>,
    /// Acknowledged data that is lost, when told to go on without.
    pub damage: Vec<Damage>,
}
