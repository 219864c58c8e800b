//! Calls of test files that two documents decide otherwise.

use std::fmt;
use std::path::PathBuf;

use creto_policy::Document;
use serde_json::{Value, json};

use crate::commands::policy::documents::Written;
use crate::commands::policy::test::{Ruled, Sets, Suite};
use crate::failure::Outcome;

/// A call that is decided otherwise.
#[derive(Debug)]
pub(super) struct OtherVerdict {
    file: String,
    line: usize,
    name: String,
    before: Ruled,
    after: Ruled,
}

/// The calls of these test files that the new document decides otherwise than the old one, beside the other documents
/// that each test file is about.
///
/// # Errors
/// When a test file or one of its documents does not hold.
pub(super) fn of(files: &[PathBuf], old: Option<&Written>, new: &Written) -> Outcome<Vec<OtherVerdict>> {
    let mut out = Vec::new();
    for file in files {
        let suite = Suite::load(file)?;
        let with = |document: Option<&'_ Written>| -> Vec<Document> {
            let replaced = [old, Some(new)].map(|one| one.map(|written| written.document.name().to_owned()));
            let others = suite.documents.iter().map(|written| &written.document);
            others
                .filter(|one| !replaced.iter().flatten().any(|name| name == one.name()))
                .chain(document.map(|written| &written.document))
                .cloned()
                .collect()
        };
        let (before, after) = (with(old), with(Some(new)));
        let (mut before, mut after) = (Sets::of(before.iter().collect()), Sets::of(after.iter().collect()));
        for call in &suite.calls {
            let (before, after) = (before.rule(call), after.rule(call));
            if (before.verdict, before.code, &before.by, &before.held)
                != (after.verdict, after.code, &after.by, &after.held)
            {
                let (file, name) = (suite.file.clone(), call.name.clone());
                out.push(OtherVerdict { file, line: call.line, name, before, after });
            }
        }
    }
    Ok(out)
}

impl OtherVerdict {
    pub(super) fn to_json(&self) -> Value {
        let ruled = |ruled: &Ruled| {
            json!({
                "verdict": ruled.verdict.as_str(),
                "policy": ruled.by.as_ref().map(|by| &by.0),
                "rule": ruled.by.as_ref().map(|by| &by.1),
                "held": ruled.held.iter().map(|(policy, hold)| format!("{policy}/{hold}")).collect::<Vec<_>>(),
                "code": ruled.code.map(|code| code.as_str()),
            })
        };
        json!({
            "file": self.file,
            "line": self.line,
            "name": self.name,
            "from": ruled(&self.before),
            "to": ruled(&self.after),
        })
    }
}

impl fmt::Display for OtherVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, name, before, after } = self;
        write!(f, "{file}:{line}: {name}: {before} -> {after}")
    }
}
