//! Whether one rule is about every call that another is about.

use creto_authz::HostPattern;

use super::Work;
use crate::{
    HostEntry, PortRange, Rule,
    conditions::Conditions,
    set::merged,
    text_glob::{Case, TextGlob},
};

/// How much of an allow rule a deny rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cover {
    /// Not all of it, as far as can be told.
    Part,
    /// All that it names; not what it lets through around that: opening an MCP session, listing, reading tasks.
    Named,
    /// Every call.
    Whole,
}

/// How much of what `allow` lets through `deny` refuses.
pub(super) fn covers(deny: &Rule, allow: &Rule, work: &mut Work) -> Cover {
    let line = allow.methods & !deny.methods == 0
        && ports_cover(&deny.ports, &allow.ports)
        && each(&deny.hosts, &allow.hosts, work, host_covers)
        && (deny.paths.is_empty()
            || !allow.paths.is_empty()
                && each(&deny.paths, &allow.paths, work, |wide, narrow| {
                    narrow.head().starts_with(wide.head()) && wide.covers(narrow)
                }));
    if !line {
        return Cover::Part;
    }
    match (&deny.conditions, &allow.conditions) {
        (None, _) => Cover::Whole,
        (Some(_), None) => Cover::Part,
        (Some(deny), Some(allow)) => conditions_cover(deny, allow, work),
    }
}

fn conditions_cover(deny: &Conditions, allow: &Conditions, work: &mut Work) -> Cover {
    let named = |deny: &[String], allow: &[String], work: &mut Work| {
        asks_as_much(deny, allow, work, |wide, narrow| wide == narrow)
    };
    let globbed = |deny: &[TextGlob], allow: &[TextGlob], case: Case, work: &mut Work| {
        asks_as_much(deny, allow, work, |wide, narrow| wide.covers(narrow, case))
    };
    let all = deny.when.as_ref().is_none_or(|when| allow.when.as_ref() == Some(when))
        && named(&deny.providers, &allow.providers, work)
        && named(&deny.mcp_servers, &allow.mcp_servers, work)
        && named(&deny.a2a_agents, &allow.a2a_agents, work)
        && globbed(&deny.models, &allow.models, Case::Folded, work)
        && globbed(&deny.tools, &allow.tools, Case::Counts, work)
        && globbed(&deny.skills, &allow.skills, Case::Counts, work)
        && deny.arguments.iter().all(|wanted| allow.arguments.contains(wanted));
    if !all {
        return Cover::Part;
    }
    let calls = TextGlob::new("tools/call");
    let house = if !deny.mcp_methods.is_empty() {
        // Of an allow rule without methods that names tools the calls are covered at least.
        let wanted = match allow.keep_house() {
            true => std::slice::from_ref(&calls),
            false => allow.mcp_methods.as_slice(),
        };
        if !globbed(&deny.mcp_methods, wanted, Case::Counts, work) {
            return Cover::Part;
        }
        allow.keep_house()
    } else if deny.keep_house() {
        if allow.mcp_methods.iter().any(|method| *method != calls) {
            return Cover::Part;
        }
        allow.keep_house()
    } else {
        false
    };
    if house || !deny.skills.is_empty() { Cover::Named } else { Cover::Whole }
}

/// Whether what a deny rule asks of a key holds whenever what an allow rule asks of it does.
fn asks_as_much<T>(deny: &[T], allow: &[T], work: &mut Work, covers: impl Fn(&T, &T) -> bool) -> bool {
    deny.is_empty() || !allow.is_empty() && each(deny, allow, work, covers)
}

/// Whether some entry of `wide` covers each of `narrow`; no when the work runs out.
pub(super) fn each<T>(wide: &[T], narrow: &[T], work: &mut Work, covers: impl Fn(&T, &T) -> bool) -> bool {
    narrow.iter().all(|narrow| work.spend(wide.len()) && wide.iter().any(|wide| covers(wide, narrow)))
}

pub(super) fn host_covers(wide: &HostEntry, narrow: &HostEntry) -> bool {
    match (wide, narrow) {
        (HostEntry::Pattern(HostPattern::Any), _) => true,
        (HostEntry::Pattern(wide), HostEntry::Pattern(narrow)) => wide.covers(narrow),
        (HostEntry::Pattern(_), HostEntry::Network(_)) => false,
        (HostEntry::Network(_), HostEntry::Pattern(HostPattern::Exact(host))) => wide.matches(host),
        (HostEntry::Network(_), HostEntry::Pattern(_)) => false,
        (HostEntry::Network(wide), HostEntry::Network(narrow)) => {
            wide.prefix() <= narrow.prefix() && wide.contains(narrow.first())
        }
    }
}

/// Whether some host may be meant by both.
pub(super) fn hosts_meet(one: &HostEntry, other: &HostEntry) -> bool {
    host_covers(one, other) || host_covers(other, one)
}

pub(super) fn ports_cover(wide: &[PortRange], narrow: &[PortRange]) -> bool {
    let wide = merged(wide.to_vec());
    narrow
        .iter()
        .all(|narrow| wide.iter().any(|range| range.first <= narrow.first && narrow.last <= range.last))
}

pub(super) fn ports_meet(one: &[PortRange], other: &[PortRange]) -> bool {
    let (one, other) = (merged(one.to_vec()), merged(other.to_vec()));
    one.iter().any(|one| other.iter().any(|other| one.first <= other.last && other.first <= one.last))
}
