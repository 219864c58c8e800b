//! Agents and the people behind them: registering them, and handing permissions from one to the other.

use creto_authz::{AgentId, Link};
use creto_proto::v1;
use ed25519_dalek::SigningKey;
use tonic::Code;

use crate::failure::{Failure, Outcome};
use crate::home::Home;
use crate::keys;
use crate::operator::{Operator, refused};
use crate::turns::{self, With};

/// Name of the root principal that a home is given at its first start.
pub(crate) const OPERATOR: &str = "operator";

/// Clocks of two machines may differ by this many seconds: links begin that much earlier.
const CLOCK_SLACK_S: u64 = 60;

/// What an agent is registered with.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Unique name in the namespace.
    pub(crate) name: String,
    /// Ed25519 public key.
    pub(crate) public_key: [u8; 32],
    /// Service tier.
    pub(crate) tier: v1::Tier,
    /// Trust level.
    pub(crate) trust: v1::TrustLevel,
    /// Labels that policies select by.
    pub(crate) labels: Vec<(String, String)>,
    /// May sign the first link of a chain.
    pub(crate) root: bool,
}

/// Registers an agent.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn register(operator: &Operator, registration: Registration) -> Outcome<v1::Agent> {
    let what = format!("The agent {} cannot be created.", registration.name);
    let request = v1::CreateAgentRequest {
        namespace: operator.namespace.clone(),
        name: registration.name,
        public_key: registration.public_key.to_vec(),
        tier: registration.tier.into(),
        trust_level: registration.trust.into(),
        labels: registration.labels.into_iter().collect(),
        root: registration.root,
    };
    let answer = operator.client.agents().create_agent(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| refused(what, &status))
}

/// The agent of this name, if there is one.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn find(operator: &Operator, name: &str) -> Outcome<Option<v1::Agent>> {
    let request = v1::GetAgentRequest { namespace: operator.namespace.clone(), name: name.to_owned() };
    match operator.client.agents().get_agent(request).await {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(refused(format!("The agent {name} cannot be looked up."), &status)),
    }
}

/// The agent of this name.
///
/// # Errors
/// When there is none, or the control plane refuses.
pub(crate) async fn get(operator: &Operator, name: &str) -> Outcome<v1::Agent> {
    find(operator, name).await?.ok_or_else(|| {
        Failure::new(format!("There is no agent {name} in the namespace {}.", operator.namespace))
            .next("`creto agents list` shows the agents; `creto agents create` makes one.")
    })
}

/// The home's root principal; made and registered where it is missing.
///
/// # Errors
/// When the control plane refuses, or knows the name with another key.
pub(crate) async fn root_principal(home: &Home, operator: &Operator) -> Outcome<SigningKey> {
    // Two first starts at once would each make a key, and one be registered while the other is kept.
    let _turn = turns::take(&home.keys().join("operator.lock"), With::Nobody).await?;
    let kept = keys::find(home, OPERATOR)?;
    let known = find(operator, OPERATOR).await?;
    match (kept, known) {
        (Some(key), Some(agent)) if agent.public_key == key.verifying_key().to_bytes() => Ok(key),
        (_, Some(_)) => Err(Failure::new("The root principal 'operator' has another key than this home.")
            .why(format!("{} does not hold the key that the control plane knows", home.keys().display()))
            .next("Copy operator.key from the home that made it.")),
        (kept, None) => {
            let key = kept.map_or_else(keys::generate, Ok)?;
            keys::keep(home, OPERATOR, &key)?;
            let registration = Registration {
                name: OPERATOR.to_owned(),
                public_key: key.verifying_key().to_bytes(),
                tier: v1::Tier::Premium,
                trust: v1::TrustLevel::Trusted,
                labels: Vec::new(),
                root: true,
            };
            match register(operator, registration).await {
                Ok(_) => Ok(key),
                // Another invocation of this home was faster: the key is the same file.
                Err(failure) => match find(operator, OPERATOR).await? {
                    Some(_) => keys::load(home, OPERATOR),
                    None => Err(failure),
                },
            }
        }
    }
}

/// Signs a link and submits the chain that ends with it.
///
/// # Errors
/// When the control plane refuses the chain.
pub(crate) async fn delegate(
    operator: &Operator,
    key: &SigningKey,
    to: &v1::Agent,
    permissions: &[String],
    lifetime_s: u64,
    parent: Vec<v1::DelegationLink>,
) -> Outcome<v1::Delegation> {
    let agent_id = AgentId::try_from(to.agent_id.as_slice())
        .map_err(|error| Failure::new(format!("The control plane gave no id for {}.", to.name)).why(error))?;
    let mut permissions = permissions.to_vec();
    permissions.sort();
    permissions.dedup();
    let now = now_s();
    // A link may not begin before, nor end after, the one it is handed on from.
    let (earliest, latest) =
        parent.last().map_or((0, u64::MAX), |link| (link.not_before_s, link.expires_at_s));
    let link = Link {
        delegator_id: AgentId::of_key(&key.verifying_key().to_bytes()),
        agent_id,
        permissions,
        audience: operator.namespace.clone(),
        not_before_s: (now - CLOCK_SLACK_S.min(now)).max(earliest),
        expires_at_s: now.saturating_add(lifetime_s).min(latest),
        nonce: keys::random()?,
    };
    let signed = link.sign(key);
    let mut links = parent;
    links.push(v1::DelegationLink {
        delegator_id: signed.link.delegator_id.0.to_vec(),
        agent_id: signed.link.agent_id.0.to_vec(),
        permissions: signed.link.permissions,
        audience: signed.link.audience,
        not_before_s: signed.link.not_before_s,
        expires_at_s: signed.link.expires_at_s,
        nonce: signed.link.nonce.to_vec(),
        signature: signed.signature.to_vec(),
    });
    let request = v1::SubmitDelegationRequest { namespace: operator.namespace.clone(), links };
    let answer = operator.client.delegations().submit_delegation(request).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| refused(format!("The delegation to {} is refused.", to.name), &status))
}

/// The delegations that an agent holds and can use now, or all agents' when the name is empty.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn delegations(operator: &Operator, agent: &str) -> Outcome<Vec<v1::Delegation>> {
    crate::operator::all_pages(crate::commands::LONGEST_LIST, |page_size, page_token| async move {
        let request = v1::ListDelegationsRequest {
            namespace: operator.namespace.clone(),
            agent_name: agent.to_owned(),
            page_size,
            page_token,
        };
        let answer = operator.client.delegations().list_delegations(request).await;
        let page =
            answer.map_err(|status| refused("The delegations cannot be listed.", &status))?.into_inner();
        Ok((page.delegations, page.next_page_token))
    })
    .await
}

/// Whether a delegation is good now.
#[must_use]
pub(crate) fn is_live(delegation: &v1::Delegation) -> bool {
    let now = now_s();
    !delegation.revoked
        && !delegation.links.is_empty()
        && delegation.links.iter().all(|link| link.expires_at_s > now)
}

/// Seconds since the Unix epoch.
#[must_use]
pub(crate) fn now_s() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

/// What an agent needs before it may call.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// How long a delegation made for it lasts, seconds.
    pub(crate) lifetime_s: u64,
    /// Whether its key stays in the home; without it the agent cannot delegate further.
    pub(crate) keep_key: bool,
}

/// Finds or registers the agent, and delegates everything to it unless it holds a live delegation: policy narrows.
///
/// # Errors
/// When the agent is suspended or revoked, or the control plane refuses.
pub(crate) async fn stand(
    home: &Home,
    operator: &Operator,
    root: &SigningKey,
    wanted: &Standing<'_>,
) -> Outcome<v1::Agent> {
    let name = wanted.name;
    let agent = match find(operator, name).await? {
        Some(agent) if agent.state() == v1::AgentState::Active => agent,
        Some(agent) => {
            let state = crate::words::state(&agent);
            return Err(Failure::new(format!("The agent {name} is {state}.")).next(format!(
                "Choose another name; a suspended agent comes back with `creto agents resume {name}`."
            )));
        }
        None => {
            let key = keys::generate()?;
            let registration = Registration {
                name: name.to_owned(),
                public_key: key.verifying_key().to_bytes(),
                tier: v1::Tier::Standard,
                trust: v1::TrustLevel::Trusted,
                labels: Vec::new(),
                root: false,
            };
            let agent = register(operator, registration).await?;
            if wanted.keep_key {
                keys::keep(home, name, &key)?;
            }
            agent
        }
    };
    let held = delegations(operator, name).await?;
    let live = |held: &v1::Delegation| {
        is_live(held) && held.links.last().is_some_and(|link| link.agent_id == agent.agent_id)
    };
    if !held.iter().any(live) {
        delegate(operator, root, &agent, &["*:*".to_owned()], wanted.lifetime_s, Vec::new()).await?;
    }
    Ok(agent)
}

/// A single-use token that lets one sidecar enrol for the agent.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn enrollment_token(operator: &Operator, agent: &str) -> Outcome<String> {
    let request = v1::CreateEnrollmentTokenRequest {
        namespace: operator.namespace.clone(),
        agent_name: agent.to_owned(),
        ttl_s: 0,
    };
    let answer = operator.client.enrollment().create_enrollment_token(request).await;
    let made = answer.map_err(|status| refused(format!("There is no enrolment for {agent}."), &status))?;
    Ok(made.into_inner().token)
}

/// Ends an agent for good.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn revoke(operator: &Operator, name: &str) -> Outcome {
    let request = v1::RevokeAgentRequest { namespace: operator.namespace.clone(), name: name.to_owned() };
    let answer = operator.client.agents().revoke_agent(request).await;
    answer.map(|_| ()).map_err(|status| refused(format!("The agent {name} is not revoked."), &status))
}
