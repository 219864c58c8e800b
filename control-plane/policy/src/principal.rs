//! The part of a generation that is one sidecar's own: its agent, and the chain it calls under.

use creto_bundle::{AGENT, CHAIN, CHAIN_KEYS, SharedResource};
use creto_identity::{Delegations, IdentityError, agent_message, now_s};
use creto_policy::{AgentFacts, Tier, Trust};
use creto_proto::v1::{self, Agent, AgentState};
use creto_store::{KeptAgent, KeptState, Store, StoreError};
use prost::Message as _;

use crate::SidecarIdentity;

/// An agent and its chain, as they were when they were read.
pub(crate) struct Principal {
    pub(crate) facts: AgentFacts,
    pub(crate) state: AgentState,
    pub(crate) resources: Vec<SharedResource>,
    chain: Option<HeldChain>,
}

struct HeldChain {
    delegation_id: Vec<u8>,
    /// Seconds since the Unix epoch.
    ends_s: u64,
    revocation_epoch: u32,
}

/// What an agent may not do any more that it might do before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakenAway {
    pub(crate) state: AgentState,
    pub(crate) chain: bool,
}

impl Principal {
    /// Reads the agent and mints its chain under this revocation epoch.
    pub(crate) async fn read(
        store: &dyn Store,
        delegations: &Delegations,
        sidecar: &SidecarIdentity,
        revocation_epoch: u32,
    ) -> Result<Self, StoreError> {
        let kept = store.agent(&sidecar.namespace, &sidecar.agent_name).await?;
        let current = delegations.current_chain(&kept, &sidecar.sidecar_id, revocation_epoch).await;
        let (minted, keys) = match current {
            Ok(current) => (current.chain, current.keys),
            Err(IdentityError::Store(error)) => return Err(error),
            Err(error) => return Err(StoreError::Damaged(error.to_string())),
        };
        let facts = facts(&kept);
        let state = match kept.state {
            KeptState::Active => AgentState::Active,
            KeptState::Suspended => AgentState::Suspended,
            KeptState::Revoked => AgentState::Revoked,
        };
        // When it was last touched is no part of what is enforced.
        let agent = Agent { updated_at_ms: 0, ..agent_message(kept) };
        let mut resources = vec![
            SharedResource::new(AGENT, agent.encode_to_vec()),
            SharedResource::new(CHAIN_KEYS, keys.encode_to_vec()),
        ];
        resources.extend(minted.as_ref().map(|chain| SharedResource::new(CHAIN, chain.encode_to_vec())));
        let chain = minted.map(|chain| HeldChain {
            delegation_id: chain.delegation_id,
            ends_s: chain.expires_at_s,
            revocation_epoch,
        });
        Ok(Self { facts, state, resources, chain })
    }

    /// Nothing comes after this: a revoked agent does not come back.
    pub(crate) fn is_last(&self) -> bool {
        self.state == AgentState::Revoked
    }

    /// The chain is of another revocation epoch than this.
    pub(crate) fn is_outdated(&self, revocation_epoch: u32) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.revocation_epoch != revocation_epoch)
    }

    /// The chain has ended.
    pub(crate) fn has_run_out(&self) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.ends_s <= now_s())
    }

    /// What this takes away from what was before.
    pub(crate) fn takes_from(&self, before: &Self) -> Option<TakenAway> {
        let state = (self.state != AgentState::Active && self.state != before.state).then_some(self.state);
        let chain = match (&before.chain, &self.chain) {
            (None, _) => false,
            (Some(_), None) => true,
            // A newer delegation in its place takes nothing; one that stands in for a revoked one does, for a moment.
            (Some(old), Some(new)) => {
                old.delegation_id != new.delegation_id && old.revocation_epoch != new.revocation_epoch
            }
        };
        (state.is_some() || chain).then_some(TakenAway { state: self.state, chain })
    }
}

/// What selectors ask of an agent.
#[must_use]
pub fn facts(agent: &KeptAgent) -> AgentFacts {
    AgentFacts {
        name: agent.name.clone(),
        tier: match v1::Tier::try_from(agent.tier) {
            Ok(v1::Tier::Premium) => Tier::Premium,
            Ok(v1::Tier::Standard) => Tier::Standard,
            _ => Tier::Basic,
        },
        trust: match v1::TrustLevel::try_from(agent.trust_level) {
            Ok(v1::TrustLevel::Trusted) => Trust::Trusted,
            Ok(v1::TrustLevel::Suspended) => Trust::Suspended,
            _ => Trust::Untrusted,
        },
        labels: agent.labels.clone(),
    }
}
