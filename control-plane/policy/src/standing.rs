//! What a sidecar may let its agent do, and what is taken away from that.
//!
//! It goes by what the sidecar has acknowledged or was sent, never by what was read last: between two readings a
//! delegation may have come and gone, and a sidecar that refuses a generation still enforces the one before.

use creto_proto::v1::{AgentState, Hello};

/// What one generation lets an agent do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: AgentState,
    /// Id of the delegation that the agent calls under.
    pub(crate) delegation: Option<Vec<u8>>,
}

/// What an agent may not do any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakenAway {
    pub(crate) state: AgentState,
    pub(crate) chain: bool,
}

impl Standing {
    /// Of a sidecar that has just come: its agent is taken to be active, for it does not say.
    pub(crate) fn of(hello: &Hello) -> Self {
        let delegation = Some(hello.delegation_id.clone()).filter(|id| !id.is_empty());
        Self { state: AgentState::Active, delegation }
    }

    /// The delegation of this that is another than in `now`: whether it still stands is to be looked up.
    pub(crate) fn other_delegation<'a>(&'a self, now: &Self) -> Option<&'a [u8]> {
        self.delegation.as_deref().filter(|id| now.delegation.as_deref() != Some(id))
    }

    /// What is taken away from this by `now`. `stands`: whether [`Self::other_delegation`] does.
    pub(crate) fn loses(&self, now: &Self, stands: bool) -> Option<TakenAway> {
        let chain = !stands && self.other_delegation(now).is_some();
        let state = now.state != AgentState::Active && now.state != self.state;
        (state || chain).then_some(TakenAway { state: now.state, chain })
    }
}

impl TakenAway {
    /// Both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { state: self.state, chain: self.chain || other.chain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(state: AgentState, delegation: Option<u8>) -> Standing {
        Standing { state, delegation: delegation.map(|id| vec![id; 32]) }
    }

    #[test]
    fn what_is_taken_away_is_told_and_nothing_else() {
        use AgentState::{Active, Revoked, Suspended};
        let taken = |state, chain| Some(TakenAway { state, chain });
        for (before, now, stands, expected) in [
            ((Active, Some(1)), (Active, Some(1)), true, None),
            ((Active, None), (Active, Some(1)), true, None),
            ((Active, Some(1)), (Active, Some(2)), true, None),
            ((Active, Some(1)), (Active, Some(2)), false, taken(Active, true)),
            ((Active, Some(1)), (Active, None), false, taken(Active, true)),
            ((Active, Some(1)), (Suspended, None), false, taken(Suspended, true)),
            ((Active, None), (Suspended, None), true, taken(Suspended, false)),
            ((Suspended, None), (Suspended, None), true, None),
            ((Suspended, None), (Active, Some(1)), true, None),
            ((Suspended, None), (Revoked, None), true, taken(Revoked, false)),
        ] {
            let (before, now) = (standing(before.0, before.1), standing(now.0, now.1));
            assert_eq!(before.loses(&now, stands), expected, "{before:?} {now:?}");
        }
    }
}
