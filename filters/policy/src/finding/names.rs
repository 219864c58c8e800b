//! Rules that no call meets: by their expressions, and by the services that they name.

use std::collections::BTreeMap;

use creto_call::ModelCall;
use creto_expression::spelling::nearest;

use super::{
    Finding, FindingKind, Known, Work,
    covers::{hosts_meet, ports_meet},
};
use crate::{Document, Place, place::Placed};

/// Providers that need no naming.
pub(super) const BUILT_IN: [&str; 7] =
    ["openai", "anthropic", "gemini", "vertex", "bedrock", "azure-openai", ModelCall::UNNAMED];
/// Most names among which the one that was meant is looked for.
pub(super) const MAX_GUESSED: usize = 100;

/// Services by name, with every place that has it.
type Services<'d> = BTreeMap<&'d str, Vec<&'d Place>>;

pub(super) fn unsatisfiable(documents: &[&Document], rules: &[Known<'_>], work: &mut Work) -> Vec<Finding> {
    let mut providers = by_name(documents.iter().flat_map(|document| document.providers.iter()));
    let built_in = providers.keys().copied().filter(|name| BUILT_IN.contains(name)).collect::<Vec<_>>();
    for name in built_in {
        // Its hosts are not only those that the documents say.
        providers.insert(name, Vec::new());
    }
    for name in BUILT_IN {
        providers.entry(name).or_default();
    }
    let mcp_servers = by_name(documents.iter().flat_map(|document| document.mcp_servers.iter()));
    let a2a_agents = by_name(documents.iter().flat_map(|document| document.a2a_agents.iter()));
    let mut out = Vec::new();
    for known in rules {
        let Some(conditions) = &known.rule.conditions else { continue };
        if let Some(when) = &conditions.when
            && when.never_holds(known.rule.effect)
        {
            out.push(Finding {
                kind: FindingKind::Unsatisfiable,
                rule: known.place(),
                other: None,
                message: format!("the `when` of the {} `{}` holds for no call", known.kind(), known.place()),
                help: "it is false whatever a call says: correct it, or remove the rule".to_owned(),
            });
            continue;
        }
        for (key, what, names, services) in [
            ("provider", "provider", &conditions.providers, &providers),
            ("mcp_server", "MCP server", &conditions.mcp_servers, &mcp_servers),
            ("a2a_agent", "agent", &conditions.a2a_agents, &a2a_agents),
        ] {
            let found = names.iter().find_map(|name| wrong(known, key, what, name, services, work));
            out.extend(found);
        }
    }
    out
}

fn by_name<'d, T: Placed + 'd>(services: impl Iterator<Item = &'d std::sync::Arc<T>>) -> Services<'d> {
    let mut out = Services::new();
    for service in services {
        out.entry(service.name()).or_default().push(service.place());
    }
    out
}

fn wrong(
    known: &Known<'_>,
    key: &str,
    what: &str,
    name: &str,
    services: &Services<'_>,
    work: &mut Work,
) -> Option<Finding> {
    let rule = known.place();
    let kind = known.kind();
    let (message, help) = match services.get(name) {
        None => {
            let names: Vec<&str> = services.keys().copied().take(MAX_GUESSED).collect();
            let help = match nearest(name, &names) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("say where it is with `[[{key}]]`, or take it out of the rule"),
            };
            (format!("the {kind} `{rule}` names the {what} `{name}`, which no policy here does"), help)
        }
        Some(places) if !places.is_empty() && !places.iter().any(|place| meets(known, place, work)) => (
            format!("the {kind} `{rule}` is about none of the hosts and ports of the {what} `{name}`"),
            format!("give the rule the host and port of the `[[{key}]]`"),
        ),
        Some(_) => return None,
    };
    Some(Finding { kind: FindingKind::Unsatisfiable, rule, other: None, message, help })
}

/// Whether a rule may be about the place; yes when the work runs out.
fn meets(known: &Known<'_>, place: &Place, work: &mut Work) -> bool {
    let rule = known.rule;
    !work.spend(rule.ports.len().saturating_mul(place.ports.len()))
        || ports_meet(&rule.ports, &place.ports)
            && rule.hosts.iter().any(|host| {
                !work.spend(place.hosts.len()) || place.hosts.iter().any(|other| hosts_meet(host, other))
            })
}
