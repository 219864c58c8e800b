//! Credentials: the agent never sees the secret, and a placeholder goes nowhere but where it belongs.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use bytes::Bytes;
use creto_test_support::{Answer, HttpAgent, Plane, Sidecar, Trip, Upstream, Way, eventually};
use http::Response;
use tempfile::TempDir;

const SECRET: &str = "sk-live-0123456789abcdef";

/// An upstream that echoes every header, and a credential bound to its paths under `/api/`.
struct Scene {
    upstream: Upstream,
    other: Upstream,
    plain: Upstream,
    agent: HttpAgent,
    sidecar: Sidecar,
    plane: Plane,
    secret: TempDir,
}

impl Scene {
    /// `credential` holds the lines that say type and source; `{file}` in it is the secret's file.
    async fn set(credential: &str) -> Self {
        let upstream = Upstream::builder()
            .handle("/api/gzip", |_| async {
                let answer = Response::builder().header("content-encoding", "gzip");
                answer.body(Bytes::from_static(b"\x1f\x8b not looked into")).unwrap()
            })
            .handle("/token", |request| async move {
                let form = String::from_utf8(request.body().to_vec()).unwrap();
                let right = form.contains("grant_type=refresh_token") && form.contains(SECRET);
                let answer =
                    br#"{"access_token":"at-0123456789abcdef","token_type":"bearer","expires_in":3600}"#;
                let answer = if right { &answer[..] } else { br#"{"error":"invalid_grant"}"# };
                let status = if right { 200 } else { 400 };
                Response::builder().status(status).body(Bytes::from_static(answer)).unwrap()
            })
            .start()
            .await;
        let (other, plain) = (Upstream::start().await, Upstream::start_plain().await);
        let secret = TempDir::new().unwrap();
        let file = secret.path().join("key");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        let plane = Plane::start().await;
        let agent = plane.agent("caller").await;
        plane.delegate(&agent, &["*:*"]).await;
        let ports = [upstream.port(), other.port(), plain.port()];
        let credential =
            credential.replace("{file}", file.to_str().unwrap()).replace("{token}", &upstream.url("/token"));
        let policy = format!(
            "version = 1\nname = \"p\"\n[[allow]]\nname = \"all\"\nhost = \"localhost\"\nport = {ports:?}\nprivate = true\n\
             [[credential]]\nname = \"api\"\nhost = \"localhost\"\nport = [{}, {}]\npath = \"/api/**\"\n{credential}",
            ports[0], ports[2]
        );
        plane.apply_policy(&policy).await;
        let sidecar = plane.sidecar(&agent).trusts(&upstream).trusts(&other).start().await;
        let agent = sidecar.http_agent();
        Self { upstream, other, plain, agent, sidecar, plane, secret }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.get_from(&self.upstream, path, headers).await
    }

    async fn get_from(&self, upstream: &Upstream, path: &str, headers: &[(&str, &str)]) -> Answer {
        let way = if upstream.url("/").starts_with("https") { Way::Connect } else { Way::AbsoluteForm };
        let trip = Trip::get(way, &upstream.url(path));
        self.agent.go(headers.iter().fold(trip, |trip, (name, value)| trip.header(name, value))).await
    }

    fn saw(&self, header: &str) -> String {
        self.upstream
            .requests()
            .last()
            .and_then(|seen| seen.header(header).map(str::to_owned))
            .unwrap_or_default()
    }
}

const BEARER: &str = "type = \"bearer\"\nfrom = { file = \"{file}\" }\n";

#[tokio::test]
async fn the_upstream_gets_the_secret_and_the_agent_gets_stars() {
    let scene = Scene::set(BEARER).await;
    for headers in [
        &[][..],
        &[("authorization", "Bearer creto-placeholder-api")][..],
        &[("authorization", "Bearer an-own-key-of-the-agent")][..],
    ] {
        let answer = scene.get("/api/echo", headers).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(scene.saw("authorization"), format!("Bearer {SECRET}"), "{headers:?}");
        // The upstream echoes all headers; what comes back is as long as what was sent.
        assert!(!answer.text().contains(SECRET), "{}", answer.text());
        assert!(answer.text().contains(&"*".repeat(SECRET.len())), "{}", answer.text());
    }
    let outside = scene.get("/echo", &[]).await;
    assert_eq!((outside.status, scene.saw("authorization").as_str()), (200, ""), "the credential has a path");
    let log = scene.sidecar.log();
    assert!(!log.contains(SECRET), "{log}");
    let calls = eventually("all calls are on record", || async {
        Some(scene.plane.calls().await).filter(|calls| calls.len() == 4)
    })
    .await;
    let named: Vec<_> = calls.iter().map(|call| call.begun.clone().unwrap().credential).collect();
    assert!(named.iter().any(|name| name == "api") && named.iter().any(String::is_empty), "{named:?}");
    assert!(!format!("{calls:?}").contains(SECRET));
}

#[tokio::test]
async fn a_placeholder_for_another_destination_is_refused() {
    let scene = Scene::set(BEARER).await;
    let basic = "Basic dXNlcjpjcmV0by1wbGFjZWhvbGRlci1hcGk="; // user:creto-placeholder-api
    for (upstream, path, headers) in [
        (&scene.other, "/api/echo", &[("authorization", "Bearer creto-placeholder-api")][..]),
        (&scene.upstream, "/echo", &[("x-api-key", "creto-placeholder-api")][..]),
        (&scene.upstream, "/echo", &[("authorization", basic)][..]),
        (&scene.upstream, "/echo?key=creto-placeholder-api", &[][..]),
        (&scene.upstream, "/echo?key=creto%2Dplaceholder%2Dapi", &[][..]),
        (&scene.upstream, "/api/echo", &[("x-api-key", "creto-placeholder-other")][..]),
    ] {
        let answer = scene.get_from(upstream, path, headers).await;
        assert_eq!(
            (answer.status, answer.header("creto-refused").as_str()),
            (403, "placeholder_misplaced"),
            "{path} {headers:?}"
        );
    }
    assert!(scene.upstream.requests().is_empty() && scene.other.requests().is_empty());
}

#[tokio::test]
async fn a_credential_does_not_go_out_in_plain_text_unless_it_may() {
    let scene = Scene::set(BEARER).await;
    let answer = scene.get_from(&scene.plain, "/api/echo", &[]).await;
    assert_eq!((answer.status, answer.header("creto-refused").as_str()), (403, "credential_needs_tls"));
    assert!(scene.plain.requests().is_empty());
    let scene = Scene::set(&format!("{BEARER}plain_http = true\n")).await;
    assert_eq!(scene.get_from(&scene.plain, "/api/echo", &[]).await.status, 200);
    let seen = scene.plain.requests()[0].header("authorization").map(str::to_owned);
    assert_eq!(seen, Some(format!("Bearer {SECRET}")));
}

#[tokio::test]
async fn a_rotated_file_is_used_and_a_missing_one_refuses_without_words_about_it() {
    let scene = Scene::set(BEARER).await;
    assert_eq!(scene.get("/api/echo", &[]).await.status, 200);
    let file = scene.secret.path().join("key");
    std::fs::write(&file, "another-secret-0123456789").unwrap();
    eventually("the new secret is used", || async {
        scene.get("/api/echo", &[]).await;
        (scene.saw("authorization") == "Bearer another-secret-0123456789").then_some(())
    })
    .await;
    std::fs::remove_file(&file).unwrap();
    eventually("calls are refused", || async {
        let answer = scene.get("/api/echo", &[]).await;
        (answer.status == 503 && !answer.text().contains("key")).then_some(())
    })
    .await;
    let log = scene.sidecar.log();
    assert!(log.contains("/key cannot be read"), "the operator is told which file: {log}");
}

#[tokio::test]
async fn a_secret_of_the_control_plane_reaches_the_upstream_and_no_disk_of_the_sidecar() {
    let scene =
        Scene::set("type = \"header\"\nheader = \"x-api-key\"\nfrom = { secret = \"tickets\" }\n").await;
    let refused = scene.get("/api/echo", &[]).await;
    assert_eq!((refused.status, refused.header("creto-refused").as_str()), (503, "credential_unavailable"));
    scene.plane.put_secret("tickets", SECRET.as_bytes()).await;
    eventually("the secret is fetched", || async {
        scene.get("/api/echo", &[("x-api-key", "creto-placeholder-api")]).await.status.eq(&200).then_some(())
    })
    .await;
    assert_eq!(scene.saw("x-api-key"), SECRET);
    for entry in walk(scene.sidecar.state()) {
        let bytes = std::fs::read(&entry).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "{} holds the secret", entry.display());
    }
}

#[tokio::test]
async fn an_answer_that_comes_encoded_is_not_handed_on() {
    let scene = Scene::set(BEARER).await;
    let gzip = scene.get("/api/gzip", &[("accept-encoding", "gzip")]).await;
    assert_eq!((gzip.status, gzip.header("creto-refused").as_str()), (502, "answer_unclear"));
    assert_eq!(scene.saw("accept-encoding"), "identity", "the upstream was asked for plain bytes");
}

#[tokio::test]
async fn a_refresh_token_becomes_an_access_token_which_is_kept_from_the_agent_too() {
    let lines = "type = \"oauth2-refresh\"\ntoken_url = \"{token}\"\nclient_id = \"creto\"\nfrom = { file = \"{file}\" }\n";
    let scene = Scene::set(lines).await;
    for _ in 0..3 {
        let answer = scene.get("/api/echo", &[]).await;
        assert_eq!(answer.status, 200, "{} {}", answer.text(), scene.sidecar.log());
        assert_eq!(scene.saw("authorization"), "Bearer at-0123456789abcdef");
        assert!(!answer.text().contains("at-0123456789abcdef"), "{}", answer.text());
    }
    let asked = scene.upstream.requests().iter().filter(|seen| seen.path == "/token").count();
    assert_eq!(asked, 1, "the token is kept until it ends");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}
