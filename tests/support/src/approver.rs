//! People who decide, each by a token of their own name.

use creto_client::OperatorClient;
use creto_proto::v1;

use crate::patience::eventually;
use crate::plane::{NAMESPACE, Plane};

/// A person.
pub struct Approver {
    /// As policy names them.
    pub name: String,
    client: OperatorClient,
}

impl Approver {
    pub(crate) async fn new(plane: &Plane, name: &str) -> Self {
        let request = v1::CreateOperatorTokenRequest {
            namespace: NAMESPACE.to_owned(),
            name: name.to_owned(),
            role: v1::OperatorRole::Operator.into(),
        };
        let made = plane.operator().operator_tokens().create_operator_token(request).await.unwrap();
        let client = OperatorClient::connect(&plane.endpoint(), &made.into_inner().token).await.unwrap();
        Self { name: name.to_owned(), client }
    }

    /// What people decide now, soonest to end first, without what there is to review.
    pub async fn inbox(&self) -> Vec<v1::Approval> {
        let request = v1::ListApprovalsRequest {
            namespace: NAMESPACE.to_owned(),
            inbox: true,
            ..v1::ListApprovalsRequest::default()
        };
        self.client.approvals().list_approvals(request).await.unwrap().into_inner().approvals
    }

    /// As [`Approver::inbox`], of a control plane that may be away: then nothing.
    pub async fn try_inbox(&self) -> Vec<v1::Approval> {
        let request = v1::ListApprovalsRequest {
            namespace: NAMESPACE.to_owned(),
            inbox: true,
            ..v1::ListApprovalsRequest::default()
        };
        let answer = self.client.approvals().list_approvals(request).await;
        answer.map(|answer| answer.into_inner().approvals).unwrap_or_default()
    }

    /// All requests there ever were, as far as one list goes.
    pub async fn all(&self) -> Vec<v1::Approval> {
        let request = v1::ListApprovalsRequest {
            namespace: NAMESPACE.to_owned(),
            ..v1::ListApprovalsRequest::default()
        };
        self.client.approvals().list_approvals(request).await.unwrap().into_inner().approvals
    }

    /// Waits until so many requests are open; gives each with all there is to review.
    pub async fn waits_for(&self, count: usize) -> Vec<v1::Approval> {
        let found = eventually(&format!("{count} requests are open"), || async {
            let open = self.inbox().await;
            (open.len() == count).then_some(open)
        })
        .await;
        let mut whole = Vec::new();
        for approval in found {
            whole.push(self.look(&approval.id).await);
        }
        whole
    }

    /// The one request that is open.
    pub async fn asked(&self) -> v1::Approval {
        self.waits_for(1).await.remove(0)
    }

    /// One request, with all there is to review.
    pub async fn look(&self, id: &str) -> v1::Approval {
        let request = v1::GetApprovalRequest { namespace: NAMESPACE.to_owned(), id: id.to_owned() };
        self.client.approvals().get_approval(request).await.unwrap().into_inner()
    }

    /// Waits until a request stands so.
    pub async fn sees(&self, id: &str, state: &str) -> v1::Approval {
        eventually(&format!("request {id} is {state}"), || async {
            let found = self.look(id).await;
            (found.state == state).then_some(found)
        })
        .await
    }

    /// Says yes, once.
    pub async fn approves(&self, approval: &v1::Approval) {
        self.decides(approval, "approve", "").await.unwrap();
    }

    /// Says no.
    pub async fn denies(&self, approval: &v1::Approval, reason: &str) {
        self.decides(approval, "deny", reason).await.unwrap();
    }

    /// Says something about exactly what is shown.
    ///
    /// # Errors
    /// Why it does not count.
    pub async fn decides(
        &self,
        approval: &v1::Approval,
        decision: &str,
        reason: &str,
    ) -> Result<String, String> {
        let decision = v1::ApprovalDecision {
            id: approval.id.clone(),
            digest: approval.digest.clone(),
            decision: decision.to_owned(),
            reason: reason.to_owned(),
            ..v1::ApprovalDecision::default()
        };
        let request =
            v1::DecideApprovalsRequest { namespace: NAMESPACE.to_owned(), decisions: vec![decision] };
        let answer =
            self.client.approvals().decide_approvals(request).await.map_err(|status| status.to_string())?;
        let decided = answer.into_inner().decided.remove(0);
        if decided.refused.is_empty() { Ok(decided.state) } else { Err(decided.refused) }
    }
}
