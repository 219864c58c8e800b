//! Finding the holds of a call allocates nothing, whether any matches or not.
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
fn finding_the_holds_of_a_call_allocates_nothing() {
    let documents: Vec<Document> = (0..1_000)
        .map(|n| {
            let mut text = format!("version = 1\nname = \"d{n}\"\n[[allow]]\nname = \"a\"\nhost = \"*\"\n");
            for (at, asks) in [
                format!("host = \"h{n}.example\"\nmethod = \"DELETE\""),
                format!("host = \"*.z{n}.example\"\nwhen = 'request.size > {n}'"),
                format!("host = \"*\"\ntool = \"t{n}\""),
                format!("host = \"*\"\nmodel = \"m{n}\"\ncost_over = \"5 USD\""),
            ]
            .iter()
            .enumerate()
            {
                write!(
                    text,
                    "[[hold]]\nname = \"h{at}\"\n{asks}\napprovers = [\"a@example.com\"]\nwait = \"1h\"\n"
                )
                .unwrap();
            }
            Document::parse("p.toml", &text).unwrap()
        })
        .collect();
    let set = PolicySet::compile(&documents);
    let asked = ModelCall {
        provider: "openai".into(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: Some("m7".into()),
        streaming: false,
        max_output_tokens: None,
        tools: Vec::new(),
        demand: Demand::default(),
    };
    let call = |method, host, meaning, body_read| Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method,
        host,
        port: 443,
        path: "/v1/x",
        details: Details { size: Some(1_000), body_read, meaning, ..Details::default() },
    };
    for (call, cost, expected, too_many) in [
        (call("GET", "other.example", Meaning::Plain, true), None, 0, false),
        (call("DELETE", "h5.example", Meaning::Plain, true), None, 1, false),
        (call("GET", "x.z9.example", Meaning::Plain, true), None, 1, false),
        (call("POST", "h5.example", Meaning::Model(&asked), true), Some(6_000_000_000), 1, false),
        (call("POST", "h5.example", Meaning::Model(&asked), true), Some(5_000_000_000), 0, false),
        (call("POST", "h5.example", Meaning::Model(&asked), false), None, 1, false),
        // Any of the thousand tools.
        (call("POST", "h5.example", Meaning::Plain, false), None, 8, true),
    ] {
        let region = Region::new(ALLOCATOR);
        let found = black_box(set.holds(black_box(&call), cost));
        let count = found.held().count();
        let could = black_box(set.could_hold(black_box(&call)));
        let needs = black_box(set.needs_body(black_box(&call)));
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{call:?}");
        assert_eq!((count, found.too_many()), (expected, too_many), "{call:?}");
        assert!(could || count == 0);
        assert_eq!(needs, !call.details.body_read, "{call:?}");
    }
}
