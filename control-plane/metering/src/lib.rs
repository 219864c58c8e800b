//! The store of metering events: what was used, kept once, and counted.
//!
//! Producers send [`Frame`]s (a sequence of their own, so that resending is safe) and third parties [`NamedEvent`]s
//! (CloudEvents, deduplicated by source and id). An [`EventStore`] has them on disk before it answers, counts them by
//! the [`Meter`]s of the namespace, and answers a [`MeterQuery`] from rollups that equal a recomputation from the
//! events. Two stores do the same, shown by one suite (`conformance`): [`EmbeddedEventStore`] in a folder of the
//! control plane, and the one on PostgreSQL.
//!
//! What holds:
//!
//! - An event that was acknowledged is there exactly once, whatever was killed or sent again.
//! - Every event that came in is accepted, a duplicate, or rejected with a code: [`EventStore::producers`] adds up.
//! - Numbers are decimals ([`creto_rating::Quantity`]), sums are exact in 256 bits. There are no floats.
//! - An event that arrives late is counted in the minute it happened in.
#![forbid(unsafe_code)]

mod accumulator;
mod bounds;
mod catalog;
pub mod cloud_events;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod embedded;
mod error;
mod event;
mod frame;
mod judgement;
mod meter;
mod outcome;
pub mod postgres;
mod query;
mod store;
mod tally;
mod time;
mod wide;

pub use accumulator::Accumulator;
pub use bounds::*;
pub use catalog::{Catalog, Layout};
pub use embedded::*;
pub use error::{FrameError, StoreError};
pub use event::{Event, EventId, NamedEvent, Value};
pub use frame::Frame;
pub use judgement::{Acceptance, RejectCode, Rejection};
pub use meter::{Aggregation, Meter, MeterError, built_in_meters};
pub use outcome::{FrameOutcome, NamedOutcome, ProducerAccount, RejectedEvent};
pub use query::{MeterQuery, MeterValue, QueryError, Window};
pub use store::EventStore;
pub use tally::{Tally, TallyError};
pub use wide::Wide;
