//! Reading `[[allow]]` and `[[deny]]`.

use std::{collections::BTreeMap, ops::Range};

use creto_call::Method;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(super) use super::conditions::CONDITION_KEYS;
use super::{
    choice,
    conditions::conditions,
    known_word, name_of,
    place::place,
    unique,
    values::{Table, boolean, string_list},
};
use crate::{Effect, Place, Rule, problem::Collector};

pub(super) const FIRST_KEYS: &[&str] = &["name", "host", "port"];
/// Asked of the request line.
pub(super) const LINE_KEYS: &[&str] = &["method", "path"];
/// Of allow rules only.
const ALLOW_KEYS: &[&str] = &["private", "tls"];
const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"];

/// Reads one rule; none if anything is wrong with it.
pub(super) fn rule(
    key: &str,
    table: &DeTable<'_>,
    span: Range<usize>,
    names: &mut BTreeMap<String, usize>,
    findings: &mut Collector<'_>,
) -> Option<Rule> {
    let line = findings.line(span.start);
    let (effect, what, own_keys) = match key {
        "allow" => (Effect::Allow, "[[allow]]", ALLOW_KEYS),
        _ => (Effect::Deny, "[[deny]]", &[][..]),
    };
    let keys = [FIRST_KEYS, LINE_KEYS, own_keys, CONDITION_KEYS].concat();
    let table = Table::open(table, span, what, &keys, findings);
    asked(&table, effect, line, names, findings)
}

/// What a rule asks, and its name; none if anything is wrong with it.
pub(super) fn asked(
    table: &Table<'_, '_>,
    effect: Effect,
    line: usize,
    names: &mut BTreeMap<String, usize>,
    findings: &mut Collector<'_>,
) -> Option<Rule> {
    let name = table.required("name", findings).and_then(|value| {
        let name = name_of(value, "rule", findings)?;
        unique(names, &name, value.span(), "rule", findings).then_some(name)
    });
    let Place { hosts, ports, paths } = place(table, findings);
    let methods = match table.get("method") {
        None => Method::ANY_MASK,
        Some(value) => methods(value, findings),
    };
    let private = match table.get("private") {
        Some(value) if effect == Effect::Allow => boolean(value, "private", findings)?,
        _ => false,
    };
    let pass = match table.get("tls") {
        Some(value) if effect == Effect::Allow => {
            choice(value, "tls", &["inspect", "pass"], findings)? == "pass"
        }
        _ => false,
    };
    let conditions = conditions(table, findings);
    if pass {
        let reads = |key: &str| match key {
            "when" => conditions.when.as_ref().is_some_and(|when| !when.is_about_destination_only()),
            _ => true,
        };
        for key in LINE_KEYS.iter().chain(CONDITION_KEYS).filter(|key| reads(key)) {
            let Some(value) = table.get(key) else { continue };
            findings.add_help(
                value.span(),
                format!("`tls = \"pass\"` leaves the request unread, so its {key} cannot be matched"),
                format!("remove `{key}`, or set `tls = \"inspect\"`"),
            );
        }
    }
    let conditions = (!conditions.is_empty()).then(|| Box::new(conditions));
    Some(Rule { name: name?, effect, hosts, ports, methods, paths, private, pass, conditions, line })
}

fn methods(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> u16 {
    let mut mask = 0;
    for (text, span) in string_list(value, "method", findings) {
        mask |= match known_word(&text, span, "method", METHODS, findings) {
            Some("*") => Method::ANY_MASK,
            Some(name) => Method::parse(name).mask(),
            None => 0,
        };
    }
    mask
}
