//! What the disk does not take must not give anything back: neither what a notice nor what a generation took away.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use std::time::Duration;

use creto_bundle::{Content, Notice};
use creto_proto::v1::{AgentState, SidecarEventKind};
use creto_test_support::{Detached, DetachedSidecar, FakePlane, Upstream, eventually};
use wire::exchange;

struct Scene {
    upstream: Upstream,
    plane: FakePlane,
    sidecar: DetachedSidecar,
    content: Content,
}

impl Scene {
    async fn set() -> Self {
        let upstream = Upstream::start_plain().await;
        let plane = FakePlane::start().await;
        let detached = Self::with(&upstream, "").under(&plane);
        let content = detached.content();
        let sidecar = detached.start().await;
        plane.hello(1).await;
        Self { upstream, plane, sidecar, content }
    }

    fn with(upstream: &Upstream, limits: &str) -> Detached {
        let port = upstream.port();
        Detached::policy(format!(
            "version = 1\nname = \"test\"\n[staleness]\n{limits}\n[[allow]]\nname = \"up\"\nhost = \"127.0.0.1\"\n\
             port = {port}\n"
        ))
    }

    /// The refusal of a call; empty for one that gets through.
    async fn refusal(&self) -> String {
        let to = self.upstream.address();
        let request = format!("GET http://{to}/echo HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n");
        let answer = exchange(self.sidecar.proxy(), request.as_bytes()).await;
        let code = answer.lines().find_map(|line| line.strip_prefix("creto-refused: "));
        code.unwrap_or_default().to_owned()
    }

    async fn becomes(&self, code: &str) {
        eventually(&format!("calls are answered {code:?}"), || async {
            (self.refusal().await == code).then_some(())
        })
        .await;
    }

    fn has(&self, file: &str) -> bool {
        self.sidecar.state().join(file).try_exists().unwrap()
    }

    /// From now on no generation can be written, or can again; everything else can.
    fn generations_can_be_written(&self, can: bool) {
        let place = self.sidecar.state().join("generation.bin.new");
        let done = if can { std::fs::remove_dir(place) } else { std::fs::create_dir(place) };
        done.unwrap();
    }

    /// kill -9, and a start without the control plane.
    async fn restart_alone(&mut self) {
        self.plane.refuse_streams(Some(tonic::Status::unavailable("away")));
        self.sidecar.kill9();
        self.sidecar.start_again().await;
    }

    async fn assert_not_ready(&mut self) {
        self.plane.refuse_streams(Some(tonic::Status::unavailable("away")));
        self.sidecar.kill9();
        let came_up = tokio::time::timeout(Duration::from_secs(3), self.sidecar.start_again()).await;
        assert!(came_up.is_err(), "there is nothing left to go by");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_stays_on_disk_until_what_ended_it_is_there_too() {
    for cut_off in [false, true] {
        let mut scene = Scene::set().await;
        let (file, code) =
            if cut_off { ("cut-off", "agent_revoked") } else { ("revoked.bin", "agent_suspended") };
        if cut_off {
            scene.plane.refuse_streams(Some(tonic::Status::unauthenticated("replaced")));
        } else {
            let notice = Notice { epoch: 1, agent_state: AgentState::Suspended, chain_revoked: false };
            scene.plane.revoke(&Detached::signer(), notice).await;
        }
        scene.becomes(code).await;
        scene.plane.refuse_streams(None);
        scene.plane.hello(2).await;

        scene.generations_can_be_written(false);
        let next = Scene::with(&scene.upstream, "read = \"2h\"").content();
        scene.plane.push("not kept", 2, &next, None).await;
        assert_eq!(scene.refusal().await, "", "in force all the same");
        assert!(scene.has(file), "{file}");
        let told =
            scene.plane.event(SidecarEventKind::StoredGenerationRefused, "could not be kept on disk").await;
        assert_eq!(told.epoch, 2);
        scene.restart_alone().await;
        assert_eq!(scene.refusal().await, code, "what is on disk is what the notice was about");

        scene.generations_can_be_written(true);
        scene.plane.refuse_streams(None);
        scene.plane.hello(3).await;
        scene.plane.push("kept", 3, &next, None).await;
        assert_eq!(scene.refusal().await, "");
        assert!(!scene.has(file), "{file}");
        scene.restart_alone().await;
        assert_eq!(scene.refusal().await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_generation_sent_again_is_kept_if_it_was_not() {
    let mut scene = Scene::set().await;
    let next = Scene::with(&scene.upstream, "read = \"2h\"").content();
    let delta = FakePlane::delta("first", 2, &next, None);
    scene.generations_can_be_written(false);
    scene.plane.send_delta(delta.clone()).await;
    scene.plane.reply("first").await;
    scene.generations_can_be_written(true);
    scene.plane.send_delta(creto_proto::v1::Delta { nonce: "again".into(), ..delta }).await;
    scene.plane.reply("again").await;
    scene.restart_alone().await;
    scene.plane.refuse_streams(None);
    let hello = scene.plane.hello(2).await;
    assert_eq!((hello.epoch, hello.version.as_str()), (2, next.version()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_takes_away_leaves_nothing_to_fall_back_on() {
    for gone in ["standing", "delegation"] {
        let mut scene = Scene::set().await;
        let edited = Scene::with(&scene.upstream, "read = \"2h\"").content();
        scene.plane.push("edit", 2, &edited, Some(&scene.content)).await;
        assert!(scene.has("generation.previous.bin"));
        let (taking, code) = match gone {
            "standing" => {
                (Scene::with(&scene.upstream, "").agent_state(AgentState::Suspended), "agent_suspended")
            }
            _ => (Scene::with(&scene.upstream, "").without_delegation(), "no_delegation"),
        };
        scene.plane.push("taking", 3, &taking.content(), None).await;
        assert_eq!(scene.refusal().await, code);
        assert!(!scene.has("generation.previous.bin"));
        let newest = scene.sidecar.state().join("generation.bin");
        let mut bytes = std::fs::read(&newest).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        std::fs::write(&newest, bytes).unwrap();
        scene.assert_not_ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_takes_away_and_cannot_be_kept_leaves_nothing_to_start_from() {
    let mut scene = Scene::set().await;
    scene.generations_can_be_written(false);
    let taking = Scene::with(&scene.upstream, "").agent_state(AgentState::Suspended);
    scene.plane.push("taking", 2, &taking.content(), None).await;
    assert_eq!(scene.refusal().await, "agent_suspended");
    scene.plane.event(SidecarEventKind::StoredGenerationRefused, "could not be kept on disk").await;
    scene.assert_not_ready().await;
}
