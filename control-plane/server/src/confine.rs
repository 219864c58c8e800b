//! Confines a call to the caller's namespace. A handler gets at its message through here only.

use creto_identity::check_name;
use creto_policy_store::SidecarIdentity;
use creto_proto::v1;
use tonic::{Request, Status};

use crate::caller::{Caller, Operator};
use crate::status::of_identity;

/// A message that names a namespace.
pub(crate) trait Namespaced {
    /// The namespace named.
    fn namespace(&self) -> &str;
}

macro_rules! namespaced {
    ($($message:ident),+ $(,)?) => {
        $(impl Namespaced for v1::$message {
            fn namespace(&self) -> &str {
                &self.namespace
            }
        })+
    };
}

namespaced!(
    CreateAgentRequest,
    GetAgentRequest,
    ListAgentsRequest,
    RotateAgentKeyRequest,
    SuspendAgentRequest,
    ResumeAgentRequest,
    RevokeAgentRequest,
    SubmitDelegationRequest,
    ListDelegationsRequest,
    RevokeDelegationRequest,
    RotateChainKeysRequest,
    CreateEnrollmentTokenRequest,
    CreateOperatorTokenRequest,
    RevokeOperatorTokenRequest,
    ApplyPolicyRequest,
    GetPolicyRequest,
    ListPoliciesRequest,
    DeletePolicyRequest,
    ListSidecarsRequest,
    ListSidecarEventsRequest,
    ListCallsRequest,
    FollowCallsRequest,
    PutSecretRequest,
    ListSecretsRequest,
    DeleteSecretRequest,
    ListQuotasRequest,
    ListQuotaEventsRequest,
    PutMeterRequest,
    ListMetersRequest,
    QueryMeterRequest,
    VerifyProducersRequest,
    PutBillingDocumentRequest,
    ListBillingDocumentsRequest,
    ChangeSubscriptionRequest,
    PreviewInvoiceRequest,
    DrawUpInvoicesRequest,
    FinalizeInvoiceRequest,
    ListInvoicesRequest,
    GetInvoiceRequest,
    PayInvoiceRequest,
    VoidInvoiceRequest,
    CreditInvoiceRequest,
    ListCreditNotesRequest,
    GetExportRequest,
    ListTriggersRequest,
    AcknowledgeTriggerRequest,
    ListApprovalsRequest,
    GetApprovalRequest,
    DecideApprovalsRequest,
    AnswerApprovalRequest,
    ReassignApprovalRequest,
    CancelApprovalRequest,
    RevokeApprovalRequest,
    WatchApprovalsRequest,
);

/// The operator and its message, if the message stays within the operator's reach. Whether the namespace or
/// anything in it is there makes no difference to the answer.
pub(crate) fn confined<T: Namespaced>(request: Request<T>) -> Result<(Operator, T), Status> {
    let caller = request.extensions().get::<Caller>().cloned();
    let message = request.into_inner();
    let Some(Caller::Operator(operator)) = caller else {
        return Err(Status::unauthenticated("only operators may call this"));
    };
    if !operator.admin && message.namespace() != operator.namespace {
        return Err(Status::permission_denied("this operator token is for another namespace: name its own"));
    }
    check_name("namespace", message.namespace()).map_err(of_identity)?;
    Ok((operator, message))
}

/// The sidecar that calls, and its message.
pub(crate) fn own<T>(request: Request<T>) -> Result<(SidecarIdentity, T), Status> {
    let caller = request.extensions().get::<Caller>().cloned();
    match caller {
        Some(Caller::Sidecar(sidecar)) => Ok((sidecar, request.into_inner())),
        _ => Err(Status::unauthenticated("only sidecars may call this")),
    }
}
