//! Finding the quotas that count a call allocates nothing.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{alloc::System, fmt::Write as _, hint::black_box};

use creto_call::{
    Call, Capture, Demand, Details, Kind, Meaning, ModelApi, ModelCall, ModelOperation, Scheme,
};
use creto_policy::{Document, PolicySet};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn finding_the_quotas_of_a_call_allocates_nothing() {
    let mut text = String::from("version = 1\nname = \"p\"\n[[allow]]\nname = \"a\"\nhost = \"*\"\n");
    for n in 0..60 {
        let narrowed = match n % 3 {
            0 => format!("model = [\"model-{n}*\", \"*-mini\"]"),
            1 => format!("host = [\"*.h{n}.example\", \"10.0.0.0/8\"]"),
            _ => "provider = [\"openai\", \"anthropic\"]".to_owned(),
        };
        write!(
            text,
            "[[quota]]\nname = \"q{n}\"\nmeter = \"llm.tokens\"\nlimit = 1\nperiod = \"daily\"\n{narrowed}\n"
        )
        .unwrap();
    }
    let set = PolicySet::compile([&Document::parse("p.toml", &text).unwrap()]);
    let asked = ModelCall {
        provider: "openai".into(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: Some("model-0-MINI".into()),
        streaming: false,
        max_output_tokens: None,
        tools: Vec::new(),
        demand: Demand::default(),
    };
    for body_read in [false, true] {
        let details =
            Details { size: Some(9), body_read, meaning: Meaning::Model(&asked), ..Details::default() };
        let call = Call {
            capture: Capture::Connect,
            kind: Kind::Http,
            scheme: Scheme::Https,
            method: "POST",
            host: "10.1.2.3",
            port: 443,
            path: "/v1/chat/completions",
            details,
        };
        let region = Region::new(ALLOCATOR);
        let found = black_box(set.quotas_for(black_box(&call)).count());
        let needs = black_box(set.needs_body(black_box(&call)));
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0));
        assert_eq!((found, needs), (60, !body_read));
    }
}
