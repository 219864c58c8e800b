//! The part of a generation that is one sidecar's own: its agent, and the chain it calls under.

use creto_bundle::{AGENT, CHAIN, CHAIN_KEYS, SharedResource};
use creto_identity::{Delegations, IdentityError, agent_message, now_s};
use creto_policy::{AgentFacts, Tier, Trust};
use creto_proto::v1::{self, Agent, AgentState};
use creto_store::{KeptAgent, KeptState, Store, StoreError};
use prost::Message as _;

use crate::SidecarIdentity;
use crate::standing::{Standing, TakenAway};

/// An agent and its chain, as they were when they were read.
pub(crate) struct Principal {
    pub(crate) facts: AgentFacts,
    pub(crate) standing: Standing,
    pub(crate) resources: Vec<SharedResource>,
    chain: Option<Minted>,
}

struct Minted {
    /// Seconds since the Unix epoch.
    ends_s: u64,
    revocation_epoch: u32,
}

impl Principal {
    /// Reads the agent and mints its chain under this revocation epoch; says what that takes away from any of `held`.
    pub(crate) async fn read(
        store: &dyn Store,
        delegations: &Delegations,
        sidecar: &SidecarIdentity,
        revocation_epoch: u32,
        held: &[&Standing],
    ) -> Result<(Self, Option<TakenAway>), StoreError> {
        let kept = store.agent(&sidecar.namespace, &sidecar.agent_name).await?;
        let current = delegations.current_chain(&kept, &sidecar.sidecar_id, revocation_epoch).await;
        let current = current.map_err(of_store)?;
        let (minted, keys) = (current.chain, current.keys);
        let facts = facts(&kept);
        let state = match kept.state {
            KeptState::Active => AgentState::Active,
            KeptState::Suspended => AgentState::Suspended,
            KeptState::Revoked => AgentState::Revoked,
        };
        let delegation = minted.as_ref().map(|chain| chain.delegation_id.clone());
        let standing = Standing { state, delegation };
        let mut taken: Option<TakenAway> = None;
        for before in held {
            let stands = match before.other_delegation(&standing) {
                Some(other) => delegations.stands(&kept, other).await.map_err(of_store)?,
                None => true,
            };
            let lost = before.loses(&standing, stands);
            taken = taken.into_iter().chain(lost).reduce(TakenAway::and);
        }
        // When it was last touched is no part of what is enforced.
        let agent = Agent { updated_at_ms: 0, ..agent_message(kept) };
        let mut resources = vec![
            SharedResource::new(AGENT, agent.encode_to_vec()),
            SharedResource::new(CHAIN_KEYS, keys.encode_to_vec()),
        ];
        resources.extend(minted.as_ref().map(|chain| SharedResource::new(CHAIN, chain.encode_to_vec())));
        let chain = minted.map(|chain| Minted { ends_s: chain.expires_at_s, revocation_epoch });
        Ok((Self { facts, standing, resources, chain }, taken))
    }

    /// Nothing comes after this: a revoked agent does not come back.
    pub(crate) fn is_last(&self) -> bool {
        self.standing.state == AgentState::Revoked
    }

    /// The chain is of another revocation epoch than this.
    pub(crate) fn is_outdated(&self, revocation_epoch: u32) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.revocation_epoch != revocation_epoch)
    }

    /// The chain has ended.
    pub(crate) fn has_run_out(&self) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.ends_s <= now_s())
    }
}

fn of_store(error: IdentityError) -> StoreError {
    match error {
        IdentityError::Store(error) => error,
        error => StoreError::Damaged(error.to_string()),
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
