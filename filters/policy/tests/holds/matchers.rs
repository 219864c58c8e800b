//! What a hold asks of a call.

use std::time::Duration;

use creto_call::{Call, Details, Kind, Meaning, ModelCall, ModelOperation};
use creto_policy::{MAX_HELD, MAX_HOLDS, MAX_SET_HOLDS, PolicySet};
use http::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::world::{
    ALLOW, PEOPLE, agent, call, document, held, hold, mcp, message, model, named, names, post, set, tool,
};

/// Whether a hold that asks this matches, with its body read and no cost known.
fn holds(lines: &str, call: &Call<'_>) -> bool {
    !held(&set(&hold("h", lines)), call, None).is_empty()
}

#[test]
fn every_matcher_of_the_request_line_is_asked() {
    for (lines, method, path, expected) in [
        ("", "GET", "/a", true),
        ("method = \"DELETE\"", "DELETE", "/a", true),
        ("method = [\"DELETE\", \"PUT\"]", "GET", "/a", false),
        ("path = \"/admin/**\"", "GET", "/admin/users", true),
        ("path = \"/admin/**\"", "GET", "/other", false),
        // One of the ways to read it is enough.
        ("path = \"/admin/**\"", "GET", "/x/../admin/users", true),
        ("path = \"/admin/**\"", "GET", "/%61dmin/users", true),
        ("port = 8443", "GET", "/a", false),
        ("port = \"400-500\"", "GET", "/a", true),
    ] {
        assert_eq!(holds(lines, &call(method, "a.example", path)), expected, "{lines} {method} {path}");
    }
}

#[test]
fn every_kind_of_host_is_asked() {
    for (host, called, expected) in [
        ("\"a.example\"", "a.example", true),
        ("\"a.example\"", "b.example", false),
        ("\"*.example\"", "a.example", true),
        ("\"*.example\"", "example", false),
        ("\"10.0.0.0/8\"", "10.1.2.3", true),
        ("\"10.0.0.0/8\"", "11.1.2.3", false),
        ("[\"x.example\", \"*.example\", \"a.example\"]", "a.example", true),
    ] {
        let text = format!("[[hold]]\nname = \"h\"\nhost = {host}\n{PEOPLE}");
        // Named once, whatever it is found by.
        let expected: &[&str] = if expected { &["p/h"] } else { &[] };
        assert_eq!(held(&set(&text), &call("GET", called, "/"), None), expected, "{host} {called}");
    }
}

#[test]
fn models_and_providers_are_asked_without_regard_to_case() {
    let gpt = model("openai", Some("GPT-5-Pro"));
    let unnamed = model("openai", None);
    for (lines, asked, expected) in [
        ("model = \"gpt-5-pro*\"", &gpt, true),
        ("model = \"*opus*\"", &gpt, false),
        ("provider = \"openai\"", &gpt, true),
        ("provider = \"anthropic\"", &gpt, false),
        // Left to the provider: it may be any.
        ("model = \"*opus*\"", &unnamed, true),
    ] {
        assert_eq!(holds(lines, &post("a.example", Meaning::Model(asked), true)), expected, "{lines}");
    }
    assert!(!holds("model = \"*\"", &call("GET", "a.example", "/")));
}

#[test]
fn tools_and_their_arguments_are_asked() {
    let big = tool("bank", "transfer", json!({"amount": 500, "to": "acme"}));
    let small = tool("bank", "transfer", json!({"amount": 5}));
    let odd = tool("bank", "transfer", json!({"amount": "500"}));
    let list = mcp("bank", "tools/list");
    for (lines, message, expected) in [
        ("tool = \"transfer\"", &big, true),
        ("tool = \"trans*\"", &big, true),
        ("tool = \"read\"", &big, false),
        ("tool = \"transfer\"", &list, false),
        ("mcp_server = \"bank\"", &list, true),
        ("mcp_server = \"shop\"", &big, false),
        ("mcp_method = \"tools/list\"", &list, true),
        ("tool = \"transfer\"\narguments = { amount = { min = 100 } }", &big, true),
        ("tool = \"transfer\"\narguments = { amount = { min = 100 } }", &small, false),
        // Of another type than the condition: it cannot be told, so people are asked.
        ("tool = \"transfer\"\narguments = { amount = { min = 100 } }", &odd, true),
    ] {
        assert_eq!(
            holds(lines, &post("a.example", Meaning::Mcp(message), true)),
            expected,
            "{lines} {message:?}"
        );
    }
}

#[test]
fn skills_of_other_agents_are_asked() {
    let pay = message("shop", "SendMessage", Some("pay"));
    let any = message("shop", "SendMessage", None);
    let read = message("shop", "GetTask", None);
    for (lines, message, expected) in [
        ("skill = \"pay*\"", &pay, true),
        ("skill = \"ship\"", &pay, false),
        ("a2a_agent = \"shop\"", &read, true),
        ("a2a_agent = \"bank\"", &pay, false),
        // The other agent chooses.
        ("skill = \"ship\"", &any, true),
        ("skill = \"ship\"", &read, false),
    ] {
        assert_eq!(holds(lines, &post("a.example", Meaning::A2a(message), true)), expected, "{lines}");
    }
}

#[test]
fn expressions_are_asked_and_an_error_holds() {
    let mut headers = HeaderMap::new();
    headers.insert("x-risk", HeaderValue::from_static("high"));
    let details = Details { size: Some(0), headers: Some(&headers), ..Details::default() };
    let risky = Call { details, ..call("GET", "a.example", "/") };
    for (lines, expected) in [
        ("when = 'request.headers[\"x-risk\"] == \"high\"'", true),
        ("when = 'request.headers[\"x-risk\"] == \"low\"'", false),
        // No such header: the expression has no value.
        ("when = 'request.headers[\"x-other\"] == \"low\"'", true),
        ("when = 'request.method == \"GET\" && destination.port == 443'", true),
        // Whose set it is, is not known.
        ("when = 'agent.trust == \"untrusted\"'", true),
    ] {
        assert_eq!(holds(lines, &risky), expected, "{lines}");
    }
    let text = format!("{ALLOW}{}", hold("h", "when = 'agent.name == \"writer\"'"));
    let document = document(&text);
    for (name, expected) in [("writer", 1), ("reader", 0)] {
        let set = PolicySet::for_agent([&document], &agent(name));
        assert_eq!(held(&set, &risky, None).len(), expected, "{name}");
    }
}

#[test]
fn what_a_call_may_cost_is_compared_with_what_is_reserved() {
    let set = set(&hold("dear", "cost_over = \"5.00 USD\""));
    assert!(set.holds_ask_cost());
    let asked = model("openai", Some("gpt-5"));
    let dear = post("a.example", Meaning::Model(&asked), true);
    for (cost, expected) in [
        (Some(0), false),
        (Some(5_000_000_000), false),
        (Some(5_000_000_001), true),
        (Some(u64::MAX), true),
        // Not known: people are asked.
        (None, true),
    ] {
        assert_eq!(!held(&set, &dear, cost).is_empty(), expected, "{cost:?}");
    }
    let counting = ModelCall { operation: ModelOperation::CountTokens, ..asked };
    assert_eq!(held(&set, &post("a.example", Meaning::Model(&counting), true), None).len(), 0);
    // No call of a model costs nothing.
    assert_eq!(held(&set, &call("POST", "a.example", "/"), None).len(), 0);
    assert!(!self::set(&hold("h", "method = \"GET\"")).holds_ask_cost());
}

#[test]
fn what_a_tool_does_is_what_its_server_is_said_to_do() {
    let server = "[[mcp_server]]\nname = \"crm\"\nhost = \"a.example\"\n\
        reversibility = { \"get_*\" = \"read-only\", \"*_mail\" = \"externally-reversible\", \"send_*\" = \"reversible\", \
        \"delete_*\" = \"irreversible\" }\n";
    let asks = "reversibility = [\"externally-reversible\", \"irreversible\"]";
    let set = set(&format!("{server}{}", hold("h", asks)));
    let of = |name: &str| tool("crm", name, json!({}));
    for (message, expected) in [
        (of("get_contact"), false),
        (of("send_form"), false),
        (of("delete_contact"), true),
        // Two globs mean it: the higher class counts.
        (of("send_mail"), true),
        // Nothing is said of it.
        (of("merge"), true),
        (mcp("crm", "tools/list"), false),
        (mcp("crm", "initialize"), false),
        (mcp("crm", "resources/read"), false),
        (mcp("crm", ""), false),
        (mcp("crm", "tasks/cancel"), true),
        (mcp("crm", "unheard/of"), true),
    ] {
        let call = post("a.example", Meaning::Mcp(&message), true);
        assert_eq!(!held(&set, &call, None).is_empty(), expected, "{message:?}");
    }
    // Of a server that no policy names nothing is known.
    let message = tool("", "get_contact", json!({}));
    assert_eq!(held(&set, &post("b.example", Meaning::Mcp(&message), true), None), ["p/h"]);
    assert_eq!(held(&set, &call("POST", "a.example", "/"), None).len(), 0);
}

#[test]
fn every_hold_that_matches_counts_from_whatever_document() {
    let (one, two) = (
        named("one", &format!("{ALLOW}{}{}", hold("b", ""), hold("a", "reason = \"it writes\""))),
        named("two", &hold("c", "inline = \"0s\"")),
    );
    let set = PolicySet::compile([&two, &one]);
    let call = call("GET", "a.example", "/");
    assert_eq!(held(&set, &call, None), ["one/b", "one/a", "two/c"]);
    let holds = set.holds(&call, None);
    let said: Vec<_> = holds.held().map(|held| (held.inline, held.reason)).collect();
    let usual = Duration::from_secs(50);
    assert_eq!(said, [(usual, None), (usual, Some("it writes")), (Duration::ZERO, None)]);
    assert_eq!(holds.inline(), Some(Duration::ZERO));
}

#[test]
fn documents_for_other_agents_hold_nothing() {
    let other = named("other", &format!("[agents]\nnames = [\"writer\"]\n{}", hold("h", "")));
    let all = named("all", ALLOW);
    for (name, expected) in [("writer", 1), ("reader", 0)] {
        let set = PolicySet::for_agent([&other, &all], &agent(name));
        assert_eq!(held(&set, &call("GET", "a.example", "/"), None).len(), expected);
    }
}

#[test]
fn a_document_that_observes_holds_nothing_and_says_what_it_would_have_held() {
    let watching = named("watching", &format!("mode = \"observe\"\n{}", hold("h", "")));
    let strict = named("strict", &format!("{ALLOW}{}", hold("k", "method = \"PUT\"")));
    let set = PolicySet::compile([&watching, &strict]);
    let get = call("GET", "a.example", "/");
    let holds = set.holds(&get, None);
    assert_eq!((names(holds.held()), names(holds.observed())), (vec![], vec!["watching/h".to_owned()]));
    assert!(!holds.is_empty() && !set.could_hold(&get));
    let holds = set.holds(&call("PUT", "a.example", "/"), None);
    assert_eq!(
        (names(holds.held()), names(holds.observed())),
        (vec!["strict/k".into()], vec!["watching/h".into()])
    );
    // Of many that observe the first are said, and nothing is refused.
    let many: String = (0..20).map(|n| hold(&format!("h{n}"), "")).collect();
    let watching = named("watching", &format!("mode = \"observe\"\n{ALLOW}{many}"));
    let set = PolicySet::compile([&watching]);
    let holds = set.holds(&get, None);
    assert_eq!((holds.too_many(), holds.observed().count(), holds.held().count()), (false, MAX_HELD, 0));
    assert_eq!(names(holds.observed())[7], "watching/h7");
}

#[test]
fn more_holds_than_can_be_asked_refuse_the_call() {
    for (count, expected) in [(MAX_HELD, false), (MAX_HELD + 1, true), (100, true)] {
        let many: String = (0..count).map(|n| hold(&format!("h{n}"), "")).collect();
        let set = set(&many);
        let holds = set.holds(&call("GET", "a.example", "/"), None);
        assert_eq!((holds.too_many(), holds.held().count()), (expected, MAX_HELD), "{count}");
        assert!(!holds.is_empty());
    }
}

#[test]
fn a_set_with_more_holds_than_it_can_have_refuses_every_call() {
    let many: String = (0..MAX_HOLDS).map(|n| hold(&format!("h{n}"), "method = \"PUT\"")).collect();
    let documents: Vec<_> =
        (0..=MAX_SET_HOLDS / MAX_HOLDS).map(|n| named(&format!("d{n}"), &format!("{ALLOW}{many}"))).collect();
    let get = call("GET", "a.example", "/");
    let full = PolicySet::compile(&documents[1..]);
    assert!(full.holds(&get, None).is_empty() && !full.could_hold(&get));
    let over = PolicySet::compile(&documents);
    assert!(over.holds(&get, None).too_many() && over.could_hold(&get));
}

#[test]
fn a_tunnel_is_held_by_what_is_known_of_it() {
    let tunnel = Call { kind: Kind::Opaque, details: Details::default(), ..call("", "a.example", "") };
    let allow = "[[allow]]\nname = \"pass\"\nhost = \"*\"\ntls = \"pass\"\n";
    for (lines, expected) in
        [("", true), ("method = \"CONNECT\"", true), ("method = \"GET\"", false), ("path = \"/a\"", false)]
    {
        let set = PolicySet::compile([&document(&format!("{allow}{}", hold("h", lines)))]);
        assert_eq!(!held(&set, &tunnel, None).is_empty(), expected, "{lines}");
    }
}

#[test]
fn long_lists_are_searched_for_all_that_match() {
    // More than are walked: each is found by what it asks.
    let many: String = (0..50)
        .map(|n| {
            let asks = match n % 5 {
                0 => format!("tool = \"t{n}\""),
                1 => format!("model = \"m{n}*\""),
                2 => format!("path = \"/p{n}/**\""),
                3 => "method = \"PUT\"\npath = \"/all/**\"".to_owned(),
                _ => "provider = \"other\"".to_owned(),
            };
            hold(&format!("h{n:02}"), &asks)
        })
        .collect();
    let set = set(&many);
    let message = tool("", "t10", json!({}));
    assert_eq!(held(&set, &post("a.example", Meaning::Mcp(&message), true), None), ["p/h10"]);
    let asked = model("openai", Some("M21-mini"));
    assert_eq!(held(&set, &post("a.example", Meaning::Model(&asked), true), None), ["p/h21"]);
    assert_eq!(held(&set, &call("GET", "a.example", "/p42/x"), None), ["p/h42"]);
    assert_eq!(held(&set, &call("GET", "a.example", "/x"), None).len(), 0);
    assert!(set.holds(&call("PUT", "a.example", "/all/x"), None).too_many());
}
