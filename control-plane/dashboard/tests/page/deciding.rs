//! Forms that decide.

use creto_approvals::ApprovalError;
use creto_oversight::{Channel, Decision, Status};
use http::StatusCode;

use crate::world::{MINUTE, World, digest, now, person};

#[tokio::test]
async fn an_approval_counts_for_the_one_who_is_signed_in_over_the_page() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    assert!(bob.get("/").await.text.contains("<strong>1</strong> waiting"));
    let form = [
        ("digest", digest(1)),
        ("uses", "2".into()),
        ("for_ms", "900000".into()),
        ("reason", "yearly fee".into()),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // Whoever names somebody else in the form is still themselves.
    let form: Vec<_> = form.into_iter().chain([("person", "carol"), ("name", "carol")]).collect();
    let answer = bob.step(id, "approve", &form).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, format!("/approvals/{id}").as_str())
    );
    let Status::Approved(approved) = world.desk.get("default", id).await.unwrap().status else { panic!() };
    let vote = &approved.votes()[0];
    assert_eq!(
        (vote.person.as_str(), vote.channel, vote.reason.as_deref()),
        ("bob", Channel::Page, Some("yearly fee"))
    );
    assert_eq!(vote.decision, Decision::Approve { uses: 2, for_ms: 15 * MINUTE });
    let shown = bob.get(&format!("/approvals/{id}")).await.text;
    assert!(
        shown.contains("approves 2×, for 15 min")
            && shown.contains("yearly fee")
            && shown.contains("2 of 2 uses")
    );
}

#[tokio::test]
async fn a_denial_carries_the_reason_that_was_chosen_and_what_was_written() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let form =
        [("digest", digest(1)), ("preset", "Not expected now".into()), ("reason", "ask on Monday".into())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.signed_in("carol").await.step(id, "deny", &form).await;
    let Status::Denied(denied) = world.desk.get("default", id).await.unwrap().status else { panic!() };
    assert_eq!(denied.reason.as_deref(), Some("Not expected now: ask on Monday"));
}

#[tokio::test]
async fn a_form_without_its_token_or_from_elsewhere_decides_nothing() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    let (mut carol, path) = (world.signed_in("carol").await, format!("/approvals/{id}/approve"));
    let (own, others) = (bob.get("/").await.token(), carol.get("/").await.token());
    let cookie = bob.cookies.values().next().unwrap().clone();
    for token in ["", "x", &others, &"0".repeat(64), &own.to_uppercase(), &cookie] {
        let answer = bob.post(&path, &[("token", token), ("digest", &digest(1))]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!(bob.post(&path, &[("digest", &digest(1))]).await.status, StatusCode::FORBIDDEN);
    let twice = [("token", own.as_str()), ("token", own.as_str()), ("digest", &digest(1))];
    assert_eq!(bob.post(&path, &twice).await.status, StatusCode::FORBIDDEN);
    let form = [("token", own.as_str()), ("digest", &digest(1))];
    for (origin, site) in [
        ("http://evil.example", ""),
        ("http://evil.example", "cross-site"),
        ("null", ""),
        ("null", "cross-site"),
        ("null", "same-site"),
        ("", ""),
        ("", "none"),
        ("https://127.0.0.1", "same-origin"),
    ] {
        let mut elsewhere = bob.clone();
        elsewhere.headers.insert("origin", origin.to_owned());
        elsewhere.headers.insert("sec-fetch-site", site.to_owned());
        assert_eq!(elsewhere.post(&path, &form).await.status, StatusCode::FORBIDDEN, "{origin} {site}");
    }
    let mut rebound = bob.clone();
    rebound.headers.insert("host", format!("evil.example:{}", bob.address.port()));
    assert_eq!(rebound.post(&path, &form).await.status, StatusCode::MISDIRECTED_REQUEST);
    let mut json = bob.clone();
    json.headers.insert("content-type", "text/plain".to_owned());
    assert_eq!(json.post(&path, &form).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(world.word(id).await, "pending");
    // The one that is right, from a browser that says its origin only.
    let mut older = bob.clone();
    older.headers.insert("origin", format!("http://{}", bob.address));
    older.headers.insert("sec-fetch-site", String::new());
    assert_eq!(older.post(&path, &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.word(id).await, "approved");
}

#[tokio::test]
async fn a_vote_for_something_else_than_what_is_asked_does_not_count() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    let stale = bob.step(id, "approve", &[("digest", &digest(2))]).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert!(stale.text.contains("look at it again"));
    for wrong in ["", "sha256:00", &digest(1).to_uppercase()] {
        let answer = bob.step(id, "approve", &[("digest", wrong)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    assert_eq!(world.word(id).await, "pending");
}

#[tokio::test]
async fn nobody_votes_twice_or_unasked_or_on_their_own_request_or_beyond_policy() {
    let world = World::start().await;
    let shown = digest(1);
    let form = [("digest", shown.as_str())];
    let id = world.ask(1).await;
    for (name, says) in [
        ("dave", "not among the people"),
        ("erin", "not among the people"),
        ("root", "not among the people"),
        ("alice", "nobody decides about their own request"),
        ("vera", "may look"),
    ] {
        let mut browser = world.signed_in(name).await;
        let page = browser.get(&format!("/approvals/{id}")).await;
        assert!(!page.text.contains("id=\"approve\""), "{name} sees no form");
        for step in ["approve", "deny", "ask", "escalate"] {
            let answer = browser.step(id, step, &form).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name} {step}");
            assert!(answer.text.contains(says), "{name}: {}", answer.text);
        }
    }
    let mut bob = world.signed_in("bob").await;
    for (uses, for_ms) in [("0", "0"), ("4", "0"), ("1", "3600001"), ("x", "0"), ("-1", "0"), ("1", "1e3")] {
        let form = [("digest", shown.as_str()), ("uses", uses), ("for_ms", for_ms)];
        let answer = bob.step(id, "approve", &form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{uses} {for_ms}");
    }
    assert_eq!(world.word(id).await, "pending");
    assert_eq!(bob.step(id, "approve", &form).await.status, StatusCode::SEE_OTHER);
    let twice = bob.step(id, "deny", &form).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    assert_eq!(world.word(id).await, "approved");
}

#[tokio::test]
async fn somebody_of_another_namespace_sees_and_decides_nothing() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let role = creto_dashboard::people::Role::Admin;
    world.people.add("other", &person("bob"), role, crate::world::PASSWORD, now()).await.unwrap();
    let mut other = world.browser();
    other.sign_in("other", "bob", crate::world::PASSWORD).await;
    assert!(other.get("/?state=all").await.text.contains("There are none."));
    assert_eq!(other.get(&format!("/approvals/{id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other.get(&format!("/approvals/{id}/standing")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other.get(&format!("/review?id={id}")).await.status, StatusCode::NOT_FOUND);
    let token = other.get("/").await.token();
    for step in ["approve", "deny", "cancel", "revoke", "answer", "reassign"] {
        let form = [("token", token.as_str()), ("digest", &digest(1)), ("from", "bob"), ("to", "erin")];
        let answer = other.post(&format!("/approvals/{id}/{step}"), &form).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{step}");
    }
    assert_eq!(world.word(id).await, "pending");
}

#[tokio::test]
async fn two_who_decide_at_once_make_one_decision_and_the_other_is_told() {
    let world = World::start().await;
    for round in 1..=8 {
        let id = world.ask(round).await;
        let (mut bob, mut carol) = (world.signed_in("bob").await, world.signed_in("carol").await);
        let shown = digest(round);
        let form = [("digest", shown.as_str())];
        let (one, other) = tokio::join!(bob.step(id, "approve", &form), carol.step(id, "deny", &form));
        let mut statuses = [one.status, other.status];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::CONFLICT]);
        let wanted = if one.status == StatusCode::SEE_OTHER { "approved" } else { "denied" };
        assert_eq!(world.word(id).await, wanted);
    }
}

#[tokio::test]
async fn questions_are_asked_and_answered_and_decisions_handed_up_and_on() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let shown = digest(1);
    let form = |more: &[(&'static str, &'static str)]| {
        let mut form = vec![("digest", shown.as_str())];
        form.extend_from_slice(more);
        form
    };
    let (mut bob, mut alice) = (world.signed_in("bob").await, world.signed_in("alice").await);
    assert_eq!(bob.step(id, "ask", &form(&[])).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    bob.step(id, "ask", &form(&[("reason", "which invoice?")])).await;
    assert_eq!(world.word(id).await, "info_requested");
    alice.step(id, "answer", &[("text", "number 7")]).await;
    let page = bob.get(&format!("/approvals/{id}")).await.text;
    assert!(page.contains("which invoice?") && page.contains("number 7"));
    // Who asks for it does not choose who decides; an approver hands on their own place only; an admin any.
    for (name, from, to, status) in [
        ("alice", "bob", "erin", StatusCode::FORBIDDEN),
        ("bob", "carol", "erin", StatusCode::FORBIDDEN),
        ("bob", "bob", "alice", StatusCode::FORBIDDEN),
        ("bob", "bob", "vera", StatusCode::FORBIDDEN),
        ("bob", "bob", "nobody", StatusCode::FORBIDDEN),
        ("bob", "bob", "carol", StatusCode::FORBIDDEN),
        ("root", "carol", "erin", StatusCode::SEE_OTHER),
    ] {
        let answer = world.signed_in(name).await.step(id, "reassign", &[("from", from), ("to", to)]).await;
        assert_eq!(answer.status, status, "{name}: {from} to {to}");
    }
    bob.step(id, "escalate", &form(&[("reason", "above me")])).await;
    assert_eq!(world.word(id).await, "escalated");
    let late = world.signed_in("erin").await.step(id, "approve", &form(&[])).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
    let mut dave = world.signed_in("dave").await;
    assert_eq!(dave.step(id, "escalate", &form(&[])).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    dave.step(id, "approve", &form(&[])).await;
    assert_eq!(world.word(id).await, "approved");
}

#[tokio::test]
async fn requests_are_cancelled_and_approvals_taken_back_by_those_whose_it_is() {
    let world = World::start().await;
    let (id, shown) = (world.ask(1).await, digest(1));
    let refused = world.signed_in("erin").await.step(id, "cancel", &[("reason", "x")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let long = "x".repeat(creto_oversight::MAX_REASON_BYTES + 1);
    let mut bob = world.signed_in("bob").await;
    assert_eq!(bob.step(id, "cancel", &[("reason", &long)]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    world.signed_in("alice").await.step(id, "cancel", &[("reason", "paid by hand")]).await;
    assert_eq!(world.word(id).await, "cancelled");
    let (id, other) = (world.ask(2).await, digest(2));
    bob.step(id, "approve", &[("digest", &other)]).await;
    assert_eq!(world.signed_in("erin").await.step(id, "revoke", &[]).await.status, StatusCode::FORBIDDEN);
    bob.step(id, "revoke", &[("reason", "wrong account")]).await;
    assert_eq!(world.word(id).await, "revoked");
    assert_eq!(bob.step(id, "approve", &[("digest", &shown)]).await.status, StatusCode::CONFLICT);
    let page = bob.get(&format!("/approvals/{id}")).await.text;
    assert!(page.contains("taken back by bob") && page.contains("wrong account"));
}

#[tokio::test]
async fn several_are_decided_at_once_each_shown_whole_each_by_its_digest() {
    let world = World::start().await;
    let ids = [world.ask(1).await, world.ask(2).await, world.ask(3).await];
    let mut bob = world.signed_in("bob").await;
    let query = ids.map(|id| format!("id={id}")).join("&");
    let page = bob.get(&format!("/review?{query}")).await;
    for (id, byte) in ids.iter().zip(1..) {
        assert!(page.text.contains(&format!("value=\"{id} {}\"", digest(byte))), "{id}");
    }
    assert_eq!(page.text.matches("CH93").count(), 3 * 2);
    let token = page.token();
    let carol = digest(3);
    world.signed_in("carol").await.step(ids[2], "deny", &[("digest", &carol)]).await;
    // The second was shown as something else; the third is decided by now.
    let items = [
        format!("{} {}", ids[0], digest(1)),
        format!("{} {}", ids[1], digest(9)),
        format!("{} {}", ids[2], digest(3)),
    ];
    let mut form = vec![("token", token.as_str()), ("decision", "approve")];
    form.extend(items.iter().map(|item| ("item", item.as_str())));
    let outcome = bob.post("/review", &form).await;
    assert_eq!(outcome.status, StatusCode::OK);
    assert!(
        outcome.text.contains("1 of 3 approved") && outcome.text.contains("look at it again"),
        "{}",
        outcome.text
    );
    assert_eq!(
        [world.word(ids[0]).await, world.word(ids[1]).await, world.word(ids[2]).await],
        ["approved", "pending", "denied"]
    );
    for (form, status) in [
        (vec![("decision", "approve")], StatusCode::UNPROCESSABLE_ENTITY),
        (vec![("item", items[1].as_str())], StatusCode::UNPROCESSABLE_ENTITY),
        (vec![("decision", "approve"), ("item", "x")], StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let form: Vec<_> = form.into_iter().chain([("token", token.as_str())]).collect();
        assert_eq!(bob.post("/review", &form).await.status, status);
    }
    let many: String = (0..=creto_dashboard::MAX_REVIEWED).map(|_| format!("id={}&", ids[0])).collect();
    assert_eq!(bob.get(&format!("/review?{many}")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut vera = world.signed_in("vera").await;
    let page = vera.get(&format!("/review?{query}")).await;
    assert!(!page.text.contains("name=\"item\""));
    let form = [("token", page.token()), ("decision", "deny".into()), ("item", items[1].clone())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(vera.post("/review", &form).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_ended_cannot_be_decided_any_more() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    world.desk.tick(now() + 10 * MINUTE).await.unwrap();
    world.desk.tick(now() + 21 * MINUTE).await.unwrap();
    assert_eq!(world.word(id).await, "timed_out");
    let shown = digest(1);
    assert_eq!(bob.step(id, "approve", &[("digest", &shown)]).await.status, StatusCode::CONFLICT);
    let error = world.desk.cancel("default", id, ("x", "bob"), now()).await.unwrap_err();
    assert!(matches!(error, ApprovalError::Illegal { .. }));
}
