//! `creto agents`: who the agents are.

use clap::{Args, Subcommand};
use creto_authz::AgentId;
use creto_proto::v1;
use ed25519_dalek::Signer;
use tonic::{Response, Status};

use crate::failure::{Failure, Outcome};
use crate::operator::{Operator, all_pages, refused};
use crate::principals::{self, Registration};
use crate::session::Session;
use crate::{keys, words};

/// What is done with agents.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub(crate) enum AgentsCommand {
    /// Register an agent; its key is made here unless its public key is given.
    Create(CreateArgs),
    /// Show one agent.
    Show(NameArgs),
    /// List the agents.
    List(ListArgs),
    /// Replace the agent's key; delegations to the old one end.
    Rotate(NameArgs),
    /// Refuse the agent's calls until it is resumed.
    Suspend(NameArgs),
    /// Let a suspended agent call again.
    Resume(NameArgs),
    /// End the agent for good.
    Revoke(NameArgs),
}

/// Options of `create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// 1 to 63 of a-z, 0-9 and '-'.
    name: String,
    /// Service tier.
    #[arg(long, value_enum, default_value = "standard")]
    tier: words::Tier,
    /// How far it is trusted.
    #[arg(long, value_enum, default_value = "trusted")]
    trust: words::Trust,
    /// Label that policies select by; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// May delegate first: a person or a service.
    #[arg(long)]
    root: bool,
    /// Ed25519 public key in hexadecimal, when the private one is kept elsewhere.
    #[arg(long, value_name = "HEX", value_parser = public_key)]
    public_key: Option<[u8; 32]>,
}

/// One agent by name.
#[derive(Args, Debug)]
pub(crate) struct NameArgs {
    /// Name of the agent.
    name: String,
}

/// Options of `list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Revoked agents too.
    #[arg(long)]
    all: bool,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) =
        text.split_once('=').ok_or_else(|| format!("'{text}' is no label: write key=value"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn public_key(text: &str) -> Result<[u8; 32], String> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).map_err(|_| "a public key is 64 hexadecimal digits".to_owned())?;
    Ok(key)
}

/// Does it.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn run(session: &Session, command: AgentsCommand) -> Outcome {
    let operator = session.operator().await?;
    match command {
        AgentsCommand::Create(args) => create(session, &operator, args).await,
        AgentsCommand::Show(args) => show(session, &principals::get(&operator, &args.name).await?),
        AgentsCommand::List(args) => list(session, &operator, args.all).await,
        AgentsCommand::Rotate(args) => rotate(session, &operator, &args.name).await,
        AgentsCommand::Suspend(NameArgs { name }) => {
            let namespace = operator.namespace.clone();
            let request = v1::SuspendAgentRequest { namespace, name: name.clone() };
            changed(session, &name, "suspended", operator.client.agents().suspend_agent(request).await)
        }
        AgentsCommand::Resume(NameArgs { name }) => {
            let namespace = operator.namespace.clone();
            let request = v1::ResumeAgentRequest { namespace, name: name.clone() };
            changed(session, &name, "resumed", operator.client.agents().resume_agent(request).await)
        }
        AgentsCommand::Revoke(NameArgs { name }) => {
            let namespace = operator.namespace.clone();
            let request = v1::RevokeAgentRequest { namespace, name: name.clone() };
            changed(session, &name, "revoked", operator.client.agents().revoke_agent(request).await)
        }
    }
}

async fn create(session: &Session, operator: &Operator, args: CreateArgs) -> Outcome {
    let own = match args.public_key {
        Some(_) => None,
        None => Some(keys::generate()?),
    };
    let public_key =
        args.public_key.or(own.as_ref().map(|key| key.verifying_key().to_bytes())).unwrap_or_default();
    let registration = Registration {
        name: args.name.clone(),
        public_key,
        tier: args.tier.into(),
        trust: args.trust.into(),
        labels: args.labels,
        root: args.root,
    };
    let agent = principals::register(operator, registration).await?;
    if let Some(key) = own {
        keys::keep(&session.home, &args.name, &key)?;
    }
    show(session, &agent)
}

fn show(session: &Session, agent: &v1::Agent) -> Outcome {
    let labels: Vec<String> = agent.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let text = format!(
        "name     {}\nstate    {}\nid       {}\ntier     {}\ntrust    {}\nroot     {}\nlabels   {}\ncreated  {}",
        agent.name,
        words::state(agent),
        hex::encode(&agent.agent_id),
        words::tier(agent),
        words::trust(agent),
        if agent.root { "yes" } else { "no" },
        labels.join(" "),
        crate::output::moment(agent.created_at_ms),
    );
    session.output.value(&words::agent(agent), &text)
}

async fn list(session: &Session, operator: &Operator, all: bool) -> Outcome {
    let agents = all_pages(super::LONGEST_LIST, |page_size, page_token| async move {
        let request = v1::ListAgentsRequest { namespace: operator.namespace.clone(), page_size, page_token };
        let answer = operator.client.agents().list_agents(request).await;
        let page = answer.map_err(|status| refused("The agents cannot be listed.", &status))?.into_inner();
        Ok((page.agents, page.next_page_token))
    })
    .await?;
    let rows: Vec<_> = agents
        .iter()
        .filter(|agent| all || agent.state() != v1::AgentState::Revoked)
        .map(|agent| {
            let cells = vec![
                agent.name.clone(),
                words::state(agent),
                words::tier(agent),
                words::trust(agent),
                hex::encode(&agent.agent_id[..agent.agent_id.len().min(6)]),
            ];
            (cells, words::agent(agent))
        })
        .collect();
    session.output.list(&["name", "state", "tier", "trust", "id"], &rows)
}

async fn rotate(session: &Session, operator: &Operator, name: &str) -> Outcome {
    let old = keys::load(&session.home, name)?;
    let new = keys::generate()?;
    let new_public_key = new.verifying_key().to_bytes();
    let mut signed = b"creto-rotate-v1".to_vec();
    signed.extend_from_slice(AgentId::of_key(&old.verifying_key().to_bytes()).as_bytes());
    signed.extend_from_slice(&new_public_key);
    let request = v1::RotateAgentKeyRequest {
        namespace: operator.namespace.clone(),
        name: name.to_owned(),
        new_public_key: new_public_key.to_vec(),
        signature: old.sign(&signed).to_bytes().to_vec(),
    };
    // On disk before it counts: a crash between the two must not lose the only copy of a valid key.
    let waiting = format!("{name}.next");
    keys::keep(&session.home, &waiting, &new)?;
    let answer = operator.client.agents().rotate_agent_key(request).await;
    answer.map_err(|status| refused(format!("The key of {name} is not replaced."), &status))?;
    keys::keep(&session.home, name, &new)?;
    keys::forget(&session.home, &waiting)?;
    let agent = principals::get(operator, name).await?;
    show(session, &agent)
}

fn changed(
    session: &Session,
    name: &str,
    what: &str,
    answer: Result<Response<v1::Agent>, Status>,
) -> Outcome {
    let agent = answer
        .map_err(|status| -> Failure { refused(format!("The agent {name} is not {what}."), &status) })?
        .into_inner();
    session.output.value(&words::agent(&agent), &format!("{name} is {what}"))
}
