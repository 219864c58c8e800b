//! The control plane, from the sidecar's side: enrol once, then one stream down and reports up.
//!
//! `sync` keeps the stream; `enforcer` brings what comes by it into force: `compiler` makes it of generations, `notices`
//! take away from it, `generations` are those on disk. `freshness` knows how old it is. `report` tells of calls,
//! `leases` gets and settles what quotas may use.

mod backoff;
mod clock;
pub(crate) mod compiler;
pub(crate) mod enforcer;
pub(crate) mod enroll;
mod events;
mod freshness;
mod generation_error;
mod generations;
mod leases;
mod link;
mod notices;
mod report;
mod status;
mod sync;

pub(crate) use clock::SystemClock;
pub(crate) use events::Events;
pub(crate) use freshness::{FirstAge, Freshness, KeptAge};
pub(crate) use link::{LinkParts, PlaneLink};
pub(crate) use status::PlaneStatus;

pub use enroll::EnrollError;
pub use generation_error::GenerationError;
