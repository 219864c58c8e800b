//! Calls of other agents (Agent2Agent protocol, versions 0.3 and 1.0).
//!
//! **The skill.** No version of the protocol has a field for the skill that a message is for (a2aproject/A2A#143, #1989):
//! skills stand in agent cards, and agents read the wish out of the text. Where clients and agents do agree on a skill,
//! they use the free parts of a message. The fact is read from `skill`, `skillId` or `skill_id` in
//! - `metadata` of the message and of the request,
//! - `configuration` of the request (proposed for 1.1),
//! - an object in a data part (`parts[].data`).
//!
//! Two that differ are refused, and so is one in metadata or configuration that is not a string. A message that names
//! none has no skill: a rule that allows skills by name does not allow it. In the gRPC binding the skill is never known.

mod binding;
mod message;
mod method;

pub use binding::A2aBinding;
pub(crate) use binding::{A2aHead, find};
pub(crate) use message::read;
pub(crate) use method::is_method;
