//! Rules as rows of numbers, so that equal ones are found without comparing each with each.

use std::collections::{BTreeMap, HashMap};

use creto_call::Method;

use super::Known;
use crate::Rule;

/// The keys of a rule whose entries are compared one by one.
pub(super) const LISTS: [&str; 11] = [
    "host",
    "port",
    "method",
    "path",
    "provider",
    "model",
    "mcp_server",
    "mcp_method",
    "tool",
    "a2a_agent",
    "skill",
];
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// What a rule asks: a number for each of [`LISTS`], one for what else it asks, one for whom it is for.
pub(super) type Row = [u32; LISTS.len() + 2];

/// The rows of all rules; equal numbers at one place mean equal texts there.
pub(super) struct Sheet {
    pub(super) rows: Vec<Row>,
}

impl Sheet {
    pub(super) fn of(rules: &[Known<'_>]) -> Self {
        let mut numbers: HashMap<(usize, Vec<String>), u32> = HashMap::new();
        let rows = rules
            .iter()
            .map(|known| {
                std::array::from_fn(|place| {
                    let mut texts = match LISTS.get(place) {
                        Some(_) => entries(known.rule, place),
                        None if place == LISTS.len() => rest(known.rule),
                        None => vec![format!("{:?}", known.document.selector)],
                    };
                    texts.sort_unstable();
                    texts.dedup();
                    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                    *numbers.entry((place, texts)).or_insert(next)
                })
            })
            .collect();
        Self { rows }
    }
}

/// The entries of one of [`LISTS`] as text, in the order of the document; empty where the rule asks nothing of it.
pub(super) fn entries(rule: &Rule, place: usize) -> Vec<String> {
    fn texts<T: ToString>(list: &[T]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }
    let key = LISTS.get(place).copied().unwrap_or_default();
    match key {
        "host" => return texts(&rule.hosts),
        "port" => return texts(&rule.ports),
        "method" if rule.methods == Method::ANY_MASK => return Vec::new(),
        "method" => {
            let named = METHODS.iter().filter(|name| rule.methods & Method::parse(name).mask() != 0);
            return named.map(|name| (*name).to_owned()).collect();
        }
        "path" => return texts(&rule.paths),
        _ => {}
    }
    let Some(conditions) = &rule.conditions else { return Vec::new() };
    match key {
        "provider" => conditions.providers.clone(),
        "model" => texts(&conditions.models),
        "mcp_server" => conditions.mcp_servers.clone(),
        "mcp_method" => texts(&conditions.mcp_methods),
        "tool" => texts(&conditions.tools),
        "a2a_agent" => conditions.a2a_agents.clone(),
        _ => texts(&conditions.skills),
    }
}

/// What else a rule asks: arguments and `when`.
fn rest(rule: &Rule) -> Vec<String> {
    let Some(conditions) = &rule.conditions else { return Vec::new() };
    let arguments: BTreeMap<&str, String> = conditions
        .arguments
        .iter()
        .map(|argument| (argument.key.as_str(), format!("{:?}", argument.test)))
        .collect();
    let mut texts: Vec<String> = arguments.iter().map(|(key, test)| format!("{key} {test}")).collect();
    texts.extend(conditions.when.as_ref().map(|when| format!("when {}", when.source())));
    texts
}
