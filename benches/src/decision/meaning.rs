//! Decisions over what a call means: models, tools with arguments, expressions.

use std::fmt::Write as _;

use creto_authz::Scope;
use creto_call::{
    Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation, Scheme,
};
use creto_policy::{AgentFacts, Document, PolicySet, Tier, Trust};
use http::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::decision::{Outcome, SAMPLES, allocations};
use crate::report::Report;
use crate::timing::Times;

const MODELS: &str = "models.example.com";
const TOOLS: &str = "tools.example.com";
/// Candidates with an expression.
const EXPRESSIONS: usize = 8;

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("content-type", "application/json"), ("user-agent", "bench/1"), ("x-team", "search")]
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let asked: Vec<ModelCall> = (0..256).map(|n| model(&format!("model-{}-2026-01-01", n * 2))).collect();
    let called: Vec<McpCall> = (0..256).map(|n| tool(n * 2)).collect();
    let calls: Vec<Call<'_>> = asked
        .iter()
        .zip(&called)
        .flat_map(|(model, tool)| {
            [
                post(MODELS, "/v1/chat/completions", &headers, Meaning::Model(model)),
                post(TOOLS, "/mcp", &headers, Meaning::Mcp(tool)),
            ]
        })
        .collect();
    let note = "scope and policy, body read; 500 rules name a model, 500 a tool and globs of its arguments, \
                each half on one host";
    one(report, "models", &names_and_arguments()?, &calls, note)?;

    let asked: Vec<ModelCall> = (0..=EXPRESSIONS).map(|n| model(&format!("family-{n}-2026-01-01"))).collect();
    let calls: Vec<Call<'_>> = asked
        .iter()
        .map(|model| post(MODELS, "/v1/chat/completions", &headers, Meaning::Model(model)))
        .collect();
    let note = "scope and policy, body read; 1,000 rules, 8 of them about the host, each with a `when` of four \
                terms that holds but for its last; 1st to 8th or none decides, in turn";
    one(report, "when", &expressions()?, &calls, note)?;

    let named: Vec<ModelCall> =
        (0..330).map(|n| ModelCall { provider: format!("provider-{n}"), ..model("any") }).collect();
    let served: Vec<McpCall> =
        (0..330).map(|n| McpCall { server: format!("server-{n}"), ..tool(n) }).collect();
    let calls: Vec<Call<'_>> = named
        .iter()
        .zip(&served)
        .enumerate()
        .flat_map(|(n, (named, served))| {
            let method = ["PUT", "PATCH", "DELETE", "TRACE"][n % 4];
            [
                post(MODELS, "/v1/chat/completions", &headers, Meaning::Model(named)),
                post(MODELS, "/mcp", &headers, Meaning::Mcp(served)),
                Call { method, ..post(MODELS, "/x", &headers, Meaning::Plain) },
            ]
        })
        .collect();
    let note = "scope and policy, body read; 1,000 rules about one host that differ in method, provider or MCP server \
                only";
    one(report, "one_host", &one_host()?, &calls, note)
}

fn one(report: &mut Report, name: &str, policy: &PolicySet, calls: &[Call<'_>], note: &str) -> Outcome<()> {
    let scope = Scope::parse(&["*:*"])?;
    let allowed = calls.iter().filter(|call| matches!(policy.decide(call), Decision::Allow { .. })).count();
    // Neither a policy that allows nothing nor one that stops at its first rule is what is to be measured.
    if allowed * 4 < calls.len() * 3 || allowed == calls.len() {
        return Err(format!("{name}: {allowed} of {} calls are allowed", calls.len()).into());
    }
    let decide = |run: usize| {
        let call = &calls[run % calls.len()];
        (scope.permits(call), policy.decide(call))
    };
    let times = Times::of(SAMPLES, decide);
    let named = |what: &str| format!("decision.{name}_{what}");
    report.add(&named("p50_ns"), times.percentile(50.0), "ns", note);
    report.add(&named("p99_ns"), times.percentile(99.0), "ns", "same");
    report.add(&named("allocations"), allocations(decide), "", "in 10,000 decisions");
    Ok(())
}

/// A tenth of each half denies.
fn names_and_arguments() -> Outcome<PolicySet> {
    let mut text = String::from("version = 1\nname = \"bench\"\n");
    for n in 0..500 {
        let kind = if n % 10 == 0 { "deny" } else { "allow" };
        write!(
            text,
            "[[{kind}]]\nname = \"m{n}\"\nhost = \"{MODELS}\"\nmodel = \"model-{n}-*\"\n\
             [[{kind}]]\nname = \"t{n}\"\nhost = \"{TOOLS}\"\ntool = \"tool_{n}_*\"\n\
             arguments = {{ repo = \"acme-{n}/*\", labels = [\"bug*\", \"*-{n}\"], limit = {{ max = 100 }} }}\n"
        )?;
    }
    write!(
        text,
        "[[provider]]\nname = \"models\"\nhost = \"{MODELS}\"\napi = \"openai\"\n\
         [[mcp_server]]\nname = \"tools\"\nhost = \"{TOOLS}\"\n"
    )?;
    compile(&text)
}

fn one_host() -> Outcome<PolicySet> {
    let mut text = String::from("version = 1\nname = \"bench\"\n");
    for n in 0..330 {
        let kind = if n % 10 == 0 { "deny" } else { "allow" };
        write!(
            text,
            "[[{kind}]]\nname = \"p{n}\"\nhost = \"{MODELS}\"\nprovider = \"provider-{n}\"\n\
             [[{kind}]]\nname = \"s{n}\"\nhost = \"{MODELS}\"\nmcp_server = \"server-{n}\"\n"
        )?;
    }
    for (n, port) in (9_000..9_340).enumerate() {
        let method = ["PUT", "PATCH", "DELETE", "OPTIONS"][n % 4];
        let port = if n < 4 { 443 } else { port };
        write!(
            text,
            "[[allow]]\nname = \"m{n}\"\nhost = \"{MODELS}\"\nport = {port}\nmethod = \"{method}\"\n"
        )?;
    }
    compile(&text)
}

fn expressions() -> Outcome<PolicySet> {
    let mut text = String::from("version = 1\nname = \"bench\"\n");
    for n in 0..1000 - EXPRESSIONS {
        write!(text, "[[allow]]\nname = \"a{n}\"\nhost = \"host-{n}.example.com\"\npath = \"/v1/**\"\n")?;
    }
    for n in 0..EXPRESSIONS {
        write!(
            text,
            "[[allow]]\nname = \"w{n}\"\nhost = \"{MODELS}\"\n\
             when = '!(\"x-debug\" in request.headers) && request.headers[\"x-team\"] == \"search\" && \
             llm.provider == \"models\" && llm.request_model.startsWith(\"family-{n}-\")'\n"
        )?;
    }
    write!(text, "[[provider]]\nname = \"models\"\nhost = \"{MODELS}\"\napi = \"openai\"\n")?;
    compile(&text)
}

fn compile(text: &str) -> Outcome<PolicySet> {
    let document = Document::parse("bench", text).map_err(|problems| problems.render(false))?;
    let agent = AgentFacts {
        name: "bench".into(),
        tier: Tier::Standard,
        trust: Trust::Trusted,
        labels: [("team".to_owned(), "search".to_owned())].into(),
    };
    Ok(PolicySet::for_agent([&document], &agent))
}

fn model(name: &str) -> ModelCall {
    ModelCall {
        provider: "models".into(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: Some(name.into()),
        streaming: true,
        max_output_tokens: Some(4096),
        tools: vec!["search".into(), "read_file".into()],
        demand: creto_call::Demand::default(),
    }
}

fn tool(n: usize) -> McpCall {
    McpCall {
        server: "tools".into(),
        method: "tools/call".into(),
        tool: Some(format!("tool_{n}_list")),
        arguments: Some(json!({
            "repo": format!("acme-{n}/service"), "labels": "bug-report", "limit": 50,
            "query": "is:open sort:updated", "page": 3,
        })),
        ..McpCall::default()
    }
}

fn post<'a>(host: &'a str, path: &'a str, headers: &'a HeaderMap, meaning: Meaning<'a>) -> Call<'a> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method: "POST",
        host,
        port: 443,
        path,
        details: Details {
            headers: Some(headers),
            size: Some(2000),
            body_read: true,
            meaning,
            ..Details::default()
        },
    }
}
