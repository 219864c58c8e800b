//! When the body has to be read first.

use creto_call::{Call, Kind, Meaning};
use creto_policy::PolicySet;
use serde_json::json;

use crate::world::{ALLOW, call, document, hold, model, named, post, set, tool};

#[test]
fn a_body_is_read_where_a_hold_could_depend_on_it() {
    let set = set(&hold("h", "tool = \"transfer\""));
    let unread = post("a.example", Meaning::Plain, false);
    assert!(set.needs_body(&unread) && set.could_hold(&unread));
    // In doubt people are asked.
    assert_eq!(set.holds(&unread, None).held().count(), 1);
    let message = tool("", "list", json!({}));
    let read = post("a.example", Meaning::Mcp(&message), true);
    assert!(!set.needs_body(&read) && !set.could_hold(&read));
    let nothing = call("GET", "a.example", "/");
    assert!(!set.needs_body(&nothing) && !set.could_hold(&nothing));
}

#[test]
fn a_body_is_read_where_people_must_see_it() {
    let set = set(&hold("h", "method = \"POST\""));
    assert!(set.needs_body(&post("a.example", Meaning::Plain, false)));
    let put = Call { method: "PUT", ..post("a.example", Meaning::Plain, false) };
    assert!(!set.needs_body(&put) && !set.could_hold(&put));
    // A stream both ways cannot be read before it is let through.
    let grpc = Call { kind: Kind::Grpc, ..post("a.example", Meaning::Plain, false) };
    assert!(!set.needs_body(&grpc) && set.could_hold(&grpc));
}

#[test]
fn a_call_that_is_refused_anyway_is_not_read_for_a_hold() {
    let text = format!("[[allow]]\nname = \"a\"\nhost = \"b.example\"\n{}", hold("h", "method = \"POST\""));
    let set = PolicySet::compile([&document(&text)]);
    assert!(!set.needs_body(&post("a.example", Meaning::Plain, false)));
    let text = format!("{ALLOW}[[deny]]\nname = \"d\"\nhost = \"a.example\"\n{}", hold("h", ""));
    let set = PolicySet::compile([&document(&text)]);
    assert!(!set.needs_body(&post("a.example", Meaning::Plain, false)));
    assert!(set.needs_body(&post("b.example", Meaning::Plain, false)));
}

#[test]
fn what_a_call_costs_may_depend_on_its_body() {
    let set = set(&hold("h", "cost_over = \"5.00 USD\""));
    let asked = model("openai", Some("gpt-5"));
    let unread = post("a.example", Meaning::Model(&asked), false);
    assert!(set.needs_body(&unread) && set.could_hold(&unread));
    assert!(!set.needs_body(&post("a.example", Meaning::Plain, false)));
    let read = post("a.example", Meaning::Model(&asked), true);
    assert!(!set.needs_body(&read) && set.could_hold(&read));
}

#[test]
fn a_document_that_observes_reads_only_what_it_needs_to_tell() {
    let watching = |lines: &str| {
        let document = named("p", &format!("mode = \"observe\"\n{ALLOW}{}", hold("h", lines)));
        let set = PolicySet::compile([&document]);
        set.needs_body(&post("a.example", Meaning::Plain, false))
    };
    assert!(watching("tool = \"transfer\""));
    assert!(!watching("method = \"POST\""));
}

#[test]
fn a_set_without_holds_asks_nothing() {
    let set = PolicySet::compile([&document(ALLOW)]);
    let call = post("a.example", Meaning::Plain, false);
    assert!(!set.has_holds() && !set.could_hold(&call) && set.holds(&call, None).is_empty());
    assert!(!set.needs_body(&call));
}
