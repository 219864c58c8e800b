//! Which rules decided no call.

use std::collections::{BTreeMap, BTreeSet};

use creto_policy::Effect;
use serde_json::{Value, json};

use super::suite::SuiteResult;

/// A rule that decided no call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Untried {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) policy: String,
    pub(super) rule: String,
    pub(super) effect: Effect,
}

impl Untried {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "line": self.line,
            "policy": self.policy,
            "rule": self.rule,
            "effect": self.effect.as_str(),
        })
    }
}

/// The rules of all documents, each document counted once, that decided none of the calls.
pub(super) fn of(results: &[SuiteResult]) -> Vec<Untried> {
    let mut decided = BTreeSet::new();
    let mut documents = BTreeMap::new();
    for result in results {
        for case in &result.cases {
            decided.extend(case.came.by.as_ref().map(|(policy, rule)| (policy.as_str(), rule.as_str())));
        }
        for written in &result.documents {
            documents.entry(written.document.name()).or_insert(written);
        }
    }
    documents
        .values()
        .flat_map(|written| {
            let document = &written.document;
            let untried = document.rules().filter(|rule| !decided.contains(&(document.name(), rule.name())));
            untried.map(|rule| Untried {
                file: written.from.clone(),
                line: rule.line(),
                policy: document.name().to_owned(),
                rule: rule.name().to_owned(),
                effect: rule.effect(),
            })
        })
        .collect()
}
