//! What became of events.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::RejectCode;

/// An event of a frame that was not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedEvent {
    /// Its sequence.
    pub sequence: u64,
    /// Why.
    pub code: RejectCode,
    /// Why, for people: at most [`crate::MAX_DETAIL_BYTES`].
    pub detail: String,
}

/// What became of a frame. It is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameOutcome {
    /// Up to this sequence of the epoch everything is on disk or rejected.
    pub mark: u64,
    /// Events counted now.
    pub accepted: u64,
    /// Events of the frame that were at or below the mark already.
    pub duplicate: u64,
    /// Events that cannot be counted, by sequence. They will not be taken in when sent again.
    pub rejected: Vec<RejectedEvent>,
}

/// What became of a named event. Accepted ones are on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedOutcome {
    /// Counted now.
    Accepted,
    /// The same event was there before; it counts once.
    Duplicate,
    /// An event of the same source and id with another payload was there before, and stays what counts.
    Conflict,
    /// It cannot be counted; it may be corrected and sent again under the same id.
    Rejected {
        /// Why.
        code: RejectCode,
        /// Why, for people.
        detail: String,
    },
}

/// What came in from one producer in one epoch; `sent = accepted + duplicate + rejected`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerAccount {
    /// Its name. Named events count under their source, in epoch 0.
    pub producer: Arc<str>,
    /// The run of its process; 0 for named events and for retired epochs.
    pub epoch: u64,
    /// How many epochs this is the account of that are not held any more, added up; 0 for the account of one epoch, or of
    /// named events.
    pub retired_epochs: u64,
    /// The mark: every sequence up to it has come in, so `highest_sequence = accepted + rejected`. Zero for named
    /// events and retired epochs.
    pub highest_sequence: u64,
    /// Events that came in, repeated ones included, counted as they come in and not added up from the rest.
    pub sent: u64,
    /// Events counted.
    pub accepted: u64,
    /// Events that were there before.
    pub duplicate: u64,
    /// Events that cannot be counted; conflicts of named events among them.
    pub rejected: u64,
    /// The rejected by code ([`RejectCode::as_str`]).
    pub rejected_by_code: BTreeMap<Arc<str>, u64>,
    /// When something last came in, in microseconds since 1970.
    pub last_seen_us: i64,
}
