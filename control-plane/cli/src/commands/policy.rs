//! `creto policy`: what agents may call.

mod meaning;

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use creto_call::{Call, Capture, Details, Kind, NormalHost, Scheme};
use creto_policy::{AgentFacts, Document, MAX_DOCUMENT_BYTES, PolicySet, Tier, Trust};
use creto_proto::v1;
use serde_json::json;

use self::meaning::MeaningArgs;
use crate::failure::{Failure, Outcome};
use crate::operator::{Operator, all_pages, refused};
use crate::session::Session;
use crate::{principals, words};

/// What is done with policies.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub(crate) enum PolicyCommand {
    /// Look for errors in a document; nothing is applied and no control plane is needed.
    Check(FileArgs),
    /// Check a document and bring it to the sidecars of the agents it is for.
    Apply(FileArgs),
    /// List the policies.
    List,
    /// Print the document of a policy.
    Show {
        /// Name of the policy.
        name: String,
    },
    /// Remove a policy: what only it allowed is refused from then on.
    Delete {
        /// Name of the policy.
        name: String,
    },
    /// Say which rule decides a call, and why.
    Explain(Box<ExplainArgs>),
}

/// A document.
#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// The document (TOML).
    file: PathBuf,
}

/// Options of `explain`.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The agent that calls; with a FILE it need not exist.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Method of the call; CONNECT asks about an undecrypted tunnel. GET, or POST where options say what the body holds.
    #[arg(long)]
    method: Option<String>,
    #[command(flatten)]
    meaning: MeaningArgs,
    /// URL of the call.
    url: String,
    /// Decide by this document alone instead of those applied.
    file: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// When a document does not hold or the control plane refuses.
pub(crate) async fn run(session: &Session, command: PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::Check(args) => check(session, &args.file),
        PolicyCommand::Apply(args) => {
            let text = read(&args.file)?;
            parse(&args.file.to_string_lossy(), &text)?;
            let policy = apply(&session.operator().await?, text).await?;
            let version = policy.version.get(..12).unwrap_or(&policy.version);
            let text = format!("applied {} (revision {}, version {version})", policy.name, policy.revision);
            session.output.value(&words::policy(&policy), &text)
        }
        PolicyCommand::List => list(session).await,
        PolicyCommand::Show { name } => {
            let operator = session.operator().await?;
            let request = v1::GetPolicyRequest { namespace: operator.namespace.clone(), name: name.clone() };
            let answer = operator.client.policies().get_policy(request).await;
            let policy = answer
                .map_err(|status| refused(format!("The policy {name} cannot be shown."), &status))?
                .into_inner();
            session.output.value(&words::policy(&policy), policy.document.trim_end())
        }
        PolicyCommand::Delete { name } => {
            delete(&session.operator().await?, &name).await?;
            session.output.value(&json!({"deleted": name}), &format!("deleted {name}"))
        }
        PolicyCommand::Explain(args) => explain(session, *args).await,
    }
}

/// Reads a document from a file.
///
/// # Errors
/// When the file cannot be read as text or is too large.
pub(crate) fn read(file: &Path) -> Outcome<String> {
    let unreadable = |why: String| {
        Failure::new(format!("The policy {} cannot be read.", file.display()))
            .why(why)
            .next("Name a TOML document; docs/write-a-policy.md shows one.")
    };
    let size = fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if size > u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX) {
        return Err(unreadable(format!("it has {size} bytes, over the bound of {MAX_DOCUMENT_BYTES}")));
    }
    fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))
}

/// Parses a document; the failure shows every problem with line and caret.
///
/// # Errors
/// When the document does not hold.
pub(crate) fn parse(name: &str, text: &str) -> Outcome<Document> {
    Document::parse(name, text).map_err(|problems| {
        let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Failure::new(format!("The policy {name} does not hold."))
            .why(problems.to_string())
            .next("Correct the places shown; nothing was applied.")
            .shown_as(problems.render(color))
    })
}

/// Applies a document.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn apply(operator: &Operator, document: String) -> Outcome<v1::Policy> {
    let request = v1::ApplyPolicyRequest { namespace: operator.namespace.clone(), document };
    let answer = operator.client.policies().apply_policy(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| refused("The policy is not applied.", &status))
}

/// Removes a policy.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn delete(operator: &Operator, name: &str) -> Outcome {
    let request = v1::DeletePolicyRequest { namespace: operator.namespace.clone(), name: name.to_owned() };
    let answer = operator.client.policies().delete_policy(request).await;
    answer.map(|_| ()).map_err(|status| refused(format!("The policy {name} is not deleted."), &status))
}

fn check(session: &Session, file: &Path) -> Outcome {
    let document = parse(&file.to_string_lossy(), &read(file)?)?;
    let (rules, routes) = (document.rules().len(), document.routes().len());
    let credentials = document.credentials().len();
    let mut text = format!("{} holds: {rules} rules, {routes} routes", document.name());
    if credentials > 0 {
        text.push_str(&format!(", {credentials} credentials"));
    }
    let value =
        json!({"name": document.name(), "rules": rules, "routes": routes, "credentials": credentials});
    session.output.value(&value, &text)
}

async fn all(operator: &Operator) -> Outcome<Vec<v1::Policy>> {
    all_pages(super::LONGEST_LIST, |page_size, page_token| async move {
        let request =
            v1::ListPoliciesRequest { namespace: operator.namespace.clone(), page_size, page_token };
        let answer = operator.client.policies().list_policies(request).await;
        let page = answer.map_err(|status| refused("The policies cannot be listed.", &status))?.into_inner();
        Ok((page.policies, page.next_page_token))
    })
    .await
}

async fn list(session: &Session) -> Outcome {
    let rows: Vec<_> = all(&session.operator().await?)
        .await?
        .iter()
        .map(|policy| {
            let cells = vec![
                policy.name.clone(),
                policy.revision.to_string(),
                policy.version.get(..12).unwrap_or_default().to_owned(),
                crate::output::moment(policy.updated_at_ms),
            ];
            (cells, words::policy(policy))
        })
        .collect();
    session.output.list(&["name", "revision", "version", "applied"], &rows)
}

async fn explain(session: &Session, args: ExplainArgs) -> Outcome {
    let target = Target::parse(&args.url)?;
    let method = args.method.as_deref().unwrap_or_else(|| args.meaning.method());
    let opaque = method == "CONNECT";
    let set = match &args.file {
        Some(file) => {
            let document = parse(&file.to_string_lossy(), &read(file)?)?;
            match &args.agent {
                // With a file the agent may be one that does not exist yet.
                Some(name) => PolicySet::for_agent([&document], &facts_of_name(name)),
                None => PolicySet::compile([&document]),
            }
        }
        None => applied_set(session, args.agent.as_deref()).await?,
    };
    let facts = args.meaning.facts(method, &target, &set)?;
    let call = Call {
        capture: Capture::Connect,
        kind: if opaque { Kind::Opaque } else { Kind::Http },
        scheme: target.scheme,
        method: if opaque { "" } else { method },
        host: target.host.as_str(),
        port: target.port,
        path: if opaque { "" } else { &target.path },
        details: if opaque { Details::default() } else { facts.details(&target.query) },
    };
    let explanation = set.explain(&call);
    let value = serde_json::to_value(&explanation)
        .map_err(|error| Failure::new("The explanation cannot be written as JSON.").why(error))?;
    session.output.value(&value, explanation.to_string().trim_end())
}

/// What is applied for an agent.
async fn applied_set(session: &Session, agent: Option<&str>) -> Outcome<PolicySet> {
    let Some(name) = agent else {
        return Err(Failure::new("Whose policies are to decide?")
            .next("Name the agent with --agent, or a document after the URL."));
    };
    let operator = session.operator().await?;
    let facts = facts(&principals::get(&operator, name).await?);
    let mut documents = Vec::new();
    for policy in all(&operator).await? {
        documents.push(parse(&policy.name, &policy.document)?);
    }
    Ok(PolicySet::for_agent(&documents, &facts))
}

fn facts(agent: &v1::Agent) -> AgentFacts {
    AgentFacts {
        name: agent.name.clone(),
        tier: Tier::parse(&words::tier(agent)).unwrap_or(Tier::Basic),
        trust: Trust::parse(&words::trust(agent)).unwrap_or(Trust::Untrusted),
        labels: agent.labels.clone().into_iter().collect(),
    }
}

fn facts_of_name(name: &str) -> AgentFacts {
    AgentFacts { name: name.to_owned(), tier: Tier::Standard, trust: Trust::Trusted, labels: BTreeMap::new() }
}

/// Where a call would go.
#[derive(Debug)]
struct Target {
    scheme: Scheme,
    host: NormalHost,
    port: u16,
    path: String,
    query: String,
}

impl Target {
    fn parse(url: &str) -> Outcome<Self> {
        let wrong = |why: &str| {
            Failure::new(format!("'{url}' is no URL of a call."))
                .why(why)
                .next("Write it as https://host/path, or http://host:port/path.")
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let scheme = match scheme {
            "http" | "ws" => Scheme::Http,
            "https" | "wss" => Scheme::Https,
            _ => return Err(wrong("its scheme is neither http nor https")),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        // A colon inside brackets belongs to an IPv6 address.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| wrong("its port is no number"))?)
            }
            _ => (authority, scheme.default_port()),
        };
        let host = NormalHost::parse(host).map_err(|error| wrong(&error.to_string()))?;
        let path = path.split('#').next().unwrap_or("/");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Ok(Self { scheme, host, port, path: path.to_owned(), query: query.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_as_a_sidecar_does() {
        for (url, host, port, path) in [
            ("https://API.github.com/repos/a?x=1", "api.github.com", 443, "/repos/a"),
            ("http://h:8080", "h", 8080, "/"),
            ("https://[::1]:9443/a", "::1", 9443, "/a"),
            ("https://[::1]/a", "::1", 443, "/a"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(
                (target.host.as_str(), target.port, target.path.as_str()),
                (host, port, path),
                "{url}"
            );
        }
        for url in ["github.com", "ftp://h/", "https://h:x/", "https:///a", "https://127.1/"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
