//! The gRPC services: each turns calls into those of its product, and changes into pushes.

mod agents;
mod approvals;
mod billing;
mod calls;
mod delegations;
mod enrollment;
mod inbox;
mod metering;
mod operators;
mod policies;
mod quotas;
mod secrets;
mod sync;

pub(crate) use agents::Agents;
pub(crate) use approvals::Asking;
pub(crate) use billing::Bills;
pub(crate) use calls::Calls;
pub(crate) use delegations::DelegationDesk;
pub(crate) use enrollment::Enrolling;
pub(crate) use inbox::Inbox;
pub(crate) use metering::Metering;
pub(crate) use operators::Operators;
pub(crate) use policies::Policies;
pub(crate) use quotas::Quotas;
pub(crate) use secrets::Secrets;
pub(crate) use sync::Syncing;

pub(crate) use creto_identity::now_us;
