//! What people are told of holds.

use creto_call::Meaning;
use creto_policy::PolicySet;

use crate::world::{ALLOW, call, document, hold, model, named, post, set};

#[test]
fn who_must_approve_is_explained() {
    let text = "[[hold]]\nname = \"deletes\"\nhost = \"*.example\"\nmethod = \"DELETE\"\n\
        approvers = [\"alice@example.com\", \"bob@example.com\"]\nwait = \"90m\"\nreason = \"it is gone then\"\n\
        escalate = [{ approvers = [\"carol@example.com\"], wait = \"1d\" }]\n";
    let set = set(text);
    let explained = set.explain(&call("DELETE", "a.example", "/x"));
    assert_eq!((explained.verdict, explained.rule.as_deref()), ("held", Some("everything")));
    assert_eq!(
        explained.to_string(),
        "held by p/everything\n\
         \x20 allow p/everything (line 3): host * matches, so does the rest\n\
         \x20 hold  p/deletes (line 7): host *.example matches, so does the rest; waits for any of alice@example.com, \
         bob@example.com for 90m, then carol@example.com for 1d; an approval gives 1 use within 15m; held open for 50s; \
         it is gone then\n"
    );
    let json = serde_json::to_value(&explained).unwrap();
    let hold = &json["holds"][0];
    assert_eq!(
        (&hold["effect"], &hold["matches"], &hold["rule"]),
        (&"hold".into(), &true.into(), &"deletes".into())
    );
    assert_eq!(hold["tiers"][0]["required"], 1);
    assert_eq!(hold["tiers"][1]["approvers"], serde_json::json!(["carol@example.com"]));
    let explained = set.explain(&call("GET", "a.example", "/x"));
    assert_eq!(explained.verdict, "allowed");
    assert!(
        explained.to_string().ends_with("hold  p/deletes (line 7): host *.example matches, but not method\n"),
        "{explained}"
    );
    assert!(set.explain(&call("DELETE", "b.other", "/x")).holds.is_empty());
}

#[test]
fn what_cannot_be_told_is_explained() {
    let set = set(&hold("dear", "cost_over = \"5 USD\""));
    let asked = model("openai", Some("gpt-5"));
    let explained = set.explain(&post("a.example", Meaning::Model(&asked), true));
    assert_eq!(explained.verdict, "held");
    let text = explained.to_string();
    assert!(text.contains("and cost_over cannot be told, which counts as a match for what holds"), "{text}");
    assert!(text.contains("asks above 5.00 USD"), "{text}");
    let explained = set.explain(&call("GET", "a.example", "/"));
    assert!(explained.to_string().contains("but not cost_over"), "{explained}");
}

#[test]
fn a_hold_of_a_document_that_observes_is_explained_as_such() {
    let watching = named("watching", &format!("mode = \"observe\"\n{}", hold("h", "")));
    let strict = named("strict", ALLOW);
    let set = PolicySet::compile([&watching, &strict]);
    let explained = set.explain(&call("GET", "a.example", "/"));
    assert_eq!(explained.verdict, "allowed");
    assert!(
        explained.to_string().contains("the policy observes only, else it would wait for alice"),
        "{explained}"
    );
}

#[test]
fn a_refused_call_waits_for_nobody() {
    let set = PolicySet::compile([&document(&hold("h", ""))]);
    assert_eq!(set.explain(&call("GET", "a.example", "/")).verdict, "denied");
}
