//! `creto policy check`, `test` and `diff` as far as no control plane is needed.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The documents shown in docs/test-a-policy.md: the policy, then its tests.
fn shown() -> (String, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/test-a-policy.md");
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    (blocks.next().unwrap(), blocks.next().unwrap())
}

/// A folder with the documents that the guide shows.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (policy, tests) = shown();
        fs::write(folder.path().join("web.toml"), policy).unwrap();
        fs::write(folder.path().join("web.test.toml"), tests).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces text in a file.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        self.write(name, &text.replacen(from, to, 1));
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

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_tests_that_the_guide_shows_pass() {
    let folder = Folder::new();
    let output = folder.policy(&["test", "web.test.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(stdout(&output), "5 calls in 1 file, 0 not as expected\n");
    let output = folder.policy(&["test", ".", "--coverage"]);
    assert_eq!(stdout(&output), "every rule decided a call\n5 calls in 1 file, 0 not as expected\n");
}

#[test]
fn a_call_that_comes_otherwise_is_shown_and_the_exit_code_is_1() {
    let folder = Folder::new();
    folder.edit("web.toml", "/repos/**", "/users/**");
    let output = folder.policy(&["test", "web.test.toml", "--coverage"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    for part in [
        "web.test.toml:7: repositories can be read: expected allow by github-read, came deny (no_rule_allows)\n",
        "  allow web/github-read (line 7): host api.github.com matches, but not path\n",
        "decided no call:\n  web.toml:7: allow web/github-read\n",
        "5 calls in 1 file, 1 not as expected\n",
    ] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    let value = folder.json(&["test", "web.test.toml", "--coverage"]);
    assert_eq!((&value["calls"], &value["failed"]), (&5.into(), &1.into()));
    let call = &value["files"][0]["calls"][0];
    assert_eq!(call["holds"], false);
    assert_eq!(call["came"]["code"], "no_rule_allows");
    assert_eq!(value["untried_rules"][0]["rule"], "github-read");
}

#[test]
fn the_rule_and_the_code_are_expected_too() {
    let folder = Folder::new();
    folder.edit("web.test.toml", "rule = \"github-read\"", "rule = \"web/other\"");
    folder.edit("web.test.toml", "code = \"no_policy\"", "code = \"no_rule_allows\"");
    let said = stdout(&folder.policy(&["test", "web.test.toml"]));
    assert!(said.contains("expected allow by web/other, came allow by web/github-read"), "{said}");
    assert!(said.contains("expected deny (no_rule_allows), came deny (no_policy)"), "{said}");
    assert!(said.contains("2 not as expected"), "{said}");
}

#[test]
fn a_mistake_in_a_test_file_is_shown_with_its_line_and_what_was_meant() {
    let folder = Folder::new();
    for (from, to, shown) in [
        (
            "expect = \"allow\"",
            "expct = \"allow\"",
            "`expct` is no key of [[call]]|did you mean `expect`?|:10:1",
        ),
        (
            "expect = \"allow\"",
            "expect = \"alow\"",
            "`alow` is unknown in `expect`|did you mean `allow`?|:10:10",
        ),
        ("no_policy", "no_polcy", "`no_polcy` is unknown in `code`|did you mean `no_policy`?"),
        (
            "tier = \"standard\"",
            "tier = \"gold\"",
            "`gold` is unknown in `tier`|write one of basic, standard, premium",
        ),
        (
            "url = \"https://api.github.com",
            "url = \"api.github.com",
            "this is no URL of a call: it has no scheme",
        ),
        ("model = \"gpt-5-mini\"", "model = \"a\"\ntool = \"b\"", "about several protocols"),
        ("get:api.github.com/users/**", "read:api.github.com", "this delegation does not hold"),
        ("policy = [\"web.toml\"]", "", "a test file has no `policy`"),
        ("policy = [\"web.toml\"]", "policy = [\"web.toml\"", "this is not TOML"),
    ] {
        let (_, text) = self::shown();
        assert!(text.contains(from), "{from}");
        folder.write("wrong.test.toml", &text.replacen(from, to, 1));
        let output = folder.policy(&["test", "wrong.test.toml"]);
        assert_eq!(output.status.code(), Some(1), "{to}");
        let said = stderr(&output);
        for part in shown.split('|').chain(["wrong.test.toml:", "^"]) {
            assert!(said.contains(part), "{to}: {part} is missing in\n{said}");
        }
    }
}

#[test]
fn a_file_without_calls_is_no_success() {
    let folder = Folder::new();
    for text in ["policy = [\"web.toml\"]\n", "policy = [\"web.toml\"]\ncall = []\n"] {
        folder.write("empty.test.toml", text);
        let output = folder.policy(&["test", "empty.test.toml"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("call"), "{}", stderr(&output));
    }
    assert_eq!(folder.policy(&["test", "/nowhere.test.toml"]).status.code(), Some(1));
    fs::create_dir(folder.path("none")).unwrap();
    assert_eq!(folder.policy(&["test", "none"]).status.code(), Some(1));
}

#[test]
fn a_policy_that_does_not_hold_fails_its_tests() {
    let folder = Folder::new();
    folder.edit("web.toml", "path =", "pth =");
    let output = folder.policy(&["test", "web.test.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("did you mean `path`?"), "{}", stderr(&output));
}

#[test]
fn everything_that_a_rule_may_ask_can_be_said_of_a_call() {
    let folder = Folder::new();
    folder.write(
        "all.toml",
        r#"version = 1
name = "all"
[[mcp_server]]
name = "tickets"
host = "mcp.example.com"
[[allow]]
name = "short"
host = "api.openai.com"
when = 'llm.max_output_tokens <= 100 && !llm.streaming && llm.tools == ["a"] && request.headers["x"] == "1"'
[[allow]]
name = "list"
host = "mcp.example.com"
mcp_server = "tickets"
tool = "list"
arguments = { repo = "acme/*", "filter.limit" = { max = 10 } }
[[allow]]
name = "read"
host = "mcp.example.com"
mcp_method = "resources/read"
when = 'mcp.resource.uri.startsWith("file:///a") && request.size < 100'
[[allow]]
name = "skill"
host = "agents.example.com"
skill = "translate-*"
[[allow]]
name = "tunnel"
host = "pinned.example.com"
tls = "pass"
[[allow]]
name = "wiki"
host = "wiki.example.com"
[[deny]]
name = "not-untrusted"
host = "*"
when = 'agent.trust == "untrusted" || agent.labels["team"] == "ops"'
"#,
    );
    folder.write(
        "all.test.toml",
        r#"policy = "all.toml"
agent = { name = "a", labels = { team = "search" } }
[[call]]
url = "https://api.openai.com/v1/chat/completions"
max_output_tokens = 50
streaming = false
offered_tools = ["a"]
headers = { X = "1" }
expect = "allow"
rule = "short"
[[call]]
url = "https://api.openai.com/v1/chat/completions"
max_output_tokens = 50
offered_tools = ["a"]
expect = "deny"
[[call]]
url = "https://mcp.example.com/mcp"
tool = "list"
arguments = { repo = "acme/x", filter = { limit = 0x0a }, more = [1.5, true, "a"] }
expect = "allow"
rule = "list"
[[call]]
url = "https://mcp.example.com/mcp"
tool = "list"
arguments = { repo = "acme/x", filter = { limit = 11 } }
expect = "deny"
code = "no_rule_allows"
[[call]]
url = "https://mcp.example.com/mcp"
mcp_method = "initialize"
expect = "allow"
rule = "list"
[[call]]
url = "https://mcp.example.com/mcp"
resource = "file:///a/b"
body_size = 99
expect = "allow"
rule = "read"
[[call]]
url = "https://agents.example.com/a2a/v1"
skill = "translate-de"
expect = "allow"
rule = "skill"
[[call]]
url = "https://pinned.example.com"
method = "CONNECT"
expect = "allow"
rule = "tunnel"
[[call]]
url = "wss://wiki.example.com/"
expect = "allow"
rule = "wiki"
[[call]]
url = "https://wiki.example.com/"
address = "10.0.0.7"
expect = "deny"
code = "address_forbidden"
[[call]]
url = "https://wiki.example.com/"
headers = { x-http-method-override = "PUT" }
delegation = ["get:*"]
expect = "deny"
code = "permission_missing"
[[call]]
url = "https://wiki.example.com/"
agent = { trust = "untrusted" }
expect = "deny"
rule = "all/not-untrusted"
code = "rule_denies"
[[call]]
url = "https://wiki.example.com/"
agent = { name = "b", labels = { team = "ops" } }
expect = "deny"
rule = "not-untrusted"
[[call]]
url = "https://wiki.example.com:8443/"
expect = "deny"
code = "port_forbidden"
"#,
    );
    let output = folder.policy(&["test", "all.test.toml", "--coverage"]);
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), "every rule decided a call\n14 calls in 1 file, 0 not as expected\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_is_only_observed_is_expected_as_observed() {
    let folder = Folder::new();
    folder.edit("web.toml", "name = \"web\"", "name = \"web\"\nmode = \"observe\"");
    folder.write(
        "o.test.toml",
        "policy = \"web.toml\"\n[[call]]\nurl = \"https://x.example/\"\nexpect = \"observe\"\ncode = \"no_rule_allows\"\n",
    );
    assert_eq!(folder.policy(&["test", "o.test.toml"]).status.code(), Some(0));
}

#[test]
fn several_documents_apply_together() {
    let folder = Folder::new();
    folder.write(
        "deny.toml",
        "version = 1\nname = \"deny\"\n[[deny]]\nname = \"nothing\"\nhost = \"*\"\nport = \"any\"\n",
    );
    folder.edit("web.test.toml", "[\"web.toml\"]", "[\"web.toml\", \"deny.toml\"]");
    let said = stdout(&folder.policy(&["test", "web.test.toml"]));
    assert!(said.contains("came deny by deny/nothing (rule_denies)"), "{said}");
}

#[test]
fn junit_tells_every_call_and_why_one_failed() {
    let folder = Folder::new();
    folder.edit("web.test.toml", "rule = \"github-read\"", "rule = \"a<b\"");
    let output = folder.policy(&["test", "web.test.toml", "--junit", "report.xml"]);
    assert_eq!(output.status.code(), Some(1));
    let report = fs::read_to_string(folder.path("report.xml")).unwrap();
    for part in [
        "<testsuite name=\"web.test.toml\" tests=\"5\" failures=\"1\" errors=\"0\" skipped=\"0\">",
        "<testcase name=\"repositories can be read\" classname=\"web.test.toml\" file=\"web.test.toml\" line=\"7\">",
        "<failure message=\"expected allow by a&lt;b, came allow by web/github-read\">",
        "<testcase name=\"DELETE https://api.github.com/repos/a/b\"",
    ] {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
    assert_eq!(report.matches("<testcase").count(), 5);
}

#[test]
fn a_difference_is_one_of_meaning() {
    let folder = Folder::new();
    fs::copy(folder.path("web.toml"), folder.path("old.toml")).unwrap();
    folder.edit("web.toml", "method = [\"GET\", \"HEAD\"]", "method = [ \"HEAD\", \"GET\" ] # reading");
    let output = folder.policy(&["diff", "old.toml", "web.toml", "--exit-code"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "web: no change in meaning\n"));

    folder.edit("web.toml", "\"api.github.com\"", "\"*.github.com\"");
    folder.edit("web.toml", "name = \"no-deletes\"\nhost = \"*\"", "name = \"no-deletes\"\nhost = \"*.com\"");
    let output = folder.policy(&["diff", "old.toml", "web.toml"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output),
        "web\n  ~ allow rule github-read\n      host: api.github.com -> *.github.com\n  ~ deny rule no-deletes\n      host: * -> *.com\n"
    );
    assert_eq!(folder.policy(&["diff", "old.toml", "web.toml", "--exit-code"]).status.code(), Some(1));
    let value = folder.json(&["diff", "old.toml", "web.toml"]);
    assert_eq!(
        value["changes"][0],
        json!({
            "what": "changed",
            "kind": "rule",
            "name": "github-read",
            "fields": [{"key": "host", "from": ["api.github.com"], "to": ["*.github.com"]}],
        })
    );
}

#[test]
fn a_difference_lists_the_calls_of_tests_that_come_otherwise() {
    let folder = Folder::new();
    fs::copy(folder.path("web.toml"), folder.path("old.toml")).unwrap();
    folder.edit("web.toml", "gpt-5-mini*", "gpt-5-nano*");
    let arguments = ["diff", "old.toml", "web.toml", "--calls", "web.test.toml"];
    let said = stdout(&folder.policy(&arguments));
    assert!(said.contains("model: gpt-5-mini* -> gpt-5-nano*"), "{said}");
    let call = "web.test.toml:19: POST https://api.openai.com/v1/chat/completions: allow by web/small-models -> deny (no_rule_allows)";
    assert!(said.contains(call), "{said}");
    assert_eq!(folder.json(&arguments)["calls"].as_array().unwrap().len(), 1);
}

#[test]
fn check_warns_of_rules_that_contradict_each_other() {
    let folder = Folder::new();
    folder.write(
        "deny.toml",
        "version = 1\nname = \"deny\"\n[[deny]]\nname = \"no-github\"\nhost = \"*.github.com\"\nport = \"any\"\n",
    );
    let output = folder.policy(&["check", "--strict", "web.toml"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "web holds: 3 rules, 0 routes\n"));
    // Only beside each other is one of them without effect.
    let output = folder.policy(&["check", "web.toml", "deny.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "web holds: 3 rules, 0 routes\ndeny holds: 1 rule, 0 routes\n1 warning\n",
        "{}",
        stderr(&output)
    );
    let said = stderr(&output);
    assert!(said.contains("warning[shadowed]") && said.contains("web.toml:7"), "{said}");
    assert_eq!(folder.policy(&["check", "--strict", "web.toml", "deny.toml"]).status.code(), Some(1));
    let value = folder.json(&["check", "web.toml", "deny.toml"]);
    assert_eq!(value["warnings"][0]["kind"], "shadowed");
    assert_eq!(value["warnings"][0]["other"]["rule"], "no-github");
}

#[test]
fn two_documents_of_one_name_cannot_be_checked_together() {
    let folder = Folder::new();
    let output = folder.policy(&["check", "web.toml", "web.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("Two documents have the name web"), "{}", stderr(&output));
}
