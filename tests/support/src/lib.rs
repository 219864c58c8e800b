//! What tests start: a real upstream, the real control plane and sidecar, agents and network namespaces.
//!
//! Everything here panics with its reason when it cannot do what it is asked: it runs inside tests, where a
//! panic is the report.
//!
//! ```no_run
//! # async fn example() {
//! use creto_test_support::{Plane, Upstream, Way};
//! let upstream = Upstream::start().await;
//! let plane = Plane::start().await;
//! let agent = plane.agent("researcher").await;
//! plane.delegate(&agent, &["*:*"]).await;
//! plane.apply_policy("version = 1\nname = \"p\"\n[[allow]]\nname = \"all\"\nhost = \"*\"\nport = \"any\"\nprivate = true").await;
//! let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
//! let answer = sidecar.http_agent().get(Way::Connect, &upstream.url("/echo")).await;
//! assert_eq!(answer.status, 200);
//! # }
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::missing_panics_doc)]

mod agent;
mod approver;
mod authority;
mod binaries;
mod detached;
mod environment;
mod fake_plane;
mod hosts;
mod http_agent;
mod mcp_server;
mod model_provider;
mod netns;
mod patience;
mod plane;
mod process;
mod raw_upstream;
mod sidecar;
mod upstream;

pub use agent::Agent;
pub use approver::Approver;
pub use authority::{Leaf, TestAuthority, client_tls, server_tls};
pub use binaries::binary;
pub use creto_test_services::PostgresServer;
pub use detached::{Detached, DetachedSidecar};
pub use environment::{agent_environment, write_bundle};
pub use fake_plane::{FakePlane, Reply};
pub use hosts::{UPSTREAM_NAME, ensure_upstream_name};
pub use http_agent::{Answer, HttpAgent, Trip, Way};
pub use mcp_server::{FakeMcp, FakeMcpBuilder, McpExchange, McpKind};
pub use model_provider::{Api, Conduct, Encoding, FakeProvider, SeenCall, Signature, Tokens};
pub use netns::{SIDECAR_UID, TestNetwork};
pub use patience::{PATIENCE, eventually, within};
pub use plane::{NAMESPACE, Plane, PlaneBuilder};
pub use process::ServerProcess;
pub use raw_upstream::{RawConnection, RawUpstream};
pub use sidecar::{Sidecar, SidecarBuilder};
pub use upstream::{
    BoxError, BufferedRequest, BufferedResponse, Protocols, RecordedRequest, StreamedBody, StreamedResponse,
    Upstream, UpstreamBuilder, pattern, pattern_sha256,
};

/// The gRPC service of the upstream, `creto.test.Echo`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod echo {
    tonic::include_proto!("creto.test");
}
