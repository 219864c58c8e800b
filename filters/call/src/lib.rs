//! The typed facts of one call and what was decided about it.
//!
//! [`Call`] borrows: the bytes of the request, or what was read out of its body, already hold the facts.
#![forbid(unsafe_code)]

mod a2a;
mod call;
mod demand;
mod details;
mod dialect;
mod host;
mod mcp;
mod model;
mod refusal;
mod verdict;

pub use a2a::A2aCall;
pub use call::{Call, Capture, Kind, Method, Scheme};
pub use demand::Demand;
pub use details::{Details, Meaning};
pub use dialect::Dialect;
pub use host::{HostError, NormalHost, is_metadata_address, is_private_address};
pub use mcp::McpCall;
pub use model::{ModelApi, ModelCall, ModelOperation};
pub use refusal::{Refusal, RefusalCode};
pub use verdict::{Decision, RuleName};
