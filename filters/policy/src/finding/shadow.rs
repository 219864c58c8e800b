//! Allow rules that can let nothing through.

use creto_authz::HostPattern;
use creto_call::NormalHost;

use super::{
    Finding, FindingKind, Known, Work,
    covers::{Cover, covers},
};
use crate::{Effect, HostEntry, Selector, host_map::HostMap};

/// Finds them; says of each rule whether it is one.
pub(super) fn shadowed(rules: &[Known<'_>], work: &mut Work, out: &mut Vec<Finding>) -> Vec<bool> {
    let mut denies = HostMap::<Vec<usize>>::default();
    for (at, known) in rules.iter().enumerate().filter(|(_, known)| known.rule.effect == Effect::Deny) {
        for host in &known.rule.hosts {
            denies.entry(host).push(at);
        }
    }
    rules
        .iter()
        .map(|known| {
            let found = match known.rule.effect {
                Effect::Allow => shadow_of(known, rules, &denies, work),
                Effect::Deny => None,
            };
            if let Some((cover, by)) = found {
                out.push(finding(known, by, cover));
            }
            found.is_some()
        })
        .collect()
}

fn shadow_of<'k, 'd>(
    allow: &Known<'d>,
    rules: &'k [Known<'d>],
    denies: &HostMap<Vec<usize>>,
    work: &mut Work,
) -> Option<(Cover, &'k Known<'d>)> {
    // What covers the rule covers its first host.
    let host = allow.rule.hosts.first().map(a_host_of)?;
    let mut best: Option<(Cover, &Known<'_>)> = None;
    denies.each(&host, |_, numbers| {
        for deny in numbers.iter().filter_map(|at| rules.get(*at)) {
            if best.is_some_and(|(cover, _)| cover == Cover::Whole) || !work.spend(1) {
                return;
            }
            if !meant_for_all_of(deny, allow) {
                continue;
            }
            let cover = covers(deny.rule, allow.rule, work);
            if cover > best.map_or(Cover::Part, |(cover, _)| cover) {
                best = Some((cover, deny));
            }
        }
    });
    best
}

/// A host that whatever covers the entry means.
fn a_host_of(entry: &HostEntry) -> String {
    match entry {
        // No name is empty, so only `*` means it.
        HostEntry::Pattern(HostPattern::Any) => String::new(),
        HostEntry::Pattern(HostPattern::Exact(host)) => host.to_string(),
        // No name has a star, so only wildcards mean it.
        HostEntry::Pattern(HostPattern::Under(suffix)) => format!("*{suffix}"),
        HostEntry::Network(network) => NormalHost::from_ip(network.first()).into_string(),
    }
}

/// Whether the deny rule holds for every agent for which the allow rule does.
pub(super) fn meant_for_all_of(deny: &Known<'_>, allow: &Known<'_>) -> bool {
    std::ptr::eq(deny.document, allow.document)
        || deny.document.selector == Selector::default()
        || deny.document.selector == allow.document.selector
}

fn finding(allow: &Known<'_>, deny: &Known<'_>, cover: Cover) -> Finding {
    let (rule, other) = (allow.place(), deny.place());
    let message = match cover {
        Cover::Whole => format!(
            "the allow rule `{rule}` lets nothing through: the deny rule `{other}` (line {}) refuses all of it",
            other.line
        ),
        _ => format!(
            "the allow rule `{rule}` lets nothing through that it names: the deny rule `{other}` (line {}) refuses all of \
             that",
            other.line
        ),
    };
    Finding {
        kind: FindingKind::Shadowed,
        rule,
        other: Some(other),
        message,
        help: "a deny rule wins over every allow rule: narrow it, or remove this rule".to_owned(),
    }
}
