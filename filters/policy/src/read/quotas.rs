//! Reading `[[quota]]` and `[[budget]]`.

mod amount;
mod period;

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use creto_quota::{Action, MAX_SET, QuotaSpec};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(super) use self::amount::integer;
pub(crate) use self::amount::read_dollars;
use self::{
    amount::{money, whole},
    period::{period, zone},
};
use super::{
    choice,
    conditions::{MODEL, globs, names},
    name_of,
    place::hosts,
    shorten, tables, unique,
    values::{Table, boolean, string},
};
use crate::{
    Away, IMPLICIT_POLICY, MAX_QUOTAS, Per, QuotaMeter, QuotaPeriod, QuotaRule, problem::Collector,
    quota::at_once,
};

const QUOTA_KEYS: &[&str] = &["name", "meter", "limit"];
const BUDGET_KEYS: &[&str] = &["name", "limit", "currency", "cut_streams"];
/// Of both.
const SHARED_KEYS: &[&str] =
    &["period", "per", "zone", "action", "warn", "model", "provider", "host", "away"];
/// What narrows which calls count.
const MATCHERS: [&str; 3] = ["model", "provider", "host"];
const ACTIONS: &[&str] = &["block", "allow-with-overage", "notify-only"];
const DOLLAR: &str = "USD";

/// Reads all of a document, quotas before budgets.
pub(super) fn quotas(
    table: &Table<'_, '_>,
    policy: Option<&str>,
    findings: &mut Collector<'_>,
) -> Vec<Arc<QuotaRule>> {
    let mut names = BTreeMap::new();
    let mut out = Vec::new();
    let mut last = None;
    let mut count = 0;
    for key in ["quota", "budget"] {
        for (entry, span) in tables(table, key, findings) {
            count += 1;
            if count > MAX_QUOTAS {
                findings.add_help(
                    span,
                    format!("a document has at most {MAX_QUOTAS} `[[quota]]` and `[[budget]]`"),
                    "merge some, or split it into several policies",
                );
                return out;
            }
            last = Some(span.clone());
            let read = quota(key, entry, span, policy, &mut names, findings);
            out.extend(read.map(Arc::new));
        }
    }
    let Some(last) = last else { return out };
    if policy == Some(IMPLICIT_POLICY) {
        findings.add_help(
            table.span_of("name"),
            format!("a policy with quotas cannot be called `{IMPLICIT_POLICY}`: quotas of agents' labels are said to be of it"),
            "give the policy another name",
        );
    }
    let together = at_once(out.iter().map(|quota| &**quota));
    if together > MAX_SET {
        findings.add_help(
            last,
            format!("{together} quotas and budgets count the same calls; at most {MAX_SET} can"),
            "merge some, or say with `model`, `provider` or `host` which calls they count",
        );
    }
    out
}

fn quota(
    key: &str,
    table: &DeTable<'_>,
    span: Range<usize>,
    policy: Option<&str>,
    taken: &mut BTreeMap<String, usize>,
    findings: &mut Collector<'_>,
) -> Option<QuotaRule> {
    let line = findings.line(span.start);
    let (what, own_keys) = match key {
        "quota" => ("[[quota]]", QUOTA_KEYS),
        _ => ("[[budget]]", BUDGET_KEYS),
    };
    let table = Table::open(table, span, what, &[own_keys, SHARED_KEYS].concat(), findings);
    let name = table.required("name", findings).and_then(|value| {
        let name = name_of(value, key, findings)?;
        unique(taken, &name, value.span(), "quota or budget", findings).then_some(name)
    });
    let meter = match key {
        "quota" => table.required("meter", findings).and_then(|value| meter(value, findings)),
        _ => table.required("currency", findings).and_then(|value| currency(value, findings)),
    };
    let limit = table.required("limit", findings).and_then(|value| match key {
        "quota" => whole(value, "limit", findings),
        _ => money(value, findings),
    });
    let period = table.required("period", findings).and_then(|value| period(value, findings));
    let zone = match table.get("zone") {
        None => Some("UTC"),
        Some(value) => zone(value, findings),
    };
    if let (Some(QuotaPeriod::Custom { .. }), Some(value)) = (period, table.get("zone")) {
        findings.add_help(value.span(), "a period of seconds goes by no zone's clock", "remove `zone`");
    }
    let per = match table.get("per") {
        None => Some(Per::default()),
        Some(value) => choice(value, "per", &Per::NAMES, findings).and_then(Per::parse),
    };
    let action = match table.get("action") {
        None => Some(Action::default()),
        Some(value) => choice(value, "action", ACTIONS, findings).and_then(|word| word.parse().ok()),
    };
    let warn_percent = match table.get("warn") {
        None => Some(QuotaSpec::DEFAULT_WARN_PERCENT),
        Some(value) => percent(value, findings),
    };
    let away = match table.get("away") {
        None => Some(Away::default()),
        Some(value) => choice(value, "away", &["refuse", "allow"], findings).map(|word| match word {
            "allow" => Away::Allow,
            _ => Away::Refuse,
        }),
    };
    let cut_streams = match table.get("cut_streams") {
        Some(value) if key == "budget" => boolean(value, "cut_streams", findings),
        _ => Some(false),
    };
    let hosts = table.get("host").map(|value| hosts(value, findings)).unwrap_or_default();
    let providers = names(&table, "provider", findings);
    let models = globs(&table, MODEL, findings);
    if let Some(meter) = meter {
        counts_something(&table, meter, findings);
    }
    Some(QuotaRule {
        policy: policy?.to_owned(),
        name: name?,
        meter: meter?,
        limit: limit?,
        period: period?,
        zone: zone?,
        per: per?,
        action: action?,
        warn_percent: warn_percent?,
        away: away?,
        cut_streams: cut_streams?,
        hosts,
        providers,
        models,
        line,
    })
}

fn meter(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<QuotaMeter> {
    if matches!(value.get_ref().as_str(), Some("cost" | "llm.cost")) {
        findings.add_help(
            value.span(),
            "money is counted by a budget, not by a quota",
            "write `[[budget]]`, with `limit = \"250.00\"` and `currency = \"USD\"` in place of `meter`",
        );
        return None;
    }
    let known = QuotaMeter::NAMED.map(QuotaMeter::as_str);
    let word = choice(value, "meter", &known, findings)?;
    QuotaMeter::NAMED.into_iter().find(|meter| meter.as_str() == word)
}

fn currency(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<QuotaMeter> {
    let written = string(value, "currency", findings)?;
    if written == DOLLAR {
        return Some(QuotaMeter::Cost(DOLLAR));
    }
    findings.add_help(
        value.span(),
        format!("a budget in `{}` cannot be kept: the prices of models are in {DOLLAR}", shorten(written)),
        format!("write `currency = \"{DOLLAR}\"`, and the limit in dollars"),
    );
    None
}

/// 1 to 100.
fn percent(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<u8> {
    let number = value.get_ref().as_integer();
    let percent = number.and_then(|number| u8::from_str_radix(number.as_str(), number.radix()).ok());
    let percent = percent.filter(|percent| (1..=100).contains(percent));
    if percent.is_none() {
        findings.add_help(
            value.span(),
            "`warn` is a percentage of the limit, from 1 to 100",
            "write it without quotes or `%`, as in `warn = 80`",
        );
    }
    percent
}

/// A quota that narrows by what its meter never has would count nothing.
fn counts_something(table: &Table<'_, '_>, meter: QuotaMeter, findings: &mut Collector<'_>) {
    let (never, why): (&[&str], &str) = match meter {
        QuotaMeter::Sandboxes => (&MATCHERS, "a sandbox is started by no call"),
        QuotaMeter::Messages => (&["model", "provider"], "a message to an agent asks no model"),
        _ => return,
    };
    for key in never.iter().filter(|key| table.get(key).is_some()) {
        findings.add_help(
            table.span_of(key),
            format!("{why}, so `{key}` would leave nothing to count"),
            format!("remove `{key}`"),
        );
    }
}
