//! Holds that hold nothing, and those that stand twice.

use std::collections::HashMap;

use super::{
    Finding, FindingKind, Known, Work,
    covers::{Cover, covers, hosts_meet, ports_meet},
    shadow::meant_for_all_of,
    sheet::{Row, Sheet},
};
use crate::Effect;

/// Finds those that no allow rule can reach.
pub(super) fn unreached(holds: &[Known<'_>], rules: &[Known<'_>], work: &mut Work, out: &mut Vec<Finding>) {
    let of = |effect| rules.iter().filter(move |known| known.rule.effect == effect);
    let allows: Vec<&Known<'_>> = of(Effect::Allow).collect();
    let denies: Vec<&Known<'_>> = of(Effect::Deny).collect();
    for hold in holds {
        // Rules may stand in documents that are not looked at.
        if !allows.is_empty() && !allows.iter().any(|allow| meet(hold, allow, work)) {
            out.push(Finding {
                kind: FindingKind::Unreached,
                rule: hold.place(),
                other: None,
                message: format!(
                    "the hold `{}` holds nothing: no allow rule is about any host, port and method that it is about",
                    hold.place()
                ),
                help: "a hold only waits for what is allowed: correct it, or allow what it is about".to_owned(),
            });
            continue;
        }
        let refused = denies.iter().find(|deny| {
            work.spend(1) && meant_for_all_of(deny, hold) && covers(deny.rule, hold.rule, work) != Cover::Part
        });
        if let Some(deny) = refused {
            let other = deny.place();
            out.push(Finding {
                kind: FindingKind::Unreached,
                rule: hold.place(),
                message: format!(
                    "the hold `{}` holds nothing: the deny rule `{other}` (line {}) refuses all of it",
                    hold.place(),
                    other.line
                ),
                other: Some(other),
                help: "a deny rule wins over every hold: narrow it, or remove the hold".to_owned(),
            });
        }
    }
}

/// Whether some call may be about both, as far as hosts, ports and methods tell; yes when the work runs out.
fn meet(hold: &Known<'_>, allow: &Known<'_>, work: &mut Work) -> bool {
    let (hold, allow) = (hold.rule, allow.rule);
    hold.methods & allow.methods != 0
        && (!work.spend(hold.ports.len().saturating_mul(allow.ports.len()))
            || ports_meet(&hold.ports, &allow.ports))
        && hold.hosts.iter().any(|host| {
            !work.spend(allow.hosts.len()) || allow.hosts.iter().any(|other| hosts_meet(host, other))
        })
}

/// Finds those that ask what an earlier one asks, and ask the same people: one call waits for both.
pub(super) fn repeated(holds: &[Known<'_>], out: &mut Vec<Finding>) {
    let sheet = Sheet::of(holds);
    let mut first: HashMap<(Row, String), usize> = HashMap::new();
    for (at, (known, row)) in holds.iter().zip(&sheet.rows).enumerate() {
        let Some(hold) = known.hold else { continue };
        let people = format!("{:?} {:?}", hold.asks, hold.panel);
        let earlier = *first.entry((*row, people)).or_insert(at);
        if earlier == at {
            continue;
        }
        let other = holds[earlier].place();
        out.push(Finding {
            kind: FindingKind::Duplicate,
            rule: known.place(),
            message: format!(
                "the hold `{}` asks the same people about the same calls as `{other}` (line {})",
                known.place(),
                other.line
            ),
            other: Some(other),
            help: "remove one of them: they would be asked twice for one call".to_owned(),
        });
    }
}
