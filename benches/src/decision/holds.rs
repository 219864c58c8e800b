//! The holds of an allowed call: by number of documents that have some, whether any matches or not.

use std::fmt::Write as _;

use creto_call::{
    Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation, Scheme,
};
use creto_policy::{Document, PolicySet};
use serde_json::json;

use crate::decision::{Outcome, SAMPLES, allocations};
use crate::report::Report;
use crate::timing::Times;

/// Numbers of documents; the figures of the last one have no number in their names.
const CURVE: [usize; 3] = [10, 100, 1_000];
const NAMED: usize = 1_000;
const CALLS: usize = 256;
/// What a hold of the documents asks of calls of models, in billionths of a dollar.
const DEAR: u64 = 5_000_000_000;

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    for count in CURVE {
        let documents = (0..count)
            .map(|n| Document::parse("bench", &text(n)).map_err(|problems| problems.render(false)))
            .collect::<Result<Vec<_>, _>>()?;
        let set = PolicySet::compile(&documents);
        let scene = Scene::of(count);
        for (kind, calls) in [("held", scene.held()), ("not_held", scene.not_held())] {
            one(report, count, kind, &set, &calls)?;
        }
    }
    Ok(())
}

fn one(
    report: &mut Report,
    count: usize,
    kind: &str,
    set: &PolicySet,
    calls: &[(Call<'_>, Option<u64>)],
) -> Outcome<()> {
    let expected = usize::from(kind == "held");
    for (call, cost) in calls {
        let found = set.holds(call, *cost);
        let allowed = matches!(set.decide(call), Decision::Allow { .. });
        if !allowed || found.too_many() || found.held().count() != expected {
            return Err(format!("{count} documents hold {} times: {call:?}", found.held().count()).into());
        }
    }
    let ask = |run: usize| {
        let (call, cost) = &calls[run % calls.len()];
        set.holds(call, *cost).held().count()
    };
    let times = Times::of(SAMPLES, ask);
    let named = |what: &str| match count {
        NAMED => format!("decision.{kind}_{what}"),
        _ => format!("decision.{kind}_{count}_{what}"),
    };
    let matching = if expected == 1 { "one matches" } else { "none matches" };
    let note = format!(
        "holds of an allowed call, body read, warm; {count} policies with four each: about a host and method, a \
         wildcard, a tool with an argument, a model and what it costs; {matching}"
    );
    report.add(&named("p50_ns"), times.percentile(50.0), "ns", note);
    report.add(&named("p99_ns"), times.percentile(99.0), "ns", "same");
    report.add(&named("allocations"), allocations(ask), "", "in 10,000 times asked");
    Ok(())
}

/// What the calls borrow.
struct Scene {
    hosts: Vec<String>,
    models: Vec<ModelCall>,
    tools: Vec<McpCall>,
}

impl Scene {
    fn of(count: usize) -> Self {
        let numbers = || (0..CALLS).map(move |n| n * count / CALLS);
        Self {
            hosts: numbers().map(|n| format!("host-{n}.example.com")).collect(),
            models: numbers().map(model).collect(),
            tools: numbers().map(tool).collect(),
        }
    }

    /// Calls that one hold each is about.
    fn held(&self) -> Vec<(Call<'_>, Option<u64>)> {
        let each = self.hosts.iter().zip(&self.models).zip(&self.tools);
        each.flat_map(|((host, model), tool)| {
            [
                (call("DELETE", host, Meaning::Plain), None),
                (call("POST", "models.example.com", Meaning::Model(model)), Some(DEAR + 1)),
                (call("POST", "tools.example.com", Meaning::Mcp(tool)), None),
            ]
        })
        .collect()
    }

    /// The same with another method, for less, and of servers that no hold names.
    fn not_held(&self) -> Vec<(Call<'_>, Option<u64>)> {
        let each = self.hosts.iter().zip(&self.models).zip(&self.tools);
        each.flat_map(|((host, model), tool)| {
            [
                (call("GET", host, Meaning::Plain), None),
                (call("POST", "models.example.com", Meaning::Model(model)), Some(DEAR)),
                (call("POST", "others.example.com", Meaning::Mcp(tool)), None),
            ]
        })
        .collect()
    }
}

fn call<'a>(method: &'a str, host: &'a str, meaning: Meaning<'a>) -> Call<'a> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method,
        host,
        port: 443,
        path: "/v1/x",
        details: Details { size: Some(2_000), body_read: true, meaning, ..Details::default() },
    }
}

fn model(n: usize) -> ModelCall {
    ModelCall {
        provider: "openai".to_owned(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: Some(format!("model-{n}-2026-01-01")),
        streaming: true,
        max_output_tokens: Some(4_096),
        tools: Vec::new(),
        demand: creto_call::Demand::default(),
    }
}

fn tool(n: usize) -> McpCall {
    McpCall {
        method: "tools/call".to_owned(),
        tool: Some(format!("tool-{n}-write")),
        arguments: Some(json!({"amount": 500, "to": "acme"})),
        ..McpCall::default()
    }
}

/// A policy that allows everything and holds four kinds of calls.
fn text(n: usize) -> String {
    let mut text = format!("version = 1\nname = \"p{n}\"\n[[allow]]\nname = \"all\"\nhost = \"*\"\n");
    let asks = [
        format!("host = \"host-{n}.example.com\"\nmethod = \"DELETE\""),
        format!("host = \"*.zone-{n}.example.com\""),
        format!(
            "host = \"tools.example.com\"\ntool = \"tool-{n}-*\"\narguments = {{ amount = {{ min = 100 }} }}"
        ),
        format!("host = \"*\"\nmodel = \"model-{n}-*\"\ncost_over = \"5.00 USD\""),
    ];
    for (at, asks) in asks.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[hold]]\nname = \"h{at}\"\n{asks}\napprovers = [\"alice@example.com\", \"bob@example.com\"]\nwait = \"1h\"\n"
        );
    }
    text
}
