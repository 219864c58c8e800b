use creto_call::{
    Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation, Scheme,
};
use creto_policy::{Document, PolicySet, Tier, Trust};
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::commands::policy::test::Verdict;

const APPLIED: &str = r#"version = 1
name = "web"
[[allow]]
name = "read"
host = "api.example.com"
method = ["GET", "POST"]
[[allow]]
name = "tools"
host = "mcp.example.com"
tool = ["search", "list"]
[[allow]]
name = "models"
host = "api.openai.com"
model = "gpt-5*"
"#;

fn written(text: &str) -> Written {
    let document = Document::parse("p", text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    Written { from: "p".to_owned(), text: text.to_owned(), document }
}

fn agent() -> AgentFacts {
    AgentFacts {
        name: "a".to_owned(),
        tier: Tier::Standard,
        trust: Trust::Trusted,
        labels: [("team".to_owned(), "x".to_owned())].into(),
    }
}

/// A call that went out by `web/<rule>`.
fn allowed(method: &str, host: &str, path: &str, rule: &str) -> v1::CallRecord {
    let begun = v1::CallBegun {
        kind: "http".into(),
        scheme: "https".into(),
        method: method.into(),
        host: host.into(),
        port: 443,
        path: path.into(),
        verdict: v1::Verdict::Allowed.into(),
        policy: "web".into(),
        rule: rule.into(),
        ..Default::default()
    };
    let ended = v1::CallEnded { outcome: v1::Outcome::Completed.into(), ..Default::default() };
    v1::CallRecord { call_id: "s/1/1".into(), begun: Some(begun), ended: Some(ended), ..Default::default() }
}

fn refused(method: &str, host: &str, path: &str, code: &str) -> v1::CallRecord {
    let mut call = allowed(method, host, path, "");
    let begun = call.begun.as_mut().unwrap();
    begun.verdict = v1::Verdict::Denied.into();
    begun.code = code.into();
    begun.policy.clear();
    call.ended.as_mut().unwrap().outcome = v1::Outcome::Refused.into();
    call
}

fn meaning(
    mut call: v1::CallRecord,
    protocol: &str,
    service: &str,
    operation: &str,
    subjects: &[&str],
) -> v1::CallRecord {
    call.begun.as_mut().unwrap().meaning = Some(v1::CallMeaning {
        protocol: protocol.into(),
        service: service.into(),
        operation: operation.into(),
        subjects: subjects.iter().map(|one| (*one).to_owned()).collect(),
    });
    call
}

fn tool(name: &str) -> v1::CallRecord {
    let mut call =
        meaning(allowed("POST", "mcp.example.com", "/mcp", "tools"), "mcp", "", "tools/call", &[name]);
    call.ended.as_mut().unwrap().request_bytes = 100;
    call
}

fn simulated(applied: &str, candidate: &str, calls: &[v1::CallRecord]) -> Report {
    let side = |text| Side::of(vec![written(text)]).unwrap();
    let mut comparison = Comparison::new(From::Record, side(applied), side(candidate));
    let mut report = Report::default();
    for call in calls {
        comparison.look_at(call, Some(&agent()), &mut report);
    }
    report
}

/// Change, before and after of the only group.
fn only(report: &Report) -> (String, String, String) {
    let value = report.to_json();
    let groups = value["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{value}");
    let text = |key: &str| groups[0][key].as_str().unwrap().to_owned();
    (text("change"), text("before"), text("after"))
}

#[test]
fn what_would_be_refused_is_told_with_its_rule() {
    let candidate = format!("{APPLIED}[[deny]]\nname = \"no-search\"\nhost = \"*\"\ntool = \"search\"\n");
    let report = simulated(APPLIED, &candidate, &[tool("search"), tool("search"), tool("list")]);
    assert_eq!(
        only(&report),
        ("newly_refused".into(), "allow web/tools".into(), "deny web/no-search".into())
    );
    let value = report.to_json();
    assert_eq!(
        (&value["newly_refused"], &value["same"], &value["groups"][0]["calls"]),
        (&2.into(), &1.into(), &2.into())
    );
    assert!(report.text().contains("3 recorded calls: 2 newly refused, 1 the same"), "{}", report.text());
}

#[test]
fn what_would_be_allowed_is_told_with_its_rule() {
    let candidate = format!("{APPLIED}[[allow]]\nname = \"new\"\nhost = \"b.example.com\"\n");
    let report = simulated(APPLIED, &candidate, &[refused("GET", "b.example.com", "/", "no_rule_allows")]);
    assert_eq!(only(&report), ("newly_allowed".into(), "deny no_rule_allows".into(), "allow web/new".into()));
}

#[test]
fn another_rule_that_allows_is_told() {
    let candidate = APPLIED.replace("name = \"read\"", "name = \"reading\"");
    let report = simulated(APPLIED, &candidate, &[allowed("GET", "api.example.com", "/", "read")]);
    assert_eq!(only(&report), ("other_rule".into(), "allow web/read".into(), "allow web/reading".into()));
}

#[test]
fn a_policy_that_begins_to_observe_is_told() {
    let candidate = APPLIED
        .replace("name = \"web\"", "name = \"web\"\nmode = \"observe\"")
        .replace("api.example.com", "c.example.com");
    let report = simulated(APPLIED, &candidate, &[allowed("GET", "api.example.com", "/", "read")]);
    assert_eq!(only(&report).0, "newly_observed");
    let report = simulated(APPLIED, &candidate, &[refused("GET", "b.example.com", "/", "no_rule_allows")]);
    assert_eq!(
        only(&report),
        ("newly_allowed".into(), "deny no_rule_allows".into(), "observe no_rule_allows".into())
    );
}

#[test]
fn what_was_not_recorded_is_not_guessed() {
    let deny = |more: &str| format!("{APPLIED}[[deny]]\nname = \"d\"\nhost = \"*\"\n{more}\n");
    let get = allowed("GET", "api.example.com", "/", "read");
    let mut post = allowed("POST", "api.example.com", "/", "read");
    post.ended.as_mut().unwrap().request_bytes = 10;
    let mut model = meaning(
        allowed("POST", "api.openai.com", "/v1/chat/completions", "models"),
        "model",
        "openai",
        "chat",
        &["gpt-5"],
    );
    model.ended.as_mut().unwrap().request_bytes = 100;
    for (condition, call, change) in [
        ("tool = \"search\"\narguments = { repo = \"a\" }", &tool("search"), "depends"),
        ("tool = \"drop\"\narguments = { repo = \"a\" }", &tool("search"), "same"),
        ("when = 'has(mcp.tool.arguments.a)'", &tool("search"), "depends"),
        ("when = 'mcp.tool.name == \"search\"'", &tool("search"), "newly_refused"),
        ("when = '\"x\" in request.headers'", &get, "depends"),
        ("when = 'request.query.contains(\"x\")'", &get, "depends"),
        ("when = 'request . size > 5'", &post, "depends"),
        ("when = 'request.size > 5'", &get, "same"),
        ("when = 'agent.labels[\"team\"] == \"x\"'", &get, "newly_refused"),
        ("when = 'agent.labels[\"no\"] == \"x\"'", &get, "newly_refused"),
        ("model = \"gpt-5\"", &model, "newly_refused"),
        ("when = 'llm.streaming'", &model, "depends"),
        ("when = 'llm.request_model == \"gpt-5\"'", &model, "newly_refused"),
        ("method = \"DELETE\"\nwhen = 'llm.streaming'", &model, "same"),
        ("tool = \"*\"", &get, "same"),
        ("tool = \"*\"", &post, "depends"),
    ] {
        let report = simulated(APPLIED, &deny(condition), std::slice::from_ref(call));
        let value = report.to_json();
        assert_eq!(value[change], 1, "{condition}: {value}");
    }
}

#[test]
fn a_verdict_that_depends_is_the_same_where_nothing_about_the_call_changes() {
    let applied = format!(
        "{APPLIED}[[deny]]\nname = \"d\"\nhost = \"api.example.com\"\nwhen = '\"x\" in request.headers'\n"
    );
    let candidate = format!("{applied}[[allow]]\nname = \"more\"\nhost = \"b.example.com\"\n");
    let get = allowed("GET", "api.example.com", "/", "read");
    assert_eq!(simulated(&applied, &candidate, std::slice::from_ref(&get)).to_json()["same"], 1);
    // The rule itself changes: now it matters.
    let candidate = applied.replace("\"x\" in", "\"y\" in");
    let report = simulated(&applied, &candidate, &[get]);
    assert_eq!(only(&report), ("depends".into(), "allow web/read".into(), "unknown: web/d when".into()));
}

#[test]
fn batches_whose_messages_cannot_be_told_apart_are_not_guessed() {
    let candidate = format!("{APPLIED}[[deny]]\nname = \"no-search\"\nhost = \"*\"\ntool = \"search\"\n");
    let post = || allowed("POST", "mcp.example.com", "/mcp", "tools");
    let several = meaning(post(), "mcp", "", "tools/call", &["list", "search"]);
    assert_eq!(only(&simulated(APPLIED, &candidate, &[several])).0, "newly_refused");
    let mixed = meaning(post(), "mcp", "", "ping,tools/call", &["search"]);
    assert_eq!(only(&simulated(APPLIED, &candidate, &[mixed])).0, "depends");
}

#[test]
fn refusals_that_are_not_of_policy_are_left_out_and_counted() {
    let calls = [
        refused("GET", "api.example.com", "/", "no_delegation"),
        refused("GET", "api.example.com", "/", "agent_suspended"),
        refused("GET", "api.example.com", "/", "no_delegation"),
    ];
    let value = simulated(APPLIED, APPLIED, &calls).to_json();
    assert_eq!(value["left_out"], json!({"no_delegation": 2, "agent_suspended": 1}));
    let mut report = Report::default();
    let side = || Side::of(Vec::new()).unwrap();
    Comparison::new(From::Record, side(), side()).look_at(
        &allowed("GET", "a.example", "/", "r"),
        None,
        &mut report,
    );
    assert_eq!(report.to_json()["left_out"], json!({"agent not registered": 1}));
}

#[test]
fn what_is_applied_already_is_no_change_of_the_candidate() {
    let applied = APPLIED.replace("api.example.com", "c.example.com");
    let candidate = format!("{applied}[[allow]]\nname = \"more\"\nhost = \"*\"\nmethod = \"PUT\"\n");
    for candidate in [&applied, &candidate] {
        let value =
            simulated(&applied, candidate, &[allowed("GET", "api.example.com", "/", "read")]).to_json();
        assert_eq!((&value["already_applied"], &value["groups"]), (&1.into(), &json!([])), "{value}");
    }
}

#[test]
fn a_call_over_a_route_that_would_be_gone_is_refused() {
    let route = "[[route]]\nname = \"api\"\nprefix = \"/api\"\nto = \"https://api.example.com/v1\"\n";
    let applied = format!("{APPLIED}{route}");
    let mut call = allowed("GET", "api.example.com", "/v1/a", "read");
    call.begun.as_mut().unwrap().capture = v1::CaptureMode::BaseUrl.into();
    assert_eq!(simulated(&applied, &applied, std::slice::from_ref(&call)).to_json()["same"], 1);
    let report = simulated(&applied, APPLIED, &[call]);
    assert_eq!(only(&report), ("newly_refused".into(), "allow web/read".into(), "deny no_route".into()));
}

#[test]
fn groups_are_bounded_and_the_rest_counted() {
    let mut report = Report::default();
    for n in 0..1_100 {
        let group = Group {
            category: Category::Refused,
            target: format!("h{n}.example"),
            method: "GET".into(),
            asks: String::new(),
            before: String::new(),
            after: String::new(),
        };
        report.note(&Effect::Change(group), "id");
    }
    let value = report.to_json();
    assert_eq!((value["groups"].as_array().unwrap().len(), &value["ungrouped"]), (1_000, &100.into()));
    assert_eq!(value["newly_refused"], 1_100);
}

/// A call with all that a sidecar would know of it.
#[derive(Clone, Debug)]
struct Real {
    method: &'static str,
    host: &'static str,
    query: &'static str,
    header: bool,
    size: u64,
    meaning: RealMeaning,
}

#[derive(Clone, Debug)]
enum RealMeaning {
    Plain,
    Tool(&'static str, bool),
    Ping,
    Model(&'static str, bool),
}

fn real() -> impl Strategy<Value = Real> {
    let meaning = prop_oneof![
        Just(RealMeaning::Plain),
        (prop_oneof![Just("search"), Just("drop")], any::<bool>())
            .prop_map(|(name, with)| RealMeaning::Tool(name, with)),
        Just(RealMeaning::Ping),
        (prop_oneof![Just("gpt-5"), Just("opus")], any::<bool>())
            .prop_map(|(name, stream)| RealMeaning::Model(name, stream)),
    ];
    let host = prop_oneof![Just("a.example"), Just("b.example")];
    (host, prop_oneof![Just(""), Just("x=1")], any::<bool>(), any::<bool>(), any::<bool>(), meaning).prop_map(
        |(host, query, header, get, large, meaning)| {
            let plain = matches!(meaning, RealMeaning::Plain);
            let get = get && plain;
            let size = if get { 0 } else { if large { 1000 } else { 10 } };
            Real { method: if get { "GET" } else { "POST" }, host, query, header, size, meaning }
        },
    )
}

fn rules() -> impl Strategy<Value = Vec<String>> {
    let condition = prop_oneof![
        Just(""),
        Just("method = \"GET\""),
        Just("tool = \"search\""),
        Just("tool = \"*\"\narguments = { repo = \"acme\" }"),
        Just("arguments = { repo = { absent = true } }"),
        Just("mcp_method = \"tools/*\""),
        Just("model = \"gpt-5*\""),
        Just("provider = \"local\""),
        Just("when = 'llm.streaming'"),
        Just("when = '\"x\" in request.headers'"),
        Just("when = 'request.query == \"\"'"),
        Just("when = 'request.size > 100'"),
        Just("when = 'has(mcp.tool.arguments.repo)'"),
        Just("when = 'mcp.tool.name == \"search\" || llm.request_model == \"opus\"'"),
        Just("when = 'agent.trust == \"trusted\"'"),
        Just("when = 'agent.labels[\"none\"] == \"x\"'"),
    ];
    let host = prop_oneof![Just("a.example"), Just("*"), Just("*.example")];
    proptest::collection::vec((prop_oneof![Just("allow"), Just("deny")], host, condition), 1..6).prop_map(
        |all| {
            all.into_iter()
                .enumerate()
                .map(|(n, (effect, host, condition))| {
                    format!("[[{effect}]]\nname = \"r{n}\"\nhost = \"{host}\"\n{condition}\n")
                })
                .collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The heart of it: whatever is said of a record is what a sidecar said of the whole call.
    #[test]
    fn a_verdict_on_a_record_is_the_one_on_the_whole_call(real in real(), rules in rules()) {
        let provider = "[[provider]]\nname = \"local\"\nhost = [\"a.example\", \"b.example\"]\napi = \"openai\"\n";
        let text = format!("version = 1\nname = \"web\"\n{}{provider}", rules.concat());
        let document = written(&text);
        let set = PolicySet::for_agent([&document.document], &agent());

        let mut headers = HeaderMap::new();
        if real.header {
            headers.insert("x", "1".parse().unwrap());
        }
        let (model, mcp);
        let (path, recorded, meaning) = match &real.meaning {
            RealMeaning::Plain => ("/plain", None, Meaning::Plain),
            RealMeaning::Ping => {
                mcp = McpCall { method: "ping".into(), ..McpCall::default() };
                ("/mcp", Some(("mcp", "ping", None)), Meaning::Mcp(&mcp))
            }
            RealMeaning::Tool(name, with) => {
                mcp = McpCall {
                    method: "tools/call".into(),
                    tool: Some((*name).into()),
                    arguments: with.then(|| json!({"repo": "acme"})),
                    ..McpCall::default()
                };
                ("/mcp", Some(("mcp", "tools/call", Some(*name))), Meaning::Mcp(&mcp))
            }
            RealMeaning::Model(name, streaming) => {
                model = ModelCall {
                    provider: "local".into(),
                    api: ModelApi::OpenAi,
                    operation: ModelOperation::Chat,
                    model: Some((*name).into()),
                    streaming: *streaming,
                    max_output_tokens: None,
                    tools: Vec::new(),
                    demand: creto_call::Demand::default(),
                };
                ("/v1/chat/completions", Some(("model", "chat", Some(*name))), Meaning::Model(&model))
            }
        };
        let details = Details {
            query: real.query,
            headers: Some(&headers),
            size: Some(real.size),
            body_read: true,
            meaning,
        };
        let call = Call {
            capture: Capture::Connect,
            kind: Kind::Http,
            scheme: Scheme::Https,
            method: real.method,
            host: real.host,
            port: 443,
            path,
            details,
        };
        let (verdict, by) = match set.decide(&call) {
            Decision::Allow { by } => (Verdict::Allow, Some(by)),
            Decision::Deny(refusal) => (Verdict::Deny, refusal.by),
            Decision::Observe(refusal) => (Verdict::Observe, refusal.by),
        };

        let mut record = allowed(real.method, real.host, path, "r");
        record.ended.as_mut().unwrap().request_bytes = real.size;
        if let Some((protocol, operation, subject)) = recorded {
            let subjects: Vec<&str> = subject.into_iter().collect();
            record = super::tests::meaning(record, protocol, "local", operation, &subjects);
        }
        let mut side = Side::of(vec![document]).unwrap();
        let facts = agent();
        let seat = side.seat(&facts);
        let record = Record::of(&record).unwrap();
        let opinion = seat.judge(&record);
        if let Some(said) = opinion.verdict {
            prop_assert_eq!(said.verdict, verdict, "{:?}\n{}", real, text);
            if opinion.rule_is_sure {
                let by = by.map(|by| (by.policy.to_owned(), by.rule.to_owned()));
                prop_assert_eq!(said.by, by, "{:?}\n{}", real, text);
            }
        }
    }
}

#[test]
fn records_that_are_alike_are_decided_once_and_counted_each() {
    let candidate = APPLIED.replace("api.example.com", "c.example.com");
    let get = || allowed("GET", "api.example.com", "/", "read");
    let mut calls: Vec<_> = std::iter::repeat_with(get).take(500).collect();
    calls.push(allowed("POST", "api.example.com", "/", "read"));
    let side = |text| Side::of(vec![written(text)]).unwrap();
    let mut comparison = Comparison::new(From::Record, side(APPLIED), side(&candidate));
    let mut report = Report::default();
    for call in &calls {
        comparison.look_at(call, Some(&agent()), &mut report);
    }
    assert_eq!(comparison.known.len(), 2);
    let value = report.to_json();
    assert_eq!(
        (&value["newly_refused"], &value["groups"][0]["calls"]),
        (&501.into(), &500.into()),
        "{value}"
    );
}
