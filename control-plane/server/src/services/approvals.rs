//! `Approvals`: sidecars ask people, and take what they allowed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use creto_approvals::{ApprovalDesk, ApprovalError, Ask, Kept, MAX_AWAITED, MAX_WAIT_MS};
use creto_identity::Delegations;
use creto_oversight::{ActionDigest, Execution, ExecutionEnd, Person, RequestId, Status as Stands, Taking};
use creto_policy_store::SidecarIdentity;
use creto_proto::v1::approvals_server::Approvals;
use creto_proto::v1::end_approval_request::End;
use creto_proto::v1::{
    ApprovalStanding, AskApprovalRequest, AwaitApprovalsRequest, AwaitApprovalsResponse, EndApprovalRequest,
    EndApprovalResponse, TakeApprovalRequest, TakeApprovalResponse,
};
use creto_store::{KeptAgent, KeptState, Store};
use tokio::sync::watch;
use tonic::{Request, Response, Status, async_trait};

use crate::approvals::{Holds, context_of, denial, now};
use crate::confine::own;
use crate::finish::finished;
use crate::status::{of_approvals, of_identity, of_store};

/// Longest id of a call, in bytes.
const MAX_CALL_ID: usize = 128;
/// Longest word on how a use ended; the rest is left out, for the end itself must not get lost.
const MAX_CAUSE: usize = 1_024;

/// Serves sidecars that ask.
#[derive(Clone)]
pub(crate) struct Asking {
    desk: ApprovalDesk,
    store: Arc<dyn Store>,
    delegations: Delegations,
    holds: Holds,
    stopping: watch::Receiver<bool>,
}

impl Asking {
    pub(crate) fn new(
        desk: ApprovalDesk,
        store: Arc<dyn Store>,
        delegations: Delegations,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let holds = Holds::new(Arc::clone(&store));
        Self { desk, store, delegations, holds, stopping }
    }

    async fn agent(&self, sidecar: &SidecarIdentity) -> Result<KeptAgent, Status> {
        let agent = self.store.agent(&sidecar.namespace, &sidecar.agent_name).await.map_err(of_store)?;
        if agent.state != KeptState::Active {
            return Err(Status::failed_precondition(format!("agent `{}` does not act now", agent.name)));
        }
        Ok(agent)
    }

    /// The names along a delegation of the agent, from the root to it.
    async fn along(&self, agent: &KeptAgent, delegation_id: &[u8]) -> Result<Vec<String>, Status> {
        let id: &[u8; 32] = delegation_id.try_into().map_err(|_| {
            Status::invalid_argument("delegation_id: say under which delegation the call is made, 32 bytes")
        })?;
        let names = self.delegations.names_along(agent, id).await.map_err(of_identity)?;
        names.ok_or_else(|| {
            Status::failed_precondition("delegation_id: the agent holds no such delegation that stands now")
        })
    }

    async fn ask(
        &self,
        sidecar: &SidecarIdentity,
        message: AskApprovalRequest,
    ) -> Result<ApprovalStanding, Status> {
        let AskApprovalRequest { digest, policy, rule, delegation_id, context } = message;
        let digest = digest_of(&digest)?;
        let agent = self.agent(sidecar).await?;
        let names = self.along(&agent, &delegation_id).await?;
        let held = self.holds.find(&agent, &policy, &rule).await?;
        // Principals and people have names by the same rules: one who delegates and one who votes under one name are one.
        let people = names.iter().map(|name| name.parse::<Person>());
        let excluded =
            people.collect::<Result<BTreeSet<_>, _>>().map_err(|error| of_approvals(error.into()))?;
        let context = context_of(context, held.reason.as_deref(), names)?;
        let ask = Ask {
            namespace: agent.namespace,
            agent: agent.name,
            digest,
            policy,
            rule,
            panel: held.panel,
            excluded,
            most_uses: held.most_uses,
            most_ms: held.most_ms,
            context,
            delegation: hex::encode(&delegation_id),
        };
        let asked = self.desk.ask(ask, now()).await.map_err(of_approvals)?;
        Ok(ApprovalStanding { joined: asked.joined, ..standing(&asked.kept) })
    }

    /// A request of the caller's own agent; of another there is none.
    async fn owned(&self, sidecar: &SidecarIdentity, id: RequestId) -> Result<Kept, Status> {
        let kept = self.desk.summary(&sidecar.namespace, id).await.map_err(of_approvals)?;
        if kept.facts.agent != sidecar.agent_name {
            return Err(of_approvals(ApprovalError::NotFound(id)));
        }
        Ok(kept)
    }

    async fn take(
        &self,
        sidecar: &SidecarIdentity,
        message: TakeApprovalRequest,
    ) -> Result<TakeApprovalResponse, Status> {
        let (id, digest) = (id_of(&message.id)?, digest_of(&message.digest)?);
        if message.call_id.is_empty() || message.call_id.len() > MAX_CALL_ID {
            return Err(Status::invalid_argument(format!("call_id: 1 to {MAX_CALL_ID} bytes")));
        }
        let kept = self.owned(sidecar, id).await?;
        // What was approved is the call of an agent that acts, under a delegation that stands.
        let agent = self.agent(sidecar).await?;
        let delegation = hex::decode(&kept.facts.delegation).unwrap_or_default();
        self.along(&agent, &delegation).await?;
        let taking = Taking { digest, by: sidecar.sidecar_id.clone(), call: message.call_id };
        let taken = self.desk.take(&sidecar.namespace, id, taking, now()).await.map_err(of_approvals)?;
        Ok(TakeApprovalResponse {
            number: taken.execution.number.into(),
            grant: taken.grant.content,
            signature: taken.grant.signature,
        })
    }

    async fn end(&self, sidecar: &SidecarIdentity, message: EndApprovalRequest) -> Result<(), Status> {
        let id = id_of(&message.id)?;
        let number = u16::try_from(message.number)
            .map_err(|_| Status::invalid_argument("number: the one that taking gave"))?;
        let end = match message.end {
            Some(End::Answered(status)) => {
                let status = u16::try_from(status).ok().filter(|status| (100..1_000).contains(status));
                let status = status.ok_or_else(|| {
                    Status::invalid_argument("answered: the HTTP status of the upstream's answer")
                })?;
                ExecutionEnd::Answered { status }
            }
            Some(End::NeverLeft(cause)) => ExecutionEnd::NeverLeft { cause: shortened(cause) },
            Some(End::Ambiguous(cause)) => ExecutionEnd::Ambiguous { cause: shortened(cause) },
            None => return Err(Status::invalid_argument("end: say how the use ended")),
        };
        let kept = self.owned(sidecar, id).await?;
        let of_this =
            |execution: &&Execution| execution.number == number && execution.by == sidecar.sidecar_id;
        if !executions(&kept).iter().any(|execution| of_this(&execution)) {
            return Err(Status::failed_precondition(format!(
                "request {id} has no use {number} that this sidecar took"
            )));
        }
        let by = sidecar.sidecar_id.as_str();
        match self.desk.ended(&sidecar.namespace, id, (number, &end, by), now()).await {
            Ok(_) => Ok(()),
            Err(error @ ApprovalError::Illegal { .. }) => {
                // Told before: the first word stands.
                let kept = self.owned(sidecar, id).await?;
                let known = executions(&kept).iter().any(|one| of_this(&one) && one.end.is_some());
                if known { Ok(()) } else { Err(of_approvals(error)) }
            }
            Err(error) => Err(of_approvals(error)),
        }
    }
}

#[async_trait]
impl Approvals for Asking {
    async fn ask_approval(
        &self,
        request: Request<AskApprovalRequest>,
    ) -> Result<Response<ApprovalStanding>, Status> {
        let (sidecar, message) = own(request)?;
        self.ask(&sidecar, message).await.map(Response::new)
    }

    async fn await_approvals(
        &self,
        request: Request<AwaitApprovalsRequest>,
    ) -> Result<Response<AwaitApprovalsResponse>, Status> {
        let (sidecar, message) = own(request)?;
        if message.approvals.is_empty() || message.approvals.len() > MAX_AWAITED {
            return Err(Status::invalid_argument(format!("approvals: 1 to {MAX_AWAITED} of them")));
        }
        if u64::from(message.wait_ms) > MAX_WAIT_MS {
            return Err(Status::invalid_argument(format!("wait_ms: at most {MAX_WAIT_MS}")));
        }
        let asked = message.approvals.iter().map(|one| Ok((id_of(&one.id)?, one.version)));
        let asked = asked.collect::<Result<Vec<_>, Status>>()?;
        let longest = Duration::from_millis(message.wait_ms.into());
        let waiting = self.desk.changed_of(&sidecar.namespace, &sidecar.agent_name, &asked, longest);
        let mut stopping = self.stopping.clone();
        let moved = tokio::select! {
            moved = waiting => moved.map_err(of_approvals)?,
            () = stops(&mut stopping) => {
                return Err(Status::unavailable("the control plane stops: wait again later"));
            }
        };
        let moved = moved.into_iter().map(|(id, kept)| kept.map_or_else(|| gone(id), |kept| standing(&kept)));
        Ok(Response::new(AwaitApprovalsResponse { moved: moved.collect() }))
    }

    async fn take_approval(
        &self,
        request: Request<TakeApprovalRequest>,
    ) -> Result<Response<TakeApprovalResponse>, Status> {
        let (sidecar, message) = own(request)?;
        // Whoever goes away while it is taken has taken it: it is not left in the middle.
        let asking = self.clone();
        finished(async move { asking.take(&sidecar, message).await.map(Response::new) }).await
    }

    async fn end_approval(
        &self,
        request: Request<EndApprovalRequest>,
    ) -> Result<Response<EndApprovalResponse>, Status> {
        let (sidecar, message) = own(request)?;
        let asking = self.clone();
        finished(async move {
            asking.end(&sidecar, message).await.map(|()| Response::new(EndApprovalResponse {}))
        })
        .await
    }
}

/// The id of a request.
pub(super) fn id_of(text: &str) -> Result<RequestId, Status> {
    let wrong = |_| Status::invalid_argument("id: a request has 32 hexadecimal digits");
    // One spelling: what is shown can be compared.
    match text.parse::<RequestId>() {
        Ok(id) if id.to_string() == text => Ok(id),
        Ok(_) => Err(wrong(creto_oversight::DigestError)),
        Err(error) => Err(wrong(error)),
    }
}

/// The digest of an action.
pub(super) fn digest_of(bytes: &[u8]) -> Result<ActionDigest, Status> {
    let digest = bytes.try_into().map(ActionDigest);
    digest.map_err(|_| Status::invalid_argument("digest: SHA-256 of the action, 32 bytes"))
}

fn standing(kept: &Kept) -> ApprovalStanding {
    let (expires_at_ms, reason) = match &kept.status {
        Stands::Open(open) => (open.expires_at_ms(), String::new()),
        Stands::Approved(approved) => (approved.not_after_ms(), String::new()),
        Stands::Denied(denied) => (0, denial(denied)),
        Stands::TimedOut(_) => (0, String::new()),
        Stands::Cancelled(cancelled) => (0, cancelled.reason.clone()),
        Stands::Revoked(revoked) => (0, revoked.reason.clone()),
    };
    ApprovalStanding {
        id: kept.id().to_string(),
        state: kept.status.word().to_owned(),
        version: kept.version,
        expires_at_ms: i64::try_from(expires_at_ms).unwrap_or(i64::MAX),
        reason,
        joined: false,
    }
}

/// One that is not there, or not this agent's, which makes no difference to it.
fn gone(id: RequestId) -> ApprovalStanding {
    ApprovalStanding { id: id.to_string(), state: "cancelled".to_owned(), ..ApprovalStanding::default() }
}

fn executions(kept: &Kept) -> &[Execution] {
    match &kept.status {
        Stands::Approved(approved) => approved.executions(),
        Stands::Revoked(revoked) => revoked.was.executions(),
        _ => &[],
    }
}

fn shortened(mut cause: String) -> String {
    cause.truncate(cause.floor_char_boundary(MAX_CAUSE));
    cause
}

async fn stops(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone is a control plane that is gone.
    let _ = stopping.wait_for(|stops| *stops).await;
}
