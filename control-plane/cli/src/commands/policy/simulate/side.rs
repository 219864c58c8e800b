//! One of the sets of documents that are compared.

use std::collections::{BTreeMap, HashMap};

use creto_policy::{AgentFacts, PolicySet};

use super::certainty::judged;
use super::record::{Before, Record};
use crate::commands::policy::documents::Written;
use crate::commands::policy::meaning::known;
use crate::commands::policy::outline::{Field, Fields, Kind, Outline};
use crate::commands::policy::test::Verdict;
use crate::failure::Outcome;

/// Most agents whose policies are kept compiled; then all are compiled anew.
const MAX_SEATS: usize = 256;

/// Documents, and what each says.
#[derive(Debug)]
pub(super) struct Side {
    documents: Vec<Written>,
    rules: Rules,
    seats: HashMap<String, PolicySet>,
}

/// What every document says, by its name.
#[derive(Debug)]
pub(super) struct Rules(BTreeMap<String, Outline>);

impl Rules {
    /// What a rule says.
    pub(super) fn get(&self, policy: &str, rule: &str) -> Option<&Fields> {
        self.0.get(policy)?.rule(rule)
    }

    /// Whether any route of these policies leads to this URL.
    fn route_to(&self, policies: &PolicySet, url: &str) -> bool {
        policies.policies().filter_map(|name| self.0.get(name)).any(|outline| {
            outline.items.iter().any(|((kind, _), fields)| {
                *kind == Kind::Route
                    && matches!(fields.get("to"), Some(Field::One(to)) if url
                        .strip_prefix(to.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
            })
        })
    }
}

/// The documents of one agent.
#[derive(Debug)]
pub(super) struct Seat<'s> {
    set: &'s PolicySet,
    rules: &'s Rules,
}

/// What the documents of one side say of a call.
#[derive(Debug)]
pub(super) struct Opinion<'s> {
    /// None when it depends on what is not recorded.
    pub(super) verdict: Option<Before>,
    /// Whether the rule in it is the one that decides, whatever was not recorded.
    pub(super) rule_is_sure: bool,
    /// What it depends on.
    pub(super) asks: Vec<String>,
    /// All that could have a say, to be compared.
    grounds: Grounds<'s>,
}

/// All of some documents that could have a say in a call.
#[derive(Debug, PartialEq, Eq)]
struct Grounds<'s> {
    observes: bool,
    any_policy: bool,
    port_known: bool,
    routed: bool,
    /// Provider with its API and base, MCP server, A2A agent.
    services: String,
    /// The rules about the host with what they say.
    rules: Vec<(String, String, Option<&'s Fields>)>,
}

impl Side {
    /// Of these documents.
    ///
    /// # Errors
    /// As [`Outline::of`].
    pub(super) fn of(documents: Vec<Written>) -> Outcome<Self> {
        let mut rules = BTreeMap::new();
        for written in &documents {
            rules.insert(written.document.name().to_owned(), Outline::of(written)?);
        }
        Ok(Self { documents, rules: Rules(rules), seats: HashMap::new() })
    }

    /// Those of an agent.
    pub(super) fn seat(&mut self, agent: &AgentFacts) -> Seat<'_> {
        if self.seats.len() >= MAX_SEATS && !self.seats.contains_key(&agent.name) {
            self.seats.clear();
        }
        let documents = &self.documents;
        let set = self.seats.entry(agent.name.clone()).or_insert_with(|| {
            PolicySet::for_agent(documents.iter().map(|written| &written.document), agent)
        });
        Seat { set, rules: &self.rules }
    }
}

impl<'s> Seat<'s> {
    /// What they say of a call.
    pub(super) fn judge(&self, record: &Record<'_>) -> Opinion<'s> {
        let routed = !record.is_routed() || self.rules.route_to(self.set, &record.url());
        let mut rules = Vec::new();
        let mut overall: Option<(Option<Before>, bool)> = None;
        let mut asks = Vec::new();
        let understood = record.understood(self.set);
        // Without a record of its messages the rules about the host are still compared.
        let blind = [record.blank()];
        for message in understood.as_deref().unwrap_or(&blind) {
            let one = judged(self.set, self.rules, &record.call(message), message);
            rules = one.rules;
            asks.extend(one.asks);
            overall = Some(match overall.take() {
                None => (one.verdict, one.rule_is_sure),
                Some(held) => combined(held, (one.verdict, one.rule_is_sure)),
            });
        }
        let (mut verdict, mut rule_is_sure) = overall.unwrap_or((None, false));
        if understood.is_none() {
            (verdict, rule_is_sure) = (None, false);
            asks = vec!["what its messages say".to_owned()];
        }
        if !routed {
            verdict = Some(Before::new(Verdict::Deny, creto_call::RefusalCode::NoRoute.as_str(), None));
            rule_is_sure = true;
        }
        asks.sort();
        asks.dedup();
        let grounds = self.grounds(record, routed, rules);
        Opinion { verdict, rule_is_sure, asks, grounds }
    }

    fn grounds(&self, record: &Record<'_>, routed: bool, rules: Vec<(String, String)>) -> Grounds<'s> {
        let (host, port, path) = record.place();
        Grounds {
            observes: self.set.observes(),
            any_policy: self.set.policies().len() > 0,
            port_known: self.set.destination(host, port).port_known,
            routed,
            services: format!("{:?}", known(self.set, host, port, path)),
            rules: rules
                .into_iter()
                .map(|(policy, rule)| {
                    let fields = self.rules.get(&policy, &rule);
                    (policy, rule, fields)
                })
                .collect(),
        }
    }
}

/// The verdict on two messages of one call: what refuses comes first, then what is only observed.
fn combined(one: (Option<Before>, bool), other: (Option<Before>, bool)) -> (Option<Before>, bool) {
    let rank = |verdict: &Option<Before>| match verdict.as_ref().map(|before| before.verdict) {
        Some(Verdict::Deny) => 3,
        None => 2,
        Some(Verdict::Observe) => 1,
        Some(Verdict::Allow | Verdict::Hold) => 0,
    };
    if rank(&other.0) > rank(&one.0) { other } else { one }
}

impl Opinion<'_> {
    /// Whether nothing that could have a say differs.
    pub(super) fn same_grounds(&self, other: &Self) -> bool {
        self.grounds == other.grounds
    }

    /// Whether this is the verdict, for certain.
    pub(super) fn says(&self, verdict: &Before) -> bool {
        self.verdict.as_ref() == Some(verdict)
    }
}
