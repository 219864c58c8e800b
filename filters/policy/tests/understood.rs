//! What documents decide of calls whose meaning is understood.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{
    A2aCall, Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation,
    Scheme,
};
use creto_policy::{AgentFacts, Document, PolicySet, Tier, Trust};
use http::HeaderMap;
use serde_json::{Value, json};

fn set(body: &str) -> PolicySet {
    let text = format!("version = 1\nname = \"p\"\n{body}");
    PolicySet::compile(&[Document::parse("p.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))])
}

/// A set of an allow rule `yes` with these lines, and one of everything but a deny rule `no` with them.
fn both(lines: &str) -> (PolicySet, PolicySet) {
    let allow = format!("[[allow]]\nname = \"yes\"\nhost = \"h.example\"\n{lines}\n");
    let deny = format!(
        "[[allow]]\nname = \"all\"\nhost = \"h.example\"\n[[deny]]\nname = \"no\"\nhost = \"*\"\n{lines}\n"
    );
    (set(&allow), set(&deny))
}

fn call<'a>(method: &'a str, meaning: Meaning<'a>) -> Call<'a> {
    let details = Details { meaning, body_read: true, size: Some(50), ..Details::default() };
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method,
        host: "h.example",
        port: 443,
        path: "/x",
        details,
    }
}

fn unread<'a>(call: &Call<'a>) -> Call<'a> {
    let details = Details { body_read: false, size: None, ..call.details };
    Call { details, ..*call }
}

fn model(provider: &str, name: Option<&str>) -> ModelCall {
    ModelCall {
        provider: provider.to_owned(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: name.map(str::to_owned),
        streaming: false,
        max_output_tokens: None,
        tools: vec!["search".to_owned()],
        demand: creto_call::Demand::default(),
    }
}

fn mcp(server: &str, method: &str, tool: Option<&str>, arguments: Option<Value>) -> McpCall {
    let (server, method, tool) = (server.to_owned(), method.to_owned(), tool.map(str::to_owned));
    McpCall { server, method, tool, arguments, ..McpCall::default() }
}

fn allows(set: &PolicySet, call: &Call<'_>) -> bool {
    matches!(set.decide(call), Decision::Allow { .. })
}

fn denied_by(set: &PolicySet, call: &Call<'_>) -> bool {
    matches!(set.decide(call), Decision::Deny(refusal) if refusal.by.is_some_and(|by| by.rule == "no"))
}

/// What the allow rule allows and the deny rule denies, as (allowed, denied).
fn verdicts(lines: &str, call: &Call<'_>) -> (bool, bool) {
    let (allow, deny) = both(lines);
    (allows(&allow, call), denied_by(&deny, call))
}

#[test]
fn a_model_is_allowed_by_its_exact_name_and_denied_in_any_case() {
    let lines = "model = [\"gpt-5*\", \"*-mini\"]";
    for (name, expected) in [
        ("gpt-5", (true, true)),
        ("gpt-5.1-codex", (true, true)),
        ("o4-mini", (true, true)),
        ("GPT-5", (false, true)),
        ("gpt-4.1", (false, false)),
        ("x-gpt-5", (false, false)),
    ] {
        let facts = model("openai", Some(name));
        assert_eq!(verdicts(lines, &call("POST", Meaning::Model(&facts))), expected, "{name}");
    }
    // A provider chooses a model that the call does not name: it may be any.
    let facts = model("openai", None);
    assert_eq!(verdicts(lines, &call("POST", Meaning::Model(&facts))), (false, true));
    assert_eq!(verdicts(lines, &unread(&call("POST", Meaning::Model(&facts)))), (false, true));
    // A model in the path is known before the body is.
    let facts = model("openai", Some("gpt-5"));
    assert_eq!(verdicts(lines, &unread(&call("POST", Meaning::Model(&facts)))), (true, true));
    let (allow, _) = both(lines);
    assert!(!allow.needs_body(&unread(&call("POST", Meaning::Model(&facts)))));
    // Listing models asks no model.
    assert_eq!(verdicts(lines, &call("GET", Meaning::Plain)), (false, false));
    assert_eq!(verdicts("model = \"*\"", &call("GET", Meaning::Plain)), (false, false));
}

#[test]
fn counting_tokens_of_a_model_is_asking_for_it() {
    let facts = ModelCall { operation: ModelOperation::CountTokens, ..model("anthropic", Some("claude-x")) };
    assert_eq!(verdicts("model = \"claude-*\"", &call("POST", Meaning::Model(&facts))), (true, true));
}

#[test]
fn a_provider_is_named() {
    let lines = "provider = [\"openai\", \"local\"]";
    for (name, matches) in [("openai", true), ("local", true), ("unnamed", false)] {
        let facts = model(name, None);
        assert_eq!(verdicts(lines, &call("POST", Meaning::Model(&facts))), (matches, matches), "{name}");
    }
    let facts = mcp("openai", "ping", None, None);
    assert_eq!(verdicts(lines, &call("POST", Meaning::Mcp(&facts))), (false, false));
    assert_eq!(verdicts(lines, &call("POST", Meaning::Plain)), (false, false));
}

#[test]
fn a_server_is_one_that_policy_names() {
    for (lines, server, matches) in [
        ("mcp_server = \"tickets\"", "tickets", true),
        ("mcp_server = \"tickets\"", "other", false),
        ("mcp_server = \"tickets\"", "", false),
        ("mcp_method = \"*\"", "", true),
        ("mcp_method = \"*\"", "tickets", true),
    ] {
        for method in ["tools/call", "resources/read", "initialize", ""] {
            let facts = mcp(server, method, None, None);
            let verdicts = verdicts(lines, &call("POST", Meaning::Mcp(&facts)));
            assert_eq!(verdicts, (matches, matches), "{lines}: {server:?} {method:?}");
        }
    }
}

#[test]
fn a_rule_about_tools_allows_their_calls_and_what_a_client_needs_around_them() {
    let lines = "mcp_server = \"tickets\"\ntool = \"search_*\"";
    for (http, method, tool, expected) in [
        ("POST", "tools/call", Some("search_issues"), (true, true)),
        ("POST", "tools/call", Some("delete_issue"), (false, false)),
        ("POST", "tools/call", Some("SEARCH_issues"), (false, false)),
        ("POST", "tools/call", None, (false, true)),
        ("POST", "initialize", None, (true, false)),
        ("POST", "notifications/initialized", None, (true, false)),
        ("POST", "ping", None, (true, false)),
        ("POST", "tools/list", None, (true, false)),
        ("POST", "server/discover", None, (true, false)),
        ("POST", "logging/setLevel", None, (true, false)),
        ("POST", "subscriptions/listen", None, (true, false)),
        ("POST", "", None, (true, false)),
        ("GET", "", None, (true, false)),
        ("DELETE", "", None, (true, false)),
        ("PUT", "", None, (false, false)),
        ("POST", "resources/read", None, (false, false)),
        ("POST", "prompts/get", None, (false, false)),
        ("POST", "completion/complete", None, (false, false)),
    ] {
        let facts = mcp("tickets", method, tool, None);
        let question = call(http, Meaning::Mcp(&facts));
        let size = if http == "POST" { Some(50) } else { Some(0) };
        let question = Call { details: Details { size, ..question.details }, ..question };
        assert_eq!(verdicts(lines, &question), expected, "{http} {method} {tool:?}");
    }
    // A GET or DELETE that brings a body does more than to open or to end.
    let facts = mcp("tickets", "", None, None);
    for method in ["GET", "DELETE"] {
        let question = call(method, Meaning::Mcp(&facts));
        let full = Call { details: Details { size: Some(1), ..question.details }, ..question };
        assert_eq!(verdicts(lines, &full), (false, false));
    }
    let facts = mcp("tickets", "subscriptions/listen", None, None);
    let facts = McpCall { resource: Some("file:///secret".into()), ..facts };
    assert_eq!(verdicts(lines, &call("POST", Meaning::Mcp(&facts))), (false, false));
    let facts = mcp("other", "initialize", None, None);
    assert_eq!(verdicts(lines, &call("POST", Meaning::Mcp(&facts))), (false, false));
}

#[test]
fn with_a_method_said_nothing_is_allowed_around_it() {
    for (lines, method, tool, expected) in [
        ("mcp_method = \"tools/call\"\ntool = \"search\"", "tools/call", Some("search"), (true, true)),
        ("mcp_method = \"tools/call\"\ntool = \"search\"", "initialize", None, (false, false)),
        ("mcp_method = [\"tools/*\", \"ping\"]", "tools/list", None, (true, true)),
        ("mcp_method = [\"tools/*\", \"ping\"]", "ping", None, (true, true)),
        ("mcp_method = [\"tools/*\", \"ping\"]", "initialize", None, (false, false)),
        ("mcp_method = \"tools/call\"", "TOOLS/CALL", None, (false, false)),
    ] {
        let facts = mcp("", method, tool, None);
        assert_eq!(verdicts(lines, &call("POST", Meaning::Mcp(&facts))), expected, "{lines}: {method}");
    }
}

#[test]
fn arguments_must_be_of_the_type_that_is_asked_for() {
    let lines = "tool = \"list\"\narguments = { repo = \"acme/*\", limit = { max = 100 }, \"filter.state\" = [\"open\", \"closed\"], token = { absent = true }, dry_run = true }";
    let good = json!({"repo": "acme/x", "limit": 100, "filter": {"state": "open"}, "dry_run": true});
    let with = |key: &str, value: Value| {
        let mut arguments = good.clone();
        arguments[key] = value;
        arguments
    };
    let without = |key: &str| {
        let mut arguments = good.clone();
        arguments.as_object_mut().unwrap().remove(key);
        arguments
    };
    for (arguments, expected) in [
        (good.clone(), (true, true)),
        (with("repo", json!("other/x")), (false, false)),
        (with("limit", json!(101)), (false, false)),
        (with("limit", json!("100")), (false, true)),
        (with("limit", json!(null)), (false, true)),
        (without("limit"), (false, false)),
        (with("filter", json!({"state": "all"})), (false, false)),
        (with("filter", json!("open")), (false, true)),
        (with("token", json!("t")), (false, false)),
        (with("token", json!(null)), (false, true)),
        (with("dry_run", json!(false)), (false, false)),
        (with("dry_run", json!("true")), (false, true)),
        (with("more", json!(1)), (true, true)),
    ] {
        let facts = mcp("s", "tools/call", Some("list"), Some(arguments.clone()));
        assert_eq!(verdicts(lines, &call("POST", Meaning::Mcp(&facts))), expected, "{arguments}");
    }
    // None at all is an empty set of them.
    let facts = mcp("s", "tools/call", Some("list"), None);
    assert_eq!(
        verdicts("arguments = { token = { absent = true } }", &call("POST", Meaning::Mcp(&facts))),
        (true, true)
    );
    let facts = mcp("s", "prompts/get", None, Some(json!({"topic": "a"})));
    let lines = "mcp_method = \"prompts/get\"\narguments = { topic = \"a\" }";
    assert_eq!(verdicts(lines, &call("POST", Meaning::Mcp(&facts))), (true, true));
}

#[test]
fn a_skill_is_asked_for_by_name_and_tasks_come_with_it() {
    let lines = "a2a_agent = \"translator\"\nskill = \"translate*\"";
    for (method, skill, expected) in [
        ("SendMessage", Some("translate-de"), (true, true)),
        ("SendStreamingMessage", Some("translate-de"), (true, true)),
        ("SendMessage", Some("summarize"), (false, false)),
        // The other agent chooses: it may be any.
        ("SendMessage", None, (false, true)),
        ("agent-card", None, (true, false)),
        ("GetExtendedAgentCard", None, (true, false)),
        ("GetTask", None, (true, false)),
        ("CancelTask", None, (true, false)),
        ("SubscribeToTask", None, (true, false)),
        ("ListTasks", None, (false, false)),
        ("CreateTaskPushNotificationConfig", None, (false, false)),
    ] {
        let facts =
            A2aCall { agent: "translator".into(), method: method.into(), skill: skill.map(str::to_owned) };
        assert_eq!(verdicts(lines, &call("POST", Meaning::A2a(&facts))), expected, "{method} {skill:?}");
        let facts = A2aCall { agent: String::new(), ..facts };
        assert_eq!(
            verdicts(lines, &call("POST", Meaning::A2a(&facts))),
            (false, false),
            "{method} elsewhere"
        );
    }
}

#[test]
fn what_is_not_known_denies_and_does_not_allow() {
    for lines in
        ["mcp_method = \"ping\"", "tool = \"a\"", "arguments = { a = 1 }", "when = 'mcp.method == \"ping\"'"]
    {
        let facts = mcp("s", "", None, None);
        let unread = unread(&call("POST", Meaning::Mcp(&facts)));
        assert_eq!(verdicts(lines, &unread), (false, true), "{lines}");
        let (allow, deny) = both(lines);
        assert!(allow.needs_body(&unread) && deny.needs_body(&unread), "{lines}");
        // There is nothing to read of an empty body.
        let empty = Call { details: Details { size: Some(0), ..unread.details }, ..unread };
        assert!(!allow.needs_body(&empty) && !deny.needs_body(&empty), "{lines}");
    }
}

#[test]
fn a_body_is_read_only_where_it_matters() {
    let set = set(r#"
[[allow]]
name = "tools"
host = "h.example"
tool = "search"
[[allow]]
name = "files"
host = "h.example"
path = "/files/**"
[[deny]]
name = "never"
host = "h.example"
path = "/secret"
[[deny]]
name = "model"
host = "m.example"
model = "gpt-4*"
"#);
    let facts = mcp("", "", None, None);
    let question = unread(&call("POST", Meaning::Mcp(&facts)));
    let plain = unread(&call("POST", Meaning::Plain));
    let at = |call: &Call<'static>, path| Call { path, ..*call };
    for (call, needed) in [
        (question, true),
        // It may turn out to be a message of MCP.
        (plain, true),
        (at(&plain, "/secret"), false),
        (at(&plain, "/files/x"), false),
        (Call { kind: Kind::Grpc, ..plain }, false),
        (Call { kind: Kind::Grpc, ..question }, false),
        (Call { kind: Kind::WebSocket, ..plain }, false),
        (Call { port: 22, ..plain }, false),
        (Call { host: "other.example", ..question }, false),
        // Nothing is allowed there anyway.
        (Call { host: "m.example", ..plain }, false),
    ] {
        assert_eq!(set.needs_body(&call), needed, "{call:?}");
        assert!(!set.needs_body(&Call { details: Details { body_read: true, ..call.details }, ..call }));
    }
}

#[test]
fn an_expression_decides_over_all_facts() {
    let mut headers = HeaderMap::new();
    headers.insert("x-team", "search".parse().unwrap());
    let facts = model("openai", Some("gpt-5"));
    let chat = call("POST", Meaning::Model(&facts));
    let chat = Call { details: Details { headers: Some(&headers), query: "a=1", ..chat.details }, ..chat };
    let tool = mcp("s", "tools/call", Some("search"), Some(json!({"limit": 5, "tags": ["a"]})));
    let tool = call("POST", Meaning::Mcp(&tool));
    for (when, call, expected) in [
        (r#"llm.request_model.startsWith("gpt-5") && !("x-debug" in request.headers)"#, &chat, (true, true)),
        (r#"request.headers["x-team"] == "search" && request.query == "a=1""#, &chat, (true, true)),
        (r#"request.headers["x-none"] == "search""#, &chat, (false, true)),
        (r#"llm.provider == "openai" && "search" in llm.tools && request.size < 100"#, &chat, (true, true)),
        // Not said in the call: no value.
        ("llm.max_output_tokens <= 1000", &chat, (false, true)),
        ("has(llm.max_output_tokens)", &chat, (false, false)),
        // Of another protocol: not about this call.
        ("llm.max_output_tokens <= 1000", &tool, (false, false)),
        (r#"mcp.tool.name == "search" && mcp.tool.arguments.limit <= 10"#, &tool, (true, true)),
        (r#"mcp.tool.arguments.tags.exists(tag, tag == "a")"#, &tool, (true, true)),
        (r#"mcp.tool.arguments.repo == "x""#, &tool, (false, true)),
        (r#"mcp.resource.uri == "file:///etc""#, &tool, (false, false)),
        (r#"destination.port == 443 && request.method == "POST""#, &tool, (true, true)),
        (r#"agent.trust == "trusted""#, &tool, (false, true)),
    ] {
        assert_eq!(verdicts(&format!("when = '{when}'"), call), expected, "{when}");
    }
    // What can be read in more than one way is not known.
    let hidden = Call { path: "/a/../x", ..chat };
    assert_eq!(verdicts(r#"when = 'request.path == "/x"'"#, &hidden), (false, true));
}

#[test]
fn an_expression_knows_the_agent_that_the_set_is_for() {
    let agent = AgentFacts {
        name: "writer".into(),
        tier: Tier::Basic,
        trust: Trust::Untrusted,
        labels: [("team".to_owned(), "docs".to_owned())].into(),
    };
    let text = r#"version = 1
name = "p"
[[allow]]
name = "tunnel"
host = "h.example"
tls = "pass"
when = 'agent.tier == "basic" && agent.labels["team"] == "docs"'
[[deny]]
name = "no"
host = "d.example"
when = 'agent.name == "writer"'
[[allow]]
name = "other"
host = ["d.example", "o.example"]
when = 'agent.name == "somebody"'
private = true
"#;
    let set = PolicySet::for_agent(&[Document::parse("p.toml", text).unwrap()], &agent);
    let tunnel = set.destination("h.example", 443);
    assert!(tunnel.may_allow && tunnel.pass.is_some_and(|by| by.rule == "tunnel"));
    assert!(set.destination("d.example", 443).denied.is_some_and(|by| by.rule == "no"));
    let other = set.destination("o.example", 443);
    assert!(!other.may_allow && !other.private && other.denied.is_none());
    assert!(!set.address_allowed("o.example", 443, "10.0.0.1".parse().unwrap()));
    let opaque = Call { kind: Kind::Opaque, method: "", path: "", ..call("", Meaning::Plain) };
    assert!(allows(&set, &Call { details: Details::default(), ..opaque }));
}

#[test]
fn a_tunnel_is_denied_where_an_expression_asks_for_its_request() {
    let set = set(r#"
[[allow]]
name = "pinned"
host = ["h.example", "g.example"]
tls = "pass"
[[deny]]
name = "no"
host = "h.example"
when = 'request.method == "DELETE"'
[[deny]]
name = "models"
host = "g.example"
model = "*"
"#);
    let opaque = Call { kind: Kind::Opaque, method: "", path: "", ..call("", Meaning::Plain) };
    let opaque = Call { details: Details::default(), ..opaque };
    assert!(denied_by(&set, &opaque));
    assert!(allows(&set, &Call { host: "g.example", ..opaque }));
}

#[test]
fn a_list_shows_the_tools_of_which_some_call_could_be_allowed() {
    let set = set(r#"
[[allow]]
name = "some"
host = "h.example"
tool = ["search", "list", "write", "drop"]
arguments = { repo = "acme/*" }
[[allow]]
name = "expression"
host = "h.example"
when = 'mcp.tool.name == "sum" && mcp.tool.arguments.a < 5 && request.size < 10'
[[deny]]
name = "write-secret"
host = "*"
tool = "write"
arguments = { path = "/secret/*" }
[[deny]]
name = "drop"
host = "*"
tool = "drop"
"#);
    for (tool, shown) in [
        ("search", true),
        ("write", true),
        ("drop", false),
        ("sum", true),
        ("product", false),
        ("other", false),
    ] {
        let facts = mcp("", "tools/call", Some(tool), None);
        let call = call("POST", Meaning::Mcp(&facts));
        assert_eq!(set.could_allow(&call), shown, "{tool}");
        assert!(!allows(&set, &call), "{tool} without arguments");
    }
    // Of a body that has not been read anything may come.
    let facts = mcp("", "", None, None);
    for meaning in [Meaning::Mcp(&facts), Meaning::Plain] {
        assert!(set.could_allow(&unread(&call("POST", meaning))));
    }
    assert!(!set.could_allow(&Call { host: "g.example", ..unread(&call("POST", Meaning::Mcp(&facts))) }));
}

#[test]
fn a_thousand_tools_and_models_of_one_host_are_told_apart() {
    let mut text = String::new();
    for n in 0..1000 {
        let (effect, key) =
            (if n % 3 == 0 { "deny" } else { "allow" }, if n % 2 == 0 { "tool" } else { "model" });
        text.push_str(&format!(
            "[[{effect}]]\nname = \"r{n}\"\nhost = \"h.example\"\n{key} = \"{key}-{n}\"\n"
        ));
    }
    let set = set(&text);
    for n in 0..1000 {
        let (tool, asked) = (
            mcp("", "tools/call", Some(&format!("tool-{n}")), None),
            model("x", Some(&format!("model-{n}"))),
        );
        let meaning = if n % 2 == 0 { Meaning::Mcp(&tool) } else { Meaning::Model(&asked) };
        let decision = set.decide(&call("POST", meaning));
        let by = match decision {
            Decision::Allow { by } => Some(by),
            Decision::Deny(refusal) | Decision::Observe(refusal) => refusal.by,
        };
        assert_eq!(by.map(|by| by.rule.to_owned()), Some(format!("r{n}")));
        assert_eq!(matches!(decision, Decision::Allow { .. }), n % 3 != 0);
    }
    let upper = model("x", Some("MODEL-3"));
    assert!(
        matches!(set.decide(&call("POST", Meaning::Model(&upper))), Decision::Deny(refusal) if refusal.by.is_some())
    );
}

#[test]
fn an_explanation_says_which_condition_fails() {
    let set = set(r#"
[[allow]]
name = "tools"
host = "h.example"
tool = "list"
arguments = { repo = "acme/*", limit = { max = 10 } }
[[deny]]
name = "big"
host = "g.example"
when = 'mcp.tool.arguments.limit > 50'
"#);
    let explained = |arguments: Value| {
        let facts = mcp("", "tools/call", Some("list"), Some(arguments));
        set.explain(&call("POST", Meaning::Mcp(&facts))).to_string()
    };
    assert_eq!(
        explained(json!({"repo": "other/x", "limit": "9"})),
        "denied (no_rule_allows): No rule allows this call.\n  \
         allow p/tools (line 4): host h.example matches, but not arguments.repo\n  \
         1 other rule is about other hosts\n"
    );
    assert_eq!(
        explained(json!({"repo": "acme/x"})),
        "denied (no_rule_allows): No rule allows this call.\n  \
         allow p/tools (line 4): host h.example matches, but not arguments.limit\n  \
         1 other rule is about other hosts\n"
    );
    assert_eq!(
        explained(json!({"repo": "acme/x", "limit": "9"})),
        "denied (no_rule_allows): No rule allows this call.\n  \
         allow p/tools (line 4): host h.example matches, but arguments.limit cannot be told\n  \
         1 other rule is about other hosts\n"
    );
    let facts = mcp("", "tools/call", Some("list"), None);
    let elsewhere = Call { host: "g.example", ..call("POST", Meaning::Mcp(&facts)) };
    assert_eq!(
        set.explain(&elsewhere).to_string(),
        "denied by p/big (rule_denies): A rule denies this call.\n  \
         deny  p/big (line 9): host g.example matches, and when (no such key in the map) cannot be told, \
         which counts as a match for what denies\n  \
         1 other rule is about other hosts\n"
    );
}

#[test]
fn a_header_is_found_among_few_and_among_many_whatever_the_case_of_its_name() {
    let text = "version = 1\nname = \"p\"\n[[allow]]\nname = \"r\"\nhost = \"*\"\n\
                when = '''\"X-Team\" in request.headers && request.headers[\"x-team\"] == \"a\"'''\n";
    let document = Document::parse("p.toml", text).unwrap();
    let set = PolicySet::compile([&document]);
    for others in [0, 11, 12, 40] {
        let mut headers = http::HeaderMap::new();
        for n in 0..others {
            headers.insert(http::HeaderName::try_from(format!("x-{n}")).unwrap(), "b".parse().unwrap());
        }
        headers.append("x-team", "a".parse().unwrap());
        headers.append("x-team", "b".parse().unwrap());
        let mut call = Call {
            capture: Capture::Connect,
            kind: Kind::Http,
            scheme: Scheme::Https,
            method: "GET",
            host: "a.example",
            port: 443,
            path: "/",
            details: Details { headers: Some(&headers), ..Details::default() },
        };
        assert!(set.decide(&call).lets_through(), "beside {others} others");
        let mut without = headers.clone();
        without.remove("x-team");
        call.details.headers = Some(&without);
        assert!(!set.decide(&call).lets_through(), "beside {others} others");
    }
}
