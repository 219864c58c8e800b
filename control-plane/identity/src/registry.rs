//! Agents: creating, showing, listing, rotating, suspending, revoking.

use std::collections::BTreeMap;
use std::sync::Arc;

use creto_authz::AgentId;
use creto_proto::v1::{
    Agent, AgentState, CreateAgentRequest, ListAgentsRequest, ListAgentsResponse, RotateAgentKeyRequest,
    Tier, TrustLevel,
};
use creto_store::{KeptAgent, KeptState, Store};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::page::{page_limit, page_of};
use crate::{IdentityError, check_name, now_ms};

/// Most agents of a namespace, revoked ones included: their names stay taken.
pub const MAX_AGENTS: u64 = 100_000;
/// Most labels of an agent.
pub const MAX_LABELS: usize = 32;
/// Longest label key or value, in bytes.
pub const MAX_LABEL_BYTES: usize = 128;

const ROTATE_DOMAIN: &[u8] = b"creto-rotate-v1";

/// Keeps agents.
#[derive(Clone)]
pub struct Registry {
    store: Arc<dyn Store>,
}

impl Registry {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Registers an agent. Tier and trust level default to basic and untrusted.
    ///
    /// # Errors
    /// [`IdentityError`] for a bad field, or a name or key in use.
    pub async fn create(&self, request: CreateAgentRequest) -> Result<Agent, IdentityError> {
        check_name("namespace", &request.namespace)?;
        check_name("name", &request.name)?;
        let public_key = public_key("public_key", &request.public_key)?;
        let tier = match Tier::try_from(request.tier) {
            Ok(Tier::Unspecified) => Tier::Basic,
            Ok(tier) => tier,
            Err(_) => return Err(IdentityError::invalid("tier", "use basic, standard or premium")),
        };
        let trust_level = match TrustLevel::try_from(request.trust_level) {
            Ok(TrustLevel::Unspecified) => TrustLevel::Untrusted,
            Ok(level) => level,
            Err(_) => {
                return Err(IdentityError::invalid("trust_level", "use trusted, untrusted or suspended"));
            }
        };
        let now = now_ms();
        let kept = KeptAgent {
            namespace: request.namespace,
            name: request.name,
            agent_id: AgentId::of_key(&public_key).0,
            public_key,
            tier: tier.into(),
            trust_level: trust_level.into(),
            state: KeptState::Active,
            labels: labels(request.labels)?,
            root: request.root,
            created_at_ms: now,
            updated_at_ms: now,
        };
        self.store
            .create_agent(&kept, MAX_AGENTS)
            .await
            .map_err(|error| IdentityError::about_agent(&kept.name, error))?;
        Ok(agent_message(kept))
    }

    /// One agent.
    ///
    /// # Errors
    /// [`IdentityError::NoAgent`].
    pub async fn get(&self, namespace: &str, name: &str) -> Result<Agent, IdentityError> {
        let found = self.store.agent(namespace, name).await;
        found.map(agent_message).map_err(|error| IdentityError::about_agent(name, error))
    }

    /// A page of agents, by name.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for a page size out of range.
    pub async fn list(&self, request: &ListAgentsRequest) -> Result<ListAgentsResponse, IdentityError> {
        let limit = page_limit(request.page_size)?;
        let page = self
            .store
            .agents(&request.namespace, &request.page_token, limit)
            .await
            .map_err(IdentityError::Store)?;
        let agents = page.into_iter().map(agent_message).collect();
        let (agents, next_page_token) = page_of(agents, limit, |agent: &Agent| agent.name.clone());
        Ok(ListAgentsResponse { agents, next_page_token })
    }

    /// Replaces an agent's key, proven by its current one.
    ///
    /// # Errors
    /// [`IdentityError::RotationUnproven`] when the signature does not hold, and as for creating.
    pub async fn rotate(&self, request: &RotateAgentKeyRequest) -> Result<Agent, IdentityError> {
        let name = request.name.as_str();
        let about = |error| IdentityError::about_agent(name, error);
        let new_key = public_key("new_public_key", &request.new_public_key)?;
        let before = self.store.agent(&request.namespace, name).await.map_err(about)?;
        let mut message = ROTATE_DOMAIN.to_vec();
        message.extend_from_slice(&before.agent_id);
        message.extend_from_slice(&new_key);
        let proven = Signature::from_slice(&request.signature).is_ok_and(|signature| {
            VerifyingKey::from_bytes(&before.public_key)
                .is_ok_and(|key| key.verify_strict(&message, &signature).is_ok())
        });
        if !proven {
            return Err(IdentityError::RotationUnproven);
        }
        let new_id = AgentId::of_key(&new_key).0;
        let rotated = self
            .store
            .rotate_agent_key(&request.namespace, name, &before.agent_id, (&new_id, &new_key), now_ms())
            .await;
        rotated.map(agent_message).map_err(about)
    }

    /// Suspends, resumes or revokes an agent, and says whether that concerns chains of others.
    ///
    /// # Errors
    /// [`IdentityError::NoAgent`], or [`IdentityError::Revoked`] when it is to come back.
    pub async fn set_state(
        &self,
        namespace: &str,
        name: &str,
        state: AgentState,
    ) -> Result<(Agent, bool), IdentityError> {
        let state = match state {
            AgentState::Active => KeptState::Active,
            AgentState::Suspended => KeptState::Suspended,
            AgentState::Revoked => KeptState::Revoked,
            AgentState::Unspecified => {
                return Err(IdentityError::invalid("state", "say active, suspended or revoked"));
            }
        };
        let set = self.store.set_agent_state(namespace, name, state, now_ms()).await;
        set.map(|set| (agent_message(set.agent), set.concerns_others))
            .map_err(|error| IdentityError::about_agent(name, error))
    }
}

/// A usable Ed25519 public key: on the curve, not of small order.
pub(crate) fn public_key(field: &'static str, bytes: &[u8]) -> Result<[u8; 32], IdentityError> {
    let problem = "send the 32 bytes of an Ed25519 public key (RFC 8032)";
    let key: [u8; 32] = bytes.try_into().map_err(|_| IdentityError::invalid(field, problem))?;
    match VerifyingKey::from_bytes(&key) {
        Ok(point) if !point.is_weak() => Ok(key),
        _ => Err(IdentityError::invalid(field, problem)),
    }
}

fn labels(
    given: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, IdentityError> {
    let labels: BTreeMap<_, _> = given.into_iter().collect();
    if labels.len() > MAX_LABELS {
        return Err(IdentityError::invalid("labels", format!("give at most {MAX_LABELS}")));
    }
    let fits = |text: &str| text.len() <= MAX_LABEL_BYTES && !text.chars().any(char::is_control);
    if !labels.iter().all(|(key, value)| !key.is_empty() && fits(key) && fits(value)) {
        let problem =
            format!("keys and values are at most {MAX_LABEL_BYTES} bytes without control characters");
        return Err(IdentityError::invalid("labels", problem));
    }
    Ok(labels)
}

/// The API's name for a state.
#[must_use]
pub fn state_of(state: KeptState) -> AgentState {
    match state {
        KeptState::Active => AgentState::Active,
        KeptState::Suspended => AgentState::Suspended,
        KeptState::Revoked => AgentState::Revoked,
    }
}

/// An agent as the API shows it.
#[must_use]
pub fn agent_message(kept: KeptAgent) -> Agent {
    Agent {
        namespace: kept.namespace,
        name: kept.name,
        agent_id: kept.agent_id.to_vec(),
        public_key: kept.public_key.to_vec(),
        tier: kept.tier,
        trust_level: kept.trust_level,
        state: state_of(kept.state).into(),
        labels: kept.labels.into_iter().collect(),
        root: kept.root,
        created_at_ms: kept.created_at_ms,
        updated_at_ms: kept.updated_at_ms,
    }
}
