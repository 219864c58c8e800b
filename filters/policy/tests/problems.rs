//! What is wrong with a document, in the words and at the place that people see.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_policy::{Document, MAX_DOCUMENT_BYTES, MAX_RULES};
use proptest::prelude::*;

fn rendered(text: &str) -> String {
    Document::parse("web.toml", text).expect_err("this document has problems").render(false)
}

/// The messages of all problems of a rule with these lines.
fn of_rule(lines: &str) -> Vec<String> {
    let text = format!("version = 1\nname = \"p\"\n[[allow]]\nname = \"r\"\n{lines}\n");
    match Document::parse("p.toml", &text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.as_slice().iter().map(|problem| problem.message.clone()).collect(),
    }
}

#[test]
fn a_document_of_every_key_is_read() {
    let text = r#"
version = 1
name = "web-research"
mode = "observe"
[agents]
names = ["researcher-*"]
tiers = ["standard", "premium"]
trust = "trusted"
labels = { team = "search" }
[[allow]]
name = "github-read"
host = ["api.github.com", "*.githubusercontent.com", "10.0.0.0/8", "::1"]
port = [443, "8000-8999"]
method = ["GET", "HEAD"]
path = ["/repos/**"]
private = true
tls = "inspect"
[[deny]]
name = "no-deletes"
host = "*"
port = "any"
method = "DELETE"
[[route]]
name = "openai"
prefix = "/openai"
to = "https://api.openai.com"
"#;
    let document = Document::parse("web.toml", text).unwrap();
    assert_eq!((document.name(), document.rules().len(), document.routes().len()), ("web-research", 2, 1));
    assert_eq!(document.rules().next().unwrap().line(), 10);
}

#[test]
fn every_problem_is_found_in_one_pass_with_line_and_caret() {
    let text = r#"version = 1
name = "Web Research"
mod = "observe"

[[allow]]
name = "github"
hots = "api.github.com"
port = 70000

[[allow]]
name = "github"
host = ["https://api.github.com/", "10.1.0.0/8"]
tls = "pass"
path = "/x"
"#;
    assert_eq!(
        rendered(text),
        r#"error: `Web Research` is no name of a policy
 --> web.toml:2:8
  |
2 | name = "Web Research"
  |        ^^^^^^^^^^^^^^
  = help: names are 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit

error: `mod` is no key of the document
 --> web.toml:3:1
  |
3 | mod = "observe"
  | ^^^
  = help: did you mean `mode`?

error: [[allow]] has no `host`
 --> web.toml:5:1
  |
5 | [[allow]]
  | ^^^^^^^^^
  = help: add a line `host = "api.github.com"`

error: `hots` is no key of [[allow]]
 --> web.toml:7:1
  |
7 | hots = "api.github.com"
  | ^^^^
  = help: did you mean `host`?

error: this is no port
 --> web.toml:8:8
  |
8 | port = 70000
  |        ^^^^^
  = help: write a number from 1 to 65535, a range as in "8000-8999" (low-high), or "any"

error: the rule `github` stands twice
  --> web.toml:11:8
   |
11 | name = "github"
   |        ^^^^^^^^
   = help: it stands on line 6 already; give this one another

error: `https://api.github.com/` is a URL, not a host
  --> web.toml:12:9
   |
12 | host = ["https://api.github.com/", "10.1.0.0/8"]
   |         ^^^^^^^^^^^^^^^^^^^^^^^^^
   = help: write `host = "api.github.com"`; `https` is no part of it

error: `10.1.0.0/8` has bits set behind its prefix
  --> web.toml:12:36
   |
12 | host = ["https://api.github.com/", "10.1.0.0/8"]
   |                                    ^^^^^^^^^^^^
   = help: write `10.0.0.0/8` for the network, or the address without `/` for the address

error: `tls = "pass"` leaves the request unread, so its path cannot be matched
  --> web.toml:14:8
   |
14 | path = "/x"
   |        ^^^^
   = help: remove `path`, or set `tls = "inspect"`

web.toml: 9 problems
"#
    );
}

#[test]
fn broken_syntax_is_shown_where_it_breaks() {
    let shown = rendered("version = 1\nname = \"p\n");
    assert!(shown.starts_with("error: this is not TOML: "), "{shown}");
    assert!(shown.contains("--> web.toml:2:10"), "{shown}");
    assert!(rendered("name = \"p\"\nname = \"q\"\nversion = 1\n").contains("duplicate key"));
}

#[test]
fn a_wrong_value_is_said_to_be_wrong() {
    let host = "host = \"a.example\"";
    for (lines, message) in [
        ("host = \"a.example:443\"".to_owned(), "`a.example:443` is no host"),
        ("host = \"a.example/x\"".to_owned(), "`a.example/x` holds a path"),
        ("host = \"127.1\"".to_owned(), "`127.1` is no host"),
        ("host = \"a.*.example\"".to_owned(), "`a.*.example` is no host"),
        ("host = []".to_owned(), "`host` is an empty list"),
        ("host = [1]".to_owned(), "`host` is a text, not this integer"),
        (format!("{host}\nport = 0"), "this is no port"),
        (format!("{host}\nport = \"9-8\""), "this is no port"),
        (format!("{host}\nport = 0x50"), "this is no port"),
        (format!("{host}\nmethod = \"get\""), "`get` is unknown in `method`"),
        (format!("{host}\npath = \"x\""), "`x` is no path: a path begins with `/`"),
        (format!("{host}\npath = \"/a?b\""), "`/a?b` is no path: a path is matched without its query"),
        (format!("{host}\nprivate = \"yes\""), "`private` is `true` or `false`"),
        (format!("{host}\ntls = \"passs\""), "`passs` is unknown in `tls`"),
        (format!("{host}\ntls = \"pass\"\nmethod = \"GET\""), "`tls = \"pass\"` leaves the request unread"),
    ] {
        let messages = of_rule(&lines);
        assert_eq!(messages.len(), 1, "{lines}: {messages:?}");
        assert!(messages[0].starts_with(message), "{lines}: {messages:?}");
    }
    assert_eq!(of_rule(host), Vec::<String>::new());
}

#[test]
fn a_deny_rule_knows_neither_tls_nor_private() {
    let text =
        "version = 1\nname = \"p\"\n[[deny]]\nname = \"d\"\nhost = \"*\"\ntls = \"pass\"\nprivate = true\n";
    let shown = rendered(text);
    assert!(
        shown.contains("`tls` is no key of [[deny]]") && shown.contains("`private` is no key of [[deny]]"),
        "{shown}"
    );
}

#[test]
fn a_route_leads_somewhere() {
    let route = |prefix: &str, to: &str| {
        let text = format!(
            "version = 1\nname = \"p\"\n[[route]]\nname = \"r\"\nprefix = \"{prefix}\"\nto = \"{to}\"\n"
        );
        Document::parse("p.toml", &text).map(drop).map_err(|problems| problems.as_slice().len())
    };
    assert_eq!(route("/a", "https://a.example"), Ok(()));
    assert_eq!(route("/a/b", "http://[fd00::1]:8080/base"), Ok(()));
    for prefix in ["a", "/", "/a/", "/a//b", "/a/../b", "/%61", "/a*"] {
        assert_eq!(route(prefix, "https://a.example"), Err(1), "{prefix}");
    }
    for to in [
        "a.example",
        "ftp://a.example",
        "https://",
        "https://u:p@a.example",
        "https://a.example:0",
        "https://a.example:x",
        "https://a.example/x?y",
        "https://a.example/../x",
        "https://a b",
    ] {
        assert_eq!(route("/a", to), Err(1), "{to}");
    }
}

#[test]
fn documents_are_bounded() {
    let long = "x".repeat(MAX_DOCUMENT_BYTES + 1);
    assert!(rendered(&long).contains("at most 1048576 are read"));
    let rules = |count: usize| {
        let rules: String = (0..count).map(|n| format!("[[deny]]\nname=\"r{n}\"\nhost=\"*\"\n")).collect();
        Document::parse("p.toml", &format!("version = 1\nname = \"p\"\n{rules}"))
            .map(|document| document.rules().len())
    };
    assert_eq!(rules(MAX_RULES).ok(), Some(MAX_RULES));
    assert!(rules(MAX_RULES + 1).is_err());
    let hosts = vec!["\"a.example\""; 1001].join(",");
    assert_eq!(of_rule(&format!("host = [{hosts}]")), ["`host` has 1001 entries; at most 1000 are read"]);
}

#[test]
fn at_most_a_hundred_problems_are_shown() {
    let text: String = (0..500).map(|n| format!("k{n} = 1\n")).collect();
    let problems = Document::parse("p.toml", &text).unwrap_err();
    assert_eq!(problems.as_slice().len(), 101);
}

#[test]
fn colour_only_adds_colour() {
    let problems = Document::parse("p.toml", "version = 2\n").unwrap_err();
    let colored = problems.render(true);
    let mut plain = colored;
    for code in ["\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, problems.render(false));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader_or_the_renderer(text in "(\\PC|[\\n\\t\"=\\[\\]{}]|version = 1\n|name = |\\[\\[allow\\]\\]\n|host = ){0,40}") {
        if let Err(problems) = Document::parse("p.toml", &text) {
            prop_assert!(!problems.as_slice().is_empty());
            let shown = problems.render(false);
            prop_assert!(shown.contains("error: "));
        }
    }
}
