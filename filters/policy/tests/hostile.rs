//! Documents and calls made to be slow: refused when they are read, or decided in bounded time.
//!
//! Times are of builds without optimization, and far above what is needed: they catch what grows with a square.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use creto_call::{
    Call, Capture, Decision, Details, Kind, McpCall, Meaning, ModelApi, ModelCall, ModelOperation, Scheme,
};
use creto_policy::{Document, MAX_RULES, PolicySet};
use serde_json::json;

/// What it says, which has to come within the time.
fn within<T>(limit: Duration, what: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let out = what();
    assert!(started.elapsed() < limit, "took {:?} of {limit:?}", started.elapsed());
    out
}

const SOON: Duration = Duration::from_secs(2);

fn refused(text: &str) -> String {
    within(SOON, || Document::parse("p.toml", text)).expect_err("this document is too much").render(false)
}

fn document(rest: &str) -> Document {
    let text = format!("version = 1\nname = \"p\"\n{rest}");
    Document::parse("p.toml", &text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn call<'c>(host: &'c str, path: &'c str, meaning: Meaning<'c>) -> Call<'c> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method: "POST",
        host,
        port: 443,
        path,
        details: Details { meaning, body_read: true, size: Some(9), ..Details::default() },
    }
}

#[test]
fn a_hundred_thousand_rules_are_refused_at_once_and_the_bound_is_named() {
    let mut long = String::from("version = 1\nname = \"p\"\n");
    for n in 0..100_000 {
        write!(long, "[[deny]]\nname=\"r{n}\"\nhost=\"*\"\n").unwrap();
    }
    let shown = refused(&long);
    assert!(shown.contains("at most 1048576 are read"), "{shown}");
    assert!(shown.contains("one has at most 10000 rules"), "{shown}");
}

#[test]
fn too_many_rules_in_few_bytes_are_refused_and_the_bound_is_named() {
    let mut short = String::from("version = 1\nname = \"p\"\nallow = [");
    for n in 0..35_000 {
        write!(short, "{{name=\"{n}\",host=\"*\"}},").unwrap();
    }
    short.push(']');
    let shown = refused(&short);
    assert!(shown.contains("a document has at most 10000 rules"), "{shown}");
    assert!(shown.contains("1 problem\n"), "one is enough: {shown}");
}

#[test]
fn several_documents_of_the_most_rules_compile_and_decide() {
    let documents: Vec<Document> = (0..5)
        .map(|at| {
            let mut text = format!("version = 1\nname = \"p{at}\"\n");
            for n in 0..MAX_RULES {
                write!(text, "[[allow]]\nname=\"r{n}\"\nhost=\"h{n}.d{at}.test\"\npath=\"/{n}/**\"\n")
                    .unwrap();
            }
            Document::parse("p.toml", &text).unwrap()
        })
        .collect();
    let set = within(Duration::from_secs(20), || PolicySet::compile(&documents));
    assert_eq!(set.rule_count(), 5 * MAX_RULES);
    within(SOON, || {
        for n in 0..2_000 {
            let (host, path) = (format!("h{}.d{}.test", n * 5, n % 5), format!("/{}/x", n * 5));
            let call = call(&host, &path, Meaning::Plain);
            let rule = format!("r{}", n * 5);
            assert!(matches!(set.decide(&call), Decision::Allow { by } if by.rule == rule));
        }
    });
}

#[test]
fn the_most_rules_of_one_host_are_walked_in_bounded_time() {
    let mut text = String::new();
    for n in 0..MAX_RULES {
        write!(text, "[[deny]]\nname=\"r{n}\"\nhost=\"*\"\nport=\"{}-{}\"\n", 1 + n, 2 + n).unwrap();
    }
    let set = PolicySet::compile([&document(&text)]);
    let call = call("h.test", "/", Meaning::Plain);
    within(SOON, || {
        for _ in 0..100 {
            assert!(
                matches!(set.decide(&call), Decision::Deny(refusal) if refusal.by.unwrap().rule == "r441")
            );
        }
    });
}

#[test]
fn globs_with_the_most_stars_take_time_linear_in_what_they_match() {
    let paths = [
        "/**a".to_owned() + &"**a".repeat(15),
        "/".to_owned() + &"*a".repeat(16),
        "/**".to_owned() + &"a*".repeat(15) + "b",
    ];
    let mut text = String::new();
    for (n, path) in paths.iter().enumerate() {
        write!(text, "[[allow]]\nname=\"p{n}\"\nhost=\"h.test\"\npath=\"{path}\"\n").unwrap();
    }
    let set = PolicySet::compile([&document(&text)]);
    let time = |length: usize| {
        let path = "/".to_owned() + &"a".repeat(length) + "c";
        let call = call("h.test", &path, Meaning::Plain);
        within(SOON, || (0..20).for_each(|_| assert!(!set.decide(&call).lets_through())));
    };
    time(1_000);
    time(60_000);
    let segments = "/".to_owned() + &"a/".repeat(30_000) + "c";
    within(SOON, || assert!(!set.decide(&call("h.test", &segments, Meaning::Plain)).lets_through()));
}

#[test]
fn globs_over_names_and_arguments_take_bounded_time() {
    // Searched for all of the text and nearly found everywhere.
    let stars = format!("*{}c*b*", "a".repeat(200));
    let text = format!(
        "[[deny]]\nname=\"m\"\nhost=\"*\"\nmodel=\"{stars}\"\n\
         [[deny]]\nname=\"t\"\nhost=\"*\"\ntool=\"{stars}\"\n\
         [[deny]]\nname=\"g\"\nhost=\"*\"\nmcp_method=\"tools/call\"\narguments={{ q = \"{stars}\" }}\n\
         [[allow]]\nname=\"a\"\nhost=\"*\"\n"
    );
    let set = PolicySet::compile([&document(&text)]);
    for length in [1_000, 60_000, 1_000_000] {
        let long = "a".repeat(length);
        let model = ModelCall {
            provider: "openai".into(),
            api: ModelApi::OpenAi,
            operation: ModelOperation::Chat,
            model: Some(long.clone()),
            streaming: false,
            max_output_tokens: None,
            tools: Vec::new(),
            demand: creto_call::Demand::default(),
        };
        let tool = McpCall {
            method: "tools/call".into(),
            tool: Some(long.clone()),
            arguments: Some(json!({ "q": long })),
            ..McpCall::default()
        };
        within(SOON, || {
            for meaning in [Meaning::Model(&model), Meaning::Mcp(&tool)] {
                let decided = set.decide(&call("h.test", "/", meaning));
                // What is too long to be searched is not known, which counts as a match for what denies.
                let searched = length <= if meaning.model().is_some() { 1_000 } else { 60_000 };
                assert_eq!(decided.lets_through(), searched, "{length}: {decided:?}");
            }
        });
    }
}

#[test]
fn an_expression_that_is_dear_is_refused_with_its_cost() {
    let rule = |when: &str| {
        format!("version = 1\nname = \"p\"\n[[deny]]\nname = \"d\"\nhost = \"*\"\nwhen = '''{when}'''\n")
    };
    let nested = "llm.tools.all(a, llm.tools.all(b, llm.tools.all(c, a + b != c)))";
    let shown = refused(&rule(nested));
    assert!(
        shown.contains("the worst case costs ") && shown.contains("at most 20000000 are allowed"),
        "{shown}"
    );
    assert!(shown.contains("take macros out of each other"), "{shown}");
    assert!(shown.contains("p.toml:6:"), "{shown}");

    let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
    let negated = format!("{}true", "!".repeat(2_000));
    let long = format!("request.query == \"{}\"", "x".repeat(5_000));
    let many = format!("request.query in [{}]", "\"x\",".repeat(2_000));
    let pattern = format!("request.query.matches(\"{}\")", "(a{1,100}){1,100}".repeat(4));
    let patterns = vec!["request.query.matches('a')"; 40].join(" || ");
    for source in [deep, negated, long, many, pattern, patterns] {
        let shown = refused(&rule(&source));
        assert!(shown.contains("p.toml:6:"), "{shown}");
    }
}

#[test]
fn an_expression_that_grows_text_ends_and_counts_as_unknown() {
    let grow = "request.query.replace('x', 'xxxxxxxxxxxxxxxx').replace('x', 'xxxxxxxxxxxxxxxx')\
                .replace('x', 'xxxxxxxxxxxxxxxx').replace('x', 'xxxxxxxxxxxxxxxx').replace('x', 'xxxxxxxxxxxxxxxx')\
                .contains('y')";
    for (kind, lets_through) in [("deny", false), ("allow", true)] {
        let text = format!(
            "[[{kind}]]\nname = \"grows\"\nhost = \"*\"\nwhen = \"{grow}\"\n[[allow]]\nname = \"rest\"\nhost = \"*\"\n"
        );
        let set = PolicySet::compile([&document(&text)]);
        let mut call = call("h.test", "/", Meaning::Plain);
        let query = "x".repeat(4_000);
        call.details.query = &query;
        let decision = within(SOON, || set.decide(&call));
        assert_eq!(decision.lets_through(), lets_through, "{decision:?}");
        if let Decision::Allow { by } = decision {
            assert_eq!(by.rule, "rest");
        }
    }
}
