//! What the sidecar enforces now: one immutable snapshot, swapped whole.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::Guard;
use creto_authz::{AgentId, ChainVerifier, Scope, ScopeDigest};
use creto_call::Call;
use creto_credentials::{Credential, Placeholders};
use creto_oversight::ApprovalKey;
use creto_policy::{PolicySet, Staleness};
use creto_swap::{Retired, Swap, Tracked};

use crate::quota::QuotaBook;

/// Whether the agent may call at all; from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AgentStanding {
    Active,
    Suspended,
    Revoked,
}

impl AgentStanding {
    /// As it is told to people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// A chain the sidecar holds, verified when it came.
#[derive(Clone, Debug)]
pub(crate) struct HeldChain {
    pub(crate) scope: Scope,
    pub(crate) expires_at_s: u64,
    pub(crate) delegation_id: Vec<u8>,
}

/// A scope that chains may name by its digest.
#[derive(Clone, Debug)]
pub(crate) struct MintedScope {
    pub(crate) scope: Scope,
    pub(crate) delegation_id: Vec<u8>,
}

/// One generation, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Enforcement {
    pub(crate) epoch: u64,
    pub(crate) version: String,
    pub(crate) standing: AgentStanding,
    pub(crate) namespace: String,
    pub(crate) agent_name: String,
    pub(crate) holder: AgentId,
    /// None until a policy applies to the agent.
    pub(crate) policy: Option<Arc<PolicySet>>,
    /// SHA-256 over all documents that the agent goes by: what people approve, they approve under these.
    pub(crate) policy_digest: [u8; 32],
    /// What proofs of approvals are signed by; none before the control plane says.
    pub(crate) approval_key: Option<ApprovalKey>,
    /// Those of the policy, in its order, as they are put in.
    pub(crate) credentials: Vec<Arc<Credential>>,
    pub(crate) placeholders: Arc<Placeholders>,
    /// Those of the policy, with the leases in hand.
    pub(crate) quotas: QuotaBook,
    pub(crate) chain: Option<HeldChain>,
    /// There was a chain, and it was taken away.
    pub(crate) chain_revoked: bool,
    pub(crate) scopes: HashMap<ScopeDigest, MintedScope>,
    pub(crate) verifier: ChainVerifier,
    pub(crate) revocation_epoch: u32,
    /// Resources of kinds that this version does not know.
    pub(crate) unknown_resources: usize,
}

impl Enforcement {
    /// How old it may get.
    pub(crate) fn staleness(&self) -> Staleness {
        self.policy.as_ref().map_or(Staleness::DEFAULT, |policy| policy.staleness())
    }

    /// Takes the delegation away, and what narrower chains could name.
    pub(crate) fn revoke_chain(&mut self) {
        self.chain = None;
        self.chain_revoked = true;
        self.scopes.clear();
    }

    /// Whether what `before` gave is taken away by this: then no failure may bring that one back. Policy that was made
    /// stricter does not count; what falls back goes by its rules for reading only.
    pub(crate) fn takes_away_from(&self, before: Option<&Self>) -> bool {
        let Some(chain) = self.chain.as_ref().filter(|_| self.standing == AgentStanding::Active) else {
            return true;
        };
        before.is_some_and(|before| {
            let other = before.chain.as_ref().is_some_and(|had| had.delegation_id != chain.delegation_id);
            other || self.revocation_epoch > before.revocation_epoch
        })
    }

    /// The credential that is bound to where a call goes.
    pub(crate) fn credential_for(&self, call: &Call<'_>) -> Option<&Arc<Credential>> {
        if self.credentials.is_empty() {
            return None;
        }
        let policy = self.policy.as_deref()?;
        let bound = policy.credential(call.host, call.port, call.path)?;
        let at = policy.credentials().position(|one| std::ptr::eq(one, bound))?;
        self.credentials.get(at)
    }
}

/// The snapshot in force. Reading it is one atomic load.
#[derive(Debug)]
pub(crate) struct Enforced(Swap<Enforcement>);

/// A snapshot for the time of one decision.
pub(crate) type Snapshot = Arc<Tracked<Enforcement>>;

impl Enforced {
    pub(crate) fn new(first: Enforcement) -> Self {
        Self(Swap::new(first))
    }

    /// For the part of a call that does not wait for anybody: what is decided by a snapshot holds up the acknowledgement
    /// of the next.
    pub(crate) fn load_full(&self) -> Snapshot {
        Guard::into_inner(self.0.load())
    }

    pub(crate) fn load(&self) -> Guard<Snapshot> {
        self.0.load()
    }

    /// Swaps. Calls that are being decided by the old snapshot hold it until they are; whoever must know that none is
    /// asks what this gives.
    pub(crate) fn replace(&self, next: Enforcement) -> Retired {
        self.0.replace(next)
    }
}
