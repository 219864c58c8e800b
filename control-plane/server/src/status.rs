//! What errors become on the wire. Nothing of the store's inside goes out; it is logged where it is turned.

use std::time::Duration;

use creto_approvals::ApprovalError;
use creto_billing::BillingError;
use creto_calls::CallsError;
use creto_event_store::StoreError as EventsError;
use creto_identity::IdentityError;
use creto_oversight::{ReassignError, VoteError};
use creto_policy_store::{PolicyError, SyncEnd};
use creto_quota_issuer::IssuerError;
use creto_secrets::SecretsError;
use creto_store::StoreError;
use tonic::{Code, Status};

use crate::QuotaError;

/// An error of the store.
#[allow(
    clippy::needless_pass_by_value,
    reason = "it ends here: nothing may use the error after it was turned"
)]
pub(crate) fn of_store(error: StoreError) -> Status {
    let code = match &error {
        StoreError::NotFound => Code::NotFound,
        StoreError::NameTaken | StoreError::KeyTaken => Code::AlreadyExists,
        StoreError::AgentRevoked => Code::FailedPrecondition,
        StoreError::Changed => Code::Aborted,
        StoreError::TokenSpent => Code::Unauthenticated,
        StoreError::Full { .. } => Code::ResourceExhausted,
        StoreError::Unwritable => {
            tracing::error!(%error, "the data folder cannot be written");
            Code::Unavailable
        }
        StoreError::NewerSchema { .. }
        | StoreError::Damaged(_)
        | StoreError::Open { .. }
        | StoreError::Engine(_) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
            return Status::internal("the control plane's store failed: its log says why");
        }
    };
    Status::new(code, error.to_string())
}

/// An error of identity.
pub(crate) fn of_identity(error: IdentityError) -> Status {
    let code = match error {
        IdentityError::Store(error) => return of_store(error),
        IdentityError::Certificate(_) | IdentityError::Random => {
            tracing::error!(%error, "identity failed");
            return Status::internal(
                "the control plane could not make a key or certificate: its log says why",
            );
        }
        IdentityError::Invalid { .. } | IdentityError::Unverified(_) | IdentityError::NotHolder => {
            Code::InvalidArgument
        }
        IdentityError::NoAgent(_) | IdentityError::NoDelegation | IdentityError::NoOperatorToken(_) => {
            Code::NotFound
        }
        IdentityError::NameTaken(_) | IdentityError::KeyTaken => Code::AlreadyExists,
        IdentityError::Revoked(_)
        | IdentityError::Suspended(_)
        | IdentityError::LinkRevoked
        | IdentityError::UnknownHolder => Code::FailedPrecondition,
        IdentityError::Changed(_) => Code::Aborted,
        IdentityError::RotationUnproven => Code::PermissionDenied,
        IdentityError::TokenSpent => Code::Unauthenticated,
    };
    Status::new(code, error.to_string())
}

/// An error of the policy store.
pub(crate) fn of_policy(error: PolicyError) -> Status {
    let code = match error {
        PolicyError::Store(error) => return of_store(error),
        PolicyError::Identity(error) => return of_identity(error),
        PolicyError::DoesNotCompile(_) | PolicyError::TooLarge { .. } => Code::InvalidArgument,
        PolicyError::NoPolicy(_) => Code::NotFound,
    };
    Status::new(code, error.to_string())
}

/// Why a push stream ends.
pub(crate) fn of_sync(end: SyncEnd) -> Status {
    let code = match end {
        SyncEnd::Store(error) => return of_store(error),
        SyncEnd::TooFast(wait) => return pushed_back(&end, wait),
        SyncEnd::Protocol(_) => Code::InvalidArgument,
        SyncEnd::Superseded => Code::Aborted,
        SyncEnd::TooMany(_) | SyncEnd::NotReading => Code::ResourceExhausted,
        SyncEnd::Unanswered => Code::DeadlineExceeded,
        SyncEnd::AgentRevoked => Code::PermissionDenied,
        SyncEnd::Stopping => Code::Unavailable,
    };
    Status::new(code, end.to_string())
}

/// A refusal that says when to come back, in the way of gRPC's retry design (A6).
fn pushed_back(end: &SyncEnd, wait: Duration) -> Status {
    let mut status = Status::resource_exhausted(end.to_string());
    let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    status.metadata_mut().insert("grpc-retry-pushback-ms", milliseconds.into());
    status
}

/// An error of the journal of calls.
pub(crate) fn of_calls(error: CallsError) -> Status {
    let code = match error {
        CallsError::Store(error) => return of_store(error),
        CallsError::Events(error) => {
            tracing::error!(%error, "what calls used cannot be kept");
            return Status::unavailable(
                "the control plane cannot keep what the calls used now: its log says why",
            );
        }
        CallsError::Page(error) => return of_identity(error),
        CallsError::Invalid { .. } => Code::InvalidArgument,
        CallsError::Gap { .. } => Code::FailedPrecondition,
        CallsError::TooManyFollowers(_) | CallsError::Lagged { .. } => Code::ResourceExhausted,
    };
    Status::new(code, error.to_string())
}

/// An error of the vault.
pub(crate) fn of_secrets(error: SecretsError) -> Status {
    let code = match error {
        SecretsError::Store(error) => return of_store(error),
        SecretsError::Identity(error) => return of_identity(error),
        SecretsError::Invalid { .. } => Code::InvalidArgument,
        SecretsError::NoSecret(_) | SecretsError::NotForAgent => Code::NotFound,
        SecretsError::Distrusted(_) => Code::FailedPrecondition,
        SecretsError::Changed(_) => Code::Aborted,
        SecretsError::UnknownKey { .. } | SecretsError::Damaged { .. } => {
            tracing::error!(%error, "a secret does not open");
            Code::DataLoss
        }
        SecretsError::Cipher => {
            tracing::error!(%error, "the cipher failed");
            Code::Internal
        }
    };
    Status::new(code, error.to_string())
}

/// Trailers of a stream of frames that ended because frames are missing: the epoch, and up to which of its sequences
/// everything is here.
const GAP_EPOCH: &str = "creto-gap-epoch";
const GAP_MARK: &str = "creto-gap-mark";

/// An error of the store of events.
#[allow(
    clippy::needless_pass_by_value,
    reason = "it ends here: nothing may use the error after it was turned"
)]
pub(crate) fn of_events(error: EventsError) -> Status {
    // A producer that is not behind by mistake learns from it that its epoch is not known any more.
    if let EventsError::Gap { epoch, mark, .. } = &error {
        let mut status = Status::failed_precondition(error.to_string());
        status.metadata_mut().insert(GAP_EPOCH, (*epoch).into());
        status.metadata_mut().insert(GAP_MARK, (*mark).into());
        return status;
    }
    let code = match &error {
        EventsError::Namespace(_)
        | EventsError::Frame(_)
        | EventsError::Meter(_)
        | EventsError::Query(_)
        | EventsError::TooMany { .. }
        | EventsError::TooLarge { .. } => Code::InvalidArgument,
        EventsError::OtherNamespace { .. } => Code::PermissionDenied,
        EventsError::Gap { .. } | EventsError::Gone { .. } => Code::FailedPrecondition,
        EventsError::MeterChanged(_) => Code::AlreadyExists,
        EventsError::NoMeter(_) => Code::NotFound,
        EventsError::TooManyMembers { .. } | EventsError::Full { .. } => Code::ResourceExhausted,
        // Sending the same again is safe: whoever has events keeps them until then.
        EventsError::DiskFull(_) | EventsError::Away(_) => {
            tracing::error!(%error, "events cannot be kept");
            Code::Unavailable
        }
        EventsError::Damaged { .. }
        | EventsError::Open { .. }
        | EventsError::InUse(_)
        | EventsError::NewerSchema { .. }
        | EventsError::Option { .. } => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store of events failed");
            return Status::internal("the control plane's store of events failed: its log says why");
        }
    };
    Status::new(code, error.to_string())
}

/// An error of billing.
#[allow(
    clippy::needless_pass_by_value,
    reason = "it ends here: nothing may use the error after it was turned"
)]
pub(crate) fn of_billing(error: BillingError) -> Status {
    let code = match &error {
        BillingError::NotFound { .. } => Code::NotFound,
        BillingError::Exists { .. } | BillingError::KeyReused(_) => Code::AlreadyExists,
        BillingError::Invalid { .. }
        | BillingError::Plan(_)
        | BillingError::Currencies { .. }
        | BillingError::Amount(_)
        | BillingError::Subscription(_) => Code::InvalidArgument,
        BillingError::PlanChanged { .. }
        | BillingError::PlanOrder { .. }
        | BillingError::NotInEffect { .. }
        | BillingError::Transition { .. }
        | BillingError::Status { .. }
        | BillingError::TooEarly { .. }
        | BillingError::NotOver { .. }
        | BillingError::OverCredited { .. }
        | BillingError::WrongAmount { .. }
        | BillingError::HasCreditNotes(_)
        | BillingError::NoSettings(_)
        | BillingError::Usage(_)
        | BillingError::Bill(_) => Code::FailedPrecondition,
        BillingError::StaleDraft(_) => Code::Aborted,
        BillingError::TooMany { .. } => Code::ResourceExhausted,
        BillingError::Source(_) => {
            tracing::error!(%error, "usage cannot be read");
            Code::Unavailable
        }
        BillingError::Away(_) => {
            tracing::error!(%error, "bills cannot be kept");
            return Status::unavailable("the control plane cannot keep bills now: its log says why");
        }
        BillingError::Signature(_)
        | BillingError::NewerSchema { .. }
        | BillingError::Open { .. }
        | BillingError::Damaged { .. } => {
            tracing::error!(error = &error as &dyn std::error::Error, "billing failed");
            return Status::internal("the control plane's billing failed: its log says why");
        }
    };
    Status::new(code, error.to_string())
}

/// An error of approvals.
#[allow(
    clippy::needless_pass_by_value,
    reason = "it ends here: nothing may use the error after it was turned"
)]
pub(crate) fn of_approvals(error: ApprovalError) -> Status {
    let code = match &error {
        ApprovalError::NotFound(_) => Code::NotFound,
        ApprovalError::Vote(error) | ApprovalError::Reassign(ReassignError::Vote(error)) => of_vote(error),
        ApprovalError::Illegal { .. }
        | ApprovalError::Reassign(ReassignError::Panel(_))
        | ApprovalError::Take(_)
        | ApprovalError::Panel(_) => Code::FailedPrecondition,
        ApprovalError::Person(_) | ApprovalError::Context(_) => Code::InvalidArgument,
        ApprovalError::AgentFull(_) | ApprovalError::NamespaceFull(_) => Code::ResourceExhausted,
        ApprovalError::Contended => Code::Aborted,
        // Sidecars take it for a control plane that is away, which it is for approvals.
        ApprovalError::Store(_) => {
            tracing::error!(error = &error as &dyn std::error::Error, "approvals cannot be kept");
            return Status::unavailable("the control plane cannot keep approvals now: its log says why");
        }
        ApprovalError::Damaged { .. } | ApprovalError::Random(_) => {
            tracing::error!(error = &error as &dyn std::error::Error, "approvals failed");
            return Status::internal("the control plane's approvals failed: its log says why");
        }
    };
    Status::new(code, error.to_string())
}

fn of_vote(error: &VoteError) -> Code {
    match error {
        VoteError::NotAsked(_) | VoteError::OwnRequest(_) => Code::PermissionDenied,
        VoteError::BeyondPolicy { .. } | VoteError::Reason => Code::InvalidArgument,
        VoteError::AskedAlready(_)
        | VoteError::VotedBefore { .. }
        | VoteError::Expired { .. }
        | VoteError::ShownAnother { .. }
        | VoteError::NoNextTier => Code::FailedPrecondition,
    }
}

/// An error of quotas.
pub(crate) fn of_quota(error: QuotaError) -> Status {
    let code = match &error {
        QuotaError::TooManyExchanges(_) | QuotaError::NoProcess | QuotaError::CountsOtherwise { .. } => {
            Code::InvalidArgument
        }
        QuotaError::TooManyListed => Code::ResourceExhausted,
        QuotaError::File { .. } => {
            tracing::error!(%error, "what quotas need cannot be written");
            Code::Unavailable
        }
        QuotaError::Issuer(IssuerError::Full { .. }) => Code::ResourceExhausted,
        QuotaError::Issuer(IssuerError::Outdated { .. } | IssuerError::Stale { .. }) => Code::Aborted,
        QuotaError::Issuer(IssuerError::Changed { .. } | IssuerError::TooEarly { .. }) => {
            Code::FailedPrecondition
        }
        QuotaError::Issuer(IssuerError::Limit(_) | IssuerError::Ask(_)) => Code::InvalidArgument,
        // Sidecars take it for a control plane that is away, which it is for quotas.
        QuotaError::Issuer(_) => {
            tracing::error!(%error, "quotas are not kept");
            return Status::unavailable("the control plane cannot keep quotas now: its log says why");
        }
        QuotaError::Store(_) | QuotaError::Identity(_) => Code::Internal,
    };
    match error {
        QuotaError::Store(error) => of_store(error),
        QuotaError::Identity(error) => of_identity(error),
        error => Status::new(code, error.to_string()),
    }
}
