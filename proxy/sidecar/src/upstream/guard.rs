//! Which addresses a destination may have.

use std::net::IpAddr;
use std::sync::Arc;

use crate::enforcement::Enforced;
use crate::upstream::Origin;

/// What judges the addresses that the name of an admitted call resolves to. Resolving takes its time, so the policy that
/// is in force by then decides, not the one that admitted the call.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    enforced: Arc<Enforced>,
    epoch: u64,
    observed: bool,
}

impl Guard {
    /// For a call admitted under the policy of this epoch.
    pub(crate) fn of(enforced: &Arc<Enforced>, epoch: u64, observed: bool) -> Self {
        Self { enforced: Arc::clone(enforced), epoch, observed }
    }

    /// For what the sidecar does by itself.
    pub(crate) fn own(enforced: &Arc<Enforced>) -> Self {
        Self::of(enforced, enforced.load().epoch, false)
    }

    /// Whether a connection to this address may be used. An observed call is let through as if a rule allowed it, but
    /// not to a private address: observing must not open what enforcing would need a rule of its own for.
    pub(crate) fn allows(&self, origin: &Origin, address: IpAddr) -> bool {
        if self.observed && !creto_call::is_private_address(address) {
            return true;
        }
        let enforcement = self.enforced.load();
        let policy = enforcement.policy.as_deref();
        policy.is_some_and(|policy| policy.address_allowed(origin.host.as_str(), origin.port, address))
    }

    /// Epoch of the policy that admitted the call.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }
}
