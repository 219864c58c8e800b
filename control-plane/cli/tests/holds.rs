//! `creto policy check`, `explain`, `test` and `diff` of holds, over what docs/policy-holds.md shows.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A folder with the policy and the test file that the guide shows.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy-holds.md");
        let text = fs::read_to_string(guide).unwrap();
        let mut blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.toml"), blocks.next().unwrap()).unwrap();
        fs::write(folder.path().join("policy.test.toml"), blocks.next().unwrap()).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let before = fs::read_to_string(self.path(name)).unwrap();
        fs::write(self.path(name), before + text).unwrap();
    }

    /// A copy of the policy with something else in it.
    fn changed(&self, from: &str, to: &str) -> &'static str {
        let text = fs::read_to_string(self.path("policy.toml")).unwrap();
        assert!(text.contains(from), "the policy has no {from}");
        fs::write(self.path("new.toml"), text.replacen(from, to, 1)).unwrap();
        "new.toml"
    }

    fn policy(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_creto"))
            .arg("policy")
            .args(arguments)
            .current_dir(self.0.path())
            .env("CRETO_HOME", self.0.path().join("home"))
            .env_remove("CRETO_CONTROL_PLANE")
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.policy(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_policy_that_the_guide_shows_holds_without_a_warning() {
    let folder = Folder::new();
    let output = folder.policy(&["check", "--strict", "policy.toml"]);
    assert_eq!(stdout(&output), "careful-shopping holds: 2 rules, 0 routes, 3 holds\n", "{output:?}");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(folder.json(&["check", "policy.toml"])["holds"], 3);
}

#[test]
fn check_says_which_quorum_can_never_be_reached() {
    let folder = Folder::new();
    let file = folder.changed("quorum = 2 ", "quorum = 4 ");
    let output = folder.policy(&["check", file]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "the hold `large-orders` cannot be decided: tier 1: a quorum of 4 is more than the 3",
        "new.toml:26:",
    ] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn explain_says_who_must_approve() {
    let folder = Folder::new();
    let asked = ["explain", "--model", "gpt-5", "https://api.openai.com/v1/chat/completions", "policy.toml"];
    for (cost, verdict) in [(None, "held"), (Some("7.50 USD"), "held"), (Some("5.00 USD"), "allowed")] {
        let mut arguments = asked.to_vec();
        arguments.extend(cost.into_iter().flat_map(|cost| ["--cost", cost]));
        let value = folder.json(&arguments);
        assert_eq!(value["verdict"], verdict, "{cost:?}: {value}");
    }
    let said = stdout(&folder.policy(&[&asked[..], &["--cost", "7.50 USD"]].concat()));
    assert!(said.starts_with("held by careful-shopping/models\n"), "{said}");
    assert!(
        said.contains("waits for finance@example.com for 1d; an approval gives 1 use within 15m"),
        "{said}"
    );
    let output = folder.policy(&[&asked[..], &["--cost", "7 EUR"]].concat());
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn a_test_file_expects_calls_to_wait() {
    let folder = Folder::new();
    let output = folder.policy(&["test", "policy.test.toml"]);
    assert_eq!(stdout(&output), "1 call in 1 file, 0 not as expected\n");
    folder.append(
        "policy.test.toml",
        "
[[call]]
name = \"small orders go out\"
url = \"https://mcp.shop.example/mcp\"
tool = \"reserve_table\"
arguments = { amount = 20 }
expect = \"allow\"

[[call]]
name = \"large orders wait\"
url = \"https://mcp.shop.example/mcp\"
tool = \"reserve_hall\"
arguments = { amount = 2000 }
expect = \"hold\"
rule = \"careful-shopping/large-orders\"

[[call]]
name = \"payments wait\"
url = \"https://mcp.shop.example/mcp\"
tool = \"pay_invoice\"
expect = \"hold\"
rule = \"not-to-be-undone\"

[[call]]
name = \"not so\"
url = \"https://mcp.shop.example/mcp\"
tool = \"get_menu\"
expect = \"hold\"
",
    );
    let output = folder.policy(&["test", "policy.test.toml", "--coverage"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not so: expected hold, came allow by careful-shopping/shop\n"), "{said}");
    assert!(said.contains("every rule decided a call\n5 calls in 1 file, 1 not as expected\n"), "{said}");
    let value = folder.json(&["test", "policy.test.toml"]);
    let came = &value["files"][0]["calls"][2]["came"];
    assert_eq!((&came["verdict"], &came["rule"]), (&"hold".into(), &"shop".into()));
    assert_eq!(came["held"], serde_json::json!(["careful-shopping/large-orders"]));
}

#[test]
fn coverage_names_holds_that_held_nothing() {
    let folder = Folder::new();
    let said = stdout(&folder.policy(&["test", "policy.test.toml", "--coverage"]));
    for part in
        ["policy.toml:21: hold careful-shopping/large-orders\n", "hold careful-shopping/not-to-be-undone\n"]
    {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    assert!(!said.contains("dear-answers"), "{said}");
}

#[test]
fn a_difference_of_holds_is_one_of_meaning() {
    let folder = Folder::new();
    for (from, to, told) in [
        ("wait = \"1d\"", "wait = \"24h\"", ""),
        (
            "[\"alice@example.com\", \"bob@example.com\"]\nwait = \"30m\"",
            "[\"bob@example.com\", \"alice@example.com\"]\nwait = \"30m\"",
            "",
        ),
        ("inline = \"90s\"", "inline = \"2m\"", "~ hold rule large-orders\n    inline: 90s -> 2m\n"),
        (
            "cost_over = \"5.00 USD\"",
            "cost_over = \"6 USD\"",
            "~ hold rule dear-answers\n    asks: finance@example.com for 1d; an approval gives 1 use within 15m; asks above \
             5.00 USD -> finance@example.com for 1d; an approval gives 1 use within 15m; asks above 6.00 USD\n",
        ),
        (
            "\"pay_*\" = \"irreversible\"",
            "\"pay_*\" = \"reversible\"",
            "~ mcp_server shop\n    reversibility.pay_*: irreversible -> reversible\n",
        ),
    ] {
        let file = folder.changed(from, to);
        let said = stdout(&folder.policy(&["diff", "policy.toml", file]));
        // Below the name of the policy each line stands further in.
        let said: String =
            said.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect();
        if told.is_empty() {
            assert!(!said.contains('~'), "{from} -> {to}\n{said}");
        } else {
            assert!(said.contains(told), "{from} -> {to}\n{said}");
        }
    }
}
