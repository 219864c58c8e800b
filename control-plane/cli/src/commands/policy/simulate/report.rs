//! What would change, counted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::record::Before;
use crate::commands::policy::test::Verdict;
use crate::output::table;

/// Most groups kept; calls of further ones are only counted.
const MAX_GROUPS: usize = 1_000;

/// How a call would be decided otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Category {
    Refused,
    Allowed,
    /// Let through still, but only since policy observes.
    Observed,
    OtherRule,
    Depends,
}

impl Category {
    const ALL: [Self; 5] = [Self::Refused, Self::Allowed, Self::Observed, Self::OtherRule, Self::Depends];

    /// As people read it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "newly refused",
            Self::Allowed => "newly allowed",
            Self::Observed => "newly observed",
            Self::OtherRule => "by another rule",
            Self::Depends => "depends on what is not recorded",
        }
    }

    /// Key for programs.
    fn key(self) -> &'static str {
        match self {
            Self::Refused => "newly_refused",
            Self::Allowed => "newly_allowed",
            Self::Observed => "newly_observed",
            Self::OtherRule => "other_rule",
            Self::Depends => "depends",
        }
    }

    /// How they differ, if they do. A rule that is not sure is no difference.
    pub(super) fn of(before: &Before, after: &Before, rule_is_sure: bool) -> Option<Self> {
        match (before.verdict, after.verdict) {
            (Verdict::Allow | Verdict::Observe, Verdict::Deny) => Some(Self::Refused),
            (Verdict::Deny, Verdict::Allow | Verdict::Observe) | (Verdict::Observe, Verdict::Allow) => {
                Some(Self::Allowed)
            }
            (Verdict::Allow, Verdict::Observe) => Some(Self::Observed),
            _ if before == after || !rule_is_sure => None,
            _ => Some(Self::OtherRule),
        }
    }
}

/// Calls that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) category: Category,
    pub(super) target: String,
    pub(super) method: String,
    /// What they ask of a model, tool or agent.
    pub(super) asks: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// What a candidate does to a call.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// Nothing.
    Same,
    /// What is applied now decides otherwise than was recorded, and as the candidate.
    Already,
    /// It is decided otherwise, or may be.
    Change(Group),
}

/// All that was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Calls looked at.
    pub(super) calls: u64,
    /// Set when there may be more calls than this many.
    pub(super) cut: Option<u64>,
    same: u64,
    already: u64,
    left_out: BTreeMap<String, u64>,
    counts: BTreeMap<Category, u64>,
    /// Count, and one of the calls.
    groups: BTreeMap<Group, (u64, String)>,
    ungrouped: u64,
}

impl Report {
    pub(super) fn leave_out(&mut self, why: &str) {
        *self.left_out.entry(why.to_owned()).or_default() += 1;
    }

    /// Counts a call.
    pub(super) fn note(&mut self, effect: &Effect, call_id: &str) {
        let group = match effect {
            Effect::Same => return self.same += 1,
            Effect::Already => return self.already += 1,
            Effect::Change(group) => group,
        };
        *self.counts.entry(group.category).or_default() += 1;
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(group) {
            self.ungrouped += 1;
            return;
        }
        self.groups.entry(group.clone()).or_insert_with(|| (0, call_id.to_owned())).0 += 1;
    }

    /// Whether any call would be, or could be, decided otherwise.
    pub(crate) fn has_changes(&self) -> bool {
        !self.counts.is_empty()
    }

    /// For people: a table of the groups, and the counts.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let rows: Vec<Vec<String>> = self
            .groups
            .iter()
            .map(|(group, (count, call))| {
                let asks = if group.asks.is_empty() { "-" } else { &group.asks };
                vec![
                    group.category.as_str().split(" on ").next().unwrap_or_default().to_owned(),
                    count.to_string(),
                    group.method.clone(),
                    group.target.clone(),
                    asks.to_owned(),
                    group.before.clone(),
                    group.after.clone(),
                    call.clone(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let rows: Vec<&[String]> = rows.iter().map(Vec::as_slice).collect();
            let heading = ["change", "calls", "method", "host", "asks", "before", "after", "such as"];
            text.push_str(&table(&heading, &rows));
            text.push('\n');
        }
        if self.ungrouped > 0 {
            text.push_str(&format!(
                "{} further calls are in none of these {MAX_GROUPS} groups\n",
                self.ungrouped
            ));
        }
        let mut parts: Vec<String> = Category::ALL
            .iter()
            .filter_map(|category| {
                let count = self.counts.get(category)?;
                let verb = if *count == 1 { "depends" } else { "depend" };
                Some(match category {
                    Category::Depends => format!("{count} {verb} on what is not recorded"),
                    other => format!("{count} {}", other.as_str()),
                })
            })
            .collect();
        parts.push(format!("{} the same", self.same));
        if self.already > 0 {
            parts.push(format!("{} decided otherwise by what is applied already", self.already));
        }
        let left: u64 = self.left_out.values().sum();
        if left > 0 {
            let why: Vec<String> =
                self.left_out.iter().map(|(why, count)| format!("{why} {count}")).collect();
            parts.push(format!("{left} left out ({})", why.join(", ")));
        }
        let noun = if self.calls == 1 { "call" } else { "calls" };
        text.push_str(&format!("{} recorded {noun}: {}\n", self.calls, parts.join(", ")));
        if let Some(limit) = self.cut {
            text.push_str(&format!("only the newest {limit} were looked at; --limit takes more\n"));
        }
        text
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|(group, (count, call))| {
                json!({
                    "change": group.category.key(),
                    "calls": count,
                    "method": group.method,
                    "host": group.target,
                    "asks": group.asks,
                    "before": group.before,
                    "after": group.after,
                    "example": call,
                })
            })
            .collect();
        let mut value = json!({
            "calls": self.calls,
            "same": self.same,
            "already_applied": self.already,
            "left_out": self.left_out,
            "limit_reached": self.cut.is_some(),
            "ungrouped": self.ungrouped,
            "groups": groups,
        });
        for category in Category::ALL {
            value[category.key()] = self.counts.get(&category).copied().unwrap_or(0).into();
        }
        value
    }
}
