//! How much of everything an event store takes in and keeps.

/// Events in one frame.
pub const MAX_FRAME_EVENTS: usize = 8_192;
/// Bytes of one encoded frame.
pub const MAX_FRAME_BYTES: usize = 4 << 20;
/// Different strings of one frame.
pub const MAX_FRAME_STRINGS: usize = 65_536;
/// Property columns of one frame.
pub const MAX_FRAME_COLUMNS: usize = 256;
/// Property columns times events of one frame: what its columns take in memory is sixteen times that, in bytes.
pub const MAX_FRAME_CELLS: usize = MAX_FRAME_EVENTS * MAX_PROPERTIES;
/// Named events in one request.
pub const MAX_NAMED_EVENTS: usize = 8_192;
/// Properties of one event.
pub const MAX_PROPERTIES: usize = 64;
/// Longest name: of an event type, an agent, a customer, a subscription, a property, a producer; in bytes.
pub const MAX_NAME_BYTES: usize = 128;
/// Longest path of delegation, in bytes: eight names and what joins them.
pub const MAX_DELEGATION_BYTES: usize = 1_100;
/// Longest text value of a property, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Longest source or id of a named event, in bytes.
pub const MAX_ID_BYTES: usize = 512;
/// Longest signature of an event, in bytes.
pub const MAX_SIGNATURE_BYTES: usize = 4_096;
/// Longest name of a namespace, in bytes.
pub const MAX_NAMESPACE_BYTES: usize = 63;
/// Meters of one namespace, the built-in ones included.
pub const MAX_METERS: usize = 1_000;
/// Most sets of dimensions that meters over one type of events have: each is a series of its own for every event.
pub const MAX_LAYOUTS: usize = 32;
/// Dimensions of one meter.
pub const MAX_DIMENSIONS: usize = 8;
/// Properties one answer can be grouped by.
pub const MAX_GROUP_BY: usize = 8;
/// Windows and groups in one answer, multiplied.
pub const MAX_ANSWER_VALUES: usize = 100_000;
/// Distinct values one window of one meter counts, of one series in the rollups and of one group in an answer.
pub const MAX_MEMBERS: usize = 100_000;
/// Distinct values one answer counts, over all its windows and groups together.
pub const MAX_ANSWER_MEMBERS: usize = 1_000_000;
/// How long an epoch must have been silent before it is retired for another of its producer, in microseconds
/// (10 minutes).
pub const MIN_IDLE_US: i64 = 10 * 60 * 1_000_000;
/// Epochs held of one producer in one namespace.
pub const MAX_EPOCHS_OF_PRODUCER: usize = 4_096;
/// Epochs held of all producers of one namespace.
pub const MAX_EPOCHS_OF_NAMESPACE: usize = 100_000;
/// Epochs held of all producers of all namespaces.
pub const MAX_EPOCHS: usize = 1_000_000;
/// Series of one namespace: what its rollups are kept apart by. From so many on, new ones are kept apart by agent, customer
/// and subscription only, all their other dimensions being [`OTHER_SERIES`]; and from twice as many on the rest is one series
/// for each set of dimensions, where agent, customer and subscription are that, too. Nothing is refused and every total stays
/// exact; answers grouped by a dimension have a group more, which recomputing from events tells apart.
pub const DEFAULT_SERIES: u64 = 1_000_000;
/// What a dimension of rollups is called where it is not kept apart any more.
pub const OTHER_SERIES: &str = "(other)";
/// How often, at most, is said that a namespace has more series than are kept apart.
pub(crate) const WARN_EVERY: std::time::Duration = std::time::Duration::from_secs(3_600);
pub(crate) const MANY_SERIES: &str = "a namespace has more series than its rollups keep apart: those that are new count as \
     `(other)`; take dimensions with many values, such as ids of requests, out of its meters";
/// Bytes of events one namespace has on disk.
pub const DEFAULT_NAMESPACE_BYTES: u64 = 64 << 30;
/// Bytes of events, and of what they come to, of all namespaces on disk.
pub const DEFAULT_DISK_BYTES: u64 = 256 << 30;

/// How many epochs of producers are held. At each of them an epoch of the same producer that was silent for
/// [`MIN_IDLE_US`] is retired, and where there is none a new epoch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochBounds {
    /// Of one producer in one namespace.
    pub of_producer: usize,
    /// Of all producers of one namespace.
    pub of_namespace: usize,
    /// Of all namespaces.
    pub all: usize,
}

impl Default for EpochBounds {
    fn default() -> Self {
        Self { of_producer: MAX_EPOCHS_OF_PRODUCER, of_namespace: MAX_EPOCHS_OF_NAMESPACE, all: MAX_EPOCHS }
    }
}

/// How far ahead of now an event may be, in microseconds (5 minutes).
pub const DEFAULT_MAX_AHEAD_US: i64 = 5 * 60 * 1_000_000;
/// How old an event may be when it comes in, in microseconds (35 days).
pub const DEFAULT_MAX_AGE_US: i64 = 35 * 86_400 * 1_000_000;
/// How long events and marks are kept, in microseconds (90 days).
pub const DEFAULT_RETENTION_US: i64 = 90 * 86_400 * 1_000_000;
/// Longest explanation of one rejected event, in bytes.
pub const MAX_DETAIL_BYTES: usize = 256;
