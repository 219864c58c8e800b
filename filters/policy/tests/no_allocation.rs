//! Deciding a call on a plain path allocates nothing, with a thousand rules of every kind.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{alloc::System, fmt::Write as _, hint::black_box};

use creto_call::{Call, Capture, Decision, Details, Kind, Scheme};
use creto_policy::{Document, PolicySet};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn thousand_rules() -> PolicySet {
    let mut text = String::from("version = 1\nname = \"many\"\n");
    for n in 0..1000 {
        let (kind, host) = match n % 10 {
            0 => ("deny", format!("*.d{n}.example")),
            1 => ("allow", format!("10.{}.0.0/16", n % 256)),
            2..5 => ("allow", format!("*.h{n}.example")),
            _ => ("allow", format!("h{n}.example")),
        };
        write!(
            text,
            "[[{kind}]]\nname = \"r{n}\"\nhost = \"{host}\"\nport = 443\nmethod = [\"GET\", \"POST\"]\npath = [\"/v1/**\", \"/v2/*/x\"]\n"
        )
        .unwrap();
    }
    text.push_str("[[deny]]\nname = \"no-deletes\"\nhost = \"*\"\nport = \"any\"\nmethod = \"DELETE\"\n");
    PolicySet::compile(&[Document::parse("many.toml", &text).unwrap()])
}

fn call<'a>(method: &'a str, host: &'a str, path: &'a str) -> Call<'a> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method,
        host,
        port: 443,
        path,
        details: Details::default(),
    }
}

#[test]
fn deciding_a_plain_path_allocates_nothing() {
    let set = thousand_rules();
    let calls = [
        (call("GET", "h995.example", "/v1/chat/completions"), true),
        (call("POST", "a.b.h2.example", "/v2/models/x"), true),
        (call("GET", "10.1.2.3", "/v1/x"), true),
        (call("GET", "x.d0.example", "/v1/x"), false),
        (call("GET", "unknown.example", "/v1/x"), false),
        (call("DELETE", "h995.example", "/v1/x"), false),
    ];
    for (call, allowed) in &calls {
        assert_eq!(matches!(set.decide(call), Decision::Allow { .. }), *allowed, "{call:?}");
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..100 {
        for (call, _) in &calls {
            black_box(set.decide(black_box(call)));
            black_box(set.destination(call.host, call.port));
            black_box(set.route(call.path));
        }
    }
    let change = region.change();
    assert_eq!(change.allocations + change.reallocations, 0);
}
