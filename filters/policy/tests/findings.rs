//! What is found in documents that can be read and are probably not what was meant.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{fmt::Write as _, time::Instant};

use creto_policy::{Document, Finding, FindingKind, MAX_DOCUMENT_BYTES, MAX_RULES, findings};

fn document(name: &str, rest: &str) -> Document {
    let text = format!("version = 1\nname = \"{name}\"\n{rest}");
    Document::parse(name, &text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A rule from its effect, name and other lines.
fn rule(effect: &str, name: &str, lines: &str) -> String {
    format!("[[{effect}]]\nname = \"{name}\"\n{lines}\n")
}

/// Findings about an allow rule `a` and a deny rule `d` with these lines.
fn of_two(allow: &str, deny: &str) -> Vec<Finding> {
    findings(&[document("p", &(rule("allow", "a", allow) + &rule("deny", "d", deny)))])
}

fn kinds(findings: &[Finding]) -> Vec<FindingKind> {
    findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn an_allow_rule_inside_a_deny_rule_can_let_nothing_through() {
    let api = "host = \"api.example.com\"";
    for (allow, deny) in [
        (api, "host = \"*\""),
        (api, "host = \"*.example.com\""),
        ("host = \"*.a.example.com\"", "host = \"*.example.com\""),
        ("host = \"10.1.2.3\"", "host = \"10.0.0.0/8\""),
        ("host = \"10.1.0.0/16\"", "host = [\"a.b\", \"10.0.0.0/8\"]"),
        ("host = \"a.b\"\nmethod = \"GET\"", "host = \"a.b\"\nmethod = [\"HEAD\", \"GET\"]"),
        ("host = \"a.b\"\npath = \"/x/y*\"", "host = \"a.b\"\npath = [\"/q\", \"/x/**\"]"),
        ("host = \"a.b\"\nport = 443", "host = \"a.b\"\nport = \"400-500\""),
        ("host = \"a.b\"\nmodel = \"gpt-5-mini\"", "host = \"a.b\"\nmodel = \"GPT-*\""),
        ("host = \"a.b\"\nmodel = \"x\"\nmethod = \"POST\"", "host = \"a.b\"\nmodel = [\"x\", \"y\"]"),
        ("host = \"a.b\"\ntool = \"x_*\"\nmcp_method = \"tools/call\"", "host = \"a.b\"\ntool = \"x*\""),
        ("host = \"a.b\"\nwhen = \"request.size > 1\"", "host = \"a.b\"\nwhen = \"request.size > 1\""),
        ("host = \"a.b\"\ntls = \"pass\"", "host = \"a.b\""),
        (
            "host = \"a.b\"\nmcp_method = \"tools/call\"\narguments = { x = 1, y = 2 }",
            "host = \"a.b\"\narguments = { x = 1 }",
        ),
    ] {
        let found = of_two(allow, deny);
        assert_eq!(kinds(&found), [FindingKind::Shadowed], "{allow} / {deny}");
        assert_eq!((found[0].rule.rule.as_str(), found[0].other.as_ref().unwrap().rule.as_str()), ("a", "d"));
        assert!(found[0].message.contains("lets nothing through: "), "{}", found[0].message);
    }
}

#[test]
fn what_remains_around_the_calls_of_a_tool_is_told_apart() {
    let found = of_two("host = \"a.b\"\ntool = \"search\"", "host = \"a.b\"\ntool = \"*\"");
    assert_eq!(kinds(&found), [FindingKind::Shadowed]);
    assert!(found[0].message.contains("lets nothing through that it names"), "{}", found[0].message);
}

#[test]
fn an_exception_is_no_finding() {
    for (allow, deny) in [
        ("host = \"*\"", "host = \"a.b\""),
        ("host = \"a.b\"", "host = \"a.b\"\nmethod = \"DELETE\""),
        ("host = \"a.b\"\nmethod = [\"GET\", \"DELETE\"]", "host = \"a.b\"\nmethod = \"DELETE\""),
        ("host = \"a.b\"\npath = \"/x/**\"", "host = \"a.b\"\npath = \"/x/admin/**\""),
        ("host = \"a.b\"\nmethod = \"GET\"", "host = \"a.b\"\npath = \"/admin/**\""),
        ("host = \"a.b\"\nmethod = \"GET\"", "host = \"*\"\nmethod = \"DELETE\""),
        ("host = \"a.b\"\nmodel = \"gpt-*\"", "host = \"a.b\"\nmodel = \"gpt-5-pro\""),
        (
            "host = \"a.b\"\nmodel = \"gpt-*\"",
            "host = \"a.b\"\nmodel = \"gpt-*\"\nwhen = \"request.size > 9\"",
        ),
        ("host = \"a.b\"", "host = \"a.b\"\nport = 8080"),
        ("host = \"a.b\"", "host = \"a.b\"\nmodel = \"*\""),
        ("host = \"a.b\"\nmodel = \"m\"", "host = \"a.b\"\nprovider = \"openai\""),
        ("host = \"a.b\"\ntls = \"pass\"", "host = \"a.b\"\npath = \"/**\""),
        ("host = \"a.b\"\nwhen = \"request.size > 1\"", "host = \"a.b\"\nwhen = \"request.size > 2\""),
    ] {
        assert_eq!(of_two(allow, deny), [], "{allow} / {deny}");
    }
}

#[test]
fn rules_that_cross_in_one_key_are_a_conflict() {
    for (key, allow, deny, shared) in [
        ("method", "[\"GET\", \"POST\"]", "[\"POST\", \"DELETE\"]", "POST"),
        ("path", "[\"/a/**\", \"/b\"]", "[\"/b\", \"/c\"]", "/b"),
        ("model", "[\"m1\", \"m2\"]", "[\"m2\", \"m3\"]", "m2"),
        ("tool", "[\"read\", \"write\"]", "[\"write\", \"delete\"]", "write"),
        ("port", "[443, 8080]", "[80, 443]", "443"),
    ] {
        let found =
            of_two(&format!("host = \"a.b\"\n{key} = {allow}"), &format!("host = \"a.b\"\n{key} = {deny}"));
        assert_eq!(kinds(&found), [FindingKind::Conflict], "{key}");
        assert!(found[0].message.contains(&format!("the {key} `{shared}`")), "{}", found[0].message);
    }
    let hosts = of_two("host = [\"a.b\", \"c.d\"]", "host = [\"c.d\", \"e.f\"]");
    assert_eq!(kinds(&hosts), [FindingKind::Conflict]);
    let elsewhere = of_two(
        "host = \"a.b\"\nmethod = [\"GET\", \"POST\"]\npath = \"/x\"",
        "host = \"a.b\"\nmethod = [\"POST\", \"DELETE\"]\npath = \"/y\"",
    );
    assert_eq!(elsewhere, [], "they differ in more than one key");
}

#[test]
fn a_rule_that_stands_twice_is_found_in_whatever_order_its_entries_stand() {
    let one = rule("allow", "one", "host = [\"a.b\", \"c.d\"]\nmethod = [\"GET\", \"HEAD\"]");
    let other = rule("allow", "two", "host = [\"c.d\", \"a.b\", \"c.d\"]\nmethod = [\"HEAD\", \"GET\"]");
    let private =
        rule("allow", "three", "host = [\"a.b\", \"c.d\"]\nmethod = [\"GET\", \"HEAD\"]\nprivate = true");
    let found = findings(&[document("p", &(one.clone() + &other + &private))]);
    assert_eq!(kinds(&found), [FindingKind::Duplicate]);
    assert_eq!(found[0].message, "the allow rule `p/two` asks the same as `p/one` (line 3)");

    let apart = [document("p", &one), document("q", &format!("[agents]\nnames = \"x\"\n{one}"))];
    assert_eq!(findings(&apart), [], "they are for different agents");
    assert_eq!(kinds(&findings(&[document("p", &one), document("q", &other)])), [FindingKind::Duplicate]);
}

#[test]
fn only_a_deny_rule_for_the_same_agents_shadows() {
    let some = "[agents]\nnames = \"x-*\"\n";
    let allow = rule("allow", "a", "host = \"a.b\"");
    let deny = rule("deny", "d", "host = \"*\"");
    let found =
        |allow: String, deny: String| kinds(&findings(&[document("p", &allow), document("q", &deny)]));
    assert_eq!(found(allow.clone(), format!("{some}{deny}")), []);
    assert_eq!(found(format!("{some}{allow}"), deny.clone()), [FindingKind::Shadowed]);
    assert_eq!(found(format!("{some}{allow}"), format!("{some}{deny}")), [FindingKind::Shadowed]);
}

#[test]
fn a_rule_that_no_call_meets_is_found() {
    for (lines, said) in [
        ("host = \"a.b\"\nwhen = \"1 > 2\"", "holds for no call"),
        ("host = \"a.b\"\nwhen = \"request.size > 1 && false\"", "holds for no call"),
        ("host = \"a.b\"\nwhen = \"1 / 0 == 1\"", "holds for no call"),
        ("host = \"a.b\"\nprovider = [\"openai\", \"opneai\"]", "names the provider `opneai`"),
        ("host = \"a.b\"\nmcp_server = \"ticket\"", "names the MCP server `ticket`"),
        (
            "host = \"a.b\"\nmcp_server = \"tickets\"",
            "none of the hosts and ports of the MCP server `tickets`",
        ),
        ("host = \"mcp.example.com\"\nport = 8443\nmcp_server = \"tickets\"", "none of the hosts and ports"),
        ("host = \"a.b\"\na2a_agent = \"translator\"", "names the agent `translator`"),
    ] {
        let server = "[[mcp_server]]\nname = \"tickets\"\nhost = \"*.example.com\"\n";
        let found = findings(&[document("p", &format!("{server}{}", rule("allow", "a", lines)))]);
        assert_eq!(kinds(&found), [FindingKind::Unsatisfiable], "{lines}");
        assert!(found[0].message.contains(said), "{}", found[0].message);
    }
    for lines in [
        "host = \"mcp.example.com\"\nmcp_server = \"tickets\"",
        "host = \"*\"\nmcp_server = \"tickets\"",
        "host = \"*.com\"\nmcp_server = \"tickets\"",
        "host = \"a.b\"\nprovider = [\"openai\", \"vertex\", \"unnamed\"]",
        "host = \"a.b\"\nwhen = \"request.size > 1 || false\"",
        "host = \"a.b\"\nwhen = \"request.size > 1 && request.size < 1\"",
    ] {
        let server = "[[mcp_server]]\nname = \"tickets\"\nhost = \"*.example.com\"\n";
        assert_eq!(
            findings(&[document("p", &format!("{server}{}", rule("allow", "a", lines)))]),
            [],
            "{lines}"
        );
    }
    let misspelt = findings(&[document("p", &rule("deny", "d", "host = \"*\"\nprovider = \"opneai\""))]);
    assert_eq!(misspelt[0].help, "did you mean `openai`?");
    let faulty = findings(&[document("p", &rule("deny", "d", "host = \"*\"\nwhen = \"1 / 0 == 1\""))]);
    assert_eq!(faulty, [], "an error counts as a match for what denies");
}

#[test]
fn many_rules_about_every_host_are_worth_a_word() {
    let rules = |count: usize| -> String {
        (0..count)
            .map(|n| rule("deny", &format!("d{n}"), &format!("host = \"*\"\nwhen = \"request.size > {n}\"")))
            .collect()
    };
    assert_eq!(findings(&[document("p", &rules(100))]), []);
    let found = findings(&[document("p", &rules(101))]);
    assert_eq!(kinds(&found), [FindingKind::Unindexed]);
    assert!(found[0].message.starts_with("101 rules"), "{}", found[0].message);
}

#[test]
fn a_finding_is_shown_at_its_line_with_carets() {
    let text = format!(
        "version = 1\nname = \"p\"\n{}{}",
        rule("allow", "a", "host = \"a.b\""),
        rule("deny", "d", "host = \"*\"")
    );
    let found = findings(&[Document::parse("p.toml", &text).unwrap()]);
    assert_eq!(
        found[0].render("p.toml", &text, false),
        "warning[shadowed]: the allow rule `p/a` lets nothing through: the deny rule `p/d` (line 6) refuses all of it\n\
         \x20--> p.toml:3:1\n  |\n3 | [[allow]]\n  | ^^^^^^^^^\n\
         \x20--> p.toml:6:1\n  |\n6 | [[deny]]\n  | ^^^^^^^^\n\
         \x20 = help: a deny rule wins over every allow rule: narrow it, or remove this rule\n\n"
    );
    assert!(found[0].render("p.toml", &text, true).contains("\x1b[1;33mwarning[shadowed]\x1b[0m"));
    // A document that changed since does no harm.
    assert!(found[0].render("p.toml", "", false).contains("p.toml:3:1"));
}

#[test]
fn the_largest_documents_are_looked_through_in_bounded_time() {
    let long = |count: usize, effect: &str| -> String {
        let mut text = String::new();
        for n in 0..count {
            write!(
                text,
                "[[{effect}]]\nname=\"{effect}{n}\"\nhost=[\"*.b\",\"c{n}.d\"]\npath=\"/{n}/*a*\"\n"
            )
            .unwrap();
        }
        assert!(text.len() < MAX_DOCUMENT_BYTES);
        text
    };
    let documents = [document("p", &long(MAX_RULES, "allow")), document("q", &long(MAX_RULES, "deny"))];
    let started = Instant::now();
    let found = findings(&documents);
    assert!(started.elapsed().as_secs() < 30, "took {:?}", started.elapsed());
    assert!(found.len() <= 1001);
    assert_eq!(found.last().unwrap().kind, FindingKind::Incomplete);
}
