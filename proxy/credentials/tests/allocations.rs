//! Looking for placeholders takes no memory where there are none.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::alloc::System;

use base64::{Engine, engine::general_purpose::STANDARD};
use creto_credentials::Placeholders;
use http::Request;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_request_without_placeholders_is_looked_through_without_allocation() {
    let placeholders = Placeholders::new(["sk-fake-000000", "another-placeholder"]).unwrap();
    let parts = Request::builder()
        .uri("https://api.example.com/v1/chat%20completions?key=a%2Fb&creto=placeholder")
        .header("authorization", format!("Basic {}", STANDARD.encode("user:password")))
        .header("x-creto", "creto-placeholder")
        .header("cookie", "x".repeat(4000))
        .body(())
        .unwrap()
        .into_parts()
        .0;
    let region = Region::new(ALLOCATOR);
    for _ in 0..100 {
        assert_eq!(placeholders.find_foreign(&parts.headers, &parts.uri, None), None);
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}
