//! Approvals: requests are kept before anybody sees them, people decide, and what was allowed is taken once.
//!
//! [`ApprovalDesk`] is what services call; [`RequestStore`] keeps every step in SQLite or PostgreSQL. The steps themselves, and
//! what is bound to what, are [`creto_oversight`]'s.
//!
//! What holds:
//!
//! - A step is on disk before anybody hears of it. Of two steps at once from one state one happens; the other looks again.
//! - The same call again joins the request there is; it does not ask people twice.
//! - A use is kept as taken before its grant is signed: a sidecar or control plane that dies then leaves a use whose end is
//!   told, or is marked as unknown, and never a second one.
#![forbid(unsafe_code)]

mod bounds;
mod context;
mod desk;
mod error;
mod record;
mod store;
mod waiting;

pub use bounds::*;
pub use context::{Context, ContextProblem, Header, Payload};
pub use desk::{ApprovalDesk, Ask, Asked, Heard, Taken};
pub use error::ApprovalError;
pub use record::{Change, Facts, Kept, Moved, Selection, StepNote};
pub use store::RequestStore;
