//! Quotas that count nothing, and too many that count the same.

use std::collections::BTreeSet;

use creto_expression::spelling::nearest;
use creto_quota::MAX_SET;

use super::{
    Finding, FindingKind, RulePlace, Work,
    covers::hosts_meet,
    names::{BUILT_IN, MAX_GUESSED},
};
use crate::{Document, Effect, HostEntry, QuotaRule, Selector, quota::at_once};

fn place(quota: &QuotaRule) -> RulePlace {
    RulePlace { policy: quota.policy.clone(), line: quota.line, rule: quota.name.clone() }
}

/// Quotas whose matchers no call can meet.
pub(super) fn uncounted(documents: &[&Document], work: &mut Work) -> Vec<Finding> {
    let named =
        documents.iter().flat_map(|document| document.providers.iter().map(|provider| provider.name()));
    let providers: BTreeSet<&str> = BUILT_IN.into_iter().chain(named).collect();
    let allowed: Vec<&HostEntry> = documents
        .iter()
        .flat_map(|document| document.rules.iter().filter(|rule| rule.effect == Effect::Allow))
        .flat_map(|rule| &rule.hosts)
        .collect();
    let mut out = Vec::new();
    for quota in documents.iter().flat_map(|document| &document.quotas) {
        let unknown = quota.providers.iter().find(|name| !providers.contains(name.as_str()));
        let (message, help) = match unknown {
            Some(name) => {
                let known: Vec<&str> = providers.iter().copied().take(MAX_GUESSED).collect();
                let help = match nearest(name, &known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "say where it is with `[[provider]]`, or take it out".to_owned(),
                };
                (format!("`{}` names the provider `{name}`, which no policy here does", place(quota)), help)
            }
            // Rules may stand in documents that are not looked at.
            None if allowed.is_empty() || touches(quota, &allowed, work) => continue,
            None => (
                format!("no allow rule is about any host of `{}`, so no call counts", place(quota)),
                "correct `host`, or leave it out to count calls to every host".to_owned(),
            ),
        };
        out.push(Finding { kind: FindingKind::Uncounted, rule: place(quota), other: None, message, help });
    }
    out
}

/// Whether some allow rule may be about a host of the quota; yes when the work runs out.
fn touches(quota: &QuotaRule, allowed: &[&HostEntry], work: &mut Work) -> bool {
    quota.hosts.is_empty()
        || quota
            .hosts
            .iter()
            .any(|host| !work.spend(allowed.len()) || allowed.iter().any(|other| hosts_meet(host, other)))
}

/// Documents for the same agents, and those for every agent, whose quotas cannot all be held for one call.
pub(super) fn crowded(documents: &[&Document]) -> Vec<Finding> {
    let with_quotas: Vec<&Document> =
        documents.iter().copied().filter(|document| !document.quotas.is_empty()).collect();
    let everybody = Selector::default();
    let mut seen: Vec<&Selector> = Vec::new();
    let mut out = Vec::new();
    for document in &with_quotas {
        if seen.contains(&&document.selector) {
            continue;
        }
        seen.push(&document.selector);
        let beside = |other: &&&Document| other.selector == document.selector || other.selector == everybody;
        let quotas: Vec<&QuotaRule> = with_quotas
            .iter()
            .filter(beside)
            .flat_map(|other| other.quotas.iter().map(|quota| &**quota))
            .collect();
        let together = at_once(quotas.iter().copied());
        let own = document.quotas.iter().rev().find(|quota| quota.is_unnarrowed());
        if let Some(last) = own.filter(|_| together > MAX_SET) {
            out.push(Finding {
                kind: FindingKind::Crowded,
                rule: place(last),
                other: None,
                message: format!(
                    "{together} quotas and budgets of the policies for these agents count the same calls, and at most \
                     {MAX_SET} can: every such call is refused"
                ),
                help: "merge some, or say with `model`, `provider` or `host` which calls they count".to_owned(),
            });
        }
    }
    out
}
