//! `creto delegate`: one principal hands permissions to another. `creto delegations`: what was handed on.

use clap::{Args, Subcommand};
use creto_proto::v1;

use crate::failure::{Failure, Outcome};
use crate::operator::{Operator, refused};
use crate::session::Session;
use crate::span::Span;
use crate::{keys, principals, words};

/// Options of `delegate`.
#[derive(Args, Debug)]
pub(crate) struct DelegateArgs {
    /// Who delegates; its key must be in this home.
    #[arg(long, value_name = "NAME", default_value = principals::OPERATOR)]
    from: String,
    /// Who may then act.
    #[arg(long, value_name = "NAME")]
    to: String,
    /// verb:resource, such as get:api.github.com/repos/** or *:*; may be repeated.
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
    /// How long it lasts.
    #[arg(long, value_name = "SPAN", default_value = "8h")]
    expires: Span,
    /// The delegation to hand on from, by its id or its beginning; needed when the delegator holds several.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,
}

/// What is done with delegations.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub(crate) enum DelegationsCommand {
    /// List delegations.
    List {
        /// Of this agent only.
        #[arg(long, value_name = "NAME", default_value = "")]
        agent: String,
    },
    /// End a delegation and everything handed on from it.
    Revoke {
        /// Its id, or the beginning of it.
        id: String,
    },
}

/// Delegates.
///
/// # Errors
/// When a key is missing or the control plane refuses.
pub(crate) async fn run(session: &Session, args: DelegateArgs) -> Outcome {
    if args.from == args.to {
        return Err(Failure::new("An agent cannot delegate to itself.").next("Name two principals."));
    }
    let operator = session.operator().await?;
    if args.from == principals::OPERATOR && !session.is_elsewhere() {
        principals::root_principal(&session.home, &operator).await?;
    }
    let from = principals::get(&operator, &args.from).await?;
    let to = principals::get(&operator, &args.to).await?;
    let key = keys::load(&session.home, &args.from)?;
    let parent = parent_links(&operator, &from, args.parent.as_deref()).await?;
    let made =
        principals::delegate(&operator, &key, &to, &args.permissions, args.expires.seconds(), parent).await?;
    let until = made.links.last().map_or(0, |link| link.expires_at_s);
    let text = format!(
        "{} may act for {} until {}: {}\ndelegation {}",
        args.to,
        args.from,
        words::seconds(until),
        args.permissions.join(" "),
        hex::encode(&made.delegation_id)
    );
    session.output.value(&words::delegation(&made), &text)
}

/// Lists or revokes.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn manage(session: &Session, command: DelegationsCommand) -> Outcome {
    let operator = session.operator().await?;
    match command {
        DelegationsCommand::List { agent } => list(session, &operator, &agent).await,
        DelegationsCommand::Revoke { id } => {
            let found = by_id(principals::delegations(&operator, "").await?, &id)?;
            let request = v1::RevokeDelegationRequest {
                namespace: operator.namespace.clone(),
                delegation_id: found.delegation_id,
            };
            let answer = operator.client.delegations().revoke_delegation(request).await;
            let ended =
                answer.map_err(|status| refused("The delegation is not revoked.", &status))?.into_inner();
            let text = format!("{} is revoked", hex::encode(&ended.delegation_id));
            session.output.value(&words::delegation(&ended), &text)
        }
    }
}

async fn list(session: &Session, operator: &Operator, agent: &str) -> Outcome {
    let rows: Vec<_> = principals::delegations(operator, agent)
        .await?
        .iter()
        .map(|delegation| {
            let last = delegation.links.last().cloned().unwrap_or_default();
            let state = match (delegation.revoked, principals::is_live(delegation)) {
                (true, _) => "revoked",
                (false, true) => "live",
                (false, false) => "expired",
            };
            let cells = vec![
                hex::encode(&delegation.delegation_id[..delegation.delegation_id.len().min(6)]),
                hex::encode(&last.agent_id[..last.agent_id.len().min(6)]),
                state.to_owned(),
                delegation.links.len().to_string(),
                words::seconds(last.expires_at_s),
                last.permissions.join(" "),
            ];
            (cells, words::delegation(delegation))
        })
        .collect();
    session.output.list(&["id", "agent id", "state", "links", "expires", "permissions"], &rows)
}

/// The links to hand on from: none for a root principal, else those of the delegation it holds.
async fn parent_links(
    operator: &Operator,
    from: &v1::Agent,
    wanted: Option<&str>,
) -> Outcome<Vec<v1::DelegationLink>> {
    if wanted.is_none() && from.root {
        return Ok(Vec::new());
    }
    let mut held: Vec<v1::Delegation> = principals::delegations(operator, &from.name)
        .await?
        .into_iter()
        .filter(|held| {
            principals::is_live(held) && held.links.last().is_some_and(|l| l.agent_id == from.agent_id)
        })
        .collect();
    if let Some(wanted) = wanted {
        return Ok(by_id(held, wanted)?.links);
    }
    match (held.pop(), held.is_empty()) {
        (Some(only), true) => Ok(only.links),
        (None, _) => Err(Failure::new(format!("{} holds nothing that it could hand on.", from.name))
            .next(format!("Delegate to it first: creto delegate --to {} --permission ...", from.name))),
        (Some(_), false) => Err(Failure::new(format!("{} holds several delegations.", from.name)).next(
            format!("Say which with --parent; `creto delegations list --agent {}` shows them.", from.name),
        )),
    }
}

fn by_id(mut delegations: Vec<v1::Delegation>, id: &str) -> Outcome<v1::Delegation> {
    delegations
        .retain(|delegation| hex::encode(&delegation.delegation_id).starts_with(&id.to_ascii_lowercase()));
    match (delegations.pop(), delegations.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Failure::new(format!("There is no delegation {id}."))
            .next("`creto delegations list` shows them.")),
        (Some(_), false) => {
            Err(Failure::new(format!("Several delegations begin with {id}.")).next("Write more of the id."))
        }
    }
}
