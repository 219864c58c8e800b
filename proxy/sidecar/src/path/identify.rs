//! identify: which agent calls, under which delegation.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use creto_authz::{CompactChain, Scope, ScopeDigest, SharedVerdicts, VerdictCache};
use creto_call::RefusalCode;
use http::HeaderMap;

use crate::enforcement::{AgentStanding, Enforcement, HeldChain};

/// Header that carries a narrower chain for one call.
pub(crate) const DELEGATION_HEADER: &str = "creto-delegation";

/// Verdicts on chains in headers, for all threads. Made with the first such chain: most agents send none.
static SHARED: LazyLock<Arc<SharedVerdicts>> = LazyLock::new(Arc::default);

thread_local! {
    /// In front of them, without atomics. Any other keys or lowest epoch than before empties it.
    static VERDICTS: RefCell<VerdictCache> = RefCell::new(VerdictCache::shared(Arc::clone(&SHARED)));
}

/// Under what a call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identified<'e> {
    pub(crate) scope: &'e Scope,
    pub(crate) delegation_id: &'e [u8],
    /// The chain in the header, where that one counts.
    presented: Option<Presented>,
}

/// What a chain in a header holds out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Presented {
    expires_at_s: u64,
    epoch: u32,
}

/// What must go on to stand for a call that was let through under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footing {
    scope: ScopeDigest,
    presented: Option<Presented>,
}

impl Identified<'_> {
    pub(crate) fn footing(&self) -> Footing {
        Footing { scope: *self.scope.digest(), presented: self.presented }
    }
}

impl Footing {
    /// Whether it does. A delegation in the place of the one before is as good if it carries the same permissions.
    pub(crate) fn stands(&self, enforcement: &Enforcement, now_s: u64) -> Result<(), RefusalCode> {
        let held = held(enforcement, now_s)?;
        let stands = match self.presented {
            None => *held.scope.digest() == self.scope,
            Some(chain) if chain.expires_at_s <= now_s => return Err(RefusalCode::DelegationExpired),
            Some(chain) => {
                chain.epoch >= enforcement.revocation_epoch && enforcement.scopes.contains_key(&self.scope)
            }
        };
        if stands { Ok(()) } else { Err(RefusalCode::DelegationRevoked) }
    }
}

/// Finds the scope: that of the chain the sidecar was given, or of the narrower one in the header.
pub(crate) fn identify<'e>(
    enforcement: &'e Enforcement,
    headers: &HeaderMap,
    now_s: u64,
) -> Result<Identified<'e>, RefusalCode> {
    let held = held(enforcement, now_s)?;
    let mut presented = headers.get_all(DELEGATION_HEADER).iter();
    let Some(first) = presented.next() else {
        return Ok(Identified { scope: &held.scope, delegation_id: &held.delegation_id, presented: None });
    };
    if presented.next().is_some() {
        return Err(RefusalCode::DelegationInvalid);
    }
    let text = first.to_str().map_err(|_| RefusalCode::DelegationInvalid)?;
    let chain = CompactChain::from_header(text).map_err(|_| RefusalCode::DelegationInvalid)?;
    let verified = VERDICTS
        .with_borrow_mut(|cache| {
            cache.verify(
                &enforcement.verifier,
                chain.as_bytes(),
                &enforcement.holder,
                now_s,
                enforcement.revocation_epoch,
            )
        })
        .map_err(|error| match error {
            creto_authz::ChainError::Expired => RefusalCode::DelegationExpired,
            creto_authz::ChainError::Revoked => RefusalCode::DelegationRevoked,
            _ => RefusalCode::DelegationInvalid,
        })?;
    match enforcement.scopes.get(verified.scope_digest()) {
        Some(minted) => Ok(Identified {
            scope: &minted.scope,
            delegation_id: &minted.delegation_id,
            presented: Some(Presented { expires_at_s: verified.expires_at_s(), epoch: verified.epoch() }),
        }),
        None => Err(RefusalCode::DelegationInvalid),
    }
}

/// The chain of an agent in good standing.
fn held(enforcement: &Enforcement, now_s: u64) -> Result<&HeldChain, RefusalCode> {
    match enforcement.standing {
        AgentStanding::Active => {}
        AgentStanding::Suspended => return Err(RefusalCode::AgentSuspended),
        AgentStanding::Revoked => return Err(RefusalCode::AgentRevoked),
    }
    let Some(held) = &enforcement.chain else {
        let taken = enforcement.chain_revoked;
        return Err(if taken { RefusalCode::DelegationRevoked } else { RefusalCode::NoDelegation });
    };
    if held.expires_at_s <= now_s { Err(RefusalCode::DelegationExpired) } else { Ok(held) }
}

#[cfg(test)]
mod tests;
