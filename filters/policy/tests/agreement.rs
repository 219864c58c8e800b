//! The compiled set decides as the definition does, over random documents and calls.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_authz::{CallPath, PathGlob};
use creto_call::{Call, Capture, Decision, Details, Kind, Method, RefusalCode, Scheme};
use creto_policy::{Document, HostEntry, Network, PolicySet};
use proptest::{prelude::*, sample::select};

/// A rule as drawn, from which both the document and the definition are made.
#[derive(Clone, Debug)]
struct Drawn {
    deny: bool,
    hosts: Vec<&'static str>,
    ports: Option<Vec<&'static str>>,
    methods: Option<Vec<&'static str>>,
    paths: Option<Vec<&'static str>>,
    pass: bool,
}

const HOSTS: &[&str] = &[
    "*",
    "a.example",
    "*.example",
    "*.b.example",
    "b.example",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3",
    "fd00::/8",
    "0.0.0.0/0",
];
const CALL_HOSTS: &[&str] = &[
    "a.example",
    "example",
    "c.b.example",
    "b.example",
    "x.c.b.example",
    "10.1.2.3",
    "10.2.0.1",
    "11.0.0.1",
    "fd00::5",
];
const PORTS: &[&str] = &["80", "443", "\"8000-8999\"", "\"any\"", "\"443-8000\""];
const METHODS: &[&str] = &["GET", "POST", "DELETE", "*"];
const PATHS: &[&str] = &["/**", "/a/**", "/a/*", "/b", "/a%2Fb"];
const CALL_PATHS: &[&str] =
    &["/", "/a/x", "/a/x/y", "/b", "/a/../b", "/a%2Fb", "/%62", "/a//x", "/a/..%2fb", "/a\\x"];

fn list(known: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(select(known), 1..4)
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let optional = |known| proptest::option::of(list(known));
    (any::<bool>(), list(HOSTS), optional(PORTS), optional(METHODS), optional(PATHS), any::<bool>()).prop_map(
        |(deny, hosts, ports, methods, paths, pass)| {
            let pass = pass && !deny && methods.is_none() && paths.is_none();
            Drawn { deny, hosts, ports, methods, paths, pass }
        },
    )
}

fn quoted(words: &[&str]) -> String {
    format!("[{}]", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
}

fn text(name: &str, observe: bool, rules: &[Drawn]) -> String {
    let mode = if observe { "observe" } else { "enforce" };
    let mut out = format!("version = 1\nname = \"{name}\"\nmode = \"{mode}\"\n");
    for (number, rule) in rules.iter().enumerate() {
        let kind = if rule.deny { "deny" } else { "allow" };
        out.push_str(&format!("[[{kind}]]\nname = \"r{number}\"\nhost = {}\n", quoted(&rule.hosts)));
        out.extend(rule.ports.iter().map(|ports| format!("port = [{}]\n", ports.join(", "))));
        out.extend(rule.methods.iter().map(|methods| format!("method = {}\n", quoted(methods))));
        out.extend(rule.paths.iter().map(|paths| format!("path = {}\n", quoted(paths))));
        if rule.pass {
            out.push_str("tls = \"pass\"\n");
        }
    }
    out
}

fn host_holds(entry: &str, host: &str) -> bool {
    if let Ok(network) = entry.parse::<Network>() {
        return HostEntry::Network(network).matches(host);
    }
    match entry.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix) && host != suffix,
        None => host == entry,
    }
}

fn port_holds(entry: &str, port: u16) -> bool {
    match entry.trim_matches('"').split_once('-') {
        Some((first, last)) => (first.parse().unwrap()..=last.parse().unwrap()).contains(&port),
        None => entry == "\"any\"" || entry.parse() == Ok(port),
    }
}

fn ports_hold(rule: &Drawn, port: u16) -> bool {
    match &rule.ports {
        None => port == 80 || port == 443,
        Some(ports) => ports.iter().any(|entry| port_holds(entry, port)),
    }
}

/// The definition: look at every rule.
fn matches(rule: &Drawn, call: &Call<'_>) -> bool {
    let opaque = call.kind == Kind::Opaque;
    let path = CallPath::new(call.path);
    rule.hosts.iter().any(|entry| host_holds(entry, call.host))
        && ports_hold(rule, call.port)
        && rule.methods.as_ref().is_none_or(|methods| {
            methods.contains(&"*")
                || (!opaque
                    && methods.iter().any(|method| Method::parse(method) == Method::parse(call.method)))
        })
        && rule.paths.as_ref().is_none_or(|paths| {
            !opaque
                && paths.iter().map(|glob| PathGlob::parse(glob).unwrap()).any(|glob| {
                    if rule.deny {
                        glob.matches_any_reading(&path)
                    } else {
                        glob.matches_every_reading(&path)
                    }
                })
        })
        && (rule.deny || !opaque || rule.pass)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_compiled_set_decides_as_the_definition_does(
        documents in proptest::collection::vec((any::<bool>(), proptest::collection::vec(drawn(), 0..24)), 1..4),
        calls in proptest::collection::vec(
            (select(CALL_HOSTS), select(vec![80_u16, 443, 8000, 8080, 22]), select(vec!["GET", "POST", "DELETE", "PURGE", ""]),
             select(CALL_PATHS)), 16),
    ) {
        let names = ["one", "two", "zzz"];
        let parsed: Vec<Document> = documents
            .iter()
            .zip(names)
            .map(|((observe, rules), name)| Document::parse("x.toml", &text(name, *observe, rules)).unwrap())
            .collect();
        let set = PolicySet::compile(&parsed);
        let observes = documents.iter().all(|(observe, _)| *observe);
        let rules: Vec<(&str, String, &Drawn)> = documents
            .iter()
            .zip(names)
            .flat_map(|((_, rules), name)| rules.iter().enumerate().map(move |(n, rule)| (name, format!("r{n}"), rule)))
            .collect();
        for (host, port, method, path) in calls {
            let kind = if method.is_empty() { Kind::Opaque } else { Kind::Http };
            let path = if method.is_empty() { "" } else { path };
            let call = Call { capture: Capture::Connect, kind, scheme: Scheme::Https, method, host, port, path, details: Details::default() };
            let first = |deny: bool| rules.iter().find(|(_, _, rule)| rule.deny == deny && matches(rule, &call));
            let known = rules.iter().any(|(_, _, rule)| !rule.deny && ports_hold(rule, port));
            let decision = set.decide(&call);
            let refused = match (first(true), first(false)) {
                (Some((policy, name, _)), _) => Some((RefusalCode::RuleDenies, Some((*policy, name.as_str())))),
                (None, None) if known => Some((RefusalCode::NoRuleAllows, None)),
                (None, None) => Some((RefusalCode::PortForbidden, None)),
                (None, Some((policy, name, _))) => {
                    let allowed = matches!(decision, Decision::Allow { by } if by.policy == *policy && by.rule == name);
                    prop_assert!(allowed, "{:?} for {:?}", decision, call);
                    None
                }
            };
            if let Some((code, by)) = refused {
                let (given, observed) = match decision {
                    Decision::Deny(refusal) => (refusal, false),
                    Decision::Observe(refusal) => (refusal, true),
                    Decision::Allow { .. } => return Err(TestCaseError::fail(format!("{call:?} was allowed"))),
                };
                prop_assert_eq!((given.code, given.by.map(|by| (by.policy, by.rule)), observed), (code, by, observes));
            }
            // What is asked before the request never contradicts what is decided after it.
            let destination = set.destination(host, port);
            if matches!(decision, Decision::Allow { .. }) {
                prop_assert!(destination.may_allow && destination.port_known && destination.denied.is_none());
            }
            if kind == Kind::Opaque {
                prop_assert_eq!(destination.pass.is_some() && first(true).is_none(), matches!(decision, Decision::Allow { .. }));
            }
            let explained = set.explain(&call);
            prop_assert_eq!(explained.verdict == "allowed", matches!(decision, Decision::Allow { .. }));
            let by = match decision {
                Decision::Allow { by } => Some(by),
                Decision::Deny(refusal) | Decision::Observe(refusal) => refusal.by,
            };
            prop_assert_eq!(explained.policy.as_deref(), by.map(|by| by.policy));
            prop_assert_eq!(explained.rule.as_deref(), by.map(|by| by.rule));
        }
    }
}
