//! The results of tests, for people and programs.

use serde_json::{Value, json};

use super::coverage::Untried;
use super::suite::{Case, SuiteResult};

/// The results as JSON, and as text: every call that came otherwise with its explanation, then the count.
pub(super) fn of(results: &[SuiteResult], untried: Option<&[Untried]>) -> (Value, String) {
    let mut text = String::new();
    let mut failed = 0;
    let mut calls = 0;
    for result in results {
        for case in &result.cases {
            calls += 1;
            if !case.holds() {
                failed += 1;
                text.push_str(&failure(&result.file, case));
            }
        }
    }
    if let Some(untried) = untried {
        text.push_str(&covered(untried));
    }
    let files = match results.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let noun = if calls == 1 { "call" } else { "calls" };
    text.push_str(&format!("{calls} {noun} in {files}, {failed} not as expected"));
    let mut value = json!({
        "calls": calls,
        "failed": failed,
        "files": results.iter().map(file).collect::<Vec<_>>(),
    });
    if let Some(untried) = untried {
        value["untried_rules"] = untried.iter().map(Untried::to_json).collect::<Vec<_>>().into();
    }
    (value, text)
}

/// One line, then the explanation.
fn failure(file: &str, case: &Case) -> String {
    let Case { call, came } = case;
    let mut text = format!("{file}:{}: {}: expected {}, came {came}\n", call.line, call.name, call.expected);
    // The first line of an explanation says the verdict again.
    for line in came.explanation.lines().skip(usize::from(came.explanation.lines().count() > 1)) {
        text.push_str(&format!("  {}\n", line.trim_start()));
    }
    text
}

fn covered(untried: &[Untried]) -> String {
    if untried.is_empty() {
        return "every rule decided a call\n".to_owned();
    }
    let mut text = "decided no call:\n".to_owned();
    for Untried { file, line, policy, rule, effect } in untried {
        text.push_str(&format!("  {file}:{line}: {effect} {policy}/{rule}\n"));
    }
    text
}

fn file(result: &SuiteResult) -> Value {
    let calls: Vec<Value> = result
        .cases
        .iter()
        .map(|case| {
            let Case { call, came } = case;
            json!({
                "name": call.name,
                "line": call.line,
                "method": call.method,
                "url": call.url,
                "agent": call.agent.as_ref().map(|agent| &agent.name),
                "holds": case.holds(),
                "expected": {
                    "verdict": call.expected.verdict.as_str(),
                    "rule": call.expected.rule,
                    "code": call.expected.code,
                },
                "came": {
                    "verdict": came.verdict.as_str(),
                    "policy": came.by.as_ref().map(|by| &by.0),
                    "rule": came.by.as_ref().map(|by| &by.1),
                    "held": came.held.iter().map(|(policy, hold)| format!("{policy}/{hold}")).collect::<Vec<_>>(),
                    "code": came.code.map(|code| code.as_str()),
                    "explanation": came.explanation.trim_end(),
                },
            })
        })
        .collect();
    json!({"file": result.file, "calls": calls})
}
