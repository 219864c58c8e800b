//! Policy in the control plane: the documents people write, and the streams that bring what is enforced to sidecars.
//!
//! A [`Changes`] hub says that something changed, to those it concerns. A namespace's documents are read and encoded
//! once a change and shared; each [`SyncSession`] adds what is its sidecar's own, signs a manifest of the whole, and
//! sends the bodies that differ. What is taken away from an agent goes ahead of that as a notice of its own.
#![forbid(unsafe_code)]

mod admission;
mod answers;
mod changes;
mod documents;
mod error;
mod events;
mod fleet;
mod principal;
mod room;
mod session;
mod snapshot;
mod standing;
mod sync;

pub use admission::{BURST_EACH, DEFAULT_STREAM_RATE};
pub use answers::{Answers, SEND_TIMEOUT, WAITING};
pub use changes::{Changes, OTHERS_LATER};
pub use documents::{MAX_NAMESPACE_BYTES, MAX_POLICIES, MAX_POLICY_BYTES, PolicyDocuments};
pub use error::{PolicyError, SyncEnd};
pub use events::{
    EVENTS_PERIOD, MAX_DETAIL_CHARS, MAX_EVENTS, MAX_EVENTS_EACH, MAX_REPORTING, SidecarEvents,
};
pub use fleet::DEFAULT_MAX_STREAMS;
pub use principal::facts;
pub use room::{DEFAULT_BYTES_IN_FLIGHT, MAX_DELTAS_EACH};
pub use session::{ANSWER_TIMEOUT, DEBOUNCE, HEARTBEAT, HELLO_TIMEOUT, MAX_REASON_CHARS, SyncSession};
pub use sync::{NOTES_EVERY, PolicySync, SidecarIdentity, SyncLimits};
