//! What documents decide.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{Call, Capture, Decision, Details, Kind, RefusalCode, Scheme};
use creto_policy::{Document, PolicySet};

fn document(body: &str) -> Document {
    named("p", body)
}

fn named(name: &str, body: &str) -> Document {
    let text = format!("version = 1\nname = \"{name}\"\n{body}");
    Document::parse("p.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn set(body: &str) -> PolicySet {
    PolicySet::compile(&[document(body)])
}

fn call<'a>(method: &'a str, host: &'a str, port: u16, path: &'a str) -> Call<'a> {
    let kind = if method.is_empty() { Kind::Opaque } else { Kind::Http };
    Call {
        capture: Capture::Connect,
        kind,
        scheme: Scheme::Https,
        method,
        host,
        port,
        path,
        details: Details::default(),
    }
}

/// `policy/rule` of an allow, else the code and, after a colon, the rule of the refusal; `~` before an observed one.
fn verdict(set: &PolicySet, call: &Call<'_>) -> String {
    match set.decide(call) {
        Decision::Allow { by } => format!("{}/{}", by.policy, by.rule),
        Decision::Deny(refusal) => {
            format!(
                "{}{}",
                refusal.code.as_str(),
                refusal.by.map(|by| format!(":{}", by.rule)).unwrap_or_default()
            )
        }
        Decision::Observe(refusal) => format!("~{}", refusal.code.as_str()),
    }
}

const WEB: &str = r#"
[[allow]]
name = "github-read"
host = ["api.github.com", "*.githubusercontent.com"]
method = ["GET", "HEAD"]
path = ["/repos/**", "/user"]

[[allow]]
name = "internal"
host = ["10.0.0.0/8", "fd00::/8", "db.internal"]
port = [5432, "8000-8999"]

[[allow]]
name = "bank"
host = "bank.example"
tls = "pass"

[[deny]]
name = "no-deletes"
host = "*"
port = "any"
method = "DELETE"

[[deny]]
name = "no-secrets"
host = "api.github.com"
path = "/repos/secret/**"
"#;

#[test]
fn a_call_is_allowed_by_a_rule_and_denied_by_default() {
    let set = set(WEB);
    for (method, host, port, path, expected) in [
        ("GET", "api.github.com", 443, "/repos/a/b", "p/github-read"),
        ("GET", "api.github.com", 80, "/user", "p/github-read"),
        ("POST", "api.github.com", 443, "/repos/a/b", "no_rule_allows"),
        ("GET", "api.github.com", 443, "/gists", "no_rule_allows"),
        ("GET", "raw.githubusercontent.com", 443, "/repos/x", "p/github-read"),
        ("GET", "githubusercontent.com", 443, "/repos/x", "no_rule_allows"),
        ("GET", "github.com", 443, "/repos/x", "no_rule_allows"),
        ("GET", "api.github.com", 22, "/repos/a", "port_forbidden"),
        ("GET", "10.9.8.7", 8080, "/", "p/internal"),
        ("GET", "fd00::1", 5432, "/", "p/internal"),
        ("GET", "11.9.8.7", 8080, "/", "no_rule_allows"),
        ("DELETE", "10.9.8.7", 8080, "/", "rule_denies:no-deletes"),
        ("DELETE", "nowhere.example", 9, "/", "rule_denies:no-deletes"),
        ("GET", "api.github.com", 443, "/repos/secret/x", "rule_denies:no-secrets"),
        ("", "bank.example", 443, "", "p/bank"),
        ("", "api.github.com", 443, "", "no_rule_allows"),
        ("", "10.9.8.7", 8080, "", "no_rule_allows"),
    ] {
        assert_eq!(verdict(&set, &call(method, host, port, path)), expected, "{method} {host}:{port}{path}");
    }
}

#[test]
fn no_spelling_of_a_path_passes_by_a_rule() {
    let allow = set("[[allow]]\nname = \"public\"\nhost = \"h.example\"\npath = \"/public/**\"\n");
    let deny = set(
        "[[allow]]\nname = \"all\"\nhost = \"h.example\"\n[[deny]]\nname = \"admin\"\nhost = \"h.example\"\npath = [\"/admin\", \"/admin/**\"]\n",
    );
    for path in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/%2E./admin",
        "/public/..%2fadmin",
        "/public%2F..%2Fadmin",
        "/public/..\\admin",
        "/public\\..\\admin",
        "/public/..%5cadmin",
        "/public/..;/admin",
        "/public/./../admin",
        "/public//../admin",
        "//admin",
        "/./admin",
        "/%61dmin",
        "/admin/../admin/",
        "/admin%2Fusers",
        "/admin//x",
    ] {
        let call = call("GET", "h.example", 443, path);
        assert_eq!(verdict(&deny, &call), "rule_denies:admin", "deny {path}");
        assert_eq!(verdict(&allow, &call), "no_rule_allows", "allow {path}");
    }
    for path in ["/public/a", "/public//a", "/public/a%20b", "/public/./a", "/public/x/../a"] {
        assert_eq!(verdict(&allow, &call("GET", "h.example", 443, path)), "p/public", "{path}");
    }
}

#[test]
fn observing_needs_every_document_to_observe() {
    let rule = "[[allow]]\nname = \"a\"\nhost = \"a.example\"\n";
    let observing = named("one", &format!("mode = \"observe\"\n{rule}"));
    let also =
        named("two", "mode = \"observe\"\n[[deny]]\nname = \"d\"\nhost = \"a.example\"\npath = \"/d\"\n");
    let enforcing = named("three", rule);
    let other = call("GET", "b.example", 443, "/");
    let denied = call("GET", "a.example", 443, "/d");
    let both = PolicySet::compile([&observing, &also]);
    assert!(both.observes());
    assert_eq!(verdict(&both, &other), "~no_rule_allows");
    assert_eq!(verdict(&both, &denied), "~rule_denies");
    assert_eq!(verdict(&both, &call("GET", "a.example", 443, "/")), "one/a");
    let mixed = PolicySet::compile([&observing, &also, &enforcing]);
    assert!(!mixed.observes());
    assert_eq!(verdict(&mixed, &other), "no_rule_allows");
    assert_eq!(verdict(&PolicySet::default(), &other), "port_forbidden");
    assert!(!PolicySet::default().observes() && !PolicySet::default().has_rules());
}

#[test]
fn the_order_of_documents_does_not_matter() {
    let one = named("one", WEB);
    let two = named("two", "[[allow]]\nname = \"gists\"\nhost = \"api.github.com\"\npath = \"/gists\"\n");
    let gists = call("GET", "api.github.com", 443, "/gists");
    let repos = call("GET", "api.github.com", 443, "/repos/x");
    for set in [PolicySet::compile([&one, &two]), PolicySet::compile([&two, &one])] {
        assert_eq!(verdict(&set, &gists), "two/gists");
        assert_eq!(verdict(&set, &repos), "one/github-read");
        assert_eq!(set.policies().collect::<Vec<_>>(), ["one", "two"]);
    }
}

#[test]
fn a_destination_is_known_before_the_request() {
    let set = set(&format!(
        "{WEB}\n[[deny]]\nname = \"no-evil\"\nhost = [\"evil.example\", \"x.bank.example\"]\n[[allow]]\nname = \"evil\"\nhost = [\"evil.example\", \"*.bank.example\"]\ntls = \"pass\"\nprivate = true\n"
    ));
    let bank = set.destination("bank.example", 443);
    assert!(bank.port_known && bank.may_allow && !bank.private);
    assert_eq!(bank.pass.map(|by| by.rule), Some("bank"));
    let github = set.destination("api.github.com", 443);
    assert!(
        github.may_allow && github.pass.is_none() && github.denied.is_none(),
        "a deny rule with a path leaves room"
    );
    let evil = set.destination("evil.example", 443);
    assert!(!evil.may_allow && evil.pass.is_none() && !evil.private);
    assert_eq!(evil.denied.map(|by| by.rule), Some("no-evil"));
    assert!(set.destination("y.bank.example", 443).private);
    assert!(set.destination("x.bank.example", 443).pass.is_none());
    let unknown = set.destination("unknown.example", 443);
    assert!(unknown.port_known && !unknown.may_allow);
    assert!(!set.destination("api.github.com", 22).port_known);
    assert!(set.destination("x", 8500).port_known && !set.destination("x", 7999).port_known);
}

#[test]
fn private_and_metadata_addresses_need_to_be_allowed() {
    let set = set(r#"
[[allow]]
name = "public"
host = "*"
[[allow]]
name = "private"
host = "*.corp.example"
private = true
[[allow]]
name = "net"
host = ["10.0.0.0/8", "app.example"]
[[allow]]
name = "metadata"
host = ["169.254.169.254", "meta.example"]
port = 80
[[deny]]
name = "vault"
host = "10.6.6.0/24"
[[deny]]
name = "bad-neighbours"
host = "203.0.114.0/24"
"#);
    for (host, port, address, allowed) in [
        ("x.example", 443, "1.1.1.1", true),
        ("x.example", 443, "10.0.0.1", false),
        ("x.example", 443, "127.0.0.1", false),
        ("x.example", 443, "::ffff:127.0.0.1", false),
        ("x.corp.example", 443, "10.0.0.1", true),
        ("x.corp.example", 8443, "10.0.0.1", false),
        ("x.corp.example", 443, "127.0.0.1", true),
        ("x.corp.example", 443, "169.254.169.254", false),
        ("x.corp.example", 443, "10.6.6.6", false),
        ("10.0.0.1", 443, "10.0.0.1", true),
        ("app.example", 443, "10.0.0.1", true),
        ("app.example", 443, "192.168.0.1", false),
        ("192.168.0.1", 443, "192.168.0.1", false),
        ("169.254.169.254", 80, "169.254.169.254", true),
        ("169.254.169.254", 443, "169.254.169.254", false),
        ("meta.example", 80, "169.254.169.254", true),
        ("x.example", 80, "169.254.169.254", false),
        ("x.example", 443, "203.0.114.9", false),
        ("x.example", 443, "203.0.115.9", true),
    ] {
        assert_eq!(
            set.address_allowed(host, port, address.parse().unwrap()),
            allowed,
            "{host}:{port} at {address}"
        );
    }
}

#[test]
fn the_longest_route_wins_and_ends_where_a_segment_does() {
    let set = set(r#"
[[route]]
name = "openai"
prefix = "/openai"
to = "https://api.openai.com"
[[route]]
name = "openai-eu"
prefix = "/openai/eu"
to = "http://EU.openai.com:8080/base/"
[[route]]
name = "six"
prefix = "/six"
to = "https://[::1]:8443"
"#);
    let at = |path: &'static str| {
        set.route(path).map(|to| {
            let scheme = to.scheme.as_str();
            format!("{} {scheme}://{}:{} {}|{}", to.by.rule, to.host, to.port, to.base, to.rest)
        })
    };
    assert_eq!(at("/openai/v1/x").as_deref(), Some("openai https://api.openai.com:443 |/v1/x"));
    assert_eq!(at("/openai").as_deref(), Some("openai https://api.openai.com:443 |"));
    assert_eq!(at("/openai/eu/v1").as_deref(), Some("openai-eu http://eu.openai.com:8080 /base|/v1"));
    assert_eq!(at("/openai/europe").as_deref(), Some("openai https://api.openai.com:443 |/europe"));
    assert_eq!(at("/six/a").as_deref(), Some("six https://::1:8443 |/a"));
    assert_eq!(at("/openaix"), None);
    assert_eq!(at("/"), None);
    assert!(!set.has_rules());
}

#[test]
fn an_explanation_names_what_matched_and_what_did_not() {
    let set = set(WEB);
    let denied = set.explain(&call("POST", "api.github.com", 443, "/repos/./a"));
    assert_eq!(
        denied.to_string(),
        "denied (no_rule_allows): No rule allows this call.\n\
         \x20 the path is not plain; in normal form it is /repos/a\n\
         \x20 deny  p/no-deletes (line 20): host * matches, but not method\n\
         \x20 deny  p/no-secrets (line 26): host api.github.com matches, but not path\n\
         \x20 allow p/github-read (line 4): host api.github.com matches, but not method\n\
         \x20 2 other rules are about other hosts\n"
    );
    let allowed = set.explain(&call("GET", "api.github.com", 443, "/user"));
    assert!(allowed.to_string().starts_with("allowed by p/github-read\n"), "{allowed}");
    let json = serde_json::to_value(&allowed).unwrap();
    assert_eq!((&json["verdict"], &json["rule"]), (&"allowed".into(), &"github-read".into()));
    assert_eq!(json["rules"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        set.decide(&call("GET", "h.example", 443, "/")),
        Decision::Deny(creto_call::Refusal::of(RefusalCode::NoRuleAllows))
    );
}
