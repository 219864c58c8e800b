//! Policy: what an agent may call.
//!
//! People write a [`Document`] in TOML; parsing it finds every problem in one pass ([`Problems`], shown with line and
//! caret). The documents whose [`Selector`] means an agent are compiled into one [`PolicySet`], which answers for every
//! call: [`PolicySet::decide`] for the call itself, [`PolicySet::destination`] and [`PolicySet::address_allowed`] before
//! and below it, [`PolicySet::route`] for base-URL routes, [`PolicySet::explain`] for people. What a call means is told by
//! [`creto_call::Meaning`]; [`PolicySet::needs_body`] says whether its body must be read to decide it, and
//! [`PolicySet::provider`], [`PolicySet::mcp_server`], [`PolicySet::a2a_agent`] and [`PolicySet::credential`] say what
//! policy knows of its destination.
//!
//! # Which rule decides
//!
//! Nothing is allowed by default, and any deny rule that counts wins over every allow rule: there is no first match and
//! no most specific one, and the order of rules and documents never changes a verdict. An allow rule counts when all
//! that it asks is known to hold; a deny rule also when that cannot be told (a fact is not known, a value is of another
//! type, an expression has no value).
//!
//! Where several rules count, one is named, in [`PolicySet::decide`] and [`PolicySet::explain`] alike: of the deny rules that
//! are known to hold the first, else of those in doubt the first, else of the allow rules the first. First is by name of
//! the policy, then as they stand in the document. Where none counts none is named, nor is a deny rule in
//! doubt where no allow rule could hold either.
//!
//! An allowed call may have to wait for people: [`PolicySet::holds`] says which holds match it, after it was allowed.
//!
//! What a call may use is bounded by quotas and budgets: [`PolicySet::quotas_for`] says which count it. They allow nothing
//! by themselves.
//!
//! [`findings`] looks for rules that this leaves without effect.
//!
//! # How it is found
//!
//! A set is compiled once and only read afterwards; threads share nothing that is written to. Rules are found by host
//! (exact names and suffixes by hash, networks by prefix), and where more than 8 are about one host, by one thing that
//! they ask for: tool, model, provider, MCP server, agent, path or method, in this order of preference. What is found is
//! then compared in full. Expressions run over borrowed facts; a header that several ask for is looked up once for a
//! call, and so is a term that several share.
#![forbid(unsafe_code)]

mod arguments;
mod attributes;
mod conditions;
mod credential;
mod destination;
mod document;
mod explain;
mod facts;
mod finding;
mod hold;
mod host_map;
mod index;
mod network;
mod place;
mod problem;
mod quota;
mod read;
mod reversibility;
mod risk;
mod route;
mod rule;
mod selector;
mod services;
mod set;
mod staleness;
mod terms;
mod text_glob;
mod truth;
mod when;

pub use credential::{Credential, CredentialKind, SecretFrom};
pub use destination::Destination;
pub use document::{Document, Mode};
pub use explain::{ConditionTrace, Explanation, HoldTrace, QuotaTrace, RuleTrace, TierTrace};
pub use finding::{Finding, FindingKind, RulePlace, findings};
pub use hold::Hold;
pub use network::{Network, NetworkError};
pub use place::Place;
pub use problem::{Problem, Problems};
pub use quota::{
    Away, IMPLICIT_POLICY, MAX_LIMIT_UNITS, MAX_PERIOD_S, MIN_PERIOD_S, Per, QuotaMeter, QuotaPeriod,
    QuotaRule,
};
pub use reversibility::Reversibility;
pub use risk::RiskClass;
pub use route::{Route, RouteMatch};
pub use rule::{Effect, HostEntry, PortRange, Rule};
pub use selector::{AgentFacts, Selector, Tier, Trust};
pub use services::{A2aAgent, McpServer, Provider, ToolsChanged};
pub use set::{Held, Holds, MAX_HELD, MAX_SET_HOLDS, PolicySet};
pub use staleness::Staleness;

/// Longest document, in bytes: 1 MiB.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// Most rules in a document, allow and deny together.
pub const MAX_RULES: usize = 10_000;
/// Most routes in a document.
pub const MAX_ROUTES: usize = 1_000;
/// Most entries in any list of a document.
pub const MAX_LIST: usize = 1_000;
/// Most `[[provider]]`, `[[mcp_server]]`, `[[a2a_agent]]` and `[[credential]]` in a document, each.
pub const MAX_SERVICES: usize = 1_000;
/// Most `when` in a document, those of holds included: each may keep compiled patterns.
pub const MAX_EXPRESSIONS: usize = 1_000;
/// Most `[[quota]]` and `[[budget]]` in a document, together.
pub const MAX_QUOTAS: usize = 64;
/// Most `[[hold]]` in a document.
pub const MAX_HOLDS: usize = 1_000;
/// Longest `reason` of a hold, in bytes.
pub const MAX_HOLD_REASON_BYTES: usize = 1_024;
/// Most globs in an MCP server's `reversibility`.
pub const MAX_CLASSES: usize = 64;
/// Most conditions on arguments in a rule.
pub const MAX_ARGUMENTS: usize = 64;
/// Longest glob over a name or an argument, in bytes.
pub const MAX_TEXT_GLOB: usize = 1_024;
