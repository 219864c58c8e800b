//! `AgentRegistry`.

use creto_approvals::ApprovalDesk;
use creto_identity::{Registry, now_ms};
use creto_policy_store::Changes;
use creto_proto::v1::agent_registry_server::AgentRegistry;
use creto_proto::v1::{
    Agent, AgentState, CreateAgentRequest, GetAgentRequest, ListAgentsRequest, ListAgentsResponse,
    ResumeAgentRequest, RevokeAgentRequest, RotateAgentKeyRequest, SuspendAgentRequest,
};
use tonic::{Request, Response, Status, async_trait};

use crate::confine::confined;
use crate::finish::finished;
use crate::status::of_identity;

/// Serves agents; what changes one is pushed at once.
pub(crate) struct Agents {
    pub(crate) registry: Registry,
    pub(crate) changes: Changes,
    pub(crate) approvals: ApprovalDesk,
}

impl Agents {
    async fn set(
        &self,
        namespace: String,
        name: String,
        (state, by): (AgentState, String),
    ) -> Result<Response<Agent>, Status> {
        let (registry, changes) = (self.registry.clone(), self.changes.clone());
        let approvals = self.approvals.clone();
        finished(async move {
            let set = registry.set_state(&namespace, &name, state).await;
            let (agent, concerns_others) = set.map_err(of_identity)?;
            changes.note_agents(&namespace, &[&name], concerns_others);
            tracing::info!(namespace, agent = name, state = state.as_str_name(), "agent changed");
            if state == AgentState::Revoked {
                // The agent is gone whatever becomes of this: what people are still asked ends by time at the latest.
                let now_ms = now_ms().unsigned_abs();
                match approvals.cancel_all(&namespace, &name, ("agent gone", &by), now_ms).await {
                    Ok(0) => {}
                    Ok(requests) => {
                        tracing::info!(namespace, agent = name, requests, "requests are cancelled");
                    }
                    Err(error) => tracing::error!(namespace, agent = name, %error, "requests stay open"),
                }
            }
            Ok(Response::new(agent))
        })
        .await
    }
}

#[async_trait]
impl AgentRegistry for Agents {
    async fn create_agent(&self, request: Request<CreateAgentRequest>) -> Result<Response<Agent>, Status> {
        let (_, message) = confined(request)?;
        self.registry.create(message).await.map(Response::new).map_err(of_identity)
    }

    async fn get_agent(&self, request: Request<GetAgentRequest>) -> Result<Response<Agent>, Status> {
        let (_, message) = confined(request)?;
        self.registry.get(&message.namespace, &message.name).await.map(Response::new).map_err(of_identity)
    }

    async fn list_agents(
        &self,
        request: Request<ListAgentsRequest>,
    ) -> Result<Response<ListAgentsResponse>, Status> {
        let (_, message) = confined(request)?;
        self.registry.list(&message).await.map(Response::new).map_err(of_identity)
    }

    async fn rotate_agent_key(
        &self,
        request: Request<RotateAgentKeyRequest>,
    ) -> Result<Response<Agent>, Status> {
        let (_, message) = confined(request)?;
        let (registry, changes) = (self.registry.clone(), self.changes.clone());
        finished(async move {
            let agent = registry.rotate(&message).await.map_err(of_identity)?;
            changes.note_principals(&message.namespace);
            Ok(Response::new(agent))
        })
        .await
    }

    async fn suspend_agent(&self, request: Request<SuspendAgentRequest>) -> Result<Response<Agent>, Status> {
        let (operator, message) = confined(request)?;
        let by = operator.named_in(&message.namespace);
        self.set(message.namespace, message.name, (AgentState::Suspended, by)).await
    }

    async fn resume_agent(&self, request: Request<ResumeAgentRequest>) -> Result<Response<Agent>, Status> {
        let (operator, message) = confined(request)?;
        let by = operator.named_in(&message.namespace);
        self.set(message.namespace, message.name, (AgentState::Active, by)).await
    }

    async fn revoke_agent(&self, request: Request<RevokeAgentRequest>) -> Result<Response<Agent>, Status> {
        let (operator, message) = confined(request)?;
        let by = operator.named_in(&message.namespace);
        self.set(message.namespace, message.name, (AgentState::Revoked, by)).await
    }
}
