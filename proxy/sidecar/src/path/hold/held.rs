//! The holds that one call waits for, over all its messages.

use creto_call::RuleName;
use creto_policy::{Held, Holds, MAX_HELD};

/// Each once. Allocates for calls that wait only.
#[derive(Debug, Default)]
pub(crate) struct HeldBy<'e> {
    names: Vec<Held<'e>>,
    observed: Option<RuleName<'e>>,
    too_much: bool,
}

impl<'e> HeldBy<'e> {
    /// Adds those of one message.
    pub(crate) fn add(&mut self, holds: Holds<'e>) {
        if holds.is_empty() {
            return;
        }
        for held in holds.held() {
            if !self.names.iter().any(|known| known.by == held.by) {
                self.names.push(held);
            }
        }
        self.observed = self.observed.or_else(|| holds.observed().next().map(|held| held.by));
        // Of a batch, each message may have its own.
        self.too_much |= holds.too_many() || self.names.len() > MAX_HELD;
    }

    /// Those that people are asked for.
    pub(crate) fn names(&self) -> &[Held<'e>] {
        &self.names
    }

    /// The first of those that only observe.
    pub(crate) fn observed(&self) -> Option<RuleName<'e>> {
        self.observed
    }

    /// Whether not all of them can be asked.
    pub(crate) fn is_too_much(&self) -> bool {
        self.too_much
    }
}
