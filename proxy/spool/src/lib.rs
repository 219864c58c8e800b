//! The sidecar's append-only spool: what happened, kept on disk until the control plane has it.
//!
//! Two kinds of entry: a call *begins*, before anything of it leaves, and later *ends*. An append is a copy into a
//! mapped file, so it costs no system call and outlives `kill -9` of the process. A beginning is only taken when
//! there is room for the end of every call under way; else the call must be refused.
//!
//! The content of an entry is opaque here: the caller brings encoded bytes.
#![forbid(unsafe_code)]

mod error;
mod frame;
mod reader;
mod segment;
mod spool;

pub use error::SpoolError;
pub use frame::MAX_ENTRY;
pub use reader::{Entry, SpoolReader};
pub use spool::{Limits, OpenCall, Spool};
