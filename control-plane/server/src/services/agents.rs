//! `AgentRegistry`.

use creto_identity::Registry;
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
}

impl Agents {
    async fn set(
        &self,
        namespace: String,
        name: String,
        state: AgentState,
    ) -> Result<Response<Agent>, Status> {
        let (registry, changes) = (self.registry.clone(), self.changes.clone());
        finished(async move {
            let set = registry.set_state(&namespace, &name, state).await;
            let (agent, concerns_others) = set.map_err(of_identity)?;
            changes.note_agents(&namespace, &[&name], concerns_others);
            tracing::info!(namespace, agent = name, state = state.as_str_name(), "agent changed");
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
        let (_, message) = confined(request)?;
        self.set(message.namespace, message.name, AgentState::Suspended).await
    }

    async fn resume_agent(&self, request: Request<ResumeAgentRequest>) -> Result<Response<Agent>, Status> {
        let (_, message) = confined(request)?;
        self.set(message.namespace, message.name, AgentState::Active).await
    }

    async fn revoke_agent(&self, request: Request<RevokeAgentRequest>) -> Result<Response<Agent>, Status> {
        let (_, message) = confined(request)?;
        self.set(message.namespace, message.name, AgentState::Revoked).await
    }
}
