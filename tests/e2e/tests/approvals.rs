//! Oversight: a call that policy holds waits for people, leaves exactly as they saw it, and leaves once.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::{Duration, Instant};

use creto_test_support::{
    Answer, Approver, FakeProvider, HttpAgent, Plane, Sidecar, Trip, Upstream, Way, eventually,
};
use serde_json::json;

/// An upstream, a control plane, a person, and a policy that holds what is posted to `/held`.
struct Scene {
    upstream: Upstream,
    plane: Plane,
    alice: Approver,
}

fn policy(port: u16, holds: &str) -> String {
    format!(
        "version = 1\nname = \"p\"\n[[provider]]\nname = \"openai\"\nhost = \"localhost\"\nport = {port}\napi = \"openai\"\n\
         [[allow]]\nname = \"all\"\nhost = \"localhost\"\nport = {port}\nprivate = true\n{holds}\n"
    )
}

/// A hold on a path.
fn hold(name: &str, port: u16, path: &str, rest: &str) -> String {
    format!(
        "[[hold]]\nname = \"{name}\"\nhost = \"localhost\"\nport = {port}\npath = \"{path}\"\nwait = \"1h\"\n{rest}\n"
    )
}

impl Scene {
    async fn set(rest: &str) -> Self {
        let upstream = FakeProvider::new().on(Upstream::builder()).start().await;
        let plane = Plane::start().await;
        let alice = plane.approver("alice").await;
        let held = hold("held", upstream.port(), "/echo/**", &format!("approvers = [\"alice\"]\n{rest}"));
        plane.apply_policy(&policy(upstream.port(), &held)).await;
        Self { upstream, plane, alice }
    }

    async fn sidecar(&self) -> Sidecar {
        let agent = self.plane.trusted_agent("caller").await;
        self.plane.sidecar(&agent).trusts(&self.upstream).start().await
    }

    fn transfer(&self, amount: u32) -> Trip {
        Trip::get(Way::Connect, &self.upstream.url("/echo/transfers?urgent=yes"))
            .method("POST")
            .header("content-type", "application/json")
            .header("creto-reason", "The user <b>asked</b> for it.")
            .body(json!({"amount": amount}).to_string())
    }

    /// How often a call has reached the upstream.
    fn sent(&self) -> usize {
        self.upstream.requests().iter().filter(|request| request.path.starts_with("/echo")).count()
    }
}

fn code(answer: &Answer) -> String {
    answer.header("creto-refused")
}

/// Sends it and goes on.
fn begin(agent: &HttpAgent, trip: Trip) -> tokio::task::JoinHandle<Answer> {
    let agent = agent.clone();
    tokio::spawn(async move { agent.go(trip).await })
}

#[tokio::test]
async fn a_held_call_leaves_once_when_it_is_approved_and_a_changed_one_asks_again() {
    let scene = Scene::set("reason = \"money leaves the house\"").await;
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    let free = agent.go(Trip::get(Way::Connect, &scene.upstream.url("/count?id=x"))).await;
    assert_eq!(free.status, 200, "what no hold is about goes out at once");

    let call = begin(&agent, scene.transfer(10));
    let asked = scene.alice.asked().await;
    let shown = asked.context.clone().unwrap();
    assert_eq!(
        (asked.agent_name.as_str(), asked.policy.as_str(), asked.rule.as_str()),
        ("caller", "p", "held")
    );
    assert_eq!((shown.method.as_str(), shown.trigger.as_str()), ("POST", "money leaves the house"));
    assert_eq!(shown.url, scene.upstream.url("/echo/transfers?urgent=yes"));
    assert_eq!(shown.body, br#"{"amount":10}"#);
    assert_eq!(shown.said_by_agent, "The user <b>asked</b> for it.");
    assert!(shown.headers.iter().any(|header| header.name == "content-type"));
    assert!(!shown.headers.iter().any(|header| header.name == "creto-reason"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((scene.sent(), call.is_finished()), (0, false), "nothing leaves while people decide");

    let before = Instant::now();
    scene.alice.approves(&asked).await;
    let answer = call.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(before.elapsed() < Duration::from_secs(2), "it hears of the decision: {:?}", before.elapsed());
    let sent = scene.upstream.requests().into_iter().find(|one| one.path.starts_with("/echo")).unwrap();
    assert!(
        sent.headers.iter().all(|(name, _)| name != "creto-reason"),
        "what is said to people is not for the upstream"
    );
    let done = scene.alice.sees(&asked.id, "executed").await;
    let call = scene.plane.wait_for_ended("/echo/transfers").await;
    assert_eq!(done.uses[0].call_id, call.call_id, "the approval names the call that it let out");

    // Another amount, another path, the same once more: each is another action.
    for trip in [scene.transfer(11), scene.transfer(10)] {
        let call = begin(&agent, trip);
        let again = scene.alice.asked().await;
        assert_ne!(again.id, asked.id);
        scene.alice.denies(&again, "not today").await;
        let refused = call.await.unwrap();
        assert_eq!(
            (refused.status, refused.refusal().as_str()),
            (403, "approval_denied"),
            "{}",
            refused.text()
        );
        assert!(refused.text().contains("not today"), "{}", refused.text());
    }
    assert_eq!(scene.sent(), 1);
}

#[tokio::test]
async fn a_call_nobody_decides_about_is_answered_with_202_and_goes_out_when_it_comes_again() {
    let scene = Scene::set("inline = \"1s\"").await;
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    let pending = agent.go(scene.transfer(10)).await;
    assert_eq!((pending.status, code(&pending).as_str()), (202, "approval_pending"), "{}", pending.text());
    assert_eq!(
        (pending.header("cache-control"), pending.header("retry-after")),
        ("no-store".into(), "5".into())
    );
    let told = pending.json()["approval"].clone();
    assert_eq!((told["status"].as_str(), told["terminal"].as_bool()), (Some("pending"), Some(false)));
    assert_eq!(pending.header("location"), told["status_url"].as_str().unwrap());

    let path = format!("/.creto/approvals/{}", told["operation_id"].as_str().unwrap());
    let status = agent.get_direct(sidecar.address(), &path).await;
    assert_eq!((status.status, status.json()["status"].as_str()), (200, Some("pending")));
    let other = agent.get_direct(sidecar.address(), &format!("/.creto/approvals/{}", "0".repeat(32))).await;
    assert_eq!(other.status, 410, "what is not there is over");

    let asked = scene.alice.asked().await;
    scene.alice.approves(&asked).await;
    let status = agent.get_direct(sidecar.address(), &path).await;
    assert_eq!((status.status, status.json()["status"].as_str()), (200, Some("approved")));
    assert_eq!(scene.sent(), 0, "an approval sends nothing by itself");

    let answer = agent.go(scene.transfer(10)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    scene.alice.sees(&asked.id, "executed").await;
    let again = agent.go(scene.transfer(10).header("prefer", "wait=0")).await;
    assert_eq!(again.status, 202, "an approval is for one use");
    assert_ne!(again.json()["approval"]["operation_id"], told["operation_id"]);
    assert_eq!(scene.sent(), 1);
}

#[tokio::test]
async fn a_client_says_how_long_it_waits() {
    let scene = Scene::set("inline = \"1s\"").await;
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    let began = Instant::now();
    let shorter = agent.go(scene.transfer(10).header("prefer", "wait=0")).await;
    assert_eq!(shorter.status, 202);
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    let call = begin(&agent, scene.transfer(10).header("prefer", "respond-async, wait=30"));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!call.is_finished(), "longer than policy's own wait, since it says so");
    scene.alice.approves(&scene.alice.asked().await).await;
    assert_eq!(call.await.unwrap().status, 200);
}

#[tokio::test]
async fn identical_calls_wait_for_one_request() {
    let scene = Scene::set("uses = 3").await;
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    let calls: Vec<_> = (0..3).map(|_| begin(&agent, scene.transfer(10))).collect();
    let asked = scene.alice.asked().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scene.alice.inbox().await.len(), 1, "people are asked once");
    scene.alice.denies(&asked, "no").await;
    for call in calls {
        assert_eq!(code(&call.await.unwrap()), "approval_denied");
    }
    // The answer stands for a while: a loop does not ask people again and again.
    assert_eq!(code(&agent.go(scene.transfer(10)).await), "approval_denied");
    assert!(scene.alice.inbox().await.is_empty());
    assert_eq!(scene.sent(), 0);
}

#[tokio::test]
async fn every_hold_that_matches_must_be_approved() {
    let scene = Scene::set("").await;
    let bob = scene.plane.approver("bob").await;
    let port = scene.upstream.port();
    let holds = [
        hold("money", port, "/echo/**", "approvers = [\"alice\"]"),
        hold("urgent", port, "/echo/transfers", "approvers = [\"bob\"]"),
    ];
    scene.plane.apply_policy(&policy(port, &holds.concat())).await;
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    let call = begin(&agent, scene.transfer(10));
    let asked = scene.alice.waits_for(2).await;
    let of = |rule: &str| asked.iter().find(|one| one.rule == rule).unwrap();
    let refused = scene.alice.decides(of("urgent"), "approve", "").await.unwrap_err();
    assert!(refused.contains("alice is not among the people"), "{refused}");
    scene.alice.approves(of("money")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((call.is_finished(), scene.sent()), (false, 0), "one of two is not enough");
    bob.approves(of("urgent")).await;
    assert_eq!(call.await.unwrap().status, 200);
    assert_eq!(scene.sent(), 1);
}

#[tokio::test]
async fn whoever_handed_the_permission_on_does_not_approve_its_use() {
    let scene = Scene::set("").await;
    let port = scene.upstream.port();
    let owner = scene.plane.approver("owner").await;
    let held = hold("held", port, "/echo/**", "approvers = [\"alice\", \"owner\"]");
    scene.plane.apply_policy(&policy(port, &held)).await;
    let sidecar = scene.sidecar().await;
    let call = begin(&sidecar.http_agent(), scene.transfer(10));
    let asked = owner.asked().await;
    assert!(asked.excluded.contains(&"owner".to_owned()), "{:?}", asked.excluded);
    let refused = owner.decides(&asked, "approve", "").await.unwrap_err();
    assert!(refused.contains("nobody decides about their own request"), "{refused}");
    scene.alice.approves(&asked).await;
    assert_eq!(call.await.unwrap().status, 200);
}

#[tokio::test]
async fn what_was_approved_under_another_policy_is_asked_again() {
    let scene = Scene::set("").await;
    let port = scene.upstream.port();
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    let call = begin(&agent, scene.transfer(10));
    let asked = scene.alice.asked().await;
    let held = hold("held", port, "/echo/**", "approvers = [\"alice\"]\nreason = \"since today\"");
    scene.plane.apply_policy(&policy(port, &held)).await;
    scene.alice.approves(&asked).await;
    let again = scene.alice.asked().await;
    assert_ne!((again.id.as_str(), &again.digest), (asked.id.as_str(), &asked.digest));
    assert_eq!((call.is_finished(), scene.sent()), (false, 0));
    scene.alice.approves(&again).await;
    assert_eq!(call.await.unwrap().status, 200);
    assert_eq!(scene.sent(), 1);

    // And a call that policy does not let through any more does not leave, whatever was approved.
    let call = begin(&agent, scene.transfer(12));
    let asked = scene.alice.asked().await;
    let denied = format!("{held}[[deny]]\nname = \"none\"\nhost = \"localhost\"\nport = {port}\n");
    scene.plane.apply_policy(&policy(port, &denied)).await;
    scene.alice.approves(&asked).await;
    let refused = call.await.unwrap();
    assert_eq!((refused.status, code(&refused).as_str()), (403, "rule_denies"), "{}", refused.text());
    assert_eq!(scene.sent(), 1);
}

#[tokio::test]
async fn a_model_is_asked_when_people_agree_and_its_sdk_reads_why_it_waits() {
    let scene = Scene::set("").await;
    let port = scene.upstream.port();
    let held =
        hold("dear", port, "/v1/**", "approvers = [\"alice\"]\ncost_over = \"0.01 USD\"\ninline = \"1s\"");
    scene.plane.apply_policy(&policy(port, &held)).await;
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    let chat = |most: u64| {
        let body = json!({"model": "gpt-4o", "max_tokens": most, "messages": [{"role": "user", "content": "Name three rivers."}]});
        Trip::get(Way::Connect, &scene.upstream.url("/v1/chat/completions"))
            .method("POST")
            .header("content-type", "application/json")
            .header("authorization", "Bearer sk-test")
            .body(body.to_string())
    };
    let cheap = agent.go(chat(16)).await;
    assert_eq!(cheap.status, 200, "{}", cheap.text());
    let pending = agent.go(chat(16_000)).await;
    assert_eq!((pending.status, code(&pending).as_str()), (403, "approval_pending"), "{}", pending.text());
    assert_eq!(pending.header("x-should-retry"), "true");
    assert_eq!(pending.json()["error"]["code"], "approval_pending");
    let asked = scene.alice.asked().await;
    let cost = asked.context.clone().unwrap().cost;
    assert!(cost.starts_with("USD 0.1"), "16,000 tokens at 10 dollars a million, and the question: {cost}");
    scene.alice.approves(&asked).await;
    let answer = agent.go(chat(16_000)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn what_people_cannot_be_shown_whole_is_refused() {
    let scene = Scene::set("").await;
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    let large = agent.go(scene.transfer(1).body(vec![b'x'; (1 << 20) + 1])).await;
    assert_eq!((large.status, code(&large).as_str()), (403, "cannot_be_held"), "{}", large.text());
    let handshake = Trip::get(Way::Connect, &scene.upstream.url("/echo/socket"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let socket = agent.go(handshake).await;
    assert_eq!((socket.status, code(&socket).as_str()), (403, "cannot_be_held"), "{}", socket.text());
    assert_eq!(scene.sent(), 0);
    assert!(scene.alice.inbox().await.is_empty());
}

#[tokio::test]
async fn without_the_control_plane_nothing_that_is_held_leaves() {
    let scene = Scene::set("").await;
    let sidecar = scene.sidecar().await;
    let agent = sidecar.http_agent();
    scene.plane.kill9();
    let refused = agent.go(scene.transfer(10)).await;
    assert_eq!(
        (refused.status, code(&refused).as_str()),
        (503, "approval_unavailable"),
        "{}",
        refused.text()
    );
    scene.plane.restart().await;
    let call = eventually("people can be asked again", || async {
        let call = begin(&agent, scene.transfer(10).header("prefer", "wait=60"));
        tokio::time::sleep(Duration::from_millis(700)).await;
        (!call.is_finished()).then_some(call)
    })
    .await;
    // Killed again while people decide: what they were asked is still there, and the call hears of the decision.
    let asked = scene.alice.asked().await;
    scene.plane.kill9();
    scene.plane.restart().await;
    let alice = scene.plane.approver("alice2").await;
    assert_eq!(alice.asked().await.id, asked.id);
    scene.alice.approves(&asked).await;
    assert_eq!(call.await.unwrap().status, 200);
    assert_eq!(scene.sent(), 1);
}

#[tokio::test]
async fn a_sidecar_that_stops_lets_its_calls_go_and_their_requests_stay() {
    let scene = Scene::set("").await;
    let sidecar = scene.sidecar().await;
    let call = begin(&sidecar.http_agent(), scene.transfer(10));
    let asked = scene.alice.asked().await;
    let stopped = sidecar.terminate();
    let (answer, _) = tokio::join!(call, stopped);
    let answer = answer.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text());
    scene.alice.approves(&asked).await;
    sidecar.restart().await;
    assert_eq!(sidecar.http_agent().go(scene.transfer(10)).await.status, 200);
    scene.alice.sees(&asked.id, "executed").await;
    assert_eq!(scene.sent(), 1);
}

#[tokio::test]
async fn an_answer_that_never_comes_leaves_the_approval_ambiguous_and_nothing_is_tried_again() {
    let upstream =
        Upstream::builder().handle("/echo", |_| async { std::future::pending().await }).start().await;
    let plane = Plane::start().await;
    let alice = plane.approver("alice").await;
    let held = hold("held", upstream.port(), "/echo/**", "approvers = [\"alice\"]");
    plane.apply_policy(&policy(upstream.port(), &held)).await;
    let scene = Scene { upstream, plane, alice };
    let agent = scene.plane.trusted_agent("caller").await;
    let sidecar =
        scene.plane.sidecar(&agent).trusts(&scene.upstream).args(&["--response-timeout", "1"]).start().await;
    let agent = sidecar.http_agent();
    let call = begin(&agent, scene.transfer(10));
    let asked = scene.alice.asked().await;
    scene.alice.approves(&asked).await;
    assert_eq!(code(&call.await.unwrap()), "upstream_timeout");
    scene.alice.sees(&asked.id, "ambiguous").await;
    let again = agent.go(scene.transfer(10)).await;
    assert_eq!((again.status, code(&again).as_str()), (409, "approval_ambiguous"), "{}", again.text());
    assert_eq!(scene.sent(), 1);
}
