//! authorize: the delegation's scope, then policy.

use creto_call::{Call, Decision, Refusal, RefusalCode};

use crate::enforcement::Enforcement;
use crate::path::identify::Identified;

/// Decides. What identity refuses, no policy lets through.
pub(crate) fn authorize<'e>(
    enforcement: &'e Enforcement,
    identified: Result<Identified<'e>, RefusalCode>,
    call: &Call<'_>,
) -> Decision<'e> {
    let identified = match identified {
        Ok(identified) => identified,
        Err(code) => return Decision::Deny(Refusal::of(code)),
    };
    if !identified.scope.permits(call) {
        return Decision::Deny(Refusal::of(RefusalCode::PermissionMissing));
    }
    match &enforcement.policy {
        Some(policy) => policy.decide(call),
        None => Decision::Deny(Refusal::of(RefusalCode::NoPolicy)),
    }
}
