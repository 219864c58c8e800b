//! Records of calls in the control plane: sidecars report them, operators list and follow them.
#![forbid(unsafe_code)]

mod error;
mod follow;
mod log;
mod message;
mod metered;

pub use error::CallsError;
pub use follow::{FOLLOW_BUFFER, Follower, MAX_FOLLOWERS};
pub use log::{CallJournal, MAX_ENTRIES, Reporter};
pub use metered::{CALLS_PRODUCER, CallMeter};
