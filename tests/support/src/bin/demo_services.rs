//! A model provider and an MCP server on this machine, for the demo: `demo_services KEY FOLDER`.
//!
//! The provider takes KEY and no other. Both speak TLS; `models.pem` and `mcp.pem` in FOLDER are their authorities, and
//! `ready.json`, written last, says where they listen. Paths that are no model's answer with what was asked.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, reason = "a program for tests")]

use creto_test_support::{FakeMcp, FakeProvider};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let key = arguments.next().expect("the first argument is the key that the provider takes");
    let folder = std::path::PathBuf::from(arguments.next().expect("the second argument is a folder"));
    let models = FakeProvider::new().with_key(&key).start().await;
    let mcp = FakeMcp::start().await;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    };
    write("models.pem", models.ca_pem());
    write("mcp.pem", mcp.upstream().ca_pem());
    let ready = serde_json::json!({"models": models.port(), "mcp": mcp.port()});
    write("ready.json", &ready.to_string());
    std::future::pending::<()>().await;
}
