//! What an operator changes reaches a running sidecar: policies, the agent's standing, its delegations.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use creto_authz::{Link, SignedLink};
use creto_proto::v1::{
    ListSidecarEventsRequest, Outcome, RevokeDelegationRequest, RotateChainKeysRequest, SidecarEventKind,
    SuspendAgentRequest, Verdict,
};
use creto_test_support::{
    Agent, NAMESPACE, Plane, Sidecar, Trip, Upstream, Way, client_tls, eventually, within,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tonic::Code;

/// How soon "at once" is, from the operator's call to the refusal.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Events that show that a stream goes on.
const NEW_EVENTS: u64 = 5;
/// For one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Allows `path` at the upstream on this port.
fn policy(port: u16, mode: &str, path: &str) -> String {
    format!(
        r#"version = 1
name = "pushed"
mode = "{mode}"
[[allow]]
name = "some"
host = "127.0.0.1"
port = {port}
path = "{path}"
[[route]]
name = "up"
prefix = "/up"
to = "http://127.0.0.1:{port}"
"#
    )
}

struct Scene {
    upstream: Upstream,
    plane: Plane,
    agent: Agent,
}

impl Scene {
    /// An agent without a delegation, and a policy that allows everything at the upstream.
    async fn set() -> Self {
        let upstream = Upstream::start_plain().await;
        let plane = Plane::start().await;
        let agent = plane.agent("researcher").await;
        plane.apply_policy(&policy(upstream.port(), "enforce", "/**")).await;
        Self { upstream, plane, agent }
    }

    async fn sidecar(&self) -> Sidecar {
        self.plane.sidecar(&self.agent).start().await
    }

    /// Waits until the sidecar has acknowledged what it was offered: from then on it outlives the sidecar.
    async fn acknowledged(&self) {
        eventually("the sidecar has acknowledged", || async {
            let sidecars = self.plane.sidecars().await;
            sidecars.iter().all(|sidecar| sidecar.applied_epoch == sidecar.offered_epoch).then_some(())
        })
        .await;
    }

    /// Status and refusal of a call to this path.
    async fn ask(&self, sidecar: &Sidecar, path: &str) -> (u16, String) {
        let url = self.upstream.url(path);
        let answer = sidecar.http_agent().get(Way::BaseUrl("/up"), &url).await;
        (answer.status, answer.refusal())
    }

    /// Asks until the answer is this one; panics when that is not at once.
    async fn at_once(&self, sidecar: &Sidecar, path: &str, wanted: (u16, &str)) {
        within(AT_ONCE, &format!("{path} is answered {wanted:?}"), async {
            loop {
                let (status, code) = self.ask(sidecar, path).await;
                if (status, code.as_str()) == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// A connection to the sidecar that is kept.
struct Kept {
    stream: Box<dyn Stream>,
    /// In front of every path.
    prefix: &'static str,
    host: String,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Kept {
    /// To the sidecar's own address.
    async fn open(sidecar: &Sidecar) -> Self {
        let stream = sidecar.http_agent().connect().await;
        Self { stream: Box::new(stream), prefix: "/up", host: "127.0.0.1".to_owned() }
    }

    /// A tunnel to an upstream, with TLS in it that the sidecar opens.
    async fn open_tunnel(sidecar: &Sidecar, upstream: &Upstream) -> Self {
        let host = format!("127.0.0.1:{}", upstream.port());
        let stream = sidecar.http_agent().tunnel(&host).await.unwrap().expect("CONNECT is refused");
        let connector = TlsConnector::from(Arc::new(client_tls(&sidecar.ca_pem(), &["http/1.1"])));
        let stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
        Self { stream: Box::new(stream), prefix: "", host }
    }

    async fn send(&mut self, path: &str) {
        let request = format!("GET {}{path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.prefix, self.host);
        self.stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// Reads an answer's head.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        let read = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.stream.read_u8().await.expect("the sidecar closed the connection"));
            }
        };
        within(ANSWER, "the head of an answer", read).await;
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    }

    /// One call on this connection: status and refusal.
    async fn ask(&mut self, path: &str) -> (u16, String) {
        self.send(path).await;
        let head = self.head().await;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if let Some(length) = field("content-length:") {
            let mut body = vec![0; length.parse().unwrap()];
            within(ANSWER, "the body of an answer", self.stream.read_exact(&mut body)).await.unwrap();
        } else {
            assert_eq!(field("transfer-encoding:"), Some("chunked"), "{head}");
            within(ANSWER, "the chunks of an answer", self.skip_chunks()).await;
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, field("creto-refused:").unwrap_or_default().to_owned())
    }

    /// Reads to the end of a chunked body without trailers.
    async fn skip_chunks(&mut self) {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(self.stream.read_u8().await.unwrap());
            }
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk).await.unwrap();
            if size == 0 {
                return;
            }
        }
    }

    /// Reads events of a stream until some have come that were not there yet.
    async fn goes_on(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        let mut seen = None;
        loop {
            let count = within(ANSWER, "an event", self.stream.read(&mut buffer)).await.unwrap();
            assert_ne!(count, 0, "the sidecar closed the stream");
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let newest =
                text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok()).next_back();
            let first = *seen.get_or_insert(newest.unwrap_or_default());
            if newest.is_some_and(|newest| newest >= first + NEW_EVENTS) {
                return;
            }
        }
    }
}

/// A link from `from` to `to`.
fn link(from: &Agent, to: &Agent, permissions: &[&str], not_before_s: u64, expires_at_s: u64) -> SignedLink {
    // No two links of a test are the same.
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&expires_at_s.to_be_bytes());
    nonce[8..].copy_from_slice(&to.id().as_bytes()[..8]);
    let link = Link {
        delegator_id: from.id(),
        agent_id: to.id(),
        permissions: permissions.iter().map(|text| (*text).to_owned()).collect(),
        audience: NAMESPACE.to_owned(),
        not_before_s,
        expires_at_s,
        nonce,
    };
    link.sign(&from.key)
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn refused(code: &str) -> (u16, String) {
    (403, code.to_owned())
}

fn through() -> (u16, String) {
    (200, String::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_holds_for_the_next_call_of_an_open_connection() {
    let scene = Scene::set().await;
    let (plane, port) = (&scene.plane, scene.upstream.port());
    plane.delegate(&scene.agent, &["*:*"]).await;
    let sidecar = scene.sidecar().await;
    let mut kept = Kept::open(&sidecar).await;
    let mut stream = Kept::open(&sidecar).await;
    stream.send("/sse?n=100000&ms=10").await;
    assert!(stream.head().await.contains(" 200 "));
    assert_eq!(kept.ask("/echo/1").await, through());

    for round in 0..5 {
        plane.apply_policy(&policy(port, "enforce", "/nothing")).await;
        assert_eq!(kept.ask("/echo/1").await, refused("no_rule_allows"), "round {round}");
        assert_eq!(scene.ask(&sidecar, "/sse").await, refused("no_rule_allows"), "round {round}");
        // The stream was begun under a policy that allowed it, and goes on.
        stream.goes_on().await;
        plane.apply_policy(&policy(port, "enforce", "/**")).await;
        assert_eq!(kept.ask("/echo/1").await, through(), "round {round}");
    }
    let open = plane.wait_for_call("the stream", |call| {
        call.begun.as_ref().is_some_and(|begun| begun.path == "/sse" && begun.verdict() == Verdict::Allowed)
    });
    assert!(open.await.ended.is_none(), "the stream is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_holds_for_the_next_call_in_an_open_tunnel() {
    let upstream = Upstream::start().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    plane.apply_policy(&policy(upstream.port(), "enforce", "/**")).await;
    let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
    let mut kept = Kept::open_tunnel(&sidecar, &upstream).await;
    let mut stream = Kept::open_tunnel(&sidecar, &upstream).await;
    stream.send("/sse?n=100000&ms=10").await;
    assert!(stream.head().await.contains(" 200 "));
    assert_eq!(kept.ask("/echo/1").await, through());
    for round in 0..3 {
        plane.apply_policy(&policy(upstream.port(), "enforce", "/nothing")).await;
        assert_eq!(kept.ask("/echo/1").await, refused("no_rule_allows"), "round {round}");
        stream.goes_on().await;
        plane.apply_policy(&policy(upstream.port(), "enforce", "/**")).await;
        assert_eq!(kept.ask("/echo/1").await, through(), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_does_not_compile_is_refused_with_its_line_and_the_old_one_stays() {
    let scene = Scene::set().await;
    scene.plane.delegate(&scene.agent, &["*:*"]).await;
    let sidecar = scene.sidecar().await;
    let good = policy(scene.upstream.port(), "enforce", "/echo/**");
    scene.plane.apply_policy(&good).await;
    for (broken, line, says) in [
        (good.replace("host = \"127.0.0.1\"", "hots = \"127.0.0.1\""), 6, "host"),
        (good.replace("mode = \"enforce\"", "mode = \"enforce"), 3, "mode"),
        (good.replace("path = \"/echo/**\"", "path = 7"), 8, "path"),
    ] {
        let status = scene.plane.try_apply_policy(&broken).await.expect_err("a broken policy is taken");
        let told = status.message();
        assert_eq!(status.code(), Code::InvalidArgument, "{told}");
        assert!(told.contains(&format!(":{line}:")), "the line {line} is not named:\n{told}");
        assert!(told.lines().any(|line| line.contains("^^") || line.ends_with('^')), "no caret:\n{told}");
        assert!(told.contains(says), "{says} is not named:\n{told}");
        assert_eq!(scene.ask(&sidecar, "/echo/1").await, through(), "after:\n{told}");
        assert_eq!(scene.ask(&sidecar, "/other").await, refused("no_rule_allows"), "after:\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_policy_allows_nothing_any_more() {
    let scene = Scene::set().await;
    scene.plane.delegate(&scene.agent, &["*:*"]).await;
    let sidecar = scene.sidecar().await;
    let mut kept = Kept::open(&sidecar).await;
    // A second document: what is left when the first goes still holds.
    let second = policy(scene.upstream.port(), "enforce", "/echo/second").replace("pushed", "second");
    let second = second.split("[[route]]").next().unwrap();
    scene.plane.apply_policy(second).await;
    assert_eq!(kept.ask("/echo/1").await, through());
    assert_eq!(kept.ask("/echo/second").await, through());
    scene.plane.delete_policy("second").await;
    assert_eq!(kept.ask("/echo/1").await, through());
    scene.plane.delete_policy("pushed").await;
    // Its route went with it.
    assert_eq!(kept.ask("/echo/1").await, (503, "no_policy".to_owned()));
    let url = format!("http://127.0.0.1:{}/echo/1", scene.upstream.port());
    for when in ["at once", "after a restart"] {
        let answer = sidecar.http_agent().get(Way::AbsoluteForm, &url).await;
        assert_eq!((answer.status, answer.refusal().as_str()), (503, "no_policy"), "{when}");
        sidecar.restart().await;
    }
    assert_eq!(scene.upstream.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn observe_mode_lets_through_and_records_what_would_be_refused() {
    let scene = Scene::set().await;
    let (plane, port) = (&scene.plane, scene.upstream.port());
    plane.delegate(&scene.agent, &["*:*"]).await;
    let sidecar = scene.sidecar().await;
    plane.apply_policy(&policy(port, "observe", "/echo/allowed")).await;
    assert_eq!(scene.ask(&sidecar, "/echo/allowed").await, through());
    assert_eq!(scene.ask(&sidecar, "/echo/observed").await, through());
    plane.apply_policy(&policy(port, "enforce", "/echo/allowed")).await;
    assert_eq!(scene.ask(&sidecar, "/echo/refused").await, refused("no_rule_allows"));

    for (path, verdict, code, outcome, status) in [
        ("/echo/allowed", Verdict::Allowed, "", Outcome::Completed, 200),
        ("/echo/observed", Verdict::Observed, "no_rule_allows", Outcome::Completed, 200),
        ("/echo/refused", Verdict::Denied, "no_rule_allows", Outcome::Refused, 403),
    ] {
        let call = plane.wait_for_ended(path).await;
        let (begun, ended) = (call.begun.unwrap(), call.ended.unwrap());
        assert_eq!((begun.verdict(), begun.code.as_str()), (verdict, code), "{path}");
        assert_eq!((ended.outcome(), ended.status), (outcome, status), "{path}");
    }

    // One document that enforces is enough to refuse.
    plane.apply_policy(&policy(port, "observe", "/echo/allowed")).await;
    let other = "version = 1\nname = \"other\"\n[[allow]]\nname = \"elsewhere\"\nhost = \"example.com\"\n";
    plane.apply_policy(other).await;
    assert_eq!(scene.ask(&sidecar, "/echo/both").await, refused("no_rule_allows"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_agent_is_refused_at_once_until_it_is_resumed() {
    let scene = Scene::set().await;
    scene.plane.delegate(&scene.agent, &["*:*"]).await;
    let sidecar = scene.sidecar().await;
    let mut kept = Kept::open(&sidecar).await;
    assert_eq!(kept.ask("/echo/1").await, through());
    let request = SuspendAgentRequest { namespace: NAMESPACE.to_owned(), name: scene.agent.name.clone() };
    scene.plane.operator().agents().suspend_agent(request).await.unwrap();
    scene.at_once(&sidecar, "/echo/1", (403, "agent_suspended")).await;
    assert_eq!(kept.ask("/echo/1").await, refused("agent_suspended"));
    // Not even a policy that observes lets it through, nor a restart.
    scene.plane.apply_policy(&policy(scene.upstream.port(), "observe", "/**")).await;
    assert_eq!(kept.ask("/echo/1").await, refused("agent_suspended"));
    sidecar.restart().await;
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, refused("agent_suspended"));
    eventually("the sidecar is connected again", || async {
        scene.plane.sidecars().await.iter().all(|sidecar| sidecar.connected).then_some(())
    })
    .await;
    scene.plane.resume(&scene.agent).await;
    scene.at_once(&sidecar, "/echo/1", (200, "")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_is_cut_off_over_restarts_and_without_the_plane() {
    let scene = Scene::set().await;
    scene.plane.delegate(&scene.agent, &["*:*"]).await;
    let sidecar = scene.sidecar().await;
    let mut kept = Kept::open(&sidecar).await;
    assert_eq!(kept.ask("/echo/1").await, through());
    scene.plane.revoke(&scene.agent).await;
    scene.at_once(&sidecar, "/echo/1", (403, "agent_revoked")).await;
    assert_eq!(kept.ask("/echo/1").await, refused("agent_revoked"));
    scene.acknowledged().await;
    scene.upstream.forget();
    sidecar.restart().await;
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, refused("agent_revoked"), "after a restart");
    scene.plane.kill9();
    sidecar.restart().await;
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, refused("agent_revoked"), "without the plane");
    assert!(scene.upstream.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_revoked_while_its_sidecar_is_down_is_refused_when_it_comes_up() {
    let scene = Scene::set().await;
    scene.plane.delegate(&scene.agent, &["*:*"]).await;
    let sidecar = scene.sidecar().await;
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, through());
    sidecar.kill9();
    scene.plane.revoke(&scene.agent).await;
    sidecar.restart().await;
    scene.at_once(&sidecar, "/echo/1", (403, "agent_revoked")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_delegation_ends_what_it_allowed() {
    let scene = Scene::set().await;
    let sidecar = scene.sidecar().await;
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, refused("no_delegation"), "before any delegation");
    let delegation = scene.plane.delegate(&scene.agent, &["*:*"]).await;
    let mut kept = Kept::open(&sidecar).await;
    assert_eq!(kept.ask("/echo/1").await, through());
    let request = RevokeDelegationRequest {
        namespace: NAMESPACE.to_owned(),
        delegation_id: delegation.delegation_id.clone(),
    };
    scene.plane.operator().delegations().revoke_delegation(request).await.unwrap();
    within(AT_ONCE, "a call under the revoked delegation is refused", async {
        while kept.ask("/echo/1").await == through() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // By the notice, then by the generation that follows it.
    let revoked = |(status, code): (u16, String), when: &str| {
        assert!(
            status == 403 && ["delegation_revoked", "no_delegation"].contains(&code.as_str()),
            "{when}: {code}"
        );
    };
    revoked(kept.ask("/echo/1").await, "at once");
    scene.acknowledged().await;
    sidecar.restart().await;
    revoked(scene.ask(&sidecar, "/echo/1").await, "after a restart");
    let call = scene.plane.wait_for_call("allowed by the delegation", |call| {
        call.begun.as_ref().is_some_and(|begun| begun.verdict() == Verdict::Allowed)
    });
    assert_eq!(call.await.begun.unwrap().delegation_id, delegation.delegation_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegator_revoked_in_the_middle_of_a_chain_ends_it() {
    let scene = Scene::set().await;
    let sidecar = scene.sidecar().await;
    let root = scene.plane.root().await.clone();
    let lead = scene.plane.agent("lead").await;
    scene.plane.delegate_chain(&[(&root, &lead), (&lead, &scene.agent)], &["*:*"]).await.unwrap();
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, through());
    scene.plane.revoke(&lead).await;
    within(AT_ONCE, "calls under the broken chain are refused", async {
        while scene.ask(&sidecar, "/echo/1").await == through() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let event = eventually("the plane is told that it took effect", || async {
        let request = ListSidecarEventsRequest { namespace: NAMESPACE.to_owned(), ..Default::default() };
        let events = scene.plane.operator().policies().list_sidecar_events(request).await.unwrap();
        let events = events.into_inner().events.into_iter().filter_map(|record| record.event);
        events.into_iter().find(|event| event.kind() == SidecarEventKind::Revoked)
    })
    .await;
    assert!(event.detail.contains("delegation revoked"), "{event:?}");
    scene.acknowledged().await;
    scene.plane.kill9();
    sidecar.restart().await;
    let (status, code) = scene.ask(&sidecar, "/echo/1").await;
    assert!(status == 403 && ["delegation_revoked", "no_delegation"].contains(&code.as_str()), "{code}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_chains_rotate_without_a_refused_call_also_while_the_sidecar_is_away() {
    let scene = Scene::set().await;
    scene.plane.delegate(&scene.agent, &["*:*"]).await;
    let sidecar = scene.sidecar().await;
    let rotate = async |plane: &Plane, void_earlier| {
        let request = RotateChainKeysRequest { namespace: NAMESPACE.to_owned(), void_earlier };
        plane.operator().delegations().rotate_chain_keys(request).await.unwrap().into_inner().key_id
    };
    for (wanted, void_earlier) in [(2, false), (3, true)] {
        assert_eq!(rotate(&scene.plane, void_earlier).await, wanted);
        scene.acknowledged().await;
        for _ in 0..20 {
            assert_eq!(scene.ask(&sidecar, "/echo/1").await, through(), "key {wanted}");
        }
    }
    // Away for two rotations: neither the key of its chain nor the one before is accepted any more.
    sidecar.kill9();
    assert_eq!((rotate(&scene.plane, false).await, rotate(&scene.plane, true).await), (4, 5));
    sidecar.restart().await;
    scene.at_once(&sidecar, "/echo/1", (200, "")).await;
    scene.acknowledged().await;
    scene.plane.kill9();
    sidecar.restart().await;
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, through(), "the keys are on its disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_carries_only_what_it_names() {
    let scene = Scene::set().await;
    let sidecar = scene.sidecar().await;
    let wide = scene.plane.delegate(&scene.agent, &["*:*"]).await;
    assert_eq!(scene.ask(&sidecar, "/other").await, through());
    scene.plane.revoke_delegation(&wide).await;
    scene.plane.delegate(&scene.agent, &["get:127.0.0.1/echo/**"]).await;
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, through());
    assert_eq!(scene.ask(&sidecar, "/other").await, refused("permission_missing"));
    let post = Trip::get(Way::BaseUrl("/up"), &scene.upstream.url("/echo/1")).method("POST");
    let answer = sidecar.http_agent().go(post).await;
    assert_eq!((answer.status, answer.refusal()), refused("permission_missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegator_passes_on_no_more_than_it_holds() {
    let scene = Scene::set().await;
    let sidecar = scene.sidecar().await;
    let root = scene.plane.root().await.clone();
    let lead = scene.plane.agent("lead").await;
    let now = now_s();
    let narrow = link(&root, &lead, &["get:127.0.0.1/echo/**"], now - 5, now + 600);
    let wider = link(&lead, &scene.agent, &["*:*"], now - 5, now + 600);
    let refusal = scene.plane.submit_delegation(vec![narrow.clone(), wider]).await;
    assert!(refusal.is_err(), "a wider second link is taken: {refusal:?}");
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, refused("no_delegation"));
    let same = link(&lead, &scene.agent, &["get:127.0.0.1/echo/**"], now - 5, now + 600);
    scene.plane.submit_delegation(vec![narrow, same]).await.unwrap();
    assert_eq!(scene.ask(&sidecar, "/echo/1").await, through());
    assert_eq!(scene.ask(&sidecar, "/other").await, refused("permission_missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_ends_on_its_own_even_without_the_plane() {
    let scene = Scene::set().await;
    let sidecar = scene.sidecar().await;
    let root = scene.plane.root().await.clone();
    let now = now_s();
    let ends = now + 3;
    let short = link(&root, &scene.agent, &["*:*"], now - 5, ends);
    scene.plane.submit_delegation(vec![short]).await.unwrap();
    let mut kept = Kept::open(&sidecar).await;
    assert_eq!(kept.ask("/echo/1").await, through());
    scene.plane.kill9();
    eventually("the delegation has ended", || std::future::ready((now_s() > ends).then_some(()))).await;
    assert_eq!(kept.ask("/echo/1").await, refused("delegation_expired"));
    scene.plane.restart().await;
    let ended = link(&root, &scene.agent, &["*:*"], now - 60, now - 5);
    let refusal = scene.plane.submit_delegation(vec![ended]).await;
    assert!(refusal.is_err(), "a delegation that has ended is taken: {refusal:?}");
}
