//! Over random rules and calls: the compiled set decides as the definition does, and a body that is not asked for does
//! not matter.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{
    A2aCall, Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation,
    RefusalCode, Scheme,
};
use creto_policy::{AgentFacts, Document, PolicySet, Tier, Trust};
use proptest::{option, prelude::*, sample::select};
use serde_json::{Value, json};

/// Nothing known of it, or what it is.
type Truth = Option<bool>;

/// A rule as drawn, from which both the document and the definition are made.
#[derive(Clone, Debug)]
struct Drawn {
    deny: bool,
    host: &'static str,
    method: Option<&'static str>,
    asks: Asks,
    when: Option<usize>,
}

#[derive(Clone, Debug)]
enum Asks {
    Nothing,
    Model {
        provider: Option<&'static str>,
        models: Vec<&'static str>,
    },
    Mcp {
        server: Option<&'static str>,
        method: Option<&'static str>,
        tools: Vec<&'static str>,
        argument: Option<usize>,
    },
    A2a {
        agent: Option<&'static str>,
        skills: Vec<&'static str>,
    },
}

const HOSTS: &[&str] = &["*", "a.example", "*.example"];
const MODELS: &[&str] = &["gpt-5", "gpt-*", "*-mini", "claude-x", "*"];
const TOOLS: &[&str] = &["search", "search_*", "*_all", "drop", "*"];
const SKILLS: &[&str] = &["translate", "trans*", "other"];
/// In TOML.
const ARGUMENTS: &[&str] = &["{ n = { max = 10 } }", "{ repo = \"acme/*\" }", "{ x = { absent = true } }"];
const WHEN: &[&str] = &[
    "request.method == 'POST'",
    "llm.request_model.startsWith('gpt-5')",
    "mcp.tool.name == 'search' && mcp.tool.arguments.n < 5",
    "request.size > 100 || agent.tier == 'premium'",
    "has(a2a.skill) && a2a.skill == 'translate'",
    "!llm.streaming",
    "agent.labels['team'] == 'x' || request.size > 1000",
];

fn few(known: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(select(known), 0..3)
}

fn asks() -> impl Strategy<Value = Asks> {
    prop_oneof![
        Just(Asks::Nothing),
        (option::of(select(vec!["openai", "local"])), few(MODELS))
            .prop_map(|(provider, models)| Asks::Model { provider, models }),
        (
            option::of(Just("tickets")),
            option::of(select(vec!["tools/call", "tools/*", "resources/read", "*"])),
            few(TOOLS),
            option::of(0..ARGUMENTS.len())
        )
            .prop_map(|(server, method, tools, argument)| {
                let calls = !tools.is_empty() || argument.is_some();
                let method = method.filter(|method| !calls || *method == "tools/call");
                Asks::Mcp { server, method, tools, argument }
            }),
        (option::of(Just("translator")), few(SKILLS)).prop_map(|(agent, skills)| Asks::A2a { agent, skills }),
    ]
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (
        any::<bool>(),
        select(HOSTS),
        option::weighted(0.3, select(vec!["GET", "POST"])),
        asks(),
        option::weighted(0.3, 0..WHEN.len()),
    )
        .prop_map(|(deny, host, method, asks, when)| Drawn { deny, host, method, asks, when })
}

fn text(observe: bool, rules: &[Drawn]) -> String {
    let mode = if observe { "observe" } else { "enforce" };
    let mut out = format!("version = 1\nname = \"p\"\nmode = \"{mode}\"\n");
    for (number, rule) in rules.iter().enumerate() {
        let kind = if rule.deny { "deny" } else { "allow" };
        out.push_str(&format!("[[{kind}]]\nname = \"r{number}\"\nhost = \"{}\"\n", rule.host));
        let mut line =
            |key: &str, value: Option<String>| out.extend(value.map(|value| format!("{key} = {value}\n")));
        let one = |value: &Option<&str>| value.map(|value| format!("\"{value}\""));
        let list = |values: &[&str]| (!values.is_empty()).then(|| format!("{values:?}"));
        line("method", one(&rule.method));
        match &rule.asks {
            Asks::Nothing => {}
            Asks::Model { provider, models } => {
                line("provider", one(provider));
                line("model", list(models));
            }
            Asks::Mcp { server, method, tools, argument } => {
                line("mcp_server", one(server));
                line("mcp_method", one(method));
                line("tool", list(tools));
                line("arguments", argument.map(|at| ARGUMENTS[at].to_owned()));
            }
            Asks::A2a { agent, skills } => {
                line("a2a_agent", one(agent));
                line("skill", list(skills));
            }
        }
        line("when", rule.when.map(|at| format!("\"{}\"", WHEN[at])));
    }
    out
}

/// What a call means, as drawn; the facts of its head are those that a body cannot change.
#[derive(Clone, Debug)]
enum Facts {
    Plain,
    Model(ModelCall),
    Mcp(McpCall),
    A2a(A2aCall),
}

impl Facts {
    fn meaning(&self) -> Meaning<'_> {
        match self {
            Self::Plain => Meaning::Plain,
            Self::Model(call) => Meaning::Model(call),
            Self::Mcp(call) => Meaning::Mcp(call),
            Self::A2a(call) => Meaning::A2a(call),
        }
    }
}

fn model_call(provider: String, in_path: Option<&str>) -> ModelCall {
    ModelCall {
        provider,
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: in_path.map(str::to_owned),
        streaming: false,
        max_output_tokens: None,
        tools: Vec::new(),
        demand: creto_call::Demand::default(),
    }
}

fn head() -> impl Strategy<Value = Facts> {
    prop_oneof![
        Just(Facts::Plain),
        (
            select(vec!["openai", "local", "unnamed"]),
            option::of(select(vec!["gpt-5", "GPT-5-mini", "claude-x"]))
        )
            .prop_map(|(provider, model)| Facts::Model(model_call(provider.to_owned(), model))),
        select(vec!["tickets", "other"])
            .prop_map(|server| Facts::Mcp(McpCall { server: server.to_owned(), ..McpCall::default() })),
        (select(vec!["translator", ""]), select(vec!["", "GetTask", "SendMessage"])).prop_map(
            |(agent, method)| {
                Facts::A2a(A2aCall { agent: agent.to_owned(), method: method.to_owned(), skill: None })
            }
        ),
    ]
}

/// What a body says, for whatever protocol.
#[derive(Clone, Debug)]
struct Body {
    model: Option<&'static str>,
    streaming: bool,
    mcp_method: &'static str,
    tool: Option<&'static str>,
    arguments: Option<Value>,
    a2a_method: &'static str,
    skill: Option<&'static str>,
    /// What a plain call turns out to be.
    turns: u8,
    size: u64,
}

fn body() -> impl Strategy<Value = Body> {
    (
        option::of(select(vec!["gpt-5", "GPT-5", "gpt-4-mini", "claude-x"])),
        any::<bool>(),
        select(vec!["tools/call", "tools/list", "initialize", "resources/read", ""]),
        option::of(select(vec!["search", "search_all", "drop"])),
        option::of(select(vec![
            json!({}),
            json!({"n": 3, "repo": "acme/a"}),
            json!({"n": "3", "x": null}),
            json!({"n": 30, "repo": 1, "x": 1}),
        ])),
        select(vec!["SendMessage", "GetTask", "ListTasks"]),
        option::of(select(vec!["translate", "transform", "none"])),
        0_u8..3,
        select(vec![0_u64, 1, 500, 5000]),
    )
        .prop_map(|(model, streaming, mcp_method, tool, arguments, a2a_method, skill, turns, size)| {
            Body { model, streaming, mcp_method, tool, arguments, a2a_method, skill, turns, size }
        })
}

/// The facts once the body has been read.
fn filled(head: &Facts, body: &Body) -> Facts {
    let mcp = |server: &str| {
        Facts::Mcp(McpCall {
            server: server.to_owned(),
            method: body.mcp_method.to_owned(),
            tool: body.tool.filter(|_| body.mcp_method == "tools/call").map(str::to_owned),
            arguments: body.arguments.clone().filter(|_| body.mcp_method == "tools/call"),
            ..McpCall::default()
        })
    };
    let a2a = |agent: &str, method: &str| {
        let method = if method.is_empty() { body.a2a_method } else { method };
        Facts::A2a(A2aCall {
            agent: agent.to_owned(),
            method: method.to_owned(),
            skill: body.skill.filter(|_| method == "SendMessage").map(str::to_owned),
        })
    };
    match head {
        Facts::Plain if body.turns == 1 => mcp(""),
        Facts::Plain if body.turns == 2 => a2a("", ""),
        Facts::Plain => Facts::Plain,
        Facts::Model(call) => Facts::Model(ModelCall {
            model: call.model.clone().or_else(|| body.model.map(str::to_owned)),
            streaming: body.streaming,
            ..call.clone()
        }),
        Facts::Mcp(call) => mcp(&call.server),
        Facts::A2a(call) => a2a(&call.agent, &call.method),
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

fn all(truths: impl IntoIterator<Item = Truth>) -> Truth {
    let truths: Vec<Truth> = truths.into_iter().collect();
    if truths.contains(&Some(false)) {
        return Some(false);
    }
    (!truths.contains(&None)).then_some(true)
}

/// Nothing is left to read of an empty body.
fn is_read(call: &Call<'_>) -> bool {
    call.details.body_read || call.details.size == Some(0)
}

/// The definition of every key, for one call.
fn holds(rule: &Drawn, call: &Call<'_>, facts: &Facts) -> Truth {
    let read = is_read(call);
    let host = match rule.host {
        "*" => true,
        "*.example" => call.host.ends_with(".example"),
        exact => exact == call.host,
    };
    let mut truths = vec![Some(host), Some(rule.method.is_none_or(|method| method == call.method))];
    let may_turn = !read && matches!(facts, Facts::Plain);
    match &rule.asks {
        Asks::Nothing => {}
        Asks::Model { provider, models } => {
            let Facts::Model(given) = facts else {
                return if provider.is_none() && models.is_empty() {
                    with_when(rule, call, facts, truths)
                } else {
                    Some(false)
                };
            };
            truths.push(Some(provider.is_none_or(|provider| provider == given.provider)));
            if !models.is_empty() {
                truths.push(given.model.as_ref().map(|name| {
                    models.iter().any(|model| {
                        if rule.deny { glob(model, &name.to_lowercase()) } else { glob(model, name) }
                    })
                }));
            }
        }
        Asks::Mcp { server, method, tools, argument } => {
            let asked = server.is_some() || method.is_some() || !tools.is_empty() || argument.is_some();
            match facts {
                _ if !asked => {}
                Facts::Mcp(given) => {
                    truths.push(Some(server.is_none_or(|server| server == given.server)));
                    let about_calls = !tools.is_empty() || argument.is_some();
                    if !read {
                        truths.extend((method.is_some() || about_calls).then_some(None));
                    } else if let Some(method) = method.filter(|_| !about_calls) {
                        truths.push(Some(glob(method, &given.method)));
                    } else if about_calls && given.method != "tools/call" {
                        let around = method.is_none()
                            && !rule.deny
                            && match given.method.as_str() {
                                // A GET with a body is no opening of the stream.
                                "" => call.method == "POST" || call.details.size == Some(0),
                                method => matches!(method, "initialize" | "tools/list"),
                            };
                        truths.push(Some(around));
                    } else if about_calls {
                        if !tools.is_empty() {
                            truths.push(
                                given.tool.as_ref().map(|name| tools.iter().any(|tool| glob(tool, name))),
                            );
                        }
                        truths.extend(argument.map(|at| argument_holds(at, given.arguments.as_ref())));
                    }
                }
                _ => truths.push(if may_turn && server.is_none() { None } else { Some(false) }),
            }
        }
        Asks::A2a { agent, skills } => match facts {
            _ if agent.is_none() && skills.is_empty() => {}
            Facts::A2a(given) => {
                truths.push(Some(agent.is_none_or(|agent| agent == given.agent)));
                if !skills.is_empty() {
                    truths.push(match given.method.as_str() {
                        "" if !read => None,
                        "SendMessage" if !read => None,
                        "SendMessage" => {
                            given.skill.as_ref().map(|name| skills.iter().any(|skill| glob(skill, name)))
                        }
                        "GetTask" => Some(!rule.deny),
                        _ => Some(false),
                    });
                }
            }
            _ => truths.push(if may_turn && agent.is_none() { None } else { Some(false) }),
        },
    }
    with_when(rule, call, facts, truths)
}

fn argument_holds(at: usize, arguments: Option<&Value>) -> Truth {
    let none = json!({});
    let arguments = arguments.unwrap_or(&none);
    match (at, arguments.get(["n", "repo", "x"][at])) {
        (2, None) => Some(true),
        (_, None) => Some(false),
        (_, Some(Value::Null)) => None,
        (0, Some(n)) => n.as_i64().map(|n| n <= 10),
        (1, Some(repo)) => repo.as_str().map(|repo| repo.starts_with("acme/")),
        _ => Some(false),
    }
}

fn with_when(rule: &Drawn, call: &Call<'_>, facts: &Facts, mut truths: Vec<Truth>) -> Truth {
    let read = is_read(call);
    let may_turn = !read && matches!(facts, Facts::Plain);
    let size = call.details.size;
    // An expression without a value.
    let error = Some(rule.deny);
    if let Some(at) = rule.when {
        truths.push(match (at, facts) {
            (0, _) => Some(call.method == "POST"),
            (1, Facts::Model(given)) => match &given.model {
                Some(name) => Some(name.starts_with("gpt-5")),
                None if read => error,
                None => None,
            },
            (2, Facts::Mcp(_)) if !read => None,
            (2, Facts::Mcp(given)) => match given.tool.as_deref() {
                // Of an absent name and arguments that have no `n` the first error is the one that counts.
                None if given.method != "tools/call" => Some(false),
                None => match given.arguments.as_ref().and_then(|arguments| arguments.get("n")) {
                    Some(Value::Number(n)) if n.as_i64().unwrap() >= 5 => Some(false),
                    _ => error,
                },
                Some(name) if name != "search" => Some(false),
                Some(_) => match given.arguments.as_ref().and_then(|arguments| arguments.get("n")) {
                    Some(Value::Number(n)) => Some(n.as_i64().unwrap() < 5),
                    _ => error,
                },
            },
            (3, _) => size.map(|size| size > 100),
            (4, Facts::A2a(_)) if !read => None,
            (4, Facts::A2a(given)) => Some(given.skill.as_deref() == Some("translate")),
            (5, Facts::Model(_)) if !read => None,
            (5, Facts::Model(given)) => Some(!given.streaming),
            // The agent has no such label.
            (6, _) => match size {
                Some(size) if size > 1000 => Some(true),
                Some(_) => error,
                None => None,
            },
            (2 | 4, Facts::Plain) if may_turn => None,
            _ => Some(false),
        });
    }
    all(truths)
}

/// Rule that decides and whether it allows, by the definition.
fn decided(rules: &[Drawn], call: &Call<'_>, facts: &Facts) -> (Option<usize>, bool) {
    let truths: Vec<Truth> = rules.iter().map(|rule| holds(rule, call, facts)).collect();
    let first = |deny: bool, wanted: fn(Truth) -> bool| {
        rules.iter().zip(&truths).position(|(rule, truth)| rule.deny == deny && wanted(*truth))
    };
    let sure = |truth: Truth| truth == Some(true);
    let possible = |truth: Truth| truth != Some(false);
    match first(true, possible) {
        Some(doubtful) if !sure(truths[doubtful]) => match first(true, sure) {
            Some(denies) => (Some(denies), false),
            None => (first(false, possible).map(|_| doubtful), false),
        },
        Some(denies) => (Some(denies), false),
        None => match first(false, sure) {
            Some(allows) => (Some(allows), true),
            None => (None, false),
        },
    }
}

fn agent() -> AgentFacts {
    AgentFacts { name: "a".into(), tier: Tier::Basic, trust: Trust::Trusted, labels: [].into() }
}

fn call<'a>(host: &'a str, method: &'a str, facts: &'a Facts, read: bool, size: Option<u64>) -> Call<'a> {
    let details = Details { meaning: facts.meaning(), body_read: read, size, ..Details::default() };
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method,
        host,
        port: 443,
        path: "/x",
        details,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_compiled_set_decides_as_the_definition_does(
        rules in proptest::collection::vec(drawn(), 0..40),
        observe in any::<bool>(),
        calls in proptest::collection::vec(
            (select(vec!["a.example", "b.example", "c.test"]), select(vec!["GET", "POST"]), head(), body(), any::<bool>(), any::<bool>()), 12),
    ) {
        let document = Document::parse("x.toml", &text(observe, &rules)).unwrap_or_else(|problems| panic!("{problems}"));
        let set = PolicySet::for_agent([&document], &agent());
        for (host, method, head, body, read, announced) in &calls {
            let facts = if *read { filled(head, body) } else { head.clone() };
            let size = (*read || *announced).then_some(body.size);
            let call = call(host, method, &facts, *read, size);
            let (by, allowed) = decided(&rules, &call, &facts);
            let (code, given) = match set.decide(&call) {
                Decision::Allow { by } => (None, Some(by)),
                Decision::Deny(refusal) | Decision::Observe(refusal) => (Some(refusal.code), refusal.by),
            };
            prop_assert_eq!(given.map(|by| by.rule.to_owned()), by.map(|at| format!("r{at}")), "{:?}", call);
            prop_assert_eq!(code.is_none(), allowed);
            if !allowed {
                prop_assert_eq!(code == Some(RefusalCode::RuleDenies), by.is_some());
            }
            let explained = set.explain(&call);
            prop_assert_eq!(explained.verdict == "allowed", allowed);
            prop_assert_eq!(explained.rule, by.map(|at| format!("r{at}")));
            // What is asked before the request never contradicts what is decided after it.
            let destination = set.destination(host, 443);
            prop_assert!(!allowed || destination.may_allow && destination.denied.is_none());
            prop_assert!(!allowed || set.could_allow(&call));
        }
    }

    #[test]
    fn a_body_that_is_not_needed_does_not_matter(
        rules in proptest::collection::vec(drawn(), 0..8),
        host in select(vec!["a.example", "b.example"]),
        method in select(vec!["GET", "POST"]),
        head in head(),
        announced in option::of(select(vec![1_u64, 500, 5000])),
        bodies in proptest::collection::vec(body(), 12),
    ) {
        let document = Document::parse("x.toml", &text(false, &rules)).unwrap_or_else(|problems| panic!("{problems}"));
        let set = PolicySet::for_agent([&document], &agent());
        let unread = call(host, method, &head, false, announced);
        let before = set.decide(&unread);
        for body in bodies {
            let facts = filled(&head, &body);
            let read = call(host, method, &facts, true, Some(announced.unwrap_or(body.size)));
            prop_assert!(!set.needs_body(&read));
            let after = set.decide(&read);
            if !set.needs_body(&unread) {
                prop_assert_eq!(before.lets_through(), after.lets_through(), "{:?} then {:?}", before, after);
            }
            // What could not be allowed whatever its body says, is not.
            prop_assert!(set.could_allow(&unread) || !after.lets_through());
            prop_assert!(set.could_allow(&read) || !after.lets_through());
            // Nothing is let through on less knowledge than it needs.
            prop_assert!(!before.lets_through() || after.lets_through());
        }
    }
}
