//! What is found in holds that can be read and are probably not what was meant.

use creto_policy::{FindingKind, findings};

use crate::world::{ALLOW, PEOPLE, document, hold, named};

fn found(text: &str) -> Vec<(FindingKind, String)> {
    findings(&[document(text)]).into_iter().map(|finding| (finding.kind, finding.message)).collect()
}

fn about(host: &str, lines: &str) -> String {
    format!("[[hold]]\nname = \"h\"\nhost = \"{host}\"\n{PEOPLE}{lines}\n")
}

#[test]
fn a_hold_that_no_allow_rule_reaches_is_found() {
    let allow = "[[allow]]\nname = \"a\"\nhost = \"*.example\"\nmethod = \"GET\"\n";
    for (hold, unreached) in [
        (about("a.example", ""), false),
        (about("*", ""), false),
        (about("b.example", "method = [\"GET\", \"PUT\"]"), false),
        (about("b.other", ""), true),
        (about("a.example", "method = \"PUT\""), true),
        (about("a.example", "port = 8443"), true),
    ] {
        let found = found(&format!("{allow}{hold}"));
        assert_eq!(found.len(), usize::from(unreached), "{hold}\n{found:?}");
        if unreached {
            assert_eq!(found[0].0, FindingKind::Unreached);
            assert!(found[0].1.starts_with("the hold `p/h` holds nothing: no allow rule"), "{found:?}");
        }
    }
    // Allow rules may stand elsewhere.
    assert!(found(&hold("h", "")).is_empty());
}

#[test]
fn a_hold_inside_a_deny_rule_is_found() {
    let deny = |lines: &str| format!("[[deny]]\nname = \"d\"\nhost = \"*\"\n{lines}\n");
    let told = found(&format!("{ALLOW}{}{}", deny("tool = \"x*\""), about("a.example", "tool = \"x_1\"")));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("the deny rule `p/d` (line 7) refuses all of it"), "{told:?}");
    assert!(
        found(&format!("{ALLOW}{}{}", deny("tool = \"y\""), about("a.example", "tool = \"x\""))).is_empty()
    );
    // A deny rule for other agents is none.
    let other = named("q", &format!("[agents]\nnames = [\"writer\"]\n{}", deny("")));
    let all = findings(&[document(&format!("{ALLOW}{}", about("a.example", ""))), other]);
    assert!(all.is_empty(), "{all:?}");
}

#[test]
fn a_hold_that_stands_twice_is_found_and_one_that_asks_others_is_not() {
    let told = found(&format!("{ALLOW}{}{}", hold("one", ""), hold("two", "uses = 2")));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, FindingKind::Duplicate);
    assert!(told[0].1.contains("asks the same people about the same calls as `p/one`"), "{told:?}");
    let other = hold("two", "").replace("alice", "bob");
    assert!(found(&format!("{ALLOW}{}{other}", hold("one", ""))).is_empty());
    let dear = hold("two", "cost_over = \"1 USD\"");
    assert!(found(&format!("{ALLOW}{}{dear}", hold("one", ""))).is_empty());
}

#[test]
fn a_hold_that_no_call_meets_is_found_as_other_rules_are() {
    for (lines, expected) in [
        ("when = 'false'", "the `when` of the hold `p/h` holds for no call"),
        ("mcp_server = \"crm\"", "the hold `p/h` names the MCP server `crm`, which no policy here does"),
    ] {
        let told = found(&format!("{ALLOW}{}", about("a.example", lines)));
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0], (FindingKind::Unsatisfiable, expected.to_owned()));
    }
    let many: String = (0..101)
        .map(|n| hold(&format!("h{n}"), &format!("inline = \"{n}s\"\nwhen = 'request.size > {n}'")))
        .collect();
    let told = found(&format!("{ALLOW}{many}"));
    assert_eq!(told.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [FindingKind::Unindexed]);
    assert!(told[0].1.starts_with("101 holds are about every host"), "{told:?}");
}
