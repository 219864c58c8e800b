//! Quotas and budgets: how they are read, which calls they count, and what is said of them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{
    A2aCall, Call, Capture, Demand, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation,
    Scheme,
};
use creto_policy::{
    AgentFacts, Away, Document, FindingKind, MAX_QUOTAS, Per, PolicySet, QuotaMeter, QuotaPeriod, QuotaRule,
    Tier, Trust, findings,
};
use creto_quota::Action;

const ALLOW: &str = "[[allow]]\nname = \"everything\"\nhost = \"*\"\n";

fn document(text: &str) -> Document {
    let text = format!("version = 1\nname = \"p\"\n{text}");
    Document::parse("p.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn quota_with(lines: &str) -> String {
    format!("[[quota]]\nname = \"q\"\nmeter = \"llm.tokens\"\nlimit = 10\nperiod = \"daily\"\n{lines}\n")
}

/// The one problem of these tables, and its help.
fn problem(text: &str) -> (String, String) {
    let text = format!("version = 1\nname = \"p\"\n{text}");
    let problems = Document::parse("p.toml", &text).expect_err("this document has a problem");
    match problems.as_slice() {
        [only] => (only.message.clone(), only.help.clone().unwrap_or_default()),
        _ => panic!("one problem was expected:\n{problems}"),
    }
}

fn agent(labels: &[(&str, &str)]) -> AgentFacts {
    AgentFacts {
        name: "researcher".into(),
        tier: Tier::Standard,
        trust: Trust::Trusted,
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn model(provider: &str, name: Option<&str>, operation: ModelOperation) -> ModelCall {
    ModelCall {
        provider: provider.into(),
        api: ModelApi::OpenAi,
        operation,
        model: name.map(Into::into),
        streaming: false,
        max_output_tokens: None,
        tools: Vec::new(),
        demand: Demand::default(),
    }
}

fn call<'a>(host: &'a str, meaning: Meaning<'a>, body_read: bool) -> Call<'a> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method: "POST",
        host,
        port: 443,
        path: "/v1/chat/completions",
        details: Details { size: Some(100), body_read, meaning, ..Details::default() },
    }
}

fn counted(set: &PolicySet, call: &Call<'_>) -> Vec<String> {
    set.quotas_for(call).map(|(at, quota)| format!("{at} {}", quota.name())).collect()
}

#[test]
fn every_key_of_a_quota_is_read() {
    let document = document(
        r#"
[[quota]]
name = "tokens-a-month"
meter = "llm.tokens"
limit = 2_000_000
period = "monthly"
per = "customer"
zone = "europe/berlin"
action = "allow-with-overage"
warn = 90
model = ["gpt-5*"]
provider = "openai"
host = ["api.openai.com", "*.example.com"]
away = "allow"
[[quota]]
name = "calls"
meter = "calls"
limit = 0x10
period = { seconds = 90, from = "2026-01-01T00:00:00Z" }
[[budget]]
name = "team-money"
limit = "250.00"
currency = "USD"
period = "weekly"
per = "policy"
cut_streams = true
"#,
    );
    let quotas: Vec<&QuotaRule> = document.quotas().map(|quota| &**quota).collect();
    let [tokens, calls, money] = quotas[..] else { panic!("{quotas:?}") };
    assert_eq!((tokens.policy(), tokens.name(), tokens.unit()), ("p", "tokens-a-month", "token"));
    assert_eq!((tokens.meter(), tokens.limit()), (QuotaMeter::LlmTokens, 2_000_000));
    assert_eq!((tokens.period(), tokens.zone()), (QuotaPeriod::Monthly, "Europe/Berlin"));
    assert_eq!((tokens.per(), tokens.action()), (Per::Customer, Action::AllowWithOverage));
    assert_eq!((tokens.warn_percent(), tokens.away(), tokens.cut_streams()), (90, Away::Allow, false));
    let custom = QuotaPeriod::Custom { seconds: 90, anchor_ms: 1_767_225_600_000 };
    assert_eq!((calls.limit(), calls.period(), calls.zone()), (16, custom, "UTC"));
    assert_eq!((calls.per(), calls.action(), calls.warn_percent()), (Per::Agent, Action::Block, 80));
    assert_eq!((calls.away(), calls.is_unnarrowed(), tokens.is_unnarrowed()), (Away::Refuse, true, false));
    assert_eq!((money.meter(), money.limit()), (QuotaMeter::Cost("USD"), 250_000_000_000));
    assert_eq!((money.unit(), money.cut_streams(), money.per()), ("nanodollar", true, Per::Policy));
    assert_eq!((calls.line(), money.line()), (17, 22));
}

#[test]
fn a_problem_of_a_quota_is_shown_where_it_stands() {
    let text = "version = 1\nname = \"p\"\n[[budget]]\nname = \"b\"\nlimit = \"250.00\"\ncurrency = \"EUR\"\nperiod = \"daily\"\n";
    let shown = Document::parse("p.toml", text).expect_err("euros").render(false);
    let expected =
        "error: a budget in `EUR` cannot be kept: the prices of models are in USD\n --> p.toml:6:12\n";
    assert!(
        shown.contains(expected) && shown.contains("6 | currency = \"EUR\"\n  |            ^^^^^\n"),
        "{shown}"
    );
}

#[test]
fn what_was_probably_meant_is_said() {
    for (lines, message, help) in [
        ("acton = \"block\"", "`acton` is no key of [[quota]]", "did you mean `action`?"),
        ("per = \"agnet\"", "`agnet` is unknown in `per`", "did you mean `agent`?"),
        ("zone = \"Europe/Berlinn\"", "`Europe/Berlinn` is no time zone", "did you mean `Europe/Berlin`?"),
        ("action = \"blok\"", "`blok` is unknown in `action`", "did you mean `block`?"),
        ("away = \"alow\"", "`alow` is unknown in `away`", "did you mean `allow`?"),
        ("cut_streams = true", "`cut_streams` is no key of [[quota]]", "known here:"),
        ("warn = 0", "`warn` is a percentage of the limit, from 1 to 100", "write it without quotes"),
        ("model = \"gpt 5\"", "`gpt 5` can match no model", "names of models hold no spaces"),
    ] {
        let (said, helped) = problem(&quota_with(lines));
        assert_eq!(said, message);
        assert!(helped.starts_with(help), "{lines}: {helped}");
    }
    let (said, helped) =
        problem("[[quota]]\nname = \"q\"\nmeter = \"llm.tokns\"\nlimit = 1\nperiod = \"daily\"\n");
    assert_eq!(
        (said.as_str(), helped.as_str()),
        ("`llm.tokns` is unknown in `meter`", "did you mean `llm.tokens`?")
    );
    let (said, helped) =
        problem("[[quota]]\nname = \"q\"\nmeter = \"cost\"\nlimit = 1\nperiod = \"daily\"\n");
    assert!(said.contains("counted by a budget") && helped.contains("[[budget]]"), "{said} {helped}");
}

#[test]
fn limits_and_periods_outside_their_bounds_are_refused() {
    let limit = |limit: &str| {
        problem(&format!("[[quota]]\nname = \"q\"\nmeter = \"calls\"\nlimit = {limit}\nperiod = \"daily\"\n"))
            .0
    };
    for wrong in ["-1", "1.5", "\"10\"", "9007199254740992"] {
        assert_eq!(limit(wrong), "`limit` is a whole number from 0 to 9007199254740991", "{wrong}");
    }
    let money = |limit: &str| {
        problem(&format!(
            "[[budget]]\nname = \"b\"\nlimit = {limit}\ncurrency = \"USD\"\nperiod = \"daily\"\n"
        ))
        .0
    };
    assert_eq!(money("250.0"), "a budget's limit is an exact amount of money");
    assert_eq!(money("\"0.0000000001\""), "`0.0000000001` has more than 9 digits after the point");
    assert_eq!(money("\"9007199.254740992\""), "this is no amount from 0 to nine million dollars");
    let period = |period: &str| {
        problem(&format!("[[quota]]\nname = \"q\"\nmeter = \"calls\"\nlimit = 1\nperiod = {period}\n")).0
    };
    assert_eq!(period("\"yearly\""), "`yearly` is unknown in `period`");
    assert_eq!(period("90"), "this is no period");
    assert_eq!(period("{ seconds = 90 }"), "`period` has no `from`");
    let seconds = "`seconds` is a whole number from 60 to 31622400";
    assert_eq!(period("{ seconds = 59, from = \"2026-01-01T00:00:00Z\" }"), seconds);
    let moment = "this is no moment at which a window can begin";
    assert_eq!(period("{ seconds = 60, from = \"2026-01-01\" }"), moment);
    let zone = problem(
        "[[quota]]\nname = \"q\"\nmeter = \"calls\"\nlimit = 1\nperiod = { seconds = 60, from = 2026-01-01T00:00:00Z }\nzone = \"UTC\"\n",
    );
    assert_eq!(zone.1, "remove `zone`");
}

#[test]
fn a_name_stands_once_over_quotas_and_budgets() {
    let (said, _) = problem(&format!(
        "{}[[budget]]\nname = \"q\"\nlimit = \"1\"\ncurrency = \"USD\"\nperiod = \"daily\"\n",
        quota_with("")
    ));
    assert_eq!(said, "the quota or budget `q` stands twice");
}

#[test]
fn a_quota_that_could_count_nothing_is_refused() {
    let of = |meter: &str, line: &str| {
        problem(&format!(
            "[[quota]]\nname = \"q\"\nmeter = \"{meter}\"\nlimit = 1\nperiod = \"daily\"\n{line}\n"
        ))
        .0
    };
    let sandboxes = "a sandbox is started by no call, so `host` would leave nothing to count";
    assert_eq!(of("sandboxes", "host = \"h.example\""), sandboxes);
    let messages = "a message to an agent asks no model, so `model` would leave nothing to count";
    assert_eq!(of("messages", "model = \"m\""), messages);
}

#[test]
fn more_quotas_than_a_call_can_hold_are_refused() {
    let quotas = |meters: &[&str]| -> String {
        let one = |(at, meter): (usize, &&str)| {
            format!("[[quota]]\nname = \"q{at}\"\nmeter = \"{meter}\"\nlimit = 1\nperiod = \"daily\"\n")
        };
        meters.iter().enumerate().map(one).collect()
    };
    let (said, _) = problem(&quotas(&["llm.tokens"; 9]));
    assert_eq!(said, "9 quotas and budgets count the same calls; at most 8 can");
    document(&quotas(&["llm.tokens"; 8]));
    // No call is both a question to a model and a message to an agent.
    document(&quotas(&[["llm.tokens"; 4], ["messages"; 4], ["calls"; 4], ["sandboxes"; 4]].concat()));
    problem(&quotas(&[["llm.tokens"; 5], ["messages"; 5], ["calls"; 5].map(|meter| meter)].concat()));
    let narrowed: String = (0..=MAX_QUOTAS)
        .map(|at| quota_with(&format!("host = \"h{at}.example\"")).replace("\"q\"", &format!("\"q{at}\"")))
        .collect();
    assert_eq!(problem(&narrowed).0, "a document has at most 64 `[[quota]]` and `[[budget]]`");
}

#[test]
fn a_policy_called_agent_has_no_quotas_since_those_of_labels_are_its() {
    let text = format!("version = 1\nname = \"agent\"\n{}", quota_with(""));
    let problems = Document::parse("p.toml", &text).expect_err("the name is taken");
    assert!(problems.to_string().contains("a policy with quotas cannot be called `agent`"), "{problems}");
    let text = format!("version = 1\nname = \"agent\"\n{ALLOW}");
    Document::parse("p.toml", &text).unwrap();
}

#[test]
fn quotas_count_the_calls_of_their_meter() {
    let text: String = QUOTA_METERS
        .iter()
        .map(|meter| {
            let name = meter.replace(['.', '_'], "-");
            format!("[[quota]]\nname = \"{name}\"\nmeter = \"{meter}\"\nlimit = 1\nperiod = \"daily\"\n")
        })
        .collect();
    let budget = "[[budget]]\nname = \"money\"\nlimit = \"1\"\ncurrency = \"USD\"\nperiod = \"daily\"\n";
    let document = document(&format!("{text}{budget}"));
    let set = PolicySet::compile([&document]);
    let asked = model("openai", Some("gpt-5"), ModelOperation::Chat);
    let models =
        ["0 llm-tokens", "1 llm-input-tokens", "2 llm-output-tokens", "3 calls", "4 egress-bytes", "7 money"];
    assert_eq!(counted(&set, &call("api.openai.com", Meaning::Model(&asked), true)), models);
    let tokens_counted = model("openai", Some("gpt-5"), ModelOperation::CountTokens);
    let any = ["3 calls", "4 egress-bytes"];
    assert_eq!(counted(&set, &call("api.openai.com", Meaning::Model(&tokens_counted), true)), any);
    assert_eq!(counted(&set, &call("h.example", Meaning::Plain, false)), any);
    let message = |method: &str| A2aCall { agent: "b".into(), method: method.into(), skill: None };
    let sent = message("SendMessage");
    let messages = ["3 calls", "4 egress-bytes", "5 messages"];
    assert_eq!(counted(&set, &call("b.example", Meaning::A2a(&sent), true)), messages);
    assert_eq!(counted(&set, &call("b.example", Meaning::A2a(&message("GetTask")), true)), any);
    // What has not been read may be one.
    assert_eq!(counted(&set, &call("b.example", Meaning::A2a(&message("")), false)), messages);
    let tool = McpCall::default();
    assert_eq!(counted(&set, &call("m.example", Meaning::Mcp(&tool), true)), any);
}

const QUOTA_METERS: [&str; 7] =
    ["llm.tokens", "llm.input_tokens", "llm.output_tokens", "calls", "egress.bytes", "messages", "sandboxes"];

#[test]
fn matchers_narrow_and_what_is_not_known_counts() {
    let document = document(&quota_with(
        "model = [\"gpt-5*\"]\nprovider = \"openai\"\nhost = [\"*.openai.com\", \"10.0.0.0/8\"]",
    ));
    let set = PolicySet::compile([&document]);
    let counts = |host: &str, provider: &str, name: Option<&str>| {
        let asked = model(provider, name, ModelOperation::Chat);
        !counted(&set, &call(host, Meaning::Model(&asked), true)).is_empty()
    };
    assert!(counts("api.openai.com", "openai", Some("gpt-5-mini")));
    assert!(counts("10.1.2.3", "openai", Some("gpt-5")));
    assert!(counts("api.openai.com", "openai", Some("GPT-5")), "another case gets around no limit");
    assert!(counts("api.openai.com", "openai", None), "a model left to the provider may be any");
    assert!(!counts("api.openai.com", "openai", Some("gpt-4")));
    assert!(!counts("api.openai.com", "azure-openai", Some("gpt-5")));
    assert!(!counts("openai.com", "openai", Some("gpt-5")));
}

#[test]
fn a_body_is_read_where_a_quota_counts_what_it_asks_for() {
    let unread = |text: &str, meaning: Meaning<'_>| {
        let document = document(text);
        PolicySet::compile([&document]).needs_body(&call("api.openai.com", meaning, false))
    };
    let asked = model("openai", None, ModelOperation::Chat);
    let named = model("openai", Some("gpt-5"), ModelOperation::Chat);
    let tokens = format!("{ALLOW}{}", quota_with(""));
    let calls = |line: &str| format!("{ALLOW}{}", quota_with(line).replace("llm.tokens", "calls"));
    assert!(!unread(ALLOW, Meaning::Model(&asked)));
    assert!(unread(&tokens, Meaning::Model(&asked)));
    assert!(unread(&tokens, Meaning::Model(&named)), "most tokens stand in the body");
    assert!(!unread(&tokens, Meaning::Plain));
    assert!(!unread(&calls(""), Meaning::Model(&asked)), "a call is a call");
    assert!(unread(&calls("model = \"gpt-5*\""), Meaning::Model(&asked)));
    assert!(!unread(&calls("model = \"gpt-5*\""), Meaning::Model(&named)), "its path says the model");
    assert!(!unread(&calls("provider = \"anthropic\""), Meaning::Model(&asked)));
    assert!(!unread(&quota_with(""), Meaning::Model(&asked)), "what is refused uses nothing");
    let denied = format!("{tokens}[[deny]]\nname = \"none\"\nhost = \"*.openai.com\"\n");
    assert!(!unread(&denied, Meaning::Model(&asked)));
    let observed = format!("mode = \"observe\"\n{}", quota_with(""));
    assert!(unread(&observed, Meaning::Model(&asked)), "what is only observed uses something");
    let elsewhere = format!("{ALLOW}{}", quota_with("host = \"api.anthropic.com\""));
    assert!(!unread(&elsewhere, Meaning::Model(&asked)));
    let document = document(&tokens);
    let read = call("api.openai.com", Meaning::Model(&named), true);
    assert!(!PolicySet::compile([&document]).needs_body(&read));
}

#[test]
fn labels_of_the_agent_are_quotas_of_its_own() {
    let facts = agent(&[("quota.tokens-per-hour", "5000"), ("team", "search")]);
    let document = document(&quota_with(""));
    let set = PolicySet::for_agent([&document], &facts);
    let names: Vec<_> =
        set.quotas().iter().map(|quota| (quota.policy(), quota.name(), quota.limit())).collect();
    assert_eq!(names, [("p", "q", 10), ("agent", "tokens-per-hour", 5000)]);
    assert_eq!(PolicySet::compile([&document]).quotas().len(), 1);
}

#[test]
fn quotas_of_several_documents_stand_by_name_of_policy() {
    let text = |name: &str, agents: &str| {
        format!("version = 1\nname = \"{name}\"\n{agents}\n{}", quota_with("")).replace("\"q\"", "\"tokens\"")
    };
    let documents = [("b", ""), ("a", ""), ("c", "[agents]\nnames = \"writer\"")]
        .map(|(name, agents)| Document::parse("p.toml", &text(name, agents)).unwrap());
    let set = PolicySet::for_agent(&documents, &agent(&[]));
    let names: Vec<_> = set.quotas().iter().map(|quota| quota.policy()).collect();
    assert_eq!(names, ["a", "b"], "the document for others has no say");
}

#[test]
fn explain_shows_what_counts_a_call() {
    let document = document(&format!(
        "{ALLOW}{}[[budget]]\nname = \"money\"\nlimit = \"2.5\"\ncurrency = \"USD\"\nperiod = \"hourly\"\nper = \"parent\"\n",
        quota_with("model = \"gpt-5*\"")
    ));
    let set = PolicySet::compile([&document]);
    let asked = model("openai", None, ModelOperation::Chat);
    let shown = set.explain(&call("api.openai.com", Meaning::Model(&asked), true)).to_string();
    let tokens = "  quota p/q: 10 tokens of llm.tokens daily per agent, then block; it may count this call\n";
    let money = "  quota p/money: 2.50 USD of llm.cost hourly per parent, then block\n";
    assert!(shown.ends_with(&format!("{tokens}{money}")), "{shown}");
    let plain = set.explain(&call("h.example", Meaning::Plain, true)).to_string();
    assert!(!plain.contains("quota"), "{plain}");
}

#[test]
fn a_quota_that_counts_nothing_and_too_many_at_once_are_found() {
    let found = |texts: &[String]| -> Vec<(FindingKind, String)> {
        let documents: Vec<Document> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| {
                Document::parse("p.toml", &format!("version = 1\nname = \"p{at}\"\n{text}")).unwrap()
            })
            .collect();
        findings(&documents).into_iter().map(|finding| (finding.kind, finding.message)).collect()
    };
    let rule = "[[allow]]\nname = \"a\"\nhost = \"api.openai.com\"\n";
    let elsewhere = quota_with("host = \"api.anthropic.com\"");
    let uncounted = "no allow rule is about any host of `p0/q`, so no call counts".to_owned();
    assert_eq!(found(&[format!("{rule}{elsewhere}")]), [(FindingKind::Uncounted, uncounted)]);
    assert_eq!(found(std::slice::from_ref(&elsewhere)), [], "rules may stand in other documents");
    let provider = quota_with("provider = \"opena\"");
    let unknown = "`p0/q` names the provider `opena`, which no policy here does".to_owned();
    assert_eq!(found(&[provider]), [(FindingKind::Uncounted, unknown)]);
    let five: String = (0..5).map(|at| quota_with("").replace("\"q\"", &format!("\"q{at}\""))).collect();
    let crowded = found(&[five.clone(), five.clone()]);
    assert_eq!(crowded.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [FindingKind::Crowded]);
    let others = format!("[agents]\nnames = \"writer\"\n{five}");
    let third = format!("[agents]\nnames = \"reader\"\n{five}");
    assert_eq!(found(&[others, third]), [], "they are for different agents");
}
