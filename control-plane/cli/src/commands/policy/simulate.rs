//! `creto policy simulate`: recorded calls, decided by documents that are not applied yet.

mod certainty;
mod record;
mod report;
mod side;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use clap::Args;
use creto_policy::AgentFacts;
use creto_proto::v1;

use self::record::{Before, LeftOut, Record};
pub(super) use self::report::Report;
use self::report::{Category, Effect, Group};
use self::side::Side;
use super::documents::{Written, applied, facts, load_all};
use crate::failure::{Outcome, exit};
use crate::operator::{Operator, refused};
use crate::principals;
use crate::session::Session;
use crate::span::Span;

/// Calls asked for at once.
const PAGE: u32 = 500;
/// Most recorded calls that one invocation decides.
const MAX_CALLS: u64 = 1_000_000;
/// Most records of which it is kept what came out; then it is found out anew.
const MAX_KNOWN: usize = 50_000;

/// Options of `simulate`.
#[derive(Args, Debug)]
pub(crate) struct SimulateArgs {
    /// The documents (TOML); each takes the place of the applied one of its name.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Decide by these documents alone, as if no other were applied.
    #[arg(long)]
    only: bool,
    /// End with exit code 1 if any call would be, or could be, decided otherwise.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    which: RecordedArgs,
}

/// Which recorded calls.
#[derive(Args, Debug)]
pub(crate) struct RecordedArgs {
    /// Recorded calls of this agent.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    agent: String,
    /// Recorded calls that began within this span: 1h, 7d.
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    since: Span,
    /// At most this many recorded calls, the newest; up to 1000000.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=MAX_CALLS))]
    limit: u64,
}

/// Simulates.
///
/// # Errors
/// When a document does not hold or the control plane refuses.
pub(super) async fn run(session: &Session, args: &SimulateArgs) -> Outcome<u8> {
    let candidates = load_all(&args.files)?;
    let operator = session.operator().await?;
    let applied = applied(&operator).await?;
    let others = if args.only { Vec::new() } else { applied.clone() };
    let candidate = Side::of(in_place(others, candidates))?;
    let comparison = Comparison::new(From::Record, Side::of(applied)?, candidate);
    let report = comparison.run(&operator, &args.which).await?;
    session.output.value(&report.to_json(), report.text().trim_end())?;
    Ok(if args.exit_code && report.has_changes() { exit::FAILED } else { 0 })
}

/// What one document in place of another would change of recorded calls, beside the other applied ones.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn compared(
    session: &Session,
    old: Option<&Written>,
    new: &Written,
    which: &RecordedArgs,
) -> Outcome<Report> {
    let operator = session.operator().await?;
    let mut others = applied(&operator).await?;
    let replaced = [old, Some(new)].map(|one| one.map(|written| written.document.name()));
    others.retain(|one| !replaced.contains(&Some(one.document.name())));
    let now = Side::of(in_place(others.clone(), old.cloned().into_iter().collect()))?;
    let candidate = Side::of(in_place(others, vec![new.clone()]))?;
    Comparison::new(From::Documents, now, candidate).run(&operator, which).await
}

/// The documents with these in place of those of their names.
fn in_place(mut documents: Vec<Written>, candidates: Vec<Written>) -> Vec<Written> {
    let names: BTreeSet<&str> = candidates.iter().map(|one| one.document.name()).collect();
    documents.retain(|one| !names.contains(one.document.name()));
    documents.extend(candidates);
    documents
}

/// What a simulated verdict is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// The verdict that was recorded.
    Record,
    /// What the documents of `now` say.
    Documents,
}

/// Two sets of documents, to be asked about the same calls.
#[derive(Debug)]
struct Comparison {
    from: From,
    now: Side,
    candidate: Side,
    /// What came out for records, by all that counts in them.
    known: HashMap<String, Effect>,
}

impl Comparison {
    fn new(from: From, now: Side, candidate: Side) -> Self {
        Self { from, now, candidate, known: HashMap::new() }
    }

    async fn run(mut self, operator: &Operator, which: &RecordedArgs) -> Outcome<Report> {
        let mut report = Report::default();
        let mut agents: BTreeMap<String, Option<AgentFacts>> = BTreeMap::new();
        let filter = v1::CallFilter {
            agent_name: which.agent.clone(),
            since_ms: jiff::Timestamp::now().as_millisecond() - which.since.millis(),
            ..v1::CallFilter::default()
        };
        let mut token = String::new();
        loop {
            let left = which.limit - report.calls;
            if left == 0 {
                report.cut = Some(which.limit);
                break;
            }
            // Page by page, so that memory does not grow with the calls.
            let request = v1::ListCallsRequest {
                namespace: operator.namespace.clone(),
                filter: Some(filter.clone()),
                page_size: u32::try_from(left).unwrap_or(PAGE).min(PAGE),
                page_token: token,
            };
            let answer = operator.client.calls().list_calls(request).await;
            let page = answer.map_err(|status| refused("The calls cannot be listed.", &status))?.into_inner();
            for call in &page.calls {
                if !agents.contains_key(&call.agent_name) {
                    let found = principals::find(operator, &call.agent_name).await?;
                    agents.insert(call.agent_name.clone(), found.as_ref().map(facts));
                }
                self.look_at(call, agents.get(&call.agent_name).and_then(Option::as_ref), &mut report);
            }
            if page.next_page_token.is_empty() {
                break;
            }
            token = page.next_page_token;
        }
        Ok(report)
    }

    /// Decides one call by both and notes what would change.
    fn look_at(&mut self, call: &v1::CallRecord, agent: Option<&AgentFacts>, report: &mut Report) {
        report.calls += 1;
        let record = match Record::of(call) {
            Ok(record) => record,
            Err(LeftOut(why)) => return report.leave_out(&why),
        };
        let Some(agent) = agent else {
            return report.leave_out("agent not registered");
        };
        // Agents repeat themselves: what is recorded alike comes out alike.
        let key = record.key(&agent.name);
        if let Some(known) = self.known.get(&key) {
            return report.note(known, &call.call_id);
        }
        let effect = self.effect_on(&record, agent);
        report.note(&effect, &call.call_id);
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(key, effect);
    }

    fn effect_on(&mut self, record: &Record<'_>, agent: &AgentFacts) -> Effect {
        let candidate = self.candidate.seat(agent).judge(record);
        let now = self.now.seat(agent).judge(record);
        let change = |before: &Before, sure: bool| {
            candidate.verdict.as_ref().and_then(|after| Category::of(before, after, sure))
        };
        // Whatever was not recorded: nothing that could have a say in this call differs.
        if now.same_grounds(&candidate) {
            return match change(&record.before, candidate.rule_is_sure) {
                Some(_) if self.from == From::Record => Effect::Already,
                _ => Effect::Same,
            };
        }
        let (before, sure) = match (self.from, &now.verdict) {
            (From::Record, _) => (Some(&record.before), true),
            (From::Documents, verdict) => (verdict.as_ref(), now.rule_is_sure),
        };
        let found = match (before, &candidate.verdict) {
            (Some(before), Some(after)) => match change(before, sure && candidate.rule_is_sure) {
                None => return Effect::Same,
                // Another policy is applied already than the one that decided then.
                Some(_) if self.from == From::Record && now.says(after) => return Effect::Already,
                Some(category) => (category, after.to_string()),
            },
            (_, verdict) => {
                let asks = if verdict.is_none() { &candidate.asks } else { &now.asks };
                (Category::Depends, format!("unknown: {}", asks.join(", ")))
            }
        };
        Effect::Change(Group {
            category: found.0,
            method: record.method_shown().to_owned(),
            target: record.destination(),
            asks: record.asks.clone(),
            before: before.map_or_else(|| "not known".to_owned(), Before::to_string),
            after: found.1,
        })
    }
}
