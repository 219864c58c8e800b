//! The walk: every RPC, called by everyone who may not, tells them nothing. What is there and what is not gives
//! the same answer, so nobody can see, count or guess another namespace's things.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use creto_client::{OperatorClient, SidecarClient};
use creto_control_plane::{ACCESS, Access};
use creto_proto::v1::agent_registry_client::AgentRegistryClient;
use creto_proto::v1::approval_inbox_client::ApprovalInboxClient;
use creto_proto::v1::approvals_client::ApprovalsClient;
use creto_proto::v1::billing_client::BillingClient;
use creto_proto::v1::call_log_client::CallLogClient;
use creto_proto::v1::change_subscription_request::Change;
use creto_proto::v1::delegation_authority_client::DelegationAuthorityClient;
use creto_proto::v1::enrollment_client::EnrollmentClient;
use creto_proto::v1::meter_view_client::MeterViewClient;
use creto_proto::v1::metering_client::MeteringClient;
use creto_proto::v1::operator_tokens_client::OperatorTokensClient;
use creto_proto::v1::policy_store_client::PolicyStoreClient;
use creto_proto::v1::policy_sync_client::PolicySyncClient;
use creto_proto::v1::quota_leases_client::QuotaLeasesClient;
use creto_proto::v1::quota_view_client::QuotaViewClient;
use creto_proto::v1::secret_store_client::SecretStoreClient;
use creto_proto::v1::*;
use fixture::{POLICY, apply, asked, create_agent, key, link, plane, put_secret, sidecar, submit};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// What a call in somebody else's namespace names: things that are there, or that are not.
#[derive(Clone)]
struct Target {
    namespace: String,
    agent: String,
    policy: String,
    delegation: Vec<u8>,
    operator: String,
    secret: String,
    approval: String,
}

/// A caller with whatever credentials: a channel and a header.
#[derive(Clone)]
struct Header(Option<String>);

impl Interceptor for Header {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.parse().unwrap());
        }
        Ok(request)
    }
}

type Caller = InterceptedService<Channel, Header>;
type Answer = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;
type Call = fn(Caller, Target) -> Answer;

macro_rules! calls {
    ($($path:literal => $client:ident.$method:ident($target:ident) $request:expr;)+) => {
        /// Every RPC, aimed at a target.
        const CALLS: &[(&str, Call)] = &[$(
            (concat!("/creto.v1.", $path), |caller, $target| {
                Box::pin(async move { $client::new(caller).$method($request).await.map(drop) })
            }),
        )+];
    };
}

calls! {
    "AgentRegistry/CreateAgent" => AgentRegistryClient.create_agent(t) CreateAgentRequest {
        namespace: t.namespace, name: t.agent, public_key: key(99).verifying_key().to_bytes().to_vec(),
        ..CreateAgentRequest::default()
    };
    "AgentRegistry/GetAgent" => AgentRegistryClient.get_agent(t)
        GetAgentRequest { namespace: t.namespace, name: t.agent };
    "AgentRegistry/ListAgents" => AgentRegistryClient.list_agents(t)
        ListAgentsRequest { namespace: t.namespace, ..ListAgentsRequest::default() };
    "AgentRegistry/RotateAgentKey" => AgentRegistryClient.rotate_agent_key(t) RotateAgentKeyRequest {
        namespace: t.namespace, name: t.agent, new_public_key: key(98).verifying_key().to_bytes().to_vec(),
        signature: vec![0; 64],
    };
    "AgentRegistry/SuspendAgent" => AgentRegistryClient.suspend_agent(t)
        SuspendAgentRequest { namespace: t.namespace, name: t.agent };
    "AgentRegistry/ResumeAgent" => AgentRegistryClient.resume_agent(t)
        ResumeAgentRequest { namespace: t.namespace, name: t.agent };
    "AgentRegistry/RevokeAgent" => AgentRegistryClient.revoke_agent(t)
        RevokeAgentRequest { namespace: t.namespace, name: t.agent };
    "DelegationAuthority/SubmitDelegation" => DelegationAuthorityClient.submit_delegation(t)
        SubmitDelegationRequest {
            links: vec![link(&t.namespace, &key(1), &key(2), &["get:*"], 600)], namespace: t.namespace,
        };
    "DelegationAuthority/ListDelegations" => DelegationAuthorityClient.list_delegations(t)
        ListDelegationsRequest { namespace: t.namespace, agent_name: t.agent, ..ListDelegationsRequest::default() };
    "DelegationAuthority/RevokeDelegation" => DelegationAuthorityClient.revoke_delegation(t)
        RevokeDelegationRequest { namespace: t.namespace, delegation_id: t.delegation };
    "DelegationAuthority/MintChain" => DelegationAuthorityClient.mint_chain(t)
        MintChainRequest { links: vec![link(&t.namespace, &key(1), &key(2), &["get:*"], 600)] };
    "DelegationAuthority/RotateChainKeys" => DelegationAuthorityClient.rotate_chain_keys(t)
        RotateChainKeysRequest { namespace: t.namespace, void_earlier: true };
    "Enrollment/CreateEnrollmentToken" => EnrollmentClient.create_enrollment_token(t)
        CreateEnrollmentTokenRequest { namespace: t.namespace, agent_name: t.agent, ttl_s: 0 };
    "Enrollment/Enroll" => EnrollmentClient.enroll(t)
        EnrollRequest { token: t.operator, public_key: key(97).verifying_key().to_bytes().to_vec() };
    "OperatorTokens/CreateOperatorToken" => OperatorTokensClient.create_operator_token(t)
        CreateOperatorTokenRequest { namespace: t.namespace, name: t.operator, role: 0 };
    "OperatorTokens/RevokeOperatorToken" => OperatorTokensClient.revoke_operator_token(t)
        RevokeOperatorTokenRequest { namespace: t.namespace, name: t.operator };
    "PolicyStore/ApplyPolicy" => PolicyStoreClient.apply_policy(t)
        ApplyPolicyRequest { namespace: t.namespace, document: POLICY.into() };
    "PolicyStore/GetPolicy" => PolicyStoreClient.get_policy(t)
        GetPolicyRequest { namespace: t.namespace, name: t.policy };
    "PolicyStore/ListPolicies" => PolicyStoreClient.list_policies(t)
        ListPoliciesRequest { namespace: t.namespace, ..ListPoliciesRequest::default() };
    "PolicyStore/DeletePolicy" => PolicyStoreClient.delete_policy(t)
        DeletePolicyRequest { namespace: t.namespace, name: t.policy };
    "PolicyStore/ListSidecars" => PolicyStoreClient.list_sidecars(t)
        ListSidecarsRequest { namespace: t.namespace, ..ListSidecarsRequest::default() };
    "PolicyStore/ListSidecarEvents" => PolicyStoreClient.list_sidecar_events(t)
        ListSidecarEventsRequest { namespace: t.namespace, ..ListSidecarEventsRequest::default() };
    "PolicySync/Sync" => PolicySyncClient.sync(_t) tokio_stream::empty::<SyncRequest>();
    "CallLog/ReportCalls" => CallLogClient.report_calls(_t) ReportCallsRequest::default();
    "CallLog/ListCalls" => CallLogClient.list_calls(t)
        ListCallsRequest { namespace: t.namespace, ..ListCallsRequest::default() };
    "CallLog/FollowCalls" => CallLogClient.follow_calls(t)
        FollowCallsRequest { namespace: t.namespace, ..FollowCallsRequest::default() };
    "SecretStore/PutSecret" => SecretStoreClient.put_secret(t)
        PutSecretRequest { namespace: t.namespace, name: t.secret, value: b"somebody else's".to_vec() };
    "SecretStore/ListSecrets" => SecretStoreClient.list_secrets(t)
        ListSecretsRequest { namespace: t.namespace, ..ListSecretsRequest::default() };
    "SecretStore/DeleteSecret" => SecretStoreClient.delete_secret(t)
        DeleteSecretRequest { namespace: t.namespace, name: t.secret };
    "Metering/IngestFrames" => MeteringClient.ingest_frames(t) tokio_stream::iter([frame(&t.namespace, &t.agent)]);
    "MeterView/PutMeter" => MeterViewClient.put_meter(t)
        PutMeterRequest { namespace: t.namespace, meter: Some(meter(&t.policy)) };
    "MeterView/ListMeters" => MeterViewClient.list_meters(t) ListMetersRequest { namespace: t.namespace };
    "MeterView/QueryMeter" => MeterViewClient.query_meter(t) QueryMeterRequest {
        namespace: t.namespace, meter: "calls".into(), to_ms: 3_600_000, ..QueryMeterRequest::default()
    };
    "MeterView/VerifyProducers" => MeterViewClient.verify_producers(t)
        VerifyProducersRequest { namespace: t.namespace, producer: t.agent };
    "QuotaLeases/ExchangeLeases" => QuotaLeasesClient.exchange_leases(_t) ExchangeLeasesRequest {
        process: 1, exchanges: vec![asked("web", "calls", 1, 10)],
    };
    "QuotaView/ListQuotas" => QuotaViewClient.list_quotas(t)
        ListQuotasRequest { namespace: t.namespace, agent_name: t.agent };
    "QuotaView/ListQuotaEvents" => QuotaViewClient.list_quota_events(t)
        ListQuotaEventsRequest { namespace: t.namespace, after: 0 };
    "Billing/PutBillingDocument" => BillingClient.put_billing_document(t) PutBillingDocumentRequest {
        namespace: t.namespace, kind: "settings".into(), document: "{}".into(),
    };
    "Billing/ListBillingDocuments" => BillingClient.list_billing_documents(t) ListBillingDocumentsRequest {
        namespace: t.namespace, kind: "plan".into(), of: t.policy, after: String::new(),
    };
    "Billing/ChangeSubscription" => BillingClient.change_subscription(t) ChangeSubscriptionRequest {
        namespace: t.namespace, subscription: t.policy, change: Some(Change::Status("suspended".into())),
    };
    "Billing/PreviewInvoice" => BillingClient.preview_invoice(t)
        PreviewInvoiceRequest { namespace: t.namespace, subscription: t.policy };
    "Billing/DrawUpInvoices" => BillingClient.draw_up_invoices(t)
        DrawUpInvoicesRequest { namespace: t.namespace, ..DrawUpInvoicesRequest::default() };
    "Billing/FinalizeInvoice" => BillingClient.finalize_invoice(t)
        FinalizeInvoiceRequest { namespace: t.namespace, invoice: t.policy, key: "k".into() };
    "Billing/ListInvoices" => BillingClient.list_invoices(t)
        ListInvoicesRequest { namespace: t.namespace, ..ListInvoicesRequest::default() };
    "Billing/GetInvoice" => BillingClient.get_invoice(t)
        GetInvoiceRequest { namespace: t.namespace, invoice: t.policy, format: "json".into() };
    "Billing/PayInvoice" => BillingClient.pay_invoice(t)
        PayInvoiceRequest { namespace: t.namespace, invoice: t.policy, minor: 1, key: "k".into() };
    "Billing/VoidInvoice" => BillingClient.void_invoice(t) VoidInvoiceRequest {
        namespace: t.namespace, invoice: t.policy, reason: "r".into(), key: "k".into(),
    };
    "Billing/CreditInvoice" => BillingClient.credit_invoice(t)
        CreditInvoiceRequest { namespace: t.namespace, document: "{}".into(), key: "k".into() };
    "Billing/ListCreditNotes" => BillingClient.list_credit_notes(t)
        ListCreditNotesRequest { namespace: t.namespace, customer: t.policy };
    "Billing/GetExport" => BillingClient.get_export(t) GetExportRequest { namespace: t.namespace };
    "Billing/ListTriggers" => BillingClient.list_triggers(t)
        ListTriggersRequest { namespace: t.namespace, only_open: false };
    "Billing/AcknowledgeTrigger" => BillingClient.acknowledge_trigger(t) AcknowledgeTriggerRequest {
        namespace: t.namespace, kind: "spike".into(), key: t.policy, window_us: 0,
    };
    "Approvals/AskApproval" => ApprovalsClient.ask_approval(t) question(t.delegation);
    "Approvals/AwaitApprovals" => ApprovalsClient.await_approvals(t) AwaitApprovalsRequest {
        approvals: vec![AwaitedApproval { id: t.approval, version: 0 }], wait_ms: 0,
    };
    "Approvals/TakeApproval" => ApprovalsClient.take_approval(t)
        TakeApprovalRequest { id: t.approval, digest: vec![1; 32], call_id: "c".into() };
    "Approvals/EndApproval" => ApprovalsClient.end_approval(t) EndApprovalRequest {
        id: t.approval, number: 1, end: Some(end_approval_request::End::Answered(200)),
    };
    "ApprovalInbox/ListApprovals" => ApprovalInboxClient.list_approvals(t)
        ListApprovalsRequest { namespace: t.namespace, ..ListApprovalsRequest::default() };
    "ApprovalInbox/GetApproval" => ApprovalInboxClient.get_approval(t)
        GetApprovalRequest { namespace: t.namespace, id: t.approval };
    "ApprovalInbox/DecideApprovals" => ApprovalInboxClient.decide_approvals(t) DecideApprovalsRequest {
        namespace: t.namespace,
        decisions: vec![ApprovalDecision {
            id: t.approval, digest: vec![1; 32], decision: "approve".into(), ..ApprovalDecision::default()
        }],
    };
    "ApprovalInbox/AnswerApproval" => ApprovalInboxClient.answer_approval(t)
        AnswerApprovalRequest { namespace: t.namespace, id: t.approval, text: "x".into() };
    "ApprovalInbox/ReassignApproval" => ApprovalInboxClient.reassign_approval(t) ReassignApprovalRequest {
        namespace: t.namespace, id: t.approval, from: "ops".into(), to: "bob".into(),
    };
    "ApprovalInbox/CancelApproval" => ApprovalInboxClient.cancel_approval(t)
        CancelApprovalRequest { namespace: t.namespace, id: t.approval, reason: "x".into() };
    "ApprovalInbox/RevokeApproval" => ApprovalInboxClient.revoke_approval(t)
        RevokeApprovalRequest { namespace: t.namespace, id: t.approval, reason: "x".into() };
    "ApprovalInbox/WatchApprovals" => ApprovalInboxClient.watch_approvals(t)
        WatchApprovalsRequest { namespace: t.namespace };
    "SecretStore/FetchSecret" => SecretStoreClient.fetch_secret(t) FetchSecretRequest { name: t.secret };
}

/// A frame of one event.
fn frame(namespace: &str, producer: &str) -> IngestFrame {
    IngestFrame {
        namespace: namespace.into(),
        producer: producer.into(),
        epoch: 7,
        first_sequence: 1,
        count: 1,
        strings: vec!["rendered".into()],
        event_type: vec![1],
        at_us: vec![i64::try_from(fixture::now_s()).unwrap() * 1_000_000],
        ..IngestFrame::default()
    }
}

/// A call that namespace `a`'s hold is about.
fn question(delegation_id: Vec<u8>) -> AskApprovalRequest {
    let context = ApprovalContext {
        action: "GET https://a.test/".into(),
        method: "GET".into(),
        url: "https://a.test/".into(),
        ..ApprovalContext::default()
    };
    AskApprovalRequest {
        digest: vec![1; 32],
        policy: "held".into(),
        rule: "look".into(),
        delegation_id,
        context: Some(context),
    }
}

fn meter(name: &str) -> Meter {
    let text = |text: &str| text.to_owned();
    Meter { name: text(name), event_type: text("rendered"), aggregation: text("count"), ..Meter::default() }
}

fn begun(sequence: u64) -> CallEntry {
    let begun = CallBegun {
        at_us: 1,
        verdict: Verdict::Allowed.into(),
        host: "a.test".into(),
        ..CallBegun::default()
    };
    CallEntry { sequence, entry: Some(call_entry::Entry::Begun(begun)) }
}

/// All that namespace `a` holds, as its own operator sees it.
async fn everything(operator: &OperatorClient) -> String {
    let namespace = || "a".to_owned();
    let agents = ListAgentsRequest { namespace: namespace(), ..ListAgentsRequest::default() };
    let delegations = ListDelegationsRequest { namespace: namespace(), ..ListDelegationsRequest::default() };
    let policies = ListPoliciesRequest { namespace: namespace(), ..ListPoliciesRequest::default() };
    let calls = ListCallsRequest { namespace: namespace(), ..ListCallsRequest::default() };
    let sidecars = ListSidecarsRequest { namespace: namespace(), ..ListSidecarsRequest::default() };
    let events = ListSidecarEventsRequest { namespace: namespace(), ..ListSidecarEventsRequest::default() };
    let secrets = ListSecretsRequest { namespace: namespace(), ..ListSecretsRequest::default() };
    let quotas = ListQuotasRequest { namespace: namespace(), agent_name: String::new() };
    let notices = ListQuotaEventsRequest { namespace: namespace(), after: 0 };
    let meters = ListMetersRequest { namespace: namespace() };
    let producers = VerifyProducersRequest { namespace: namespace(), producer: String::new() };
    let approvals = ListApprovalsRequest { namespace: namespace(), ..ListApprovalsRequest::default() };
    let agents = operator.agents().list_agents(agents).await.unwrap().into_inner();
    let names: Vec<_> =
        agents.agents.into_iter().map(|agent| (agent.name, agent.agent_id, agent.state)).collect();
    format!(
        "{names:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        operator.delegations().list_delegations(delegations).await.unwrap().into_inner(),
        operator.policies().list_policies(policies).await.unwrap().into_inner(),
        operator.policies().list_sidecars(sidecars).await.unwrap().into_inner(),
        operator.policies().list_sidecar_events(events).await.unwrap().into_inner(),
        operator.calls().list_calls(calls).await.unwrap().into_inner(),
        operator.secrets().list_secrets(secrets).await.unwrap().into_inner(),
        operator.quotas().list_quotas(quotas).await.unwrap().into_inner(),
        operator.quotas().list_quota_events(notices).await.unwrap().into_inner(),
        operator.meters().list_meters(meters).await.unwrap().into_inner(),
        operator.meters().verify_producers(producers).await.unwrap().into_inner(),
        operator.approvals().list_approvals(approvals).await.unwrap().into_inner(),
    )
}

#[tokio::test]
async fn one_namespace_cannot_see_count_or_guess_anothers_things() {
    let plane = plane().await;
    let endpoint = plane.endpoint();
    let operator_a = plane.operator("a").await;
    create_agent(&operator_a, "a", "boss", &key(1), true).await;
    create_agent(&operator_a, "a", "one", &key(2), false).await;
    let quota = "[[quota]]\nname = \"calls\"\nmeter = \"calls\"\nlimit = 100\nperiod = \"daily\"\n";
    apply(&operator_a, "a", &format!("{POLICY}{quota}")).await;
    put_secret(&operator_a, "a", "key", b"the value of a's key").await;
    let delegation = submit(&operator_a, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let sidecar_a = sidecar(&endpoint, &operator_a, "a", "one").await;
    let report = ReportCallsRequest { spool_epoch: 1, entries: vec![begun(1)] };
    sidecar_a.client.calls().report_calls(report).await.unwrap();
    let draws = ExchangeLeasesRequest { process: 1, exchanges: vec![asked("web", "calls", 1, 10)] };
    let drawn = sidecar_a.client.leases().exchange_leases(draws.clone()).await.unwrap().into_inner();
    assert!(matches!(drawn.answers[0].answer, Some(lease_answer::Answer::Lease(_))), "{drawn:?}");

    let held = "version = 1\nname = \"held\"\n[[hold]]\nname = \"look\"\nhost = \"*\"\nport = \"any\"\n\
                approvers = [\"ops\"]\nwait = \"1h\"\n";
    apply(&operator_a, "a", held).await;
    let asking = question(delegation.clone());
    let approval = sidecar_a.client.approvals().ask_approval(asking).await.unwrap().into_inner().id;

    let made = CreateOperatorTokenRequest { namespace: "b".into(), name: "walker".into(), role: 0 };
    let token_b =
        plane.admin().await.operator_tokens().create_operator_token(made).await.unwrap().into_inner().token;
    let operator_b = OperatorClient::connect(&endpoint, &token_b).await.unwrap();
    create_agent(&operator_b, "b", "one", &key(5), false).await;
    let sidecar_b = sidecar(&endpoint, &operator_b, "b", "one").await;

    let there = Target {
        namespace: "a".into(),
        agent: "one".into(),
        policy: "web".into(),
        delegation,
        operator: "ops".into(),
        secret: "key".into(),
        approval: approval.clone(),
    };
    let absent = Target {
        namespace: "a".into(),
        agent: "nobody".into(),
        policy: "nothing".into(),
        delegation: vec![9; 32],
        operator: "noone".into(),
        secret: "nothing".into(),
        approval: "0".repeat(32),
    };
    let nowhere = Target { namespace: "never-used".into(), ..absent.clone() };

    let made = CreateOperatorTokenRequest {
        namespace: "b".into(),
        name: "producer".into(),
        role: OperatorRole::Producer.into(),
    };
    let producer_b =
        plane.admin().await.operator_tokens().create_operator_token(made).await.unwrap().into_inner().token;
    // What is there of metering: a meter and a producer of the target's names.
    let there_too = PutMeterRequest { namespace: "a".into(), meter: Some(meter("web")) };
    operator_a.meters().put_meter(there_too).await.unwrap();
    let ended = CallEntry {
        sequence: 2,
        entry: Some(call_entry::Entry::Ended(CallEnded {
            begun_sequence: 1,
            at_us: i64::try_from(fixture::now_s()).unwrap() * 1_000_000,
            outcome: Outcome::Completed.into(),
            ..CallEnded::default()
        })),
    };
    let report = ReportCallsRequest { spool_epoch: 1, entries: vec![ended] };
    sidecar_a.client.calls().report_calls(report).await.unwrap();

    let walked: BTreeSet<_> = CALLS.iter().map(|(path, _)| *path).collect();
    assert_eq!(
        walked,
        ACCESS.iter().map(|(path, _)| *path).collect(),
        "the walk takes every RPC of the table"
    );

    let before = everything(&operator_a).await;
    let plain = endpoint.open().await.unwrap();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let callers = [
        ("nobody", None),
        ("garbage", bearer("garbage")),
        ("the sidecar's id", bearer(&sidecar_a.enrolled.sidecar_id)),
        ("operator of b", bearer(&token_b)),
        ("producer of b", bearer(&producer_b)),
    ];
    for (path, call) in CALLS {
        let access = ACCESS.iter().find(|(known, _)| known == path).unwrap().1;
        for (who, header) in &callers {
            let mut answers = Vec::new();
            for target in [&there, &absent, &nowhere] {
                let caller = InterceptedService::new(plain.clone(), Header(header.clone()));
                let status = call(caller, target.clone()).await.expect_err(&format!("{path} by {who}"));
                answers.push((status.code(), status.message().to_owned()));
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{path} by {who} tells what is there: {answers:?}");
            let known = matches!(access, Access::Operator | Access::Admin | Access::Producer)
                && who.ends_with("of b");
            let expected = if known { Code::PermissionDenied } else { Code::Unauthenticated };
            assert_eq!(answers[0].0, expected, "{path} by {who}: {}", answers[0].1);
        }
    }
    assert_eq!(before, everything(&operator_a).await, "nothing changed");

    // The other namespace's sidecar, with its certificate and no token: nothing of an operator's.
    sidecar_has_no_operators_reach(&sidecar_b.client).await;
    // What it reports lands in its own namespace, and a chain of the other's is none for it.
    let report = ReportCallsRequest { spool_epoch: 1, entries: vec![begun(1)] };
    sidecar_b.client.calls().report_calls(report).await.unwrap();
    let shown = MintChainRequest { links: vec![link("a", &key(1), &key(2), &["get:*"], 600)] };
    let refused = sidecar_b.client.delegations().mint_chain(shown).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    // A secret that is there in the other namespace and one that is nowhere are the same to it.
    let mut refusals = Vec::new();
    for name in ["key", "nothing"] {
        let refused = sidecar_b.client.fetch_secret(name).await.unwrap_err();
        refusals.push((refused.code(), refused.message().to_owned()));
    }
    refusals.dedup();
    assert!(refusals.len() == 1 && refusals[0].0 == Code::NotFound, "{refusals:?}");
    // A request of the other namespace and one that is nowhere are the same to it, and neither can be taken.
    let mut refusals = Vec::new();
    for id in [approval, "1".repeat(32)] {
        let taking = TakeApprovalRequest { id: id.clone(), digest: vec![1; 32], call_id: "c".into() };
        let refused = sidecar_b.client.approvals().take_approval(taking).await.unwrap_err();
        refusals.push((refused.code(), refused.message().replace(&id, "ID")));
        let approvals = vec![AwaitedApproval { id, version: 0 }];
        let looked = AwaitApprovalsRequest { approvals, wait_ms: 0 };
        let moved = sidecar_b.client.approvals().await_approvals(looked).await.unwrap().into_inner().moved;
        assert_eq!(moved[0].state, "cancelled", "{moved:?}");
    }
    refusals.dedup();
    assert!(refusals.len() == 1 && refusals[0].0 == Code::NotFound, "{refusals:?}");
    // A quota of the other namespace is none of its own.
    let drawn = sidecar_b.client.leases().exchange_leases(draws).await.unwrap().into_inner();
    assert!(matches!(drawn.answers[0].answer, Some(lease_answer::Answer::Refused(_))), "{drawn:?}");
    let bundle = sidecar_b.sync(0, "").await.applied().await;
    assert!(bundle.policies.is_empty() && bundle.chain.is_none());
    assert_eq!(bundle.agent.unwrap().namespace, "b");
    assert_eq!(before, everything(&operator_a).await, "nothing changed");

    // The same names and keys are free in the other namespace: taking them tells nothing.
    create_agent(&operator_b, "b", "boss", &key(1), true).await;
    create_agent(&operator_b, "b", "two", &key(2), false).await;
    let own = ListCallsRequest { namespace: "b".into(), ..ListCallsRequest::default() };
    assert_eq!(operator_b.calls().list_calls(own).await.unwrap().into_inner().calls.len(), 1);
}

async fn sidecar_has_no_operators_reach(client: &SidecarClient) {
    let listed = ListDelegationsRequest { namespace: "b".into(), ..ListDelegationsRequest::default() };
    let refused = client.delegations().list_delegations(listed).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let listed = ListCallsRequest { namespace: "b".into(), ..ListCallsRequest::default() };
    assert_eq!(client.calls().list_calls(listed).await.unwrap_err().code(), Code::Unauthenticated);
    let listed = ListSecretsRequest { namespace: "b".into(), ..ListSecretsRequest::default() };
    let refused = SecretStoreClient::new(client.channel()).list_secrets(listed).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn an_operator_token_ends_at_once_also_for_one_who_follows() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    let follow = FollowCallsRequest { namespace: "a".into(), filter: None };
    let mut followed = operator.calls().follow_calls(follow).await.unwrap().into_inner();
    let revoke = RevokeOperatorTokenRequest { namespace: "a".into(), name: "ops".into() };
    plane.admin().await.operator_tokens().revoke_operator_token(revoke).await.unwrap();
    let list = ListAgentsRequest { namespace: "a".into(), ..ListAgentsRequest::default() };
    assert_eq!(operator.agents().list_agents(list).await.unwrap_err().code(), Code::Unauthenticated);
    let ended = tokio::time::timeout(fixture::PATIENCE, followed.message()).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn an_rpc_that_is_not_in_the_table_is_refused() {
    let plane = plane().await;
    let mut client = tonic::client::Grpc::new(plane.endpoint().open().await.unwrap());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<ListAgentsRequest, ListAgentsResponse>::default();
    let path = http::uri::PathAndQuery::from_static("/creto.v1.AgentRegistry/DropEverything");
    let refused = client.unary(Request::new(ListAgentsRequest::default()), path, codec).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
