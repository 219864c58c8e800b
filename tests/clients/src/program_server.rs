//! Real servers, as upstreams.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use creto_test_support::{ServerProcess, UPSTREAM_NAME, ensure_upstream_name, eventually};
use tempfile::TempDir;

use crate::installation::Installation;

/// A server program on a free port of 127.0.0.1, in plain HTTP; ended when dropped.
pub struct ProgramServer {
    // First, so that it ends before its folder goes.
    _process: ServerProcess,
    port: u16,
    _folder: TempDir,
}

impl ProgramServer {
    /// `@modelcontextprotocol/server-everything`, the MCP server that clients are tried against, at `/mcp`.
    pub async fn everything() -> Self {
        Self::everything_over("streamableHttp").await
    }

    /// The same over the transport of 2024-11-05, at `/sse`.
    pub async fn everything_over_sse() -> Self {
        Self::everything_over("sse").await
    }

    async fn everything_over(transport: &str) -> Self {
        let installation = Installation::get();
        let script =
            installation.node_modules().join("@modelcontextprotocol/server-everything/dist/index.js");
        let arguments = [script.display().to_string(), transport.to_owned()];
        Self::start("server-everything", &installation.node24(), &arguments).await
    }

    /// The agent of `programs/python/serve_a2a.py`.
    pub async fn a2a() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/python/serve_a2a.py");
        Self::start("a2a server", &Installation::get().python(), &[script.to_owned()]).await
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://`, a name that programs use a proxy for, the port, and the path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{UPSTREAM_NAME}:{}{path}", self.port)
    }

    async fn start(name: &str, program: &Path, arguments: &[String]) -> Self {
        ensure_upstream_name();
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let variables = [
            ("PORT".to_owned(), port.to_string()),
            ("URL".to_owned(), format!("http://{UPSTREAM_NAME}:{port}")),
            ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
        ];
        let log = folder.path().join("server.log");
        let mut process = ServerProcess::start(name, &[], program, arguments, &variables, &log);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        eventually(&format!("{name} listens"), || {
            process.assert_running();
            async move { tokio::net::TcpStream::connect(address).await.ok() }
        })
        .await;
        Self { _process: process, port, _folder: folder }
    }
}

/// A port that was free a moment ago: the programs cannot tell which one they were given.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
