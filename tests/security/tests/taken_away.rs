//! What is taken away from an agent ends what it has under way: tunnels, WebSockets, uploads, answers. What has nothing to
//! do with them leaves them alone.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod wire;

use std::time::Duration;

use bytes::Bytes;
use creto_bundle::{Content, Notice};
use creto_proto::v1::{AgentState, Outcome, call_entry};
use creto_test_support::{Detached, DetachedSidecar, FakePlane, Upstream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::{connect, exchange, read_answer, status, tls};

/// From the word of the control plane to the end of what is under way.
const SOON: Duration = Duration::from_secs(3);

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

struct Scene {
    passed: Upstream,
    plain: Upstream,
    plane: FakePlane,
    sidecar: DetachedSidecar,
    content: Content,
}

/// Lets both upstreams through, the first one's TLS unopened.
fn policy(passed: &Upstream, plain: &Upstream, limits: &str) -> String {
    format!(
        "version = 1\nname = \"test\"\n[staleness]\n{limits}\n[[allow]]\nname = \"passed\"\nhost = \"localhost\"\n\
         port = {}\nprivate = true\ntls = \"pass\"\n{}",
        passed.port(),
        plain_rule(plain)
    )
}

fn plain_rule(plain: &Upstream) -> String {
    format!("[[allow]]\nname = \"plain\"\nhost = \"127.0.0.1\"\nport = {}\n", plain.port())
}

impl Scene {
    async fn set(limits: &str) -> Self {
        let (passed, plain) = (Upstream::start().await, Upstream::start_plain().await);
        let plane = FakePlane::start().await;
        let detached = Detached::policy(policy(&passed, &plain, limits)).under(&plane);
        let content = detached.content();
        let sidecar = detached.start().await;
        plane.hello(1).await;
        Self { passed, plain, plane, sidecar, content }
    }

    /// A tunnel to the upstream itself: TLS with it, and one call through.
    async fn tunnel(&self) -> Box<dyn Both> {
        let (answer, stream) =
            connect(self.sidecar.proxy(), &format!("localhost:{}", self.passed.port())).await;
        assert_eq!(status(&answer), 200, "{answer}");
        let mut stream: Box<dyn Both> =
            Box::new(tls(stream, self.passed.ca_pem(), "localhost").await.unwrap());
        self.use_tunnel(&mut stream).await;
        stream
    }

    async fn use_tunnel(&self, stream: &mut Box<dyn Both>) {
        stream.write_all(b"GET /echo HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert_eq!(status(&read_answer(stream).await), 200);
    }

    /// A request with this head, and what has come of it so far.
    async fn begin(&self, line: &str, headers: &str, body: &str) -> Box<dyn Both> {
        let to = self.plain.address();
        let mut stream = TcpStream::connect(self.sidecar.proxy()).await.unwrap();
        let (method, path) = line.split_once(' ').unwrap();
        let head = format!("{method} http://{to}{path} HTTP/1.1\r\nhost: {to}\r\n{headers}\r\n{body}");
        stream.write_all(head.as_bytes()).await.unwrap();
        Box::new(stream)
    }

    async fn websocket(&self) -> Box<dyn Both> {
        let asks = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let mut stream = self.begin("GET /ws", asks, "").await;
        assert_eq!(status(&read_answer(&mut stream).await), 101);
        use_websocket(&mut stream).await;
        stream
    }

    async fn events(&self) -> Box<dyn Both> {
        let mut stream = self.begin("GET /sse?n=600&ms=100", "", "").await;
        assert!(goes_on(&mut stream).await);
        stream
    }

    async fn suspend(&self, epoch: u64) {
        let notice = Notice { epoch, agent_state: AgentState::Suspended, chain_revoked: false };
        self.plane.revoke(&Detached::signer(), notice).await;
    }
}

/// An echo of a text frame.
async fn use_websocket(stream: &mut Box<dyn Both>) {
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo, [0x81, 2, b'h', b'i']);
}

/// Whether more comes.
async fn goes_on(stream: &mut Box<dyn Both>) -> bool {
    let mut chunk = [0; 4096];
    matches!(tokio::time::timeout(SOON, stream.read(&mut chunk)).await, Ok(Ok(1..)))
}

/// What still comes until the end, which must come soon.
async fn rest(what: &str, stream: &mut Box<dyn Both>) -> String {
    let mut rest = Vec::new();
    // An end that breaks off is an end too.
    let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "{what} goes on {SOON:?} after it was taken away");
    String::from_utf8_lossy(&rest).into_owned()
}

/// Outcome and status of every call that ended.
fn ended(sidecar: DetachedSidecar) -> Vec<(Outcome, u32)> {
    let entries = sidecar.into_entries().into_iter();
    entries
        .filter_map(|entry| match entry.entry {
            Some(call_entry::Entry::Ended(ended)) => Some((ended.outcome(), ended.status)),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_ends_tunnels_websockets_and_answers_and_is_their_end_on_record() {
    let scene = Scene::set("").await;
    let mut under_way = [
        ("a tunnel", scene.tunnel().await),
        ("a WebSocket", scene.websocket().await),
        ("a stream", scene.events().await),
    ];
    scene.suspend(1).await;
    let begun = std::time::Instant::now();
    for (what, stream) in &mut under_way {
        rest(what, stream).await;
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let metrics = scene.sidecar.admin_get("/metrics").await;
    assert!(metrics.contains("creto_calls_ended_total{outcome=\"refused\"} 3"), "{metrics}");
    assert!(scene.sidecar.log().contains("agent_suspended"), "{}", scene.sidecar.log());
    assert_eq!(ended(scene.sidecar), [(Outcome::Refused, 403); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_ends_uploads_and_the_wait_for_an_answer_and_says_so() {
    let scene = Scene::set("").await;
    let upload = scene.begin("POST /echo", "content-length: 100\r\n", "half").await;
    let wait = scene.begin("GET /stall", "", "").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    scene.suspend(1).await;
    for (what, mut stream) in [("an upload", upload), ("a wait", wait)] {
        let answer = tokio::time::timeout(SOON, read_answer(&mut stream)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{what} goes on"));
        assert!(status(&answer) == 403 && answer.contains("agent_suspended"), "{what}: {answer}");
    }
    assert_eq!(ended(scene.sidecar), [(Outcome::Refused, 403); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_that_is_revoked_or_a_sidecar_that_is_cut_off_ends_them_too() {
    for cut_off in [false, true] {
        let scene = Scene::set("").await;
        let mut under_way = [scene.tunnel().await, scene.websocket().await, scene.events().await];
        if cut_off {
            scene.plane.refuse_streams(Some(tonic::Status::unauthenticated("replaced")));
        } else {
            let notice = Notice { epoch: 1, agent_state: AgentState::Active, chain_revoked: true };
            scene.plane.revoke(&Detached::signer(), notice).await;
        }
        for stream in &mut under_way {
            rest(&format!("cut off: {cut_off}"), stream).await;
        }
        assert_eq!(ended(scene.sidecar), [(Outcome::Refused, 403); 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_policy_that_is_not_about_them_leaves_them_open() {
    let scene = Scene::set("").await;
    let (mut tunnel, mut websocket, mut events) =
        (scene.tunnel().await, scene.websocket().await, scene.events().await);
    let both = policy(&scene.passed, &scene.plain, "");
    let edited = Detached::policy(format!("{both}[[deny]]\nname = \"other\"\nhost = \"other.example\"\n"));
    scene.plane.push("edit", 2, &edited.content(), Some(&scene.content)).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        scene.use_tunnel(&mut tunnel).await;
        use_websocket(&mut websocket).await;
        assert!(goes_on(&mut events).await);
    }

    // A tunnel cannot be judged by what flows in it: it ends with the rule that lets it through.
    let without = format!("version = 1\nname = \"test\"\n{}", plain_rule(&scene.plain));
    // The delegation is minted again, as it is for every new key; that takes nothing away.
    scene.plane.push("without", 3, &Detached::policy(without).content(), None).await;
    rest("a tunnel without a rule", &mut tunnel).await;
    use_websocket(&mut websocket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_that_is_too_old_ends_what_may_do_more_and_not_what_only_comes_back() {
    let scene = Scene::set("read = \"never\"\nwrite = \"2s\"").await;
    // The sidecar has been told of its policy at its start only.
    scene.plane.heartbeat(1).await;
    let (mut tunnel, mut websocket, mut events) =
        (scene.tunnel().await, scene.websocket().await, scene.events().await);
    for (what, stream) in [("a tunnel", &mut tunnel), ("a WebSocket", &mut websocket)] {
        let ended = tokio::time::timeout(SOON + SOON, rest(what, stream)).await;
        ended.unwrap();
    }
    assert!(goes_on(&mut events).await);
    assert!(scene.sidecar.log().contains("policy_expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_its_credential_does_not_leave_after_a_suspension() {
    let tokens = Upstream::builder()
        .handle("/token", |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let token = br#"{"access_token":"at-0123456789abcdef","token_type":"bearer","expires_in":3600}"#;
            http::Response::new(Bytes::from_static(token))
        })
        .start()
        .await;
    let upstream = Upstream::start_plain().await;
    let plane = FakePlane::start().await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "a-refresh-token-of-some-length").unwrap();
    let (own, file) = (upstream.port(), secret.path().display());
    let policy = format!(
        "version = 1\nname = \"test\"\n[[allow]]\nname = \"all\"\nhost = [\"127.0.0.1\", \"localhost\"]\n\
         port = [{own}, {}]\nprivate = true\n[[credential]]\nname = \"api\"\nhost = \"127.0.0.1\"\nport = {own}\n\
         type = \"oauth2-refresh\"\ntoken_url = \"{}\"\nclient_id = \"creto\"\nplain_http = true\nfrom = {{ file = \"{file}\" }}\n",
        tokens.port(),
        tokens.url("/token"),
    );
    let sidecar = Detached::policy(policy).under(&plane).trusting(tokens.ca_pem()).start().await;
    plane.hello(1).await;
    let to = upstream.address();
    let request = format!("GET http://{to}/echo HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n");
    let call = tokio::spawn(async move { (exchange(sidecar.proxy(), request.as_bytes()).await, sidecar) });
    creto_test_support::eventually("the token is asked for", || async {
        (!tokens.requests().is_empty()).then_some(())
    })
    .await;
    let notice = Notice { epoch: 1, agent_state: AgentState::Suspended, chain_revoked: false };
    plane.revoke(&Detached::signer(), notice).await;
    let (answer, sidecar) = call.await.unwrap();
    assert!(status(&answer) == 403 && answer.contains("agent_suspended"), "{answer}");
    assert!(upstream.requests().is_empty(), "it left: {:?}", upstream.requests());
    assert_eq!(ended(sidecar), [(Outcome::Refused, 403)]);
}
