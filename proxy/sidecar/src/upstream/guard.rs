//! Which addresses a destination may have.

use std::net::IpAddr;
use std::sync::Arc;

use creto_policy::PolicySet;

use crate::enforcement::Enforcement;
use crate::upstream::Origin;

/// The policy that admitted a call, kept to judge the addresses its name resolves to.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    policy: Option<Arc<PolicySet>>,
    epoch: u64,
    observed: bool,
}

impl Guard {
    pub(crate) fn of(enforcement: &Enforcement, observed: bool) -> Self {
        Self { policy: enforcement.policy.clone(), epoch: enforcement.epoch, observed }
    }

    /// Whether a connection to this address may be used. An observed call is let through as if a rule allowed it, but
    /// not to a private address: observing must not open what enforcing would need a rule of its own for.
    pub(crate) fn allows(&self, origin: &Origin, address: IpAddr) -> bool {
        if self.observed && !creto_call::is_private_address(address) {
            return true;
        }
        self.policy
            .as_ref()
            .is_some_and(|policy| policy.address_allowed(origin.host.as_str(), origin.port, address))
    }

    /// Epoch of the policy it judges by.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }
}
