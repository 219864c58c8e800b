//! identify: which agent calls, under which delegation.

use std::cell::RefCell;

use creto_authz::{CompactChain, Scope, VerdictCache};
use creto_call::RefusalCode;
use http::HeaderMap;

use crate::enforcement::{AgentStanding, Enforcement};

/// Header that carries a narrower chain for one call.
pub(crate) const DELEGATION_HEADER: &str = "creto-delegation";

thread_local! {
    static VERDICTS: RefCell<VerdictCache> = RefCell::new(VerdictCache::default());
}

/// Under what a call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identified<'e> {
    pub(crate) scope: &'e Scope,
    pub(crate) delegation_id: &'e [u8],
}

/// Finds the scope: that of the chain the sidecar was given, or of the narrower one in the header.
pub(crate) fn identify<'e>(
    enforcement: &'e Enforcement,
    headers: &HeaderMap,
    now_s: u64,
) -> Result<Identified<'e>, RefusalCode> {
    match enforcement.standing {
        AgentStanding::Active => {}
        AgentStanding::Suspended => return Err(RefusalCode::AgentSuspended),
        AgentStanding::Revoked => return Err(RefusalCode::AgentRevoked),
    }
    let Some(held) = &enforcement.chain else {
        let taken = enforcement.chain_revoked;
        return Err(if taken { RefusalCode::DelegationRevoked } else { RefusalCode::NoDelegation });
    };
    if held.expires_at_s <= now_s {
        return Err(RefusalCode::DelegationExpired);
    }
    let mut presented = headers.get_all(DELEGATION_HEADER).iter();
    let Some(first) = presented.next() else {
        return Ok(Identified { scope: &held.scope, delegation_id: &held.delegation_id });
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
        Some(minted) => Ok(Identified { scope: &minted.scope, delegation_id: &minted.delegation_id }),
        None => Err(RefusalCode::DelegationInvalid),
    }
}
