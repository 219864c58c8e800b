//! Which provider, server, agent and credential belongs to a destination.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_policy::{Document, PolicySet};

fn document(name: &str, body: &str) -> Document {
    let text = format!("version = 1\nname = \"{name}\"\n{body}");
    Document::parse("p.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn credential(name: &str, host: &str, lines: &str) -> String {
    format!(
        "[[credential]]\nname = \"{name}\"\nhost = \"{host}\"\ntype = \"bearer\"\nfrom = {{ secret = \"{name}\" }}\n{lines}\n"
    )
}

#[test]
fn the_credential_that_names_its_place_most_closely_is_taken() {
    let one = [
        credential("exact", "a.b.example", ""),
        credential("exact-path", "a.b.example", "path = [\"/v1/**\"]"),
        credential("another-path", "a.b.example", "path = [\"/v1/x/**\"]"),
        credential("suffix-path", "*.b.example", "path = [\"/v1/**\", \"/v2/**\"]"),
        credential("wide", "*.example", ""),
        credential("port", "a.b.example", "port = 8443"),
    ];
    let two = [credential("exact", "c.example", ""), credential("address", "10.0.0.1", "")];
    let set = PolicySet::compile(&[document("two", &two.concat()), document("one", &one.concat())]);
    for (host, port, path, expected) in [
        ("a.b.example", 443, "/v1/x/y", Some("another-path")),
        ("a.b.example", 443, "/v1/chat", Some("exact-path")),
        ("a.b.example", 443, "/v2/chat", Some("exact")),
        ("a.b.example", 80, "/", Some("exact")),
        ("a.b.example", 8443, "/v1/x", Some("port")),
        ("x.b.example", 443, "/v2/x", Some("suffix-path")),
        ("x.b.example", 443, "/", Some("wide")),
        ("b.example", 443, "/v1/x", Some("wide")),
        ("example", 443, "/", None),
        ("c.example", 443, "/", Some("exact")),
        ("10.0.0.1", 443, "/", Some("address")),
        ("10.0.0.2", 443, "/", None),
        ("a.b.example", 22, "/", None),
        // Every reading of the path must be below it.
        ("x.b.example", 443, "/v1/../x", Some("wide")),
        ("x.b.example", 443, "/v1/%2e%2e/x", Some("wide")),
        ("x.b.example", 443, "/v1/..%2fx", Some("wide")),
    ] {
        let found = set.credential(host, port, path).map(|credential| credential.name());
        assert_eq!(found, expected, "{host}:{port}{path}");
    }
    let names: Vec<&str> = set.credentials().map(|credential| credential.name()).collect();
    assert_eq!(
        names,
        ["another-path", "exact", "exact-path", "port", "suffix-path", "wide", "address", "exact"]
    );
}

#[test]
fn of_equal_places_the_first_policy_by_name_has_it() {
    let of = |policy: &str, secret: &str| document(policy, &credential(secret, "h.example", ""));
    let set = PolicySet::compile(&[of("b", "aaa"), of("a", "zzz")]);
    assert_eq!(set.credential("h.example", 443, "/").map(|credential| credential.name()), Some("zzz"));
}

#[test]
fn services_are_found_by_any_reading_of_the_path() {
    let set = PolicySet::compile(&[document(
        "p",
        r#"
[[provider]]
name = "local"
host = ["llm.internal", "10.0.0.0/8"]
port = 8000
api = "openai"
base = "/v1/"
[[mcp_server]]
name = "tickets"
host = "mcp.example.com"
path = ["/mcp", "/mcp/**"]
[[mcp_server]]
name = "any"
host = "*"
port = "any"
[[a2a_agent]]
name = "translator"
host = "agents.example.com"
"#,
    )]);
    let provider = |host, port, path| set.provider(host, port, path).map(|provider| provider.name());
    assert_eq!(provider("llm.internal", 8000, "/v1/chat/completions"), Some("local"));
    assert_eq!(provider("10.1.2.3", 8000, "/v1"), Some("local"));
    assert_eq!(provider("llm.internal", 8000, "/v1x"), None);
    assert_eq!(provider("llm.internal", 443, "/v1/x"), None);
    assert_eq!(provider("llm.internal", 8000, "/x/../v1/chat"), Some("local"));
    let server = |host, path| set.mcp_server(host, 443, path).map(|server| server.name());
    assert_eq!(server("mcp.example.com", "/mcp"), Some("tickets"));
    assert_eq!(server("mcp.example.com", "//mcp"), Some("tickets"));
    assert_eq!(server("mcp.example.com", "/other"), Some("any"));
    assert_eq!(set.a2a_agent("agents.example.com", 443, "/").map(|agent| agent.name()), Some("translator"));
    assert_eq!(set.a2a_agent("agents.example.com", 8443, "/"), None);
    assert!(PolicySet::default().provider("h", 443, "/").is_none());
}
