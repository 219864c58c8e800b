//! The one screen at the end of `creto run`: what the agent called and what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use creto_proto::v1;
use serde_json::{Value, json};

use crate::output::bytes;

/// Rules that the summary names.
const NAMED_RULES: usize = 10;

/// Calls added up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    calls: u64,
    allowed: u64,
    observed: u64,
    failed: u64,
    open: u64,
    refused: BTreeMap<String, u64>,
    sent: u64,
    received: u64,
}

impl Summary {
    /// Adds one call.
    pub(crate) fn add(&mut self, call: &v1::CallRecord) {
        let begun = call.begun.clone().unwrap_or_default();
        self.calls += 1;
        let ended_for = call.ended.as_ref().map(|ended| ended.code.as_str()).filter(|code| !code.is_empty());
        match begun.verdict() {
            // Let through by the rules, and refused by a quota or by what was taken away.
            _ if ended_for.is_some() => {
                *self.refused.entry(ended_for.unwrap_or_default().to_owned()).or_default() += 1;
            }
            v1::Verdict::Denied => *self.refused.entry(reason(&begun)).or_default() += 1,
            v1::Verdict::Observed => self.observed += 1,
            v1::Verdict::Allowed | v1::Verdict::Unspecified => self.allowed += 1,
        }
        let Some(ended) = &call.ended else {
            self.open += 1;
            return;
        };
        if matches!(ended.outcome(), v1::Outcome::UpstreamFailed | v1::Outcome::Ambiguous) {
            self.failed += 1;
        }
        self.sent += ended.request_bytes;
        self.received += ended.response_bytes;
    }

    /// Calls that were refused.
    #[must_use]
    pub(crate) fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Reasons by how often they refused, the most frequent first.
    fn reasons(&self) -> Vec<(&str, u64)> {
        let mut reasons: Vec<(&str, u64)> =
            self.refused.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        reasons
    }

    /// For people: at most 17 lines.
    #[must_use]
    pub(crate) fn text(&self, agent: &str, took: Duration) -> String {
        let mut lines = vec![
            format!("creto: {agent} made {} in {:.1} s", plural(self.calls, "call"), took.as_secs_f64()),
            format!("  allowed   {}", self.allowed),
            format!("  refused   {}", self.refused()),
        ];
        let reasons = self.reasons();
        for (reason, count) in reasons.iter().take(NAMED_RULES) {
            lines.push(format!("    {count:>6}  {reason}"));
        }
        if reasons.len() > NAMED_RULES {
            lines.push(format!("            and {} more reasons", reasons.len() - NAMED_RULES));
        }
        for (count, what) in [
            (self.observed, "observed (policy would refuse)"),
            (self.failed, "failed upstream"),
            (self.open, "not ended"),
        ] {
            if count > 0 {
                lines.push(format!("  {what}   {count}"));
            }
        }
        lines.push(format!("  bytes     {} up, {} down", bytes(self.sent), bytes(self.received)));
        lines.join("\n")
    }

    /// For programs.
    #[must_use]
    pub(crate) fn json(&self, agent: &str, took: Duration, exit_code: u8) -> Value {
        let reasons: Vec<Value> =
            self.reasons().iter().map(|(reason, count)| json!({"reason": reason, "calls": count})).collect();
        json!({
            "agent": agent,
            "exit_code": exit_code,
            "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "calls": self.calls,
            "allowed": self.allowed,
            "refused": self.refused(),
            "refused_by": reasons,
            "observed": self.observed,
            "failed_upstream": self.failed,
            "not_ended": self.open,
            "request_bytes": self.sent,
            "response_bytes": self.received,
        })
    }
}

/// The rule that refused, else the code.
fn reason(begun: &v1::CallBegun) -> String {
    if begun.rule.is_empty() {
        format!("{} ({})", begun.code, begun.host)
    } else {
        format!("{}/{} ({})", begun.policy, begun.rule, begun.code)
    }
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(verdict: v1::Verdict, rule: &str, outcome: Option<v1::Outcome>) -> v1::CallRecord {
        let begun = v1::CallBegun {
            verdict: verdict.into(),
            policy: "web".into(),
            rule: rule.into(),
            code: "rule_denies".into(),
            host: "example.com".into(),
            ..Default::default()
        };
        let ended = outcome.map(|outcome| v1::CallEnded {
            outcome: outcome.into(),
            request_bytes: 10,
            response_bytes: 2048,
            ..Default::default()
        });
        v1::CallRecord { begun: Some(begun), ended, ..Default::default() }
    }

    #[test]
    fn calls_add_up_by_what_became_of_them() {
        let mut summary = Summary::default();
        summary.add(&call(v1::Verdict::Allowed, "read", Some(v1::Outcome::Completed)));
        summary.add(&call(v1::Verdict::Allowed, "read", Some(v1::Outcome::UpstreamFailed)));
        summary.add(&call(v1::Verdict::Denied, "no-deletes", Some(v1::Outcome::Refused)));
        summary.add(&call(v1::Verdict::Observed, "", None));
        let json = summary.json("a", Duration::from_millis(1500), 3);
        for (field, value) in [
            ("calls", 4),
            ("allowed", 2),
            ("refused", 1),
            ("observed", 1),
            ("failed_upstream", 1),
            ("not_ended", 1),
            ("request_bytes", 30),
            ("exit_code", 3),
        ] {
            assert_eq!(json[field], value, "{field}");
        }
        let text = summary.text("a", Duration::from_millis(1500));
        assert!(
            text.contains("a made 4 calls in 1.5 s") && text.contains("1  web/no-deletes (rule_denies)"),
            "{text}"
        );
    }

    #[test]
    fn the_summary_stays_on_one_screen() {
        let mut summary = Summary::default();
        for number in 0..50 {
            summary.add(&call(v1::Verdict::Denied, &format!("rule-{number}"), None));
        }
        let text = summary.text("a", Duration::ZERO);
        assert!(text.lines().count() <= 17, "{text}");
        assert!(text.contains("and 40 more reasons"), "{text}");
    }
}
