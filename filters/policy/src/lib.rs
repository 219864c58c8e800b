//! Policy: what an agent may call.
//!
//! People write a [`Document`] in TOML; parsing it finds every problem in one pass ([`Problems`], shown with line and
//! caret). The documents whose [`Selector`] means an agent are compiled into one [`PolicySet`], which answers for every
//! call: [`PolicySet::decide`] for the call itself, [`PolicySet::destination`] and [`PolicySet::address_allowed`] before
//! and below it, [`PolicySet::route`] for base-URL routes, [`PolicySet::explain`] for people.
//!
//! Nothing is allowed by default, any matching deny wins over every allow, and the order of rules and documents never
//! matters.
#![forbid(unsafe_code)]

mod destination;
mod document;
mod explain;
mod index;
mod network;
mod problem;
mod read;
mod route;
mod rule;
mod selector;
mod set;
mod spelling;

pub use destination::Destination;
pub use document::{Document, Mode};
pub use explain::{Explanation, RuleTrace};
pub use network::{Network, NetworkError};
pub use problem::{Problem, Problems};
pub use route::{Route, RouteMatch};
pub use rule::{Effect, HostEntry, PortRange, Rule};
pub use selector::{AgentFacts, Selector, Tier, Trust};
pub use set::PolicySet;

/// Longest document, in bytes: 1 MiB.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// Most rules in a document, allow and deny together.
pub const MAX_RULES: usize = 10_000;
/// Most routes in a document.
pub const MAX_ROUTES: usize = 1_000;
/// Most entries in any list of a document.
pub const MAX_LIST: usize = 1_000;
