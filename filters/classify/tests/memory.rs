//! Reading a large body takes no memory of its size, and hostile ones no time beyond it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::{Duration, Instant};

use creto_classify::{Endpoint, Known, Meanings};
use http::HeaderMap;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

const MAX_BODY: usize = 32 << 20;

// One test: the counters are of the whole process.
#[test]
fn a_body_of_any_size_is_read_in_constant_memory_and_linear_time() {
    let headers = HeaderMap::new();
    let of = |path| Endpoint::of("POST", "api.openai.com", path, "", &headers, Known::default());
    let chat = of("/v1/chat/completions");
    let agent = Known { a2a_agent: Some("a"), ..Known::default() };
    let agent = Endpoint::of("POST", "a.example", "/a2a", "", &headers, agent);

    let prompt = "line\\n\\u00e9 \\\"quoted\\\"".repeat(MAX_BODY / 24);
    let turns = r#"{"role":"user","content":[{"type":"text","text":"hello"}]},"#.repeat(MAX_BODY / 64);
    for (endpoint, body) in [
        (&chat, format!(r#"{{"model":"gpt-5","messages":[{{"content":"{prompt}"}}]}}"#)),
        (&chat, format!(r#"{{"messages":[{turns}{{}}],"model":"gpt-5"}}"#)),
        (
            &agent,
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{"message":{{"parts":[{{"text":"{prompt}"}}]}}}}}}"#
            ),
        ),
        (&of("/other"), format!(r#"{{"x":[{turns}{{}}],"y":"{prompt}"}}"#)),
    ] {
        let region = Region::new(ALLOCATOR);
        let meanings = endpoint.read(&headers, body.as_bytes()).unwrap();
        let allocated = region.change().bytes_allocated;
        assert!(allocated < 16 << 10, "{allocated} bytes for a body of {}", body.len());
        if let Meanings::Model(call) = meanings {
            assert_eq!(call.model.as_deref(), Some("gpt-5"));
        }
    }

    let keys: String = (0..2_000_000).map(|key| format!("\"{key}\":0,")).collect();
    let long_key = "k".repeat(MAX_BODY / 16);
    let long_keys: String = (0..15).map(|key| format!("\"{long_key}{key:x}\":0,")).collect();
    for body in [
        format!("{{{keys}\"model\":\"a\"}}"),
        format!("{{{long_keys}\"model\":\"a\"}}"),
        format!("{{\"model\":\"a\",\"x\":{}", "[{\"a\":".repeat(MAX_BODY / 6)),
        format!("{{\"model\":\"a\",\"x\":\"{}", "\\".repeat(MAX_BODY)),
        format!("{{\"model\":\"a\",\"x\":{}}}", "9".repeat(MAX_BODY)),
        format!("{{\"model\":\"a\",\"max_tokens\":{}}}", "9".repeat(MAX_BODY)),
        format!("{{\"model\":\"{}\"}}", "\\u0061".repeat(MAX_BODY / 6)),
        format!("{{\"model\":\"a\",\"tools\":[{}{{}}]}}", "{\"name\":\"t\"},".repeat(MAX_BODY / 13)),
    ] {
        let region = Region::new(ALLOCATOR);
        let begun = Instant::now();
        let _ = chat.read(&headers, body.as_bytes());
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", &body[..40]);
        let allocated = region.change().bytes_allocated;
        assert!(allocated < 24 << 20, "{allocated} bytes for {}", &body[..40]);
    }
}
