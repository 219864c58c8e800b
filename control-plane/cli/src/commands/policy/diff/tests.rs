use super::change::{What, changes};
use super::*;

const OLD: &str = r#"version = 1
name = "web"

[agents]
names = ["researcher-*"]

[[allow]]
name = "read"
host = ["api.github.com", "*.example.com"]
method = ["GET", "HEAD"]
path = "/repos/**"
when = 'request.method == "GET"'

[[allow]]
name = "tickets"
host = "mcp.example.com"
mcp_server = "tickets"
tool = "list_issues"
arguments = { repo = "acme/*", limit = { max = 100, min = 1 } }

[[deny]]
name = "no-deletes"
host = "*"
port = "any"
method = "DELETE"

[[mcp_server]]
name = "tickets"
host = "mcp.example.com"

[[route]]
name = "openai"
prefix = "/openai"
to = "https://api.openai.com"
"#;

/// The same in other words: order, lists, spaces, defaults.
const SAME: &str = r#"version = 1
mode = "enforce"
name = "web" # ours

[[route]]
to = "https://API.openai.com:443/"
prefix = "/openai"
name = "openai"

[[mcp_server]]
name = "tickets"
host = ["mcp.example.com"]
port = [80, 443]
tools_changed = "refuse"

[[deny]]
method = ["DELETE"]
host = ["*"]
port = ["1-65535"]
name = "no-deletes"

[[allow]]
name = "tickets"
tool = ["list_issues"]
mcp_server = ["tickets"]
host = "mcp.example.com"
arguments = { limit = { min = 1, max = 100 }, repo = ["acme/*"] }
private = false
tls = "inspect"

[[allow]]
name = "read"
when = '  request.method   == "GET" '
path = ["/repos/**"]
method = ["HEAD", "GET", "GET"]
host = ["*.example.com", "api.github.com"]

[agents]
names = "researcher-*"
"#;

fn written(text: &str) -> Written {
    let document = creto_policy::Document::parse("p", text).unwrap_or_else(|problems| panic!("{problems}"));
    Written { from: "p".to_owned(), text: text.to_owned(), document }
}

fn difference(old: &str, new: &str) -> Vec<Change> {
    changes(&Outline::of(&written(old)).unwrap(), &Outline::of(&written(new)).unwrap())
}

fn text(old: &str, new: &str) -> String {
    difference(old, new).iter().map(Change::text).collect()
}

#[test]
fn other_words_are_no_change() {
    assert_eq!(text(OLD, SAME), "");
    assert_eq!(text(SAME, OLD), "");
}

#[test]
fn what_changed_is_told_key_by_key() {
    for (from, to, told) in [
        ("method = [\"GET\", \"HEAD\"]", "method = \"GET\"", "~ allow rule read\n    method: -HEAD\n"),
        (
            "path = \"/repos/**\"",
            "path = [\"/orgs/**\", \"/repos/**\"]\nprivate = true",
            "~ allow rule read\n    path: +/orgs/**\n    private: false -> true\n",
        ),
        ("path = \"/repos/**\"\n", "", "~ allow rule read\n    path: /repos/** -> any\n"),
        ("port = \"any\"", "port = [443, 80]", "~ deny rule no-deletes\n    port: any -> 443, 80\n"),
        (
            "max = 100",
            "max = 10",
            "~ allow rule tickets\n    arguments.limit: max 100, min 1 -> max 10, min 1\n",
        ),
        (
            "\"GET\"'",
            "\"HEAD\"'",
            "~ allow rule read\n    when: request.method == \"GET\" -> request.method == \"HEAD\"\n",
        ),
        (
            "names = [\"researcher-*\"]",
            "names = [\"writer-*\"]",
            "~ agents.names: researcher-* -> writer-*\n",
        ),
        ("name = \"web\"", "name = \"web\"\nmode = \"observe\"", "~ mode: enforce -> observe\n"),
        (
            "https://api.openai.com",
            "https://eu.api.openai.com/v1",
            "~ route openai\n    to: https://api.openai.com:443 -> https://eu.api.openai.com:443/v1\n",
        ),
        ("name = \"no-deletes\"", "name = \"keep\"", "~ deny rule no-deletes is called keep\n"),
        (
            "[[mcp_server]]\nname = \"tickets\"",
            "[[mcp_server]]\nname = \"tickets\"\ntools_changed = \"allow\"",
            "~ mcp_server tickets\n    tools_changed: refuse -> allow\n",
        ),
    ] {
        let new = OLD.replacen(from, to, 1);
        assert_ne!(new, OLD, "{from}");
        assert_eq!(text(OLD, &new), told, "{from} -> {to}");
    }
}

#[test]
fn an_allow_rule_that_becomes_a_deny_rule_of_its_name_is_a_change_of_effect() {
    let new = OLD.replacen("[[deny]]", "[[allow]]", 1);
    assert_eq!(text(OLD, &new), "~ deny rule no-deletes\n    effect: deny -> allow\n");
}

#[test]
fn what_is_new_and_what_is_gone_is_shown_whole() {
    let more = format!(
        "{OLD}\n[[credential]]\nname = \"openai\"\nhost = \"api.openai.com\"\ntype = \"bearer\"\nfrom = {{ file = \"/run/secrets/openai\" }}\n"
    );
    assert_eq!(
        text(OLD, &more),
        "+ credential openai: from file /run/secrets/openai; host api.openai.com; type bearer\n"
    );
    let found = difference(&more, OLD);
    assert!(matches!(found.as_slice(), [Change { what: What::Removed(_), .. }]), "{found:?}");
}

#[test]
fn staleness_is_compared_by_its_length() {
    let hour = format!("{OLD}\n[staleness]\nspend = \"60m\"\n");
    assert_eq!(text(&hour, &hour.replace("60m", "1h")), "");
    assert_eq!(text(&hour, &hour.replace("60m", "2h")), "~ staleness.spend: 1h -> 2h\n");
    assert_eq!(text(OLD, &hour), "~ staleness.spend: not said -> 1h\n");
}

#[test]
fn quotas_and_budgets_are_compared_by_what_they_say() {
    let budget =
        "[[budget]]\nname = \"money\"\nlimit = \"250.00\"\ncurrency = \"USD\"\nperiod = \"monthly\"\n";
    let before = format!("{OLD}\n{budget}");
    let same =
        before.replace("\"250.00\"", "250").replace("period =", "per = \"agent\"\nwarn = 80\nperiod =");
    assert_eq!(text(&before, &same), "");
    let after = before.replace("250.00", "300.50").replace("period =", "model = \"gpt-5*\"\nperiod =");
    assert_eq!(
        text(&before, &after),
        "~ quota money\n    limit: $250.00 -> $300.50\n    model: any -> gpt-5*\n"
    );
    let found = difference(OLD, &before);
    assert!(matches!(found.as_slice(), [Change { what: What::Added(_), .. }]), "{found:?}");
}
