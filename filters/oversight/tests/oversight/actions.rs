//! An approval is for exactly one action.

use std::collections::BTreeSet;

use creto_oversight::{Action, ActionDigest, HeaderPin, is_volatile};
use proptest::prelude::*;

use crate::world::action;

/// Every single change of a covered field.
fn mutations() -> Vec<(&'static str, Action)> {
    let mut changed: Vec<(&'static str, Action)> = Vec::new();
    let mut change = |name: &'static str, edit: &dyn Fn(&mut Action)| {
        let mut other = action();
        edit(&mut other);
        changed.push((name, other));
    };
    change("namespace", &|action| action.namespace.push('x'));
    change("agent", &|action| action.agent.push('x'));
    for byte in 0..32 {
        change("agent id", &|action| action.agent_id[byte] ^= 1);
        change("chain link", &|action| action.chain[byte] ^= 1);
        change("policy version", &|action| action.policy_version[byte] ^= 1);
        change("body", &|action| action.body[byte] ^= 1);
    }
    change("policy", &|action| action.policy.push('x'));
    change("rule", &|action| action.rule.push('x'));
    change("credential gone", &|action| action.credential = None);
    change("credential name", &|action| action.credential.as_mut().unwrap().name.push('x'));
    change("credential version", &|action| action.credential.as_mut().unwrap().version += 1);
    change("method", &|action| action.method = "PUT".to_owned());
    change("scheme", &|action| action.scheme = "http".to_owned());
    change("host", &|action| action.host.push('x'));
    change("port", &|action| action.port += 1);
    change("path", &|action| action.target.insert(1, 'x'));
    change("query", &|action| action.target.push('1'));
    change("header name", &|action| action.headers[0].name.push('x'));
    change("header value", &|action| action.headers[0].value.push(b'x'));
    change("header gone", &|action| drop(action.headers.pop()));
    change("header more", &|action| {
        action.headers.push(HeaderPin { name: "a".to_owned(), value: Vec::new() });
    });
    change("order of equal headers", &|action| action.headers.swap(1, 2));
    change("body length", &|action| action.body_length += 1);
    // What stands beside each other does not run into each other.
    change("method into scheme", &|action| {
        action.method = "POSTh".to_owned();
        action.scheme = "ttps".to_owned();
    });
    changed
}

#[test]
fn any_change_of_a_covered_byte_is_another_action() {
    let asked = action().digest();
    let mut digests = BTreeSet::from([asked]);
    for (name, other) in mutations() {
        assert!(digests.insert(other.digest()), "{name}");
    }
}

#[test]
fn the_order_of_different_headers_does_not_count() {
    let mut other = action();
    other.headers.rotate_left(1);
    assert_eq!(other.digest(), action().digest());
}

#[test]
fn what_changes_with_each_attempt_is_not_bound_and_what_changes_the_call_is() {
    let of_the_attempt =
        ["user-agent", "x-stainless-retry-count", "traceparent", "authorization", "date", "mcp-session-id"];
    for name in of_the_attempt {
        assert!(is_volatile(name), "{name}");
    }
    for name in
        ["content-type", "x-http-method-override", "anthropic-beta", "mcp-protocol-version", "x-tenant"]
    {
        assert!(!is_volatile(name), "{name}");
    }
}

#[test]
fn the_digest_is_what_it_was_when_this_was_written() {
    // Computed by another program from the description of the encoding. Grants outlive programs: a digest that changes with a version would turn approvals into refusals.
    let known = "sha256:7fa98fc05795f457caaa930aa8438c04372f997363eec7a1fce3c4dbdf01c5bb";
    assert_eq!(action().digest().to_string(), known);
    assert_eq!(known.parse(), Ok(action().digest()));
    assert!(known.to_uppercase().parse::<ActionDigest>().is_err());
    assert!(known.trim_start_matches("sha256:").parse::<ActionDigest>().is_err());
}

proptest! {
    #[test]
    fn two_actions_have_one_digest_only_when_they_are_the_same(
        one in (".{0,6}", ".{0,6}", ".{0,6}", prop::collection::vec(("[a-c]{1,2}", "[a-c]{0,2}"), 0..3)),
        other in (".{0,6}", ".{0,6}", ".{0,6}", prop::collection::vec(("[a-c]{1,2}", "[a-c]{0,2}"), 0..3)),
    ) {
        let make = |(method, host, target, headers): &(String, String, String, Vec<(String, String)>)| {
            let headers = headers.iter().map(|(name, value)| HeaderPin { name: name.clone(), value: value.clone().into() });
            let mut headers: Vec<HeaderPin> = headers.collect();
            headers.sort_by(|one, other| one.name.cmp(&other.name));
            Action { method: method.clone(), host: host.clone(), target: target.clone(), headers, ..action() }
        };
        let (one, other) = (make(&one), make(&other));
        prop_assert_eq!(one == other, one.digest() == other.digest());
    }
}
