//! What the sidecar enforces now: one immutable snapshot, swapped whole.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use creto_authz::{AgentId, ChainVerifier, Scope, ScopeDigest};
use creto_call::Call;
use creto_credentials::{Credential, Placeholders};
use creto_policy::PolicySet;

/// Whether the agent may call at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgentStanding {
    Active,
    Suspended,
    Revoked,
}

/// A chain the sidecar holds, verified when it came.
#[derive(Debug)]
pub(crate) struct HeldChain {
    pub(crate) scope: Scope,
    pub(crate) expires_at_s: u64,
    pub(crate) delegation_id: Vec<u8>,
}

/// A scope that chains may name by its digest.
#[derive(Debug)]
pub(crate) struct MintedScope {
    pub(crate) scope: Scope,
    pub(crate) delegation_id: Vec<u8>,
}

/// One bundle, compiled.
#[derive(Debug)]
pub(crate) struct Enforcement {
    pub(crate) epoch: u64,
    pub(crate) version: String,
    pub(crate) standing: AgentStanding,
    pub(crate) holder: AgentId,
    /// None until a policy applies to the agent.
    pub(crate) policy: Option<Arc<PolicySet>>,
    /// Those of the policy, in its order, as they are put in.
    pub(crate) credentials: Vec<Arc<Credential>>,
    pub(crate) placeholders: Arc<Placeholders>,
    pub(crate) chain: Option<HeldChain>,
    pub(crate) scopes: HashMap<ScopeDigest, MintedScope>,
    pub(crate) verifier: ChainVerifier,
    pub(crate) revocation_epoch: u32,
}

impl Enforcement {
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
pub(crate) struct Enforced(ArcSwap<Enforcement>);

impl Enforced {
    pub(crate) fn new(first: Enforcement) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    /// For a call that outlives a load.
    pub(crate) fn load_full(&self) -> Arc<Enforcement> {
        self.0.load_full()
    }

    pub(crate) fn load(&self) -> Guard<Arc<Enforcement>> {
        self.0.load()
    }

    /// Swaps; calls that began under the old snapshot keep it until they are admitted.
    pub(crate) fn replace(&self, next: Enforcement) {
        self.0.store(Arc::new(next));
    }
}
