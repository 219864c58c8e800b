//! What is wrong with providers, servers, credentials and conditions, in the words and at the place that people see.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_policy::{
    CredentialKind, Document, MAX_ARGUMENTS, MAX_EXPRESSIONS, MAX_SERVICES, SecretFrom, ToolsChanged,
};
use proptest::prelude::*;

const HEAD: &str = "version = 1\nname = \"p\"\n";

fn rendered(body: &str) -> String {
    Document::parse("p.toml", &format!("{HEAD}{body}")).expect_err("this document has problems").render(false)
}

/// Each problem as `line:column message (help)`.
fn problems(body: &str) -> Vec<String> {
    let Err(problems) = Document::parse("p.toml", &format!("{HEAD}{body}")) else { return Vec::new() };
    let shown = |problem: &creto_policy::Problem| {
        let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}:{} {}{help}", problem.line, problem.column, problem.message)
    };
    problems.as_slice().iter().map(shown).collect()
}

fn of_rule(kind: &str, lines: &str) -> Vec<String> {
    problems(&format!("[[{kind}]]\nname = \"r\"\nhost = \"h.example\"\n{lines}\n"))
}

fn of_credential(lines: &str) -> Vec<String> {
    problems(&format!("[[credential]]\nname = \"c\"\nhost = \"h.example\"\n{lines}\n"))
}

#[test]
fn a_document_of_every_key_is_read() {
    let document = Document::parse("all.toml", include_str!("every_key.toml"))
        .unwrap_or_else(|problems| panic!("{problems}"));
    let provider = document.providers().next().unwrap();
    assert_eq!(
        (provider.name(), provider.api().as_str(), provider.base()),
        ("local-vllm", "openai", Some("/v1"))
    );
    assert_eq!(provider.place().ports()[0].to_string(), "8000");
    let server = document.mcp_servers().next().unwrap();
    assert_eq!((server.name(), server.tools_changed()), ("tickets", ToolsChanged::Allow));
    assert_eq!(server.pins()["search"][0], 0xab);
    assert_eq!(document.a2a_agents().next().unwrap().name(), "translator");
    let kinds: Vec<_> = document
        .credentials()
        .map(|credential| (credential.kind().clone(), credential.from().clone()))
        .collect();
    assert_eq!(
        kinds,
        [
            (CredentialKind::Bearer, SecretFrom::File("/run/secrets/openai".into())),
            (CredentialKind::Header("x-api-key".into()), SecretFrom::Env("ANTHROPIC_API_KEY".into())),
            (CredentialKind::Basic, SecretFrom::Stored("wiki".into())),
            (
                CredentialKind::AwsSigV4 { region: "us-east-1".into(), service: "bedrock".into() },
                SecretFrom::Stored("aws".into())
            ),
            (
                CredentialKind::OAuth2Refresh {
                    token_url: "https://login.example.com/token".into(),
                    client_id: "a client".into(),
                    scope: Some("read write".into())
                },
                SecretFrom::Stored("refresh".into())
            ),
        ]
    );
    let placeholders: Vec<&str> = document.credentials().map(|credential| credential.placeholder()).collect();
    assert_eq!(placeholders[..2], ["creto-placeholder-openai", "sk-ant-placeholder"]);
    assert!(document.credentials().nth(2).unwrap().plain_http());
}

#[test]
fn problems_of_rules_are_shown_with_line_and_caret() {
    assert_eq!(
        rendered(
            r#"[[allow]]
name = "models"
host = "api.openai.com"
models = "gpt-5*"
model = ["gpt 5"]
tool = "x"
when = 'llm.request_modle == "a"'
"#
        ),
        r#"error: `models` is no key of [[allow]]
 --> p.toml:6:1
  |
6 | models = "gpt-5*"
  | ^^^^^^
  = help: did you mean `model`?

error: `gpt 5` can match no model
 --> p.toml:7:10
  |
7 | model = ["gpt 5"]
  |          ^^^^^^^
  = help: names of models hold no spaces and only ASCII; `*` stands for any characters

error: `tool` is about MCP messages, and `model` about model calls: no call is both
 --> p.toml:8:8
  |
8 | tool = "x"
  |        ^^^
  = help: make two rules of it

error: there is no attribute `llm.request_modle`
 --> p.toml:9:9
  |
9 | when = 'llm.request_modle == "a"'
  |         ^^^^^^^^^^^^^^^^^
  = help: did you mean `llm.request_model`?

p.toml: 4 problems
"#
    );
}

#[test]
fn a_condition_that_holds_for_nothing_is_a_problem() {
    for (lines, expected) in [
        ("model = \"\"", "6:9 `` can match no model"),
        ("model = \"gpt-é\"", "6:9 `gpt-é` can match no model"),
        ("model = []", "6:9 `model` is an empty list"),
        ("model = 5", "6:9 `model` is a text, not this integer"),
        ("provider = \"OpenAI\"", "6:12 `OpenAI` is no name of a provider"),
        ("mcp_server = \"a*\"", "6:14 `a*` is no name of an MCP server"),
        ("a2a_agent = \"\"", "6:13 `` is no name of an agent"),
        (
            "mcp_method = \"tool/call\"",
            "6:14 `tool/call` is unknown in `mcp_method` (did you mean `tools/call`?)",
        ),
        ("tool = \"a\\nb\"", "6:8 `a b` can match no tool"),
        ("skill = \"\"", "6:9 `` can match no skill"),
        ("tool = \"x\"\nmcp_method = [\"tools/call\", \"ping\"]", "7:29 only `tools/call` names a tool"),
        (
            "arguments = { a = 1 }\nmcp_method = \"tools/list\"",
            "7:14 only `tools/call` and `prompts/get` have arguments",
        ),
        (
            "skill = \"x\"\nprovider = \"openai\"",
            "6:9 `skill` is about A2A messages, and `provider` about model calls",
        ),
        ("tool = \"a**************** *\"", "6:8 a glob has at most 16 stars"),
        ("arguments = 5", "6:13 `arguments` is a table"),
        ("arguments = {}", "6:13 `arguments` asks nothing"),
        ("arguments = { a = 1.5 }", "6:19 `a` cannot be compared with this float"),
        ("arguments = { a = [1] }", "6:20 a list in `a` holds texts only (write `{ in = [...] }`"),
        ("arguments = { a = {} }", "6:19 this condition asks nothing"),
        (
            "arguments = { a = { mni = 1, max = 2 } }",
            "6:21 `mni` is no key of a condition on an argument (did you mean `min`?)",
        ),
        ("arguments = { a = { max = \"9\" } }", "6:27 `max` is a number"),
        ("arguments = { a = { max = inf } }", "6:27 `max` is a number"),
        ("arguments = { a = { min = 3, max = 2 } }", "6:19 `min` is above `max`"),
        (
            "arguments = { a = { min = 3, absent = true } }",
            "6:19 an argument that is absent has no value to compare",
        ),
        ("arguments = { a = { in = [1.5] } }", "6:27 nothing is compared with this float"),
        ("arguments = { a = { in = [] } }", "6:26 `in` is an empty list"),
        (
            "arguments = { filter.state = \"open\" }",
            "6:22 `state` is no condition; known are `min`, `max`, `in` and `absent` (for the argument `state` inside `filter` write \"filter.state\" in quotes)",
        ),
        ("arguments = { \"a..b\" = 1 }", "6:15 `a..b` names no argument: a name in it is empty"),
        ("arguments = { a = 99999999999999999999 }", "6:19 "),
        ("when = 5", "6:8 `when` is a text"),
        ("when = 'request.size'", "6:9 "),
        ("when = \"a.b == 1\"", "6:9 "),
        // Escapes shift what comes after them: the value is pointed at.
        ("when = \"request.path == \\\"/\\\" && nothing\"", "6:8 "),
        ("when = '''\n  request.method == \"GET\" &&\n  nothing\n'''", "8:3 "),
    ] {
        for kind in ["allow", "deny"] {
            let found = of_rule(kind, lines);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{kind}, {lines}: {found:#?}");
        }
    }
    let many: Vec<String> = (0..=MAX_ARGUMENTS).map(|n| format!("a{n} = 1")).collect();
    let found = of_rule("deny", &format!("arguments = {{ {} }}", many.join(", ")));
    assert_eq!(found, ["6:13 a rule has at most 64 conditions on arguments"]);
}

#[test]
fn a_tunnel_cannot_be_asked_what_it_says() {
    for lines in [
        "provider = \"openai\"",
        "model = \"x\"",
        "mcp_server = \"x\"",
        "mcp_method = \"ping\"",
        "tool = \"x\"",
        "arguments = { a = 1 }",
        "a2a_agent = \"x\"",
        "skill = \"x\"",
        "when = 'request.method == \"GET\" && agent.tier == \"basic\"'",
    ] {
        let found = of_rule("allow", &format!("{lines}\ntls = \"pass\""));
        assert!(found.len() == 1 && found[0].contains("leaves the request unread"), "{lines}: {found:?}");
    }
    let known = "when = 'agent.tier == \"basic\" && destination.port == 443'\ntls = \"pass\"";
    assert_eq!(of_rule("allow", known), Vec::<String>::new());
}

#[test]
fn problems_of_services_are_found() {
    for (body, expected) in [
        (
            "[[provider]]\nname = \"a\"\nhost = \"h\"\n",
            "3:1 [[provider]] has no `api` (add a line `api = \"openai\"`)",
        ),
        (
            "[[provider]]\nname = \"a\"\nhost = \"h\"\napi = \"open-ai\"\n",
            "6:7 `open-ai` is unknown in `api` (did you mean `openai`?)",
        ),
        (
            "[[provider]]\nname = \"unnamed\"\nhost = \"h\"\napi = \"openai\"\n",
            "4:8 `unnamed` stands for providers that nobody named",
        ),
        (
            "[[provider]]\nname = \"a\"\nhost = \"h\"\napi = \"openai\"\nbase = \"v1\"\n",
            "7:8 `v1` is no plain path",
        ),
        (
            "[[provider]]\nname = \"a\"\nhost = \"h\"\napi = \"openai\"\nbase = \"/v*\"\n",
            "7:8 `/v*` is no plain path",
        ),
        (
            "[[provider]]\nname = \"a\"\nhost = \"h\"\napi = \"openai\"\npath = \"/v1\"\n",
            "7:1 `path` is no key of [[provider]] (",
        ),
        (
            "[[mcp_server]]\nname = \"a\"\nhost = \"h\"\n[[mcp_server]]\nname = \"a\"\nhost = \"h\"\n",
            "7:8 the MCP server `a` stands twice (it stands on line 4 already",
        ),
        (
            "[[mcp_server]]\nname = \"a\"\nhost = \"h\"\ntools_changed = \"refsue\"\n",
            "6:17 `refsue` is unknown in `tools_changed` (did you mean `refuse`?)",
        ),
        (
            "[[mcp_server]]\nname = \"a\"\nhost = \"h\"\npins = { s = \"sha256:12\" }\n",
            "6:14 `sha256:12` is no hash of a tool",
        ),
        (
            "[[a2a_agent]]\nname = \"a\"\nhost = \"h\"\npaths = \"/\"\n",
            "6:1 `paths` is no key of [[a2a_agent]] (did you mean `path`?)",
        ),
        ("[a2a_agent]\nname = \"a\"\nhost = \"h\"\n", "3:1 `a2a_agent` holds tables"),
    ] {
        let found = problems(body);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{body}: {found:#?}");
    }
    let many = "[[a2a_agent]]\nname = \"a\"\nhost = \"h\"\n".repeat(MAX_SERVICES + 1);
    assert!(rendered(&many).contains("stands twice"));
}

#[test]
fn expressions_are_bounded() {
    let rule = |n| format!("[[deny]]\nname = \"r{n}\"\nhost = \"h\"\nwhen = 'request.size > {n}'\n");
    let many: String = (0..=MAX_EXPRESSIONS).map(rule).collect();
    let found = problems(&many);
    assert!(found.len() == 1 && found[0].contains("at most 1000 `when`"), "{found:?}");
    let long = format!("when = '{}true'", "true && ".repeat(1_000));
    assert_eq!(of_rule("deny", &long).len(), 1);
    let deep = format!("when = '{}true{}'", "(".repeat(1_000), ")".repeat(1_000));
    assert!(!of_rule("deny", &deep).is_empty());
}

#[test]
fn problems_of_credentials_are_found() {
    let file = "from = { file = \"/run/s\" }";
    for (lines, expected) in [
        ("type = \"bearer\"".to_owned(), "3:1 [[credential]] has no `from` (add a line `from = { file ="),
        (file.to_owned(), "3:1 [[credential]] has no `type`"),
        (format!("type = \"baerer\"\n{file}"), "6:8 `baerer` is unknown in `type` (did you mean `bearer`?)"),
        (format!("type = \"header\"\n{file}"), "3:1 [[credential]] has no `header`"),
        (format!("type = \"header\"\nheader = \"a b\"\n{file}"), "7:10 `a b` is no `header`"),
        (format!("type = \"header\"\nheader = \"Host\"\n{file}"), "7:10 `Host` is no `header`"),
        (
            format!("type = \"bearer\"\nregion = \"x\"\n{file}"),
            "7:10 `region` is no key of a credential with `type = \"bearer\"`",
        ),
        (
            format!("type = \"aws-sigv4\"\nregion = \"us-east-1\"\n{file}"),
            "3:1 [[credential]] has no `service`",
        ),
        (
            format!(
                "type = \"oauth2-refresh\"\nclient_id = \"a\"\ntoken_url = \"http://l.example/t\"\n{file}"
            ),
            "8:13 `http://l.example/t` is no `token_url`: the refresh token would go out in plain text",
        ),
        (
            format!(
                "type = \"oauth2-refresh\"\nclient_id = \"\"\ntoken_url = \"https://l.example/t\"\n{file}"
            ),
            "7:13 `` is no `client_id`",
        ),
        (format!("type = \"bearer\"\nplaceholder = \"short\"\n{file}"), "7:15 `short` is no placeholder"),
        (
            "type = \"bearer\"\nfrom = { file = \"a\" }".to_owned(),
            "7:17 a file is named by its absolute path",
        ),
        ("type = \"bearer\"\nfrom = { env = \"$A\" }".to_owned(), "7:16 a variable's name"),
        ("type = \"bearer\"\nfrom = { secret = \"A B\" }".to_owned(), "7:19 a secret's name"),
        ("type = \"bearer\"\nfrom = { file = \"/a\", env = \"A\" }".to_owned(), "7:8 `from` names one place"),
        ("type = \"bearer\"\nfrom = { flie = \"/a\" }".to_owned(), "7:8 `from` names one place"),
    ] {
        let found = of_credential(&lines);
        assert!(!found.is_empty() && found[0].starts_with(expected), "{lines}: {found:#?}");
    }
    for (host, expected) in
        [("*", "never belongs to every host"), ("10.0.0.0/8", "never belongs to a whole network")]
    {
        let body = format!(
            "[[credential]]\nname = \"c\"\nhost = [\"a.example\", \"{host}\"]\ntype = \"bearer\"\n{file}\n"
        );
        let found = problems(&body);
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }
    let one = |name: &str| {
        format!(
            "[[credential]]\nname = \"{name}\"\nhost = \"h\"\ntype = \"bearer\"\nplaceholder = \"creto-placeholder\"\n{file}\n"
        )
    };
    let found = problems(&(one("a") + &one("b")));
    assert!(
        found.len() == 1 && found[0].contains("the placeholder `creto-placeholder` stands twice"),
        "{found:?}"
    );
}

#[test]
fn a_secret_in_a_policy_is_refused_and_never_shown() {
    for lines in [
        "type = \"bearer\"\nfrom = \"SECRET\"",
        "type = \"bearer\"\nfrom = { value = \"SECRET\" }",
        "type = \"bearer\"\nfrom = { file = \"SECRET\" }",
        "type = \"bearer\"\nfrom = { env = \"SECRET!\" }",
        "type = \"bearer\"\nfrom = { secret = \"SECRET\" }",
        "type = \"bearer\"\ntoken = \"SECRET\"",
        "type = \"baerer\"\nsecrets = { a = \"SECRET\" }",
    ] {
        let text = format!("{HEAD}[[credential]]\nname = \"c\"\nhost = \"h\"\n{lines}\n");
        let problems = Document::parse("p.toml", &text).unwrap_err();
        for shown in [problems.render(true), problems.to_string(), format!("{problems:?}")] {
            assert!(!shown.contains("SECRET"), "{shown}");
        }
    }
    let shown =
        rendered("[[credential]]\nname = \"c\"\nhost = \"h\"\ntype = \"bearer\"\nfrom = \"sk-1234\"\n");
    assert!(shown.contains("7 | from = \"*******\"\n  |        ^^^^^^^^^\n"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_breaks_the_reader(cuts in proptest::collection::vec((any::<prop::sample::Index>(), "[\\PC]{0,6}"), 1..6)) {
        let mut text = include_str!("every_key.toml").to_owned();
        for (at, insert) in cuts {
            let mut at = at.index(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.insert_str(at, &insert);
        }
        if let Err(problems) = Document::parse("p.toml", &text) {
            let shown = problems.render(false);
            prop_assert!(!problems.as_slice().is_empty() && !shown.is_empty());
        }
    }
}
