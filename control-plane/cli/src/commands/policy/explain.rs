//! `creto policy explain`: which rule decides a call, and why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use creto_policy::{AgentFacts, Hold, PolicySet, Tier, Trust};
use http::HeaderMap;

use super::documents::{self, Written, facts};
use super::meaning::MeaningArgs;
use super::target::Target;
use super::whole_call::WholeCall;
use crate::failure::{Failure, Outcome};
use crate::principals;
use crate::session::Session;

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
    /// The most that a call of a model can cost, as in "5.00 USD"; left out, it is not known.
    #[arg(long, value_name = "AMOUNT")]
    cost: Option<String>,
    /// URL of the call.
    url: String,
    /// Decide by this document alone instead of those applied.
    file: Option<PathBuf>,
}

/// Says which rule decides.
///
/// # Errors
/// When the URL is none, the document does not hold, or the control plane refuses.
pub(super) async fn run(session: &Session, args: ExplainArgs) -> Outcome {
    let target = Target::parse(&args.url)?;
    let asked = args.meaning.asked()?;
    asked.check().map_err(|why| {
        Failure::new("The options are about several protocols.")
            .why(why)
            .next("Leave out the options of all but one.")
    })?;
    let set = match &args.file {
        Some(file) => {
            let document = Written::load(file)?.document;
            match &args.agent {
                // With a file the agent may be one that does not exist yet.
                Some(name) => PolicySet::for_agent([&document], &facts_of_name(name)),
                None => PolicySet::compile([&document]),
            }
        }
        None => applied_set(session, args.agent.as_deref()).await?,
    };
    let method = args.method.unwrap_or_else(|| asked.method().to_owned());
    let facts = asked.facts(&method, &target, &HeaderMap::new(), &set);
    let call = WholeCall { target, method, headers: None, size: None, facts };
    let cost = match &args.cost {
        None => None,
        Some(text) => Some(Hold::parse_cost(text).ok_or_else(|| {
            Failure::new(format!("`{text}` is no amount of money."))
                .next("Write an exact amount and its currency, as in --cost \"5.00 USD\".")
        })?),
    };
    let explanation = set.explain_costing(&call.call(), cost);
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
    let applied = documents::applied(&operator).await?;
    Ok(PolicySet::for_agent(applied.iter().map(|written| &written.document), &facts))
}

fn facts_of_name(name: &str) -> AgentFacts {
    AgentFacts { name: name.to_owned(), tier: Tier::Standard, trust: Trust::Trusted, labels: BTreeMap::new() }
}
