//! The typed facts of one call and what was decided about it.
//!
//! Everything here borrows: the bytes of the request already hold the facts.
#![forbid(unsafe_code)]

mod call;
mod host;
mod refusal;
mod verdict;

pub use call::{Call, Capture, Kind, Method, Scheme};
pub use host::{HostError, NormalHost, is_metadata_address, is_private_address};
pub use refusal::{Refusal, RefusalCode};
pub use verdict::{Decision, RuleName};
