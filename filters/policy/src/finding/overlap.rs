//! Rules that stand twice, and allow and deny rules that cross.

use std::collections::{HashMap, HashSet};

use super::{
    Finding, FindingKind, Known, Work,
    covers::{each, host_covers},
    sheet::{LISTS, Row, Sheet, entries},
};
use crate::{
    Effect, Rule,
    text_glob::{Case, TextGlob},
};

/// Most entries of a list that is compared for crossing.
const MAX_ENTRIES: usize = 100;

/// Finds both; `shadowed` says of which rules a deny rule refuses everything, so that nothing more is said of them.
pub(super) fn overlapping(rules: &[Known<'_>], shadowed: &[bool], work: &mut Work, out: &mut Vec<Finding>) {
    let sheet = Sheet::of(rules);
    let mut twice = duplicates(rules, &sheet, out);
    twice.extend(shadowed.iter().enumerate().filter(|(_, shadowed)| **shadowed).map(|(at, _)| at));
    for place in 0..LISTS.len() {
        crossing(rules, &sheet, place, &mut twice, work, out);
    }
}

fn duplicates(rules: &[Known<'_>], sheet: &Sheet, out: &mut Vec<Finding>) -> HashSet<usize> {
    let mut first: HashMap<(Row, Effect, bool, bool), usize> = HashMap::new();
    let mut twice = HashSet::new();
    for (at, (known, row)) in rules.iter().zip(&sheet.rows).enumerate() {
        let Known { rule, .. } = known;
        let earlier = *first.entry((*row, rule.effect, rule.private, rule.pass)).or_insert(at);
        if earlier == at {
            continue;
        }
        twice.insert(at);
        let other = rules[earlier].place();
        out.push(Finding {
            kind: FindingKind::Duplicate,
            rule: known.place(),
            message: format!(
                "the {} `{}` asks the same as `{other}` (line {})",
                known.kind(),
                known.place(),
                other.line
            ),
            other: Some(other),
            help: "remove one of them".to_owned(),
        });
    }
    twice
}

/// Allow and deny rules that ask the same but for one key, in which they cross.
fn crossing(
    rules: &[Known<'_>],
    sheet: &Sheet,
    place: usize,
    done: &mut HashSet<usize>,
    work: &mut Work,
    out: &mut Vec<Finding>,
) {
    let but_for_it = |at: usize| {
        let mut row = sheet.rows[at];
        row[place] = u32::MAX;
        row
    };
    // The first deny rule of each entry, by what else it asks.
    let mut denies: HashMap<(Row, String), usize> = HashMap::new();
    for (at, known) in rules.iter().enumerate().filter(|(_, known)| known.rule.effect == Effect::Deny) {
        for entry in short(entries(known.rule, place)) {
            denies.entry((but_for_it(at), entry)).or_insert(at);
        }
    }
    if denies.is_empty() {
        return;
    }
    for (at, known) in rules.iter().enumerate().filter(|(_, known)| known.rule.effect == Effect::Allow) {
        if done.contains(&at) {
            continue;
        }
        let row = but_for_it(at);
        let mine = short(entries(known.rule, place));
        let crossed = mine.iter().find_map(|entry| {
            let deny = *denies.get(&(row, entry.clone()))?;
            cross(known.rule, rules[deny].rule, place, work).then_some((entry, deny))
        });
        if let Some((entry, deny)) = crossed {
            done.insert(at);
            out.push(finding(known, &rules[deny], LISTS[place], entry));
        }
    }
}

/// Long lists are left out: what they share is no accident.
fn short(entries: Vec<String>) -> Vec<String> {
    if entries.len() > MAX_ENTRIES { Vec::new() } else { entries }
}

/// Whether each of the rules has an entry of its own that the other does not cover.
fn cross(allow: &Rule, deny: &Rule, place: usize, work: &mut Work) -> bool {
    let globs = |rule: &Rule| -> Vec<TextGlob> {
        entries(rule, place).iter().map(|entry| TextGlob::new(entry)).collect()
    };
    match LISTS[place] {
        "host" => apart(&allow.hosts, &deny.hosts, work, host_covers),
        "path" => apart(&allow.paths, &deny.paths, work, |wide, narrow| wide.covers(narrow)),
        "port" => apart(&allow.ports, &deny.ports, work, |wide, narrow| {
            wide.first <= narrow.first && narrow.last <= wide.last
        }),
        "model" => apart(&globs(allow), &globs(deny), work, |wide, narrow| wide.covers(narrow, Case::Folded)),
        "mcp_method" | "tool" | "skill" => {
            apart(&globs(allow), &globs(deny), work, |wide, narrow| wide.covers(narrow, Case::Counts))
        }
        _ => apart(&entries(allow, place), &entries(deny, place), work, |wide, narrow| wide == narrow),
    }
}

/// Whether neither list covers the other. When the work runs out nothing is claimed.
fn apart<T>(one: &[T], other: &[T], work: &mut Work, covers: impl Fn(&T, &T) -> bool) -> bool {
    !each(one, other, work, &covers) && !each(other, one, work, &covers) && work.left > 0
}

fn finding(allow: &Known<'_>, deny: &Known<'_>, key: &str, shared: &str) -> Finding {
    let (rule, other) = (allow.place(), deny.place());
    Finding {
        kind: FindingKind::Conflict,
        message: format!(
            "the allow rule `{rule}` and the deny rule `{other}` (line {}) both name the {key} `{shared}`, and each names \
             others too: it is refused",
            other.line
        ),
        help: format!("take `{shared}` out of the rule that does not mean it"),
        rule,
        other: Some(other),
    }
}
