//! What is refused when a document is read.

use creto_oversight::{MAX_APPROVERS, MAX_TIERS, MAX_USES};
use creto_policy::{Document, MAX_HOLD_REASON_BYTES, MAX_HOLDS};

use crate::world::{ALLOW, PEOPLE, hold};

/// The one problem of these tables, with its line.
fn problem(text: &str) -> (usize, String) {
    let text = format!("version = 1\nname = \"p\"\n{text}");
    let problems = Document::parse("p.toml", &text).expect_err("this document has a problem");
    match problems.as_slice() {
        [only] => (only.line, format!("{} / {}", only.message, only.help.clone().unwrap_or_default())),
        _ => panic!("one problem was expected:\n{problems}"),
    }
}

/// A hold that says who and how long by itself.
fn hold_of(lines: &str) -> String {
    format!("[[hold]]\nname = \"h\"\nhost = \"*\"\n{lines}\n")
}

#[test]
fn every_wrong_panel_is_refused_with_the_line_and_name() {
    let many: Vec<String> = (0..=MAX_APPROVERS).map(|n| format!("\"p{n}@example.com\"")).collect();
    let many = format!("approvers = [{}]\nwait = \"1h\"", many.join(", "));
    let tier = |n: usize| format!("{{ approvers = [\"p{n}@example.com\"], wait = \"1h\" }}");
    let tiers: Vec<String> = (0..MAX_TIERS).map(tier).collect();
    let tiers = format!("{PEOPLE}escalate = [{}]", tiers.join(", "));
    for (lines, line, expected) in [
        (
            "approvers = [\"a@x\", \"b@x\"]\nquorum = 3\nwait = \"1h\"",
            6,
            "the hold `h` cannot be decided: tier 1: a quorum of 3 is more than the 2 who may decide",
        ),
        ("approvers = [\"a@x\"]\nquorum = 0\nwait = \"1h\"", 6, "a quorum of 0 would approve by itself"),
        ("approvers = [\"a@x\", \"a@x\"]\nwait = \"1h\"", 6, "`a@x` stands twice in `approvers`"),
        ("approvers = [\"Alice@x\"]\nwait = \"1h\"", 6, "`Alice@x` names nobody"),
        ("approvers = [\"a b\"]\nwait = \"1h\"", 6, "`a b` names nobody"),
        ("approvers = [\"\"]\nwait = \"1h\"", 6, "`` names nobody"),
        ("approvers = []\nwait = \"1h\"", 6, "`approvers` is an empty list"),
        ("approvers = 3\nwait = \"1h\"", 6, "`approvers` is a text"),
        ("wait = \"1h\"", 3, "[[hold]] has no `approvers`"),
        ("approvers = [\"a@x\"]", 3, "[[hold]] has no `wait`"),
        ("approvers = [\"a@x\"]\nwait = \"0s\"", 7, "`wait` is from 1s to 30d, not `0s`"),
        ("approvers = [\"a@x\"]\nwait = \"31d\"", 7, "`wait` is from 1s to 30d, not `31d`"),
        ("approvers = [\"a@x\"]\nwait = \"99999999999999999999d\"", 7, "`wait` is from 1s to 30d"),
        ("approvers = [\"a@x\"]\nwait = \"soon\"", 7, "`soon` is no length of time"),
        ("approvers = [\"a@x\"]\nwait = 60", 7, "`wait` is a text"),
        ("approvers = [\"a@x\"]\nwait = \"never\"", 7, "`never` is no length of time"),
        ("approvers = [\"a@x\"]\nquorum = \"most\"\nwait = \"1h\"", 7, "`quorum` says how many"),
        ("approvers = [\"a@x\"]\nquorum = -1\nwait = \"1h\"", 7, "`quorum` says how many"),
        ("approvers = [\"a@x\"]\nquorum = 70000\nwait = \"1h\"", 7, "`quorum` says how many"),
        (many.as_str(), 6, "tier 1 has 101 people: at most 100"),
        (tiers.as_str(), 8, "`escalate` has 8 tiers; a hold has at most 8 with its own"),
        (
            "approvers = [\"a@x\"]\nwait = \"1h\"\nescalate = [{ approvers = [\"b@x\"], wait = \"1h\" },\n\
             { approvers = [\"a@x\"], wait = \"1h\" }]",
            9,
            "the hold `h` cannot be decided: tier 3 only asks people that tier 1 asked",
        ),
        (
            "approvers = [\"a@x\"]\nwait = \"1h\"\nescalate = [{ approvers = [\"b@x\"], quorum = 2, wait = \"1h\" }]",
            8,
            "the hold `h` cannot be decided: tier 2: a quorum of 2 is more than the 1",
        ),
        (
            "approvers = [\"a@x\"]\nwait = \"1h\"\nescalate = [{ approvers = [\"b@x\"] }]",
            8,
            "an entry of `escalate` has no `wait`",
        ),
        (
            "approvers = [\"a@x\"]\nwait = \"1h\"\nescalate = [{ approvers = [\"b@x\"], wait = \"1h\", uses = 2 }]",
            8,
            "`uses` is no key of an entry of `escalate`",
        ),
        ("approvers = [\"a@x\"]\nwait = \"1h\"\nescalate = \"b@x\"", 8, "`escalate` is a list of tables"),
    ] {
        let (at, said) = problem(&hold_of(lines));
        assert!(said.contains(expected), "{lines}\n{said}");
        assert_eq!(at, line, "{lines}\n{said}");
    }
}

#[test]
fn every_wrong_value_of_a_hold_is_refused() {
    let long = format!("reason = \"{}\"", "x".repeat(MAX_HOLD_REASON_BYTES + 1));
    let many = format!("uses = {}", MAX_USES + 1);
    for (lines, expected) in [
        ("inline = \"11m\"", "`inline` is from 0s to 10m, not `11m`"),
        ("inline = \"-1s\"", "`-1s` is no length of time"),
        ("holds_for = \"15d\"", "`holds_for` is from 1s to 14d, not `15d`"),
        ("holds_for = \"0s\"", "`holds_for` is from 1s to 14d, not `0s`"),
        ("uses = 0", "`uses` is a whole number from 1 to 1000"),
        (&many, "`uses` is a whole number from 1 to 1000"),
        ("uses = \"1\"", "`uses` is a whole number from 1 to 1000"),
        ("reason = \"\"", "`reason` is a line of 1 to 1024 bytes"),
        ("reason = \"two\\nlines\"", "`reason` is a line of 1 to 1024 bytes"),
        (&long, "`reason` is a line of 1 to 1024 bytes"),
        ("cost_over = \"5.00\"", "`5.00` is no amount of money"),
        ("cost_over = \"5.00 EUR\"", "the prices of models are in USD"),
        ("cost_over = \"-5.00 USD\"", "`-5.00 USD` is no amount of money"),
        ("cost_over = \"0.0000000001 USD\"", "is no amount of money"),
        ("cost_over = \"99999999999 USD\"", "is no amount of money"),
        ("cost_over = 5", "`cost_over` is an amount of money"),
        ("reversibility = \"irreversable\"", "did you mean `irreversible`?"),
        ("cost_over = \"1 USD\"\ntool = \"x\"", "`cost_over` is about calls of models, and `tool` is not"),
        ("cost_over = \"1 USD\"\nskill = \"x\"", "`cost_over` is about calls of models, and `skill` is not"),
        (
            "reversibility = \"irreversible\"\nmodel = \"x\"",
            "`reversibility` is about MCP messages, and `model` is not",
        ),
        (
            "reversibility = \"irreversible\"\ncost_over = \"1 USD\"",
            "`reversibility` is about MCP messages, and `cost_over` is not",
        ),
        ("model = \"x\"\ntool = \"x\"", "no call is both"),
        ("private = true", "`private` is no key of [[hold]]"),
        ("tls = \"pass\"", "`tls` is no key of [[hold]]"),
        ("approver = \"a@x\"", "did you mean `approvers`?"),
        ("timeout_action = \"approve\"", "`timeout_action` is no key of [[hold]]"),
        ("when = 'nothing.known == 1'", "nothing"),
    ] {
        let (_, said) = problem(&hold("h", lines));
        assert!(said.contains(expected), "{lines}\n{said}");
    }
}

#[test]
fn a_name_stands_once_in_a_document_whatever_the_rule_does() {
    for other in [
        "[[allow]]\nname = \"h\"\nhost = \"*\"\n".to_owned(),
        "[[deny]]\nname = \"h\"\nhost = \"*\"\n".to_owned(),
        hold("h", ""),
    ] {
        let (_, said) = problem(&format!("{other}{}", hold("h", "method = \"GET\"")));
        assert!(said.contains("the rule `h` stands twice"), "{said}");
    }
    let (_, said) = problem(&format!("[[hold]]\nhost = \"*\"\n{PEOPLE}"));
    assert!(said.contains("[[hold]] has no `name`"), "{said}");
}

#[test]
fn a_document_has_so_many_holds_and_no_more() {
    let many = |count: usize| -> String { (0..count).map(|n| hold(&format!("h{n}"), "")).collect() };
    let head = format!("version = 1\nname = \"p\"\n{ALLOW}");
    assert!(Document::parse("p.toml", &format!("{head}{}", many(MAX_HOLDS))).is_ok());
    let (_, said) = problem(&many(MAX_HOLDS + 1));
    assert!(said.contains("a document has at most 1000 `[[hold]]`"), "{said}");
}

#[test]
fn what_is_said_of_a_servers_tools_is_checked() {
    let many: Vec<String> = (0..65).map(|n| format!("t{n} = \"read-only\"")).collect();
    for (value, expected) in [
        ("{ x = \"harmless\" }".to_owned(), "`harmless` is unknown in `x`"),
        ("[\"x\"]".to_owned(), "`reversibility` is a table from tools to classes"),
        ("{ \"\" = \"read-only\" }".to_owned(), "can match no tool"),
        (format!("{{ {} }}", many.join(", ")), "`reversibility` has 65 entries; at most 64 are read"),
    ] {
        let server = format!("[[mcp_server]]\nname = \"s\"\nhost = \"a.example\"\nreversibility = {value}\n");
        let (_, said) = problem(&server);
        assert!(said.contains(expected), "{value}\n{said}");
    }
}

#[test]
fn who_does_not_know_holds_refuses_the_document() {
    // What makes that so for programs older than holds: no key of a document is passed over.
    let (_, said) = problem("[[hald]]\nname = \"h\"\n");
    assert!(said.contains("`hald` is no key of the document") && said.contains("`hold`"), "{said}");
}
