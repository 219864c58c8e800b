//! What policy says of a call.

use crate::Refusal;

/// A rule, by the policy it stands in and its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleName<'p> {
    /// Name of the policy document.
    pub policy: &'p str,
    /// Name of the rule in it.
    pub rule: &'p str,
}

/// The verdict on a call. Borrows from the policy that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'p> {
    /// A rule allows it.
    Allow {
        /// The allowing rule.
        by: RuleName<'p>,
    },
    /// Refused.
    Deny(Refusal<'p>),
    /// Would be refused, but the policy observes only: it is let through and recorded as such.
    Observe(Refusal<'p>),
}

impl Decision<'_> {
    /// Whether the call may leave.
    #[must_use]
    pub fn lets_through(&self) -> bool {
        !matches!(self, Self::Deny(_))
    }
}
