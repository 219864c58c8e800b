//! Which rules decided no call.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::suite::SuiteResult;

/// A rule that decided no call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Untried {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) policy: String,
    pub(super) rule: String,
    /// `allow`, `deny` or `hold`.
    pub(super) effect: &'static str,
}

impl Untried {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "line": self.line,
            "policy": self.policy,
            "rule": self.rule,
            "effect": self.effect,
        })
    }
}

/// The rules of all documents, each document counted once, that decided none of the calls.
pub(super) fn of(results: &[SuiteResult]) -> Vec<Untried> {
    let mut decided = BTreeSet::new();
    let mut documents = BTreeMap::new();
    for result in results {
        for case in &result.cases {
            let by = case.came.by.iter().chain(&case.came.held);
            decided.extend(by.map(|(policy, rule)| (policy.as_str(), rule.as_str())));
        }
        for written in &result.documents {
            documents.entry(written.document.name()).or_insert(written);
        }
    }
    documents
        .values()
        .flat_map(|written| {
            let document = &written.document;
            let rules = document.rules().map(|rule| (rule.name(), rule.line(), rule.effect().as_str()));
            let every = rules.chain(document.holds().map(|hold| (hold.name(), hold.line(), "hold")));
            let untried = every.filter(|(name, _, _)| !decided.contains(&(document.name(), *name)));
            untried.map(|(name, line, effect)| Untried {
                file: written.from.clone(),
                line,
                policy: document.name().to_owned(),
                rule: name.to_owned(),
                effect,
            })
        })
        .collect()
}
