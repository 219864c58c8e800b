//! What stays true when something fails: the plane, the sidecar, the disk. See `tests/`.
//!
//! A [`Journal`] notes every call that a test makes and what its client saw; in the end it must agree with what the
//! control plane has on record, call by call.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::missing_panics_doc)]

mod journal;
mod scene;
mod small_disk;
mod traffic;

pub use journal::{Journal, Made};
pub use scene::Scene;
pub use small_disk::SmallDisk;
pub use traffic::{Traffic, WAY_IN, call, policy};
