//! What only the control plane itself may say in events: names of producers, and types that begin with `creto.`.

use std::collections::HashSet;

use creto_calls::CALLS_PRODUCER;
use creto_event_store::{Frame, FrameError};
use creto_proto::v1::{IngestFrame, IngestMark};

/// What names of sidecars as producers begin with.
const SIDECARS: &str = "sidecar/";
/// What the control plane's own types of events begin with.
const OWN_TYPES: &str = "creto.";
/// Machine codes of events that are refused.
pub(crate) const RESERVED_TYPE: &str = "reserved_event_type";
pub(crate) const RESERVED_SOURCE: &str = "reserved_source";
/// What is said of them.
pub(crate) const TYPE_SAID: &str = "types that begin with creto. are those of the control plane: give the event a type of your own, and a meter";
pub(crate) const SOURCE_SAID: &str =
    "sources that begin with sidecar/ or calls/ are those of sidecars and their calls: take another";

/// Whether producers of that name are sidecars, or calls.
pub(crate) fn is_reserved_name(name: &str) -> bool {
    name.starts_with(SIDECARS) || name.starts_with(CALLS_PRODUCER)
}

/// Whether only the control plane has events of that type.
pub(crate) fn is_reserved_type(event_type: &str) -> bool {
    event_type.starts_with(OWN_TYPES)
}

/// A frame from outside, its events of reserved types without a type, so that the store refuses them and takes the rest.
pub(crate) struct Reserved {
    frame: Frame,
    events: ReservedEvents,
}

/// Sequences of events that had a reserved type.
pub(crate) struct ReservedEvents(HashSet<u64>);

impl Reserved {
    /// Checks a frame.
    pub(crate) fn new(mut frame: IngestFrame) -> Result<Self, FrameError> {
        let reserved: HashSet<u32> = (1..)
            .zip(&frame.strings)
            .filter(|(_, text)| is_reserved_type(text))
            .map(|(place, _)| place)
            .collect();
        let mut events = HashSet::new();
        if !reserved.is_empty() {
            for (at, place) in (0..).zip(&mut frame.event_type) {
                if reserved.contains(place) {
                    *place = 0;
                    events.insert(frame.first_sequence.saturating_add(at));
                }
            }
        }
        Ok(Self { frame: Frame::new(frame)?, events: ReservedEvents(events) })
    }

    /// The frame, and which of its events were of reserved types.
    pub(crate) fn into_parts(self) -> (Frame, ReservedEvents) {
        (self.frame, self.events)
    }
}

impl ReservedEvents {
    /// The answer, with why those events are refused.
    pub(crate) fn told(&self, mut answer: IngestMark) -> IngestMark {
        for rejected in &mut answer.rejected {
            if self.0.contains(&rejected.sequence) {
                rejected.code = RESERVED_TYPE.into();
                rejected.detail = TYPE_SAID.into();
            }
        }
        answer
    }
}
