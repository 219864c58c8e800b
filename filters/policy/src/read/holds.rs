//! Reading `[[hold]]`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use creto_oversight::{
    MAX_GRANT_MS, MAX_TIER_MS, MAX_TIERS, MAX_USES, MIN_TIER_MS, Panel, PanelProblem, Person, Quorum, Tier,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Expressions, choices,
    quotas::integer,
    rules::{self, CONDITION_KEYS, FIRST_KEYS, LINE_KEYS},
    shorten, staleness, tables,
    values::{Table, string, string_list},
};
use crate::{
    Effect, Hold, MAX_HOLD_REASON_BYTES, MAX_HOLDS, Reversibility,
    hold::{Asks, Length},
    problem::Collector,
};

const ASKED_KEYS: &[&str] = &["cost_over", "reversibility"];
const TIER_KEYS: &[&str] = &["approvers", "quorum", "wait"];
const OWN_KEYS: &[&str] = &["escalate", "inline", "uses", "holds_for", "reason"];
/// Keys that are about one protocol, and the key of holds that is about another.
const OTHERS: [(&str, &str, &[&str]); 2] = [
    (
        "cost_over",
        "calls of models",
        &["mcp_server", "mcp_method", "tool", "arguments", "a2a_agent", "skill"],
    ),
    ("reversibility", "MCP messages", &["provider", "model", "a2a_agent", "skill", "cost_over"]),
];
const LENGTH_HELP: &str = "write a number and s, m, h or d, as in";

/// Reads all of a document. Names are those of allow and deny rules too.
pub(super) fn holds(
    table: &Table<'_, '_>,
    names: &mut BTreeMap<String, usize>,
    expressions: &mut Expressions,
    findings: &mut Collector<'_>,
) -> Vec<Arc<Hold>> {
    let mut out = Vec::new();
    for (at, (entry, span)) in tables(table, "hold", findings).into_iter().enumerate() {
        if at >= MAX_HOLDS {
            findings.add_help(
                span,
                format!("a document has at most {MAX_HOLDS} `[[hold]]`"),
                "split it into several policies",
            );
            break;
        }
        if !expressions.admit(entry, &span, findings) {
            break;
        }
        out.extend(hold(entry, span, names, findings).map(Arc::new));
    }
    out
}

fn hold(
    table: &DeTable<'_>,
    span: Range<usize>,
    names: &mut BTreeMap<String, usize>,
    findings: &mut Collector<'_>,
) -> Option<Hold> {
    let line = findings.line(span.start);
    let keys = [FIRST_KEYS, LINE_KEYS, CONDITION_KEYS, ASKED_KEYS, TIER_KEYS, OWN_KEYS].concat();
    let table = Table::open(table, span, "[[hold]]", &keys, findings);
    let rule = rules::asked(&table, Effect::Deny, line, names, findings);
    let asks = Asks {
        cost_over: table.get("cost_over").and_then(|value| cost(value, findings)),
        reversibility: table
            .get("reversibility")
            .map(|value| {
                choices(value, "reversibility", &Reversibility::NAMES, Reversibility::parse, findings)
            })
            .unwrap_or_default(),
    };
    one_protocol(&table, findings);
    let panel = panel(&table, rule.as_ref().map(|rule| rule.name.as_str()), findings);
    let inline = match table.get("inline") {
        None => Some(Hold::DEFAULT_INLINE),
        Some(value) => length(value, "inline", "50s", Duration::ZERO..=Hold::MAX_INLINE, findings),
    };
    let most_uses = match table.get("uses") {
        None => Some(1),
        Some(value) => uses(value, findings),
    };
    let holds_for = match table.get("holds_for") {
        None => Some(Hold::DEFAULT_HOLDS_FOR),
        Some(value) => {
            length(value, "holds_for", "15m", Duration::from_secs(1)..=Hold::MAX_HOLDS_FOR, findings)
        }
    };
    let reason = table.get("reason").and_then(|value| reason(value, findings));
    Some(Hold {
        rule: Arc::new(rule?),
        asks,
        panel: panel?,
        inline: inline?,
        most_uses: most_uses?,
        most_ms: u64::try_from(holds_for?.as_millis()).unwrap_or(MAX_GRANT_MS),
        reason,
    })
}

/// A hold about two protocols would match nothing.
fn one_protocol(table: &Table<'_, '_>, findings: &mut Collector<'_>) {
    for (key, protocol, others) in OTHERS {
        let other = others.iter().find(|other| table.get(other).is_some());
        if let (Some(value), Some(other)) = (table.get(key), other) {
            findings.add_help(
                value.span(),
                format!("`{key}` is about {protocol}, and `{other}` is not: no call is both"),
                "make two holds of it",
            );
            return;
        }
    }
}

/// The chain of tiers: that of the hold itself, then those of `escalate`.
fn panel(table: &Table<'_, '_>, name: Option<&str>, findings: &mut Collector<'_>) -> Option<Panel> {
    let mut spans = vec![table.span_of("approvers")];
    let mut tiers = vec![tier(table, findings)];
    if let Some(value) = table.get("escalate") {
        for entry in escalation(value, findings) {
            let Some(inner) = entry.get_ref().as_table() else {
                findings.add_help(
                    entry.span(),
                    "`escalate` is a list of tables",
                    "write `escalate = [{ approvers = [\"carol@example.com\"], wait = \"1h\" }]`",
                );
                return None;
            };
            spans.push(entry.span());
            let next = Table::open(inner, entry.span(), "an entry of `escalate`", TIER_KEYS, findings);
            tiers.push(tier(&next, findings));
        }
    }
    let tiers: Vec<Tier> = tiers.into_iter().collect::<Option<_>>()?;
    match Panel::new(tiers) {
        Ok(panel) => Some(panel),
        Err(problem) => {
            let span = spans.get(tier_of(&problem).saturating_sub(1)).cloned();
            let message = match name {
                Some(name) => format!("the hold `{name}` cannot be decided: {problem}"),
                None => format!("the hold cannot be decided: {problem}"),
            };
            findings.add_help(span.unwrap_or_else(|| table.span_of("approvers")), message, help_of(&problem));
            None
        }
    }
}

/// The tier that a problem is about, from 1.
fn tier_of(problem: &PanelProblem) -> usize {
    match problem {
        PanelProblem::NoTier | PanelProblem::TooManyTiers(_) => 1,
        PanelProblem::TooManyPeople { tier, .. }
        | PanelProblem::Quorum { tier, .. }
        | PanelProblem::Wait { tier, .. }
        | PanelProblem::Loop { tier, .. } => *tier,
    }
}

fn help_of(problem: &PanelProblem) -> &'static str {
    match problem {
        PanelProblem::NoTier => "name who may approve in `approvers`",
        PanelProblem::TooManyTiers(_) => "take tiers out of `escalate`",
        PanelProblem::TooManyPeople { .. } => "name fewer people",
        PanelProblem::Quorum { .. } => {
            "tier 1 is the hold's own; the others are those of `escalate`, in order"
        }
        PanelProblem::Wait { .. } => "give each tier its own `wait`",
        PanelProblem::Loop { .. } => "name somebody else in this tier of `escalate`, or take it out",
    }
}

/// The entries of `escalate`.
fn escalation<'d, 't>(
    value: &'d Spanned<DeValue<'t>>,
    findings: &mut Collector<'_>,
) -> Vec<&'d Spanned<DeValue<'t>>> {
    let Some(array) = value.get_ref().as_array() else { return vec![value] };
    if array.len() >= MAX_TIERS {
        findings.add_help(
            value.span(),
            format!("`escalate` has {} tiers; a hold has at most {MAX_TIERS} with its own", array.len()),
            "take some out",
        );
        return Vec::new();
    }
    array.iter().collect()
}

fn tier(table: &Table<'_, '_>, findings: &mut Collector<'_>) -> Option<Tier> {
    let people = table.required("approvers", findings).and_then(|value| approvers(value, findings));
    let quorum = match table.get("quorum") {
        None => Some(Quorum::Any),
        Some(value) => quorum(value, findings),
    };
    let bounds = Duration::from_millis(MIN_TIER_MS)..=Duration::from_millis(MAX_TIER_MS);
    let wait =
        table.required("wait", findings).and_then(|value| length(value, "wait", "1h", bounds, findings));
    let wait_ms = u64::try_from(wait?.as_millis()).ok()?;
    Some(Tier { people: people?, quorum: quorum?, wait_ms })
}

fn approvers(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<BTreeSet<Person>> {
    let mut people = BTreeSet::new();
    let written = string_list(value, "approvers", findings);
    let mut right = !written.is_empty();
    for (text, span) in written {
        match text.parse::<Person>() {
            Ok(person) => {
                // Else a quorum of two could be thought to be two people.
                if !people.insert(person) {
                    right = false;
                    findings.add_help(
                        span,
                        format!("`{}` stands twice in `approvers`", shorten(&text)),
                        "take it out once",
                    );
                }
            }
            Err(_) => {
                right = false;
                findings.add_help(
                    span,
                    format!("`{}` names nobody", shorten(&text)),
                    "a person is 1 to 128 visible ASCII characters in lower case, such as alice@example.com",
                );
            }
        }
    }
    right.then_some(people)
}

fn quorum(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<Quorum> {
    let read = match value.get_ref() {
        DeValue::String(text) => match text.as_ref() {
            "any" => Some(Quorum::Any),
            "all" => Some(Quorum::All),
            _ => None,
        },
        _ => integer(value).and_then(|number| u16::try_from(number).ok()).map(Quorum::Threshold),
    };
    if read.is_none() {
        findings.add_help(
            value.span(),
            "`quorum` says how many of the approvers must agree",
            "write \"any\", \"all\", or a whole number without quotes",
        );
    }
    read
}

fn uses(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<u16> {
    let number = integer(value).and_then(|number| u16::try_from(number).ok());
    let number = number.filter(|number| (1..=MAX_USES).contains(number));
    if number.is_none() {
        findings.add_help(
            value.span(),
            format!("`uses` is a whole number from 1 to {MAX_USES}"),
            "it is how often a call may go out under one approval",
        );
    }
    number
}

fn reason(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<String> {
    let text = string(value, "reason", findings)?;
    if text.is_empty() || text.len() > MAX_HOLD_REASON_BYTES || text.chars().any(char::is_control) {
        findings.add_help(
            value.span(),
            format!("`reason` is a line of 1 to {MAX_HOLD_REASON_BYTES} bytes without control characters"),
            "say in a sentence why people are asked",
        );
        return None;
    }
    Some(text.to_owned())
}

/// `"5.00 USD"`: an amount as budgets write it, and its currency.
fn cost(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<u64> {
    let help = "write an exact amount and its currency in quotes, as in `cost_over = \"5.00 USD\"`";
    let written = value.get_ref().as_str();
    let units = written.and_then(Hold::parse_cost);
    if units.is_none() {
        let message = match written {
            None => "`cost_over` is an amount of money".to_owned(),
            Some(text) if text.contains(' ') && !text.ends_with(" USD") => {
                format!("`{}` cannot be compared: the prices of models are in USD", shorten(text))
            }
            Some(text) => format!("`{}` is no amount of money", shorten(text)),
        };
        findings.add_help(value.span(), message, help);
    }
    units
}

/// A length of time within its bounds.
fn length(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    example: &str,
    bounds: std::ops::RangeInclusive<Duration>,
    findings: &mut Collector<'_>,
) -> Option<Duration> {
    let written = string(value, key, findings)?;
    let help = || format!("{LENGTH_HELP} `{key} = \"{example}\"`");
    match staleness::time(written) {
        Some(time) if bounds.contains(&time) => Some(time),
        Some(_) => {
            let (least, most) = (Length(*bounds.start()), Length(*bounds.end()));
            let message = format!("`{key}` is from {least} to {most}, not `{}`", shorten(written));
            findings.add_help(value.span(), message, help());
            None
        }
        None => {
            findings.add_help(value.span(), format!("`{}` is no length of time", shorten(written)), help());
            None
        }
    }
}
