//! A control plane that lies, or somebody in its place: what it sends is refused and told, and the last good policy
//! stays. What it takes away is taken away at once.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use creto_bundle::{BundleSigner, Content, Notice, SharedResource};
use creto_proto::v1::{Ack, AgentState, Delta, SidecarEventKind, sync_response};
use creto_test_support::{Detached, DetachedSidecar, FakePlane, Reply, Upstream, eventually};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use wire::{exchange, read_answer, status};

/// Allows a path of the upstream.
fn allowing(name: &str, port: u16, path: &str) -> String {
    format!(
        "version = 1\nname = \"{name}\"\n[[allow]]\nname = \"up\"\nhost = \"127.0.0.1\"\nport = {port}\npath = \"{path}\"\n"
    )
}

struct Scene {
    upstream: Upstream,
    plane: FakePlane,
    sidecar: DetachedSidecar,
    /// What the sidecar started with, as epoch 1.
    content: Content,
}

impl Scene {
    /// A sidecar under a policy that allows `/one/**`, and one that allows `/two/**`.
    async fn set() -> Self {
        let upstream = Upstream::start_plain().await;
        let plane = FakePlane::start().await;
        let detached = Self::with(&upstream, "/one/**").under(&plane);
        let content = detached.content();
        let sidecar = detached.start().await;
        let hello = plane.hello(1).await;
        assert_eq!((hello.epoch, hello.version.as_str()), (1, content.version()));
        assert_eq!(hello.resources.len(), content.resources().len());
        Self { upstream, plane, sidecar, content }
    }

    fn with(upstream: &Upstream, path: &str) -> Detached {
        Detached::policy(allowing("test", upstream.port(), path))
            .also("two", allowing("two", upstream.port(), "/two/**"))
    }

    /// The same with another path allowed by the first policy.
    fn content(&self, path: &str) -> Content {
        // The chain is the same, so that only what is changed differs.
        let new = Self::with(&self.upstream, path).content();
        let chain = self.content.resources().iter().filter(|one| one.name() == creto_bundle::CHAIN);
        let others = new.resources().iter().filter(|one| one.name() != creto_bundle::CHAIN);
        Content::new(chain.chain(others).cloned().collect(), 0)
    }

    async fn ask(&self, path: &str) -> (u16, String) {
        let to = self.upstream.address();
        let request = format!("GET http://{to}{path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n");
        answered(&exchange(self.sidecar.proxy(), request.as_bytes()).await)
    }

    async fn assert_the_first_policy_stays(&self, after: &str) {
        assert_eq!(self.ask("/one/a").await.0, 200, "{after}");
        assert_eq!(self.ask("/three/a").await, refused("no_rule_allows"), "{after}");
    }

    /// Value of a metric.
    async fn metric(&self, name: &str) -> f64 {
        let all = self.sidecar.admin_get("/metrics").await;
        let line = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in {all}")).parse().unwrap()
    }
}

fn refused(code: &str) -> (u16, String) {
    (403, code.to_owned())
}

/// Status, and code of the refusal if it is one.
fn answered(answer: &str) -> (u16, String) {
    let code = answer.lines().find_map(|line| line.strip_prefix("creto-refused: "));
    (status(answer), code.unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_in_force_when_it_is_acknowledged_and_only_what_changed_is_sent_and_compiled() {
    let scene = Scene::set().await;
    scene.assert_the_first_policy_stays("at the start").await;
    let compiled = scene.metric("creto_policy_documents_compiled_total").await;
    let edited = scene.content("/three/**");
    scene.plane.push("edit", 2, &edited, Some(&scene.content)).await;
    assert_eq!(scene.ask("/one/a").await, refused("no_rule_allows"));
    assert_eq!(scene.ask("/three/a").await.0, 200);
    assert_eq!(scene.ask("/two/a").await.0, 200, "the policy that was not sent");
    let changed = edited.resources().iter().find(|one| one.name() == "policy/test").unwrap();
    assert_eq!(scene.plane.bytes_sent("edit"), changed.size());
    let now = scene.metric("creto_policy_documents_compiled_total").await;
    assert_eq!((compiled, now), (2.0, 3.0));
    scene.plane.push("again", 3, &scene.content("/four/**"), Some(&edited)).await;
    assert_eq!(scene.metric("creto_policy_documents_compiled_total").await, now + 1.0);
    assert_eq!(scene.metric("creto_policy_epoch").await, 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tampered_with_replayed_rolled_back_or_foreign_is_refused_and_told() {
    let scene = Scene::set().await;
    let current = scene.content("/one/**");
    scene.plane.push("good", 5, &current, Some(&scene.content)).await;
    let evil = scene.content("/**");
    let honest = |nonce: &str| FakePlane::delta(nonce, 6, &evil, Some(&current));
    let mut manifest = honest("manifest");
    let mut bytes = manifest.manifest.to_vec();
    bytes[40] ^= 1;
    manifest.manifest = bytes.into();
    let mut body = honest("body");
    body.resources[0].body = allowing("test", 1, "/**").into_bytes().into();
    let mut extra = honest("extra");
    extra.resources.push(SharedResource::new("policy/extra", allowing("extra", 1, "/**")).message());
    let mut missing = honest("missing");
    missing.resources.clear();
    let elsewhere = Detached::signer().delta(
        "elsewhere".into(),
        &evil.manifest("somebody-else", 6, 1),
        evil.since(&current),
    );
    let other_key = BundleSigner::from_seed(&[99; 32]);
    let deltas: Vec<(Delta, &str)> = vec![
        (manifest, "not signed"),
        (body, "not the one that was signed"),
        (extra, "not signed for"),
        (missing, "missing"),
        (elsewhere, "somebody-else"),
        (FakePlane::delta_signed_by(&other_key, "other key", 6, &evil, Some(&current)), "not signed"),
        (FakePlane::delta("rolled back", 4, &evil, Some(&current)), "rolled back"),
        (FakePlane::delta("same epoch", 5, &evil, Some(&current)), "replayed or forged"),
    ];
    for (delta, words) in deltas {
        let nonce = delta.nonce.clone();
        scene.plane.send_delta(delta).await;
        let nack = scene.plane.refusal(&nonce).await;
        assert_eq!(nack.epoch, 5, "{nonce}: what stays in force");
        assert!(nack.reason.contains(words), "{nonce}: {}", nack.reason);
        let event = scene.plane.event(SidecarEventKind::GenerationRefused, words).await;
        assert_eq!(event.epoch, 5);
        scene.assert_the_first_policy_stays(&nonce).await;
        if nonce == "missing" {
            // What the sidecar lacks, the control plane knows by its next hello only.
            let hello = scene.plane.hello(2).await;
            assert_eq!((hello.epoch, hello.version.as_str()), (5, current.version()));
            assert_eq!(hello.resources.len(), current.resources().len());
        }
    }
    // Nothing of them is remembered: the honest one is taken.
    scene.plane.push("honest", 6, &evil, Some(&current)).await;
    assert_eq!(scene.ask("/three/a").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_once_is_refused_after_kill_9_too() {
    let mut scene = Scene::set().await;
    let newer = scene.content("/three/**");
    scene.plane.push("newer", 7, &newer, Some(&scene.content)).await;
    scene.sidecar.kill9();
    scene.sidecar.start_again().await;
    let hello = scene.plane.hello(2).await;
    assert_eq!((hello.epoch, hello.version.as_str()), (7, newer.version()));
    let replayed = FakePlane::delta("replayed", 1, &scene.content, None);
    scene.plane.send_delta(replayed).await;
    assert_eq!(scene.plane.refusal("replayed").await.epoch, 7);
    assert_eq!(scene.ask("/three/a").await.0, 200);
    assert_eq!(scene.ask("/one/a").await, refused("no_rule_allows"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_of_another_sidecar_is_refused() {
    let scene = Scene::set().await;
    let foreign = Scene::with(&scene.upstream, "/**").chain_minted_for("another").content();
    scene.plane.send_delta(FakePlane::delta("foreign", 2, &foreign, Some(&scene.content))).await;
    let nack = scene.plane.refusal("foreign").await;
    assert_eq!(nack.rejections[0].resource, creto_bundle::CHAIN, "{nack:?}");
    scene.plane.event(SidecarEventKind::GenerationRefused, "delegation chain").await;
    scene.assert_the_first_policy_stays("after a foreign chain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_do_not_compile_are_named_and_what_is_put_right_is_taken() {
    let scene = Scene::set().await;
    let broken = Scene::with(&scene.upstream, "/**")
        .also("bad", "version = 1\nname = \"bad\"\n[[deny]]\nnam = \"x\"\n")
        .also("worse", "not toml");
    scene.plane.send_delta(FakePlane::delta("broken", 2, &broken.content(), Some(&scene.content))).await;
    let nack = scene.plane.refusal("broken").await;
    let blamed: Vec<_> = nack.rejections.iter().map(|one| one.resource.as_str()).collect();
    assert_eq!(blamed, ["policy/bad", "policy/worse"]);
    assert!(nack.rejections[0].reason.contains("nam"), "{}", nack.rejections[0].reason);
    scene.assert_the_first_policy_stays("after a broken policy").await;
    scene.plane.push("right", 2, &scene.content("/three/**"), Some(&scene.content)).await;
    assert_eq!(scene.ask("/three/a").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_resources_that_are_not_known_are_left_out_and_counted() {
    let scene = Scene::set().await;
    let mut resources = scene.content("/three/**").resources().to_vec();
    resources.push(SharedResource::new("lease/money", "whatever that is"));
    scene.plane.push("newer", 2, &Content::new(resources, 0), Some(&scene.content)).await;
    assert_eq!(scene.ask("/three/a").await.0, 200);
    assert_eq!(scene.metric("creto_policy_unknown_resources").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_that_come_at_once_are_answered_in_turn() {
    let scene = Scene::set().await;
    let contents = ["/a/**", "/b/**", "/c/**"].map(|path| scene.content(path));
    let mut before = &scene.content;
    for (content, epoch) in contents.iter().zip(2..) {
        scene.plane.send_delta(FakePlane::delta(&epoch.to_string(), epoch, content, Some(before))).await;
        before = content;
    }
    for epoch in 2..=4 {
        let nonce = epoch.to_string();
        assert_eq!(scene.plane.reply(&nonce).await, Reply::Ack(Ack { nonce, epoch }));
    }
    assert_eq!(scene.ask("/c/x").await.0, 200);
}

/// Long enough to compile that something can come meanwhile.
fn long_policy(name: &str) -> String {
    let mut text = format!("version = 1\nname = \"{name}\"\n");
    for number in 0..6_000 {
        text.push_str(&format!(
            "[[allow]]\nname = \"r{number}\"\nhost = \"h{number}.example.com\"\npath = [\"/a/{number}/**\", \"/b/*/c\"]\n"
        ));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_overtakes_a_policy_that_is_being_compiled_and_holds_for_it() {
    let mut scene = Scene::set().await;
    let chain_and_rest = scene.content("/one/**");
    let long = ["x", "y", "z"].map(|name| Detached::policy("").also(name, long_policy(name)).content());
    let policies = long
        .iter()
        .flat_map(|one| one.resources())
        .filter(|one| ["policy/x", "policy/y", "policy/z"].contains(&one.name()));
    let content = Content::new(chain_and_rest.resources().iter().chain(policies).cloned().collect(), 0);
    scene.plane.send_delta(FakePlane::delta("long", 2, &content, Some(&scene.content))).await;
    let notice = Notice { epoch: 2, agent_state: AgentState::Suspended, chain_revoked: false };
    scene.plane.revoke(&Detached::signer(), notice).await;
    eventually("the agent is suspended", || async {
        (scene.ask("/one/a").await == refused("agent_suspended")).then_some(())
    })
    .await;
    assert_eq!(scene.plane.reply_so_far("long"), None, "the policy is still being compiled");
    assert!(matches!(scene.plane.reply("long").await, Reply::Ack(_)));
    assert_eq!(scene.ask("/one/a").await, refused("agent_suspended"), "the notice holds for epoch 2");
    scene.plane.event(SidecarEventKind::Revoked, "suspended").await;
    // Over kill -9, without the plane.
    scene.plane.refuse_streams(Some(tonic::Status::unavailable("away")));
    scene.sidecar.kill9();
    scene.sidecar.start_again().await;
    assert_eq!(scene.ask("/one/a").await, refused("agent_suspended"), "after kill -9");
    scene.plane.refuse_streams(None);
    scene.plane.hello(2).await;
    scene.plane.push("later", 3, &chain_and_rest, Some(&content)).await;
    assert_eq!(scene.ask("/one/a").await.0, 200, "a later generation says otherwise");
    assert!(!scene.sidecar.state().join("revoked.bin").try_exists().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_chain_is_dropped_and_forged_or_old_notices_are_refused() {
    let scene = Scene::set().await;
    scene.plane.push("two", 2, &scene.content, Some(&scene.content)).await;
    let notice = |epoch| Notice { epoch, agent_state: AgentState::Active, chain_revoked: true };
    scene.plane.revoke(&BundleSigner::from_seed(&[99; 32]), notice(2)).await;
    scene.plane.event(SidecarEventKind::GenerationRefused, "notice: it is not signed").await;
    scene.plane.revoke(&Detached::signer(), notice(1)).await;
    scene.plane.event(SidecarEventKind::GenerationRefused, "replayed or rolled back").await;
    let mut elsewhere = Detached::signer().revocation(&notice(2).message("another", 1));
    scene.plane.send(sync_response::Message::Revocation(elsewhere.clone())).await;
    scene.plane.event(SidecarEventKind::GenerationRefused, "for sidecar another").await;
    // A manifest's signature does not make a notice.
    elsewhere.signature = FakePlane::delta("d", 2, &scene.content, None).signature;
    scene.plane.send(sync_response::Message::Revocation(elsewhere)).await;
    scene.assert_the_first_policy_stays("after notices that do not hold").await;

    scene.plane.revoke(&Detached::signer(), notice(2)).await;
    scene.plane.event(SidecarEventKind::Revoked, "delegation revoked").await;
    assert_eq!(scene.ask("/one/a").await, refused("delegation_revoked"));
    scene.plane.refuse_streams(None);
    let hello = scene.plane.hello(2).await;
    assert_eq!(
        (hello.epoch, hello.version.as_str()),
        (2, ""),
        "it does not claim to enforce what the notice changed"
    );
    assert!(scene.upstream.requests().iter().all(|request| request.path.starts_with("/one/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_body_is_on_its_way_is_judged_by_the_policy_that_came_meanwhile_and_holds_none_up() {
    let upstream = Upstream::start_plain().await;
    let port = upstream.port();
    let plane = FakePlane::start().await;
    let policy = |model: &str| {
        format!(
            "version = 1\nname = \"test\"\n[[provider]]\nname = \"models\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             api = \"openai\"\nbase = \"/v1\"\n[[allow]]\nname = \"m\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             provider = \"models\"\nmodel = \"{model}\"\n"
        )
    };
    let detached = Detached::policy(policy("gpt-5*")).under(&plane);
    let first = detached.content();
    let sidecar = detached.start().await;
    plane.hello(1).await;
    let body = r#"{"model":"gpt-5","messages":[]}"#;
    let request = format!(
        "POST http://127.0.0.1:{port}/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let allowed = exchange(sidecar.proxy(), format!("{request}{body}").as_bytes()).await;
    assert_eq!(answered(&allowed).1, "", "{allowed}");
    let seen = upstream.requests().len();
    assert_eq!(seen, 1);

    let mut slow = TcpStream::connect(sidecar.proxy()).await.unwrap();
    let (half, rest) = body.split_at(10);
    slow.write_all(format!("{request}{half}").as_bytes()).await.unwrap();
    // The head is judged, and the body waited for.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let begun = std::time::Instant::now();
    plane.push("stricter", 2, &Detached::policy(policy("gpt-4*")).content(), Some(&first)).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(4), "the acknowledgement waited for the body");
    slow.write_all(rest.as_bytes()).await.unwrap();
    let answer = read_answer(&mut slow).await;
    assert_eq!(answered(&answer), refused("no_rule_allows"), "{answer}");
    assert_eq!(upstream.requests().len(), seen, "it left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_is_cut_off_refuses_until_it_is_sent_everything_again() {
    let mut scene = Scene::set().await;
    scene.plane.refuse_streams(Some(tonic::Status::unauthenticated("this sidecar was replaced")));
    eventually("it refuses all", || async {
        (scene.ask("/one/a").await == refused("agent_revoked")).then_some(())
    })
    .await;
    scene.sidecar.kill9();
    scene.sidecar.start_again().await;
    assert_eq!(scene.ask("/one/a").await, refused("agent_revoked"), "after kill -9");
    scene.plane.refuse_streams(None);
    let hello = scene.plane.hello(2).await;
    assert_eq!((hello.epoch, hello.version.as_str()), (1, ""), "it does not claim to enforce it");
    scene.plane.event(SidecarEventKind::Revoked, "cut off").await;
    scene.plane.push("back", 1, &scene.content, Some(&scene.content)).await;
    assert_eq!(scene.ask("/one/a").await.0, 200);
}
