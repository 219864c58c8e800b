//! A namespace with an agent that pays, the people who may let it, and what it asks.

use std::sync::atomic::{AtomicU32, Ordering};

use creto_client::{OperatorClient, PlaneEndpoint};
use creto_proto::v1::*;
use tonic::Status;

use crate::fixture::*;

/// Namespace of everything here.
pub(crate) const SPACE: &str = "a";

/// Whoever is named decides transfers; the second tier is dave's.
pub(crate) fn policy(approvers: &[&str]) -> String {
    format!(
        "version = 1\nname = \"payments\"\n[[allow]]\nname = \"bank\"\nhost = \"bank.example\"\n\
         [[hold]]\nname = \"transfers\"\nhost = \"bank.example\"\nmethod = \"POST\"\napprovers = {approvers:?}\n\
         wait = \"10m\"\nescalate = [{{ approvers = [\"dave\"], wait = \"10m\" }}]\nuses = 3\nholds_for = \"1h\"\n\
         reason = \"money moves\"\n"
    )
}

/// A control plane where alice lets `payer` and `other` do what they like, and people decide transfers.
pub(crate) struct Scene {
    pub(crate) plane: Plane,
    pub(crate) admin: OperatorClient,
    pub(crate) payer: Asker,
    pub(crate) other: Asker,
}

/// A sidecar, and the delegation it asks under.
pub(crate) struct Asker {
    pub(crate) sidecar: Sidecar,
    pub(crate) delegation: Vec<u8>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::over(plane().await).await
    }

    pub(crate) async fn over(plane: Plane) -> Self {
        let admin = plane.admin().await;
        let (payer, other) = set_up(&plane.endpoint(), &admin).await;
        Self { plane, admin, payer, other }
    }

    /// Somebody with a token of this name.
    pub(crate) async fn person(&self, name: &str) -> OperatorClient {
        person(&self.plane.endpoint(), &self.admin, name).await
    }
}

pub(crate) async fn set_up(endpoint: &PlaneEndpoint, admin: &OperatorClient) -> (Asker, Asker) {
    create_agent(admin, SPACE, "alice", &key(1), true).await;
    create_agent(admin, SPACE, "payer", &key(2), false).await;
    create_agent(admin, SPACE, "other", &key(3), false).await;
    apply(admin, SPACE, &policy(&["alice", "bob", "carol"])).await;
    let mut askers = Vec::new();
    for (name, number) in [("payer", 2), ("other", 3)] {
        let links = vec![link(SPACE, &key(1), &key(number), &["*:*"], 600)];
        let delegation = submit(admin, SPACE, links).await;
        askers.push(Asker { sidecar: sidecar(endpoint, admin, SPACE, name).await, delegation });
    }
    let other = askers.pop().unwrap();
    (askers.pop().unwrap(), other)
}

pub(crate) async fn person(endpoint: &PlaneEndpoint, admin: &OperatorClient, name: &str) -> OperatorClient {
    person_as(endpoint, admin, (SPACE, name), OperatorRole::Operator).await
}

pub(crate) async fn person_as(
    endpoint: &PlaneEndpoint,
    admin: &OperatorClient,
    (namespace, name): (&str, &str),
    role: OperatorRole,
) -> OperatorClient {
    let request =
        CreateOperatorTokenRequest { namespace: namespace.into(), name: name.into(), role: role.into() };
    let made = admin.operator_tokens().create_operator_token(request).await.unwrap().into_inner();
    OperatorClient::connect(endpoint, &made.token).await.unwrap()
}

pub(crate) fn question(delegation: &[u8], digest: u8) -> AskApprovalRequest {
    AskApprovalRequest {
        digest: vec![digest; 32],
        policy: "payments".into(),
        rule: "transfers".into(),
        delegation_id: delegation.to_vec(),
        context: Some(ApprovalContext {
            action: "POST https://bank.example/transfers".into(),
            method: "POST".into(),
            url: "https://bank.example/transfers".into(),
            headers: vec![ApprovalHeader { name: "x-note".into(), value: b"C:\\x1b \xff".to_vec() }],
            body: b"{\"amount\":100}".to_vec(),
            trigger: "costs USD 100".into(),
            risks: vec!["irreversible".into()],
            cost: "USD 100".into(),
            said_by_agent: "it is fine".into(),
        }),
    }
}

impl Asker {
    pub(crate) async fn ask(&self, digest: u8) -> Result<ApprovalStanding, Status> {
        self.ask_with(question(&self.delegation, digest)).await
    }

    pub(crate) async fn ask_with(&self, request: AskApprovalRequest) -> Result<ApprovalStanding, Status> {
        Ok(self.sidecar.client.approvals().ask_approval(request).await?.into_inner())
    }

    /// Takes a use for a call of its own.
    pub(crate) async fn take(&self, id: &str, digest: u8) -> Result<TakeApprovalResponse, Status> {
        static CALLS: AtomicU32 = AtomicU32::new(100);
        let call = format!("call-{}", CALLS.fetch_add(1, Ordering::Relaxed));
        take(&self.sidecar.client, id, digest, &call).await
    }

    pub(crate) async fn end(
        &self,
        id: &str,
        number: u32,
        end: end_approval_request::End,
    ) -> Result<(), Status> {
        let request = EndApprovalRequest { id: id.into(), number, end: Some(end) };
        self.sidecar.client.approvals().end_approval(request).await.map(|_| ())
    }

    pub(crate) async fn wait(&self, id: &str, version: i64, wait_ms: u32) -> Vec<ApprovalStanding> {
        let approvals = vec![AwaitedApproval { id: id.into(), version }];
        let request = AwaitApprovalsRequest { approvals, wait_ms };
        self.sidecar.client.approvals().await_approvals(request).await.unwrap().into_inner().moved
    }
}

pub(crate) async fn take(
    client: &creto_client::SidecarClient,
    id: &str,
    digest: u8,
    call: &str,
) -> Result<TakeApprovalResponse, Status> {
    let request = TakeApprovalRequest { id: id.into(), digest: vec![digest; 32], call_id: call.into() };
    Ok(client.approvals().take_approval(request).await?.into_inner())
}

pub(crate) fn decision(id: &str, digest: u8, decision: &str) -> ApprovalDecision {
    ApprovalDecision {
        id: id.into(),
        digest: vec![digest; 32],
        decision: decision.into(),
        reason: "because".into(),
        ..ApprovalDecision::default()
    }
}

pub(crate) async fn decide(
    person: &OperatorClient,
    decisions: Vec<ApprovalDecision>,
) -> Result<Vec<DecidedApproval>, Status> {
    let request = DecideApprovalsRequest { namespace: SPACE.into(), decisions };
    Ok(person.approvals().decide_approvals(request).await?.into_inner().decided)
}

/// What became of one decision: the state, or why it was refused.
pub(crate) async fn decided(
    person: &OperatorClient,
    id: &str,
    digest: u8,
    what: &str,
) -> Result<String, String> {
    let answer = decide(person, vec![decision(id, digest, what)]).await.unwrap().remove(0);
    if answer.refused.is_empty() { Ok(answer.state) } else { Err(answer.refused) }
}

pub(crate) async fn get(person: &OperatorClient, id: &str) -> Approval {
    let request = GetApprovalRequest { namespace: SPACE.into(), id: id.into() };
    person.approvals().get_approval(request).await.unwrap().into_inner()
}

pub(crate) async fn inbox(person: &OperatorClient) -> Vec<Approval> {
    let request = ListApprovalsRequest { namespace: SPACE.into(), inbox: true, ..Default::default() };
    person.approvals().list_approvals(request).await.unwrap().into_inner().approvals
}
