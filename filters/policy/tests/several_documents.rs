//! Several documents, agents, and rules that share terms of their expressions: over random ones the set decides as the
//! definition does, `explain` names what decides, and what is found to be of no use is of none.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{
    A2aCall, Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation,
    Scheme,
};
use creto_policy::{AgentFacts, Document, FindingKind, PolicySet, Tier, Trust, findings};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{option, prelude::*, sample::select};

#[derive(Clone, Debug)]
struct DrawnDocument {
    observe: bool,
    names: Option<&'static str>,
    tier: Option<Tier>,
    label: Option<&'static str>,
    rules: Vec<DrawnRule>,
}

#[derive(Clone, Debug)]
struct DrawnRule {
    deny: bool,
    host: &'static str,
    method: Option<&'static str>,
    path: Option<&'static str>,
    asks: Option<(&'static str, &'static str)>,
    /// Numbers of [`TERMS`], and whether one of them is enough.
    when: Option<(Vec<usize>, bool)>,
}

#[derive(Clone, Debug)]
struct DrawnCall {
    host: &'static str,
    method: &'static str,
    path: &'static str,
    means: Option<(&'static str, &'static str)>,
    team: Option<&'static str>,
    debug: bool,
    size: u64,
}

const TERMS: [&str; 9] = [
    "request.headers['x-team-id'] == 'search'",
    "'x-team-if' in request.headers",
    "!('x-team-if' in request.headers)",
    "request.method != 'POST'",
    "agent.labels['team'] == 'red'",
    "request.path.startsWith('/a')",
    "agent.tier in ['premium', 'standard']",
    "request.headers['x-team-id'].contains('ar')",
    "llm.provider == 'p1'",
];
const SERVICES: [(&str, &str); 6] = [
    ("provider", "p1"),
    ("provider", "p2"),
    ("mcp_server", "m1"),
    ("mcp_server", "m2"),
    ("a2a_agent", "t1"),
    ("a2a_agent", "t2"),
];

/// What became of a term.
#[derive(Clone, Copy, PartialEq)]
enum Term {
    Value(bool),
    /// No such key.
    Error,
    /// An attribute of another protocol.
    Elsewhere,
}

fn term(number: usize, call: &DrawnCall, agent: &AgentFacts) -> Term {
    let team = |holds: fn(&str) -> bool| call.team.map_or(Term::Error, |team| Term::Value(holds(team)));
    match number {
        0 => team(|team| team == "search"),
        1 => Term::Value(call.debug),
        2 => Term::Value(!call.debug),
        3 => Term::Value(call.method != "POST"),
        4 => agent.labels.get("team").map_or(Term::Error, |team| Term::Value(team == "red")),
        5 => Term::Value(call.path.starts_with("/a")),
        6 => Term::Value(agent.tier != Tier::Basic),
        7 => team(|team| team.contains("ar")),
        _ => match call.means {
            Some(("provider", name)) => Term::Value(name == "p1"),
            _ => Term::Elsewhere,
        },
    }
}

/// Whether a rule counts, by the definition of every key.
fn counts(rule: &DrawnRule, call: &DrawnCall, agent: &AgentFacts) -> bool {
    let host = match rule.host {
        "*" => true,
        "*.example" => call.host.ends_with(".example"),
        exact => exact == call.host,
    };
    let path = rule.path.is_none_or(|path| match path.strip_suffix("**") {
        Some(head) => call.path.starts_with(head),
        None => call.path == path,
    });
    let when = rule.when.as_ref().is_none_or(|(terms, any)| {
        let values: Vec<Term> = terms.iter().map(|number| term(*number, call, agent)).collect();
        if values.contains(&Term::Value(*any)) {
            return *any;
        }
        match values.iter().find(|value| !matches!(value, Term::Value(_))) {
            Some(Term::Error) => rule.deny,
            Some(_) => false,
            None => !*any,
        }
    });
    host && path
        && when
        && rule.method.is_none_or(|method| method == call.method)
        && rule.asks.is_none_or(|asked| call.means == Some(asked))
}

fn is_for(document: &DrawnDocument, agent: &AgentFacts) -> bool {
    document.names.is_none_or(|name| agent.name.starts_with(name.trim_end_matches('*')))
        && document.tier.is_none_or(|tier| tier == agent.tier)
        && document.label.is_none_or(|label| agent.labels.get("team").is_some_and(|team| team == label))
}

fn drawn_rule() -> impl Strategy<Value = DrawnRule> {
    (
        proptest::bool::weighted(0.3),
        select(vec!["*", "a.example", "*.example", "b.example"]),
        option::weighted(0.4, select(vec!["GET", "POST", "PUT"])),
        option::weighted(0.3, select(vec!["/a/**", "/a", "/**"])),
        option::weighted(0.4, select(SERVICES.to_vec())),
        option::weighted(
            0.5,
            (proptest::collection::vec(0..TERMS.len(), 1..5), proptest::bool::weighted(0.2)),
        ),
    )
        .prop_map(|(deny, host, method, path, asks, when)| DrawnRule {
            deny,
            host,
            method,
            path,
            asks,
            when,
        })
}

fn drawn_document() -> impl Strategy<Value = DrawnDocument> {
    (
        any::<bool>(),
        option::weighted(0.3, select(vec!["x-*", "y-*"])),
        option::weighted(0.2, select(vec![Tier::Basic, Tier::Premium])),
        option::weighted(0.2, select(vec!["red", "blue"])),
        proptest::collection::vec(drawn_rule(), 0..30),
    )
        .prop_map(|(observe, names, tier, label, rules)| DrawnDocument {
            observe,
            names,
            tier,
            label,
            rules,
        })
}

fn drawn_call() -> impl Strategy<Value = DrawnCall> {
    (
        select(vec!["a.example", "b.example", "c.test"]),
        select(vec!["GET", "POST", "PUT"]),
        select(vec!["/a", "/a/b", "/c"]),
        option::of(select(SERVICES.to_vec())),
        option::of(select(vec!["search", "arts"])),
        any::<bool>(),
        select(vec![0_u64, 10]),
    )
        .prop_map(|(host, method, path, means, team, debug, size)| DrawnCall {
            host,
            method,
            path,
            means,
            team,
            debug,
            size,
        })
}

fn drawn_agent() -> impl Strategy<Value = AgentFacts> {
    (
        select(vec!["x-1", "y-1"]),
        select(vec![Tier::Basic, Tier::Premium]),
        option::of(select(vec!["red", "blue"])),
    )
        .prop_map(|(name, tier, team)| AgentFacts {
            name: name.into(),
            tier,
            trust: Trust::Trusted,
            labels: team.map(|team| ("team".to_owned(), team.to_owned())).into_iter().collect(),
        })
}

fn text(name: &str, document: &DrawnDocument) -> String {
    let mut out = format!("version = 1\nname = \"{name}\"\n");
    if document.observe {
        out.push_str("mode = \"observe\"\n");
    }
    out.push_str("[agents]\n");
    out.extend(document.names.map(|names| format!("names = \"{names}\"\n")));
    out.extend(document.tier.map(|tier| format!("tiers = \"{}\"\n", tier.as_str())));
    out.extend(document.label.map(|label| format!("labels = {{ team = \"{label}\" }}\n")));
    for (number, rule) in document.rules.iter().enumerate() {
        let kind = if rule.deny { "deny" } else { "allow" };
        out.push_str(&format!("[[{kind}]]\nname = \"r{number}\"\nhost = \"{}\"\n", rule.host));
        out.extend(rule.method.map(|method| format!("method = \"{method}\"\n")));
        out.extend(rule.path.map(|path| format!("path = \"{path}\"\n")));
        out.extend(rule.asks.map(|(key, name)| format!("{key} = \"{name}\"\n")));
        out.extend(rule.when.as_ref().map(|(terms, any)| {
            let terms: Vec<&str> = terms.iter().map(|number| TERMS[*number]).collect();
            format!("when = \"{}\"\n", terms.join(if *any { " || " } else { " && " }))
        }));
    }
    out
}

/// What a call means, with room for it.
enum Means {
    Nothing,
    Model(ModelCall),
    Mcp(McpCall),
    A2a(A2aCall),
}

impl Means {
    fn of(call: &DrawnCall) -> Self {
        match call.means {
            None => Self::Nothing,
            Some(("provider", name)) => Self::Model(ModelCall {
                provider: name.into(),
                api: ModelApi::OpenAi,
                operation: ModelOperation::Chat,
                model: Some("m".into()),
                streaming: false,
                max_output_tokens: None,
                tools: Vec::new(),
                demand: creto_call::Demand::default(),
            }),
            Some(("mcp_server", name)) => {
                Self::Mcp(McpCall { server: name.into(), method: "ping".into(), ..McpCall::default() })
            }
            Some((_, name)) => {
                Self::A2a(A2aCall { agent: name.into(), method: "GetTask".into(), skill: None })
            }
        }
    }

    fn meaning(&self) -> Meaning<'_> {
        match self {
            Self::Nothing => Meaning::Plain,
            Self::Model(call) => Meaning::Model(call),
            Self::Mcp(call) => Meaning::Mcp(call),
            Self::A2a(call) => Meaning::A2a(call),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_set_of_an_agent_decides_as_its_documents_say(
        // Not in the order of their names.
        documents in proptest::collection::vec(drawn_document(), 3),
        agent in drawn_agent(),
        calls in proptest::collection::vec(drawn_call(), 12),
    ) {
        let names = ["m", "z", "a"];
        let parsed: Vec<Document> = names
            .iter()
            .zip(&documents)
            .map(|(name, document)| {
                Document::parse(name, &text(name, document)).unwrap_or_else(|problems| panic!("{problems}"))
            })
            .collect();
        let set = PolicySet::for_agent(&parsed, &agent);
        let mut meant: Vec<(&str, &DrawnDocument)> =
            names.into_iter().zip(&documents).filter(|(_, document)| is_for(document, &agent)).collect();
        meant.sort_by_key(|(name, _)| *name);
        let observes = !meant.is_empty() && meant.iter().all(|(_, document)| document.observe);
        let useless: Vec<(String, String)> = findings(&parsed)
            .into_iter()
            .filter(|finding| finding.kind == FindingKind::Shadowed)
            .map(|finding| (finding.rule.policy, finding.rule.rule))
            .collect();
        for drawn in &calls {
            let mut headers = HeaderMap::new();
            if let Some(team) = drawn.team {
                headers.insert("x-team-id", HeaderValue::from_static(team));
            }
            if drawn.debug {
                headers.insert(HeaderName::from_static("x-team-if"), HeaderValue::from_static(""));
            }
            let means = Means::of(drawn);
            let call = Call {
                capture: Capture::Connect,
                kind: Kind::Http,
                scheme: Scheme::Https,
                method: drawn.method,
                host: drawn.host,
                port: 443,
                path: drawn.path,
                details: Details {
                    headers: Some(&headers),
                    size: Some(drawn.size),
                    body_read: true,
                    meaning: means.meaning(),
                    ..Details::default()
                },
            };
            let first = |deny: bool| {
                meant.iter().find_map(|(policy, document)| {
                    let at = document.rules.iter().position(|rule| rule.deny == deny && counts(rule, drawn, &agent));
                    at.map(|at| ((*policy).to_owned(), format!("r{at}")))
                })
            };
            let (verdict, by) = match (first(true), first(false)) {
                (Some(denies), _) => (if observes { "observed" } else { "denied" }, Some(denies)),
                (None, Some(allows)) => ("allowed", Some(allows)),
                (None, None) => (if observes { "observed" } else { "denied" }, None),
            };
            let decision = set.decide(&call);
            let (given, given_by) = match decision {
                Decision::Allow { by } => ("allowed", Some(by)),
                Decision::Deny(refusal) => ("denied", refusal.by),
                Decision::Observe(refusal) => ("observed", refusal.by),
            };
            let given_by = given_by.map(|by| (by.policy.to_owned(), by.rule.to_owned()));
            prop_assert_eq!(given, verdict, "{:?}", drawn);
            prop_assert_eq!(&given_by, &by, "{:?}", drawn);
            prop_assert!(!set.needs_body(&call));
            prop_assert!(set.could_allow(&call) || verdict == "denied");

            let explained = set.explain(&call);
            prop_assert_eq!(explained.verdict, verdict);
            prop_assert_eq!(explained.policy.zip(explained.rule), by.clone());
            for trace in &explained.rules {
                let (_, document) = meant.iter().find(|(policy, _)| *policy == trace.policy).unwrap();
                let number: usize = trace.rule[1..].parse().unwrap();
                prop_assert_eq!(trace.matches, counts(&document.rules[number], drawn, &agent), "{}", trace);
            }
            // The first in the list that matches is the one that decides.
            let listed = explained.rules.iter().find(|rule| rule.matches);
            prop_assert_eq!(listed.map(|rule| (rule.policy.clone(), rule.rule.clone())), by.clone());
            if verdict == "allowed" {
                prop_assert!(!useless.contains(by.as_ref().unwrap()), "{:?} was said to let nothing through", by);
            }
        }
    }
}
