//! Upstream, control plane, sidecar and policy, as every client test has them.

use creto_proto::v1::{CallRecord, CaptureMode, Outcome, Verdict};
use creto_test_support::{Plane, Sidecar, UPSTREAM_NAME, Upstream, UpstreamBuilder, ensure_upstream_name};
use sha2::{Digest, Sha256};

use crate::program::Program;

/// What programs send.
const BODY: &str = "hello from a real client: \u{e9}\u{4e16}";

/// How a program gets to the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// By proxy variables.
    Connect,
    /// By the URL it is given.
    BaseUrl,
}

/// A running system with one agent.
pub struct World {
    /// The destination: TLS, HTTP/1.1 and HTTP/2.
    pub upstream: Upstream,
    /// The control plane.
    pub plane: Plane,
    /// The agent's sidecar.
    pub sidecar: Sidecar,
}

impl World {
    /// Starts everything: all of the upstream is allowed but `/denied/**` and gRPC's `ClientStream`.
    pub async fn start() -> Self {
        Self::with(Upstream::builder()).await
    }

    /// As [`World::start`], over an upstream that can do more.
    pub async fn with(upstream: UpstreamBuilder) -> Self {
        ensure_upstream_name();
        let upstream = upstream.name(UPSTREAM_NAME).start().await;
        let plane = Plane::start().await;
        let agent = plane.trusted_agent("client").await;
        plane.apply_policy(&policy(upstream.port())).await;
        let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
        Self { upstream, plane, sidecar }
    }

    /// The variables of a program's environment: proxy and authorities, or none for base URLs.
    #[must_use]
    pub fn environment(&self, entry: Entry) -> Vec<(String, String)> {
        match entry {
            Entry::Connect => self.sidecar.agent_environment(),
            Entry::BaseUrl => Vec::new(),
        }
    }

    /// What a program is given for a path of the upstream: `scheme` with or without `s` at its end.
    #[must_use]
    pub fn url(&self, entry: Entry, scheme: &str, path: &str) -> String {
        match entry {
            Entry::Connect => format!("{scheme}s://{UPSTREAM_NAME}:{}{path}", self.upstream.port()),
            Entry::BaseUrl => format!("{scheme}://{}/up{path}", self.sidecar.address()),
        }
    }

    /// Panics unless a call to `path` is on record, completed, with the status and this way in.
    pub async fn expect_allowed(&self, entry: Entry, path: &str, status: u32) -> CallRecord {
        let call = self.plane.wait_for_ended(path).await;
        let (begun, ended) = (call.begun.clone().unwrap(), call.ended.clone().unwrap());
        assert_eq!(begun.verdict(), Verdict::Allowed, "{call:?}");
        assert_eq!((begun.policy.as_str(), begun.rule.as_str()), ("clients", "upstream"), "{call:?}");
        assert_eq!(ended.outcome(), Outcome::Completed, "{call:?}");
        assert_eq!(ended.status, status, "{call:?}");
        assert_capture(entry, &call);
        call
    }

    /// Panics unless a call to `path` is on record as denied by the rule, and never reached the upstream.
    pub async fn expect_denied(&self, entry: Entry, path: &str, rule: &str) -> CallRecord {
        let call =
            self.plane.wait_for_call(path, |call| call.begun.as_ref().is_some_and(|b| b.path == path)).await;
        let begun = call.begun.clone().unwrap();
        assert_eq!(begun.verdict(), Verdict::Denied, "{call:?}");
        assert_eq!(begun.code, "rule_denies", "{call:?}");
        assert_eq!((begun.policy.as_str(), begun.rule.as_str()), ("clients", rule), "{call:?}");
        assert_capture(entry, &call);
        assert!(self.upstream.requests().iter().all(|request| request.path != path), "{path} was forwarded");
        call
    }
}

fn assert_capture(entry: Entry, call: &CallRecord) {
    let capture = call.begun.as_ref().map(creto_proto::v1::CallBegun::capture);
    let fits = match entry {
        // Some programs send whole `https:` URLs to a proxy: also a way in.
        Entry::Connect => matches!(capture, Some(CaptureMode::Connect | CaptureMode::AbsoluteForm)),
        Entry::BaseUrl => capture == Some(CaptureMode::BaseUrl),
    };
    assert!(fits, "{entry:?}: {call:?}");
}

/// One allowed and one refused call of a program that POSTs `BODY` to `URL` and prints status and body; gives what the
/// upstream echoed.
pub async fn http_calls(program: Program, entry: Entry) -> serde_json::Value {
    let world = World::start().await;
    let variables = world.environment(entry);
    let program = program.env("BODY", BODY);

    let allowed =
        program.clone().env("URL", world.url(entry, "http", "/echo?q=1")).run(&variables).await.json();
    assert_eq!(allowed["status"], 200, "{allowed}");
    let echoed: serde_json::Value = serde_json::from_str(allowed["body"].as_str().unwrap()).unwrap();
    assert_eq!(echoed["method"], "POST");
    assert_eq!(echoed["path"], "/echo");
    assert_eq!(echoed["query"], "q=1");
    assert_eq!(echoed["body_length"], BODY.len());
    assert_eq!(echoed["body_sha256"], hex::encode(Sha256::digest(BODY)));
    world.expect_allowed(entry, "/echo", 200).await;

    let refused = program.env("URL", world.url(entry, "http", "/denied/thing")).run(&variables).await.json();
    assert_eq!(refused["status"], 403, "{refused}");
    let problem: serde_json::Value = serde_json::from_str(refused["body"].as_str().unwrap()).unwrap();
    assert_eq!(problem["code"], "rule_denies");
    assert_eq!(problem["rule"], "denied");
    world.expect_denied(entry, "/denied/thing", "denied").await;
    echoed
}

fn policy(port: u16) -> String {
    format!(
        r#"
version = 1
name = "clients"

[[allow]]
name = "upstream"
host = ["localhost", "{UPSTREAM_NAME}"]
port = {port}
private = true

[[deny]]
name = "denied"
host = "*"
port = "any"
path = "/denied/**"

[[deny]]
name = "no-client-stream"
host = "*"
port = "any"
path = "/creto.test.Echo/ClientStream"

[[route]]
name = "upstream"
prefix = "/up"
to = "https://{UPSTREAM_NAME}:{port}"

[[route]]
name = "grpc"
prefix = "/creto.test.Echo"
to = "https://{UPSTREAM_NAME}:{port}/creto.test.Echo"
"#
    )
}
