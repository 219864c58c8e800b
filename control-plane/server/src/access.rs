//! Who may call what: the one table.

/// Which callers an RPC takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Operators of role admin.
    Admin,
    /// Operators; those not admin within their own namespace only.
    Operator,
    /// Sidecars, by client certificate, for themselves only.
    Sidecar,
    /// Whoever sends events: sidecars as themselves, tokens of any role within their namespace.
    Producer,
    /// Whoever holds an enrolment token, which the RPC itself takes.
    EnrollmentToken,
}

/// Every RPC with the callers it takes. An RPC that does not stand here is refused.
pub const ACCESS: &[(&str, Access)] = &[
    ("/creto.v1.AgentRegistry/CreateAgent", Access::Operator),
    ("/creto.v1.AgentRegistry/GetAgent", Access::Operator),
    ("/creto.v1.AgentRegistry/ListAgents", Access::Operator),
    ("/creto.v1.AgentRegistry/RotateAgentKey", Access::Operator),
    ("/creto.v1.AgentRegistry/SuspendAgent", Access::Operator),
    ("/creto.v1.AgentRegistry/ResumeAgent", Access::Operator),
    ("/creto.v1.AgentRegistry/RevokeAgent", Access::Operator),
    ("/creto.v1.DelegationAuthority/SubmitDelegation", Access::Operator),
    ("/creto.v1.DelegationAuthority/ListDelegations", Access::Operator),
    ("/creto.v1.DelegationAuthority/RevokeDelegation", Access::Operator),
    ("/creto.v1.DelegationAuthority/MintChain", Access::Sidecar),
    ("/creto.v1.DelegationAuthority/RotateChainKeys", Access::Operator),
    ("/creto.v1.Enrollment/CreateEnrollmentToken", Access::Operator),
    ("/creto.v1.Enrollment/Enroll", Access::EnrollmentToken),
    ("/creto.v1.OperatorTokens/CreateOperatorToken", Access::Admin),
    ("/creto.v1.OperatorTokens/RevokeOperatorToken", Access::Admin),
    ("/creto.v1.PolicyStore/ApplyPolicy", Access::Operator),
    ("/creto.v1.PolicyStore/GetPolicy", Access::Operator),
    ("/creto.v1.PolicyStore/ListPolicies", Access::Operator),
    ("/creto.v1.PolicyStore/DeletePolicy", Access::Operator),
    ("/creto.v1.PolicyStore/ListSidecars", Access::Operator),
    ("/creto.v1.PolicyStore/ListSidecarEvents", Access::Operator),
    ("/creto.v1.PolicySync/Sync", Access::Sidecar),
    ("/creto.v1.CallLog/ReportCalls", Access::Sidecar),
    ("/creto.v1.CallLog/ListCalls", Access::Operator),
    ("/creto.v1.CallLog/FollowCalls", Access::Operator),
    ("/creto.v1.SecretStore/PutSecret", Access::Operator),
    ("/creto.v1.SecretStore/ListSecrets", Access::Operator),
    ("/creto.v1.SecretStore/DeleteSecret", Access::Operator),
    ("/creto.v1.SecretStore/FetchSecret", Access::Sidecar),
    ("/creto.v1.Metering/IngestFrames", Access::Producer),
    ("/creto.v1.MeterView/PutMeter", Access::Operator),
    ("/creto.v1.MeterView/ListMeters", Access::Operator),
    ("/creto.v1.MeterView/QueryMeter", Access::Operator),
    ("/creto.v1.MeterView/VerifyProducers", Access::Operator),
    ("/creto.v1.QuotaLeases/ExchangeLeases", Access::Sidecar),
    ("/creto.v1.QuotaView/ListQuotas", Access::Operator),
    ("/creto.v1.QuotaView/ListQuotaEvents", Access::Operator),
    ("/creto.v1.Billing/PutBillingDocument", Access::Operator),
    ("/creto.v1.Billing/ListBillingDocuments", Access::Operator),
    ("/creto.v1.Billing/ChangeSubscription", Access::Operator),
    ("/creto.v1.Billing/PreviewInvoice", Access::Operator),
    ("/creto.v1.Billing/DrawUpInvoices", Access::Operator),
    ("/creto.v1.Billing/FinalizeInvoice", Access::Operator),
    ("/creto.v1.Billing/ListInvoices", Access::Operator),
    ("/creto.v1.Billing/GetInvoice", Access::Operator),
    ("/creto.v1.Billing/PayInvoice", Access::Operator),
    ("/creto.v1.Billing/VoidInvoice", Access::Operator),
    ("/creto.v1.Billing/CreditInvoice", Access::Operator),
    ("/creto.v1.Billing/ListCreditNotes", Access::Operator),
    ("/creto.v1.Billing/GetExport", Access::Operator),
    ("/creto.v1.Billing/ListTriggers", Access::Operator),
    ("/creto.v1.Billing/AcknowledgeTrigger", Access::Operator),
    ("/creto.v1.Approvals/AskApproval", Access::Sidecar),
    ("/creto.v1.Approvals/AwaitApprovals", Access::Sidecar),
    ("/creto.v1.Approvals/TakeApproval", Access::Sidecar),
    ("/creto.v1.Approvals/EndApproval", Access::Sidecar),
    ("/creto.v1.ApprovalInbox/ListApprovals", Access::Operator),
    ("/creto.v1.ApprovalInbox/GetApproval", Access::Operator),
    ("/creto.v1.ApprovalInbox/DecideApprovals", Access::Operator),
    ("/creto.v1.ApprovalInbox/AnswerApproval", Access::Operator),
    ("/creto.v1.ApprovalInbox/ReassignApproval", Access::Operator),
    ("/creto.v1.ApprovalInbox/CancelApproval", Access::Operator),
    ("/creto.v1.ApprovalInbox/RevokeApproval", Access::Operator),
    ("/creto.v1.ApprovalInbox/WatchApprovals", Access::Operator),
];

/// The RPC that waits for people: it has room of its own, for as many sidecars as there are.
pub(crate) const AWAIT: &str = "/creto.v1.Approvals/AwaitApprovals";

/// What the table says of a path.
#[must_use]
pub fn access_to(path: &str) -> Option<Access> {
    ACCESS.iter().find(|(known, _)| *known == path).map(|(_, access)| *access)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The paths of all RPCs that the API's files declare.
    fn declared() -> BTreeSet<String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/api/proto/creto/v1");
        let mut paths = BTreeSet::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let mut service = String::new();
            for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
                let mut words = line.trim().split([' ', '(']).filter(|word| !word.is_empty());
                match (words.next(), words.next()) {
                    (Some("service"), Some(name)) => service = name.to_owned(),
                    (Some("rpc"), Some(name)) => {
                        paths.insert(format!("/creto.v1.{service}/{name}"));
                    }
                    _ => {}
                }
            }
        }
        paths
    }

    #[test]
    fn every_rpc_of_the_api_stands_in_the_table_once() {
        let known: BTreeSet<String> = ACCESS.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(known, declared());
        assert_eq!(known.len(), ACCESS.len());
    }

    #[test]
    fn what_does_not_stand_in_the_table_has_no_access() {
        assert_eq!(access_to("/creto.v1.AgentRegistry/createagent"), None);
        assert_eq!(access_to("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"), None);
    }
}
