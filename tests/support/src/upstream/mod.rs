//! A real HTTP server that answers well or badly, as its paths ask.
//!
//! | path | answer |
//! |---|---|
//! | `/echo`, and all paths not named here | JSON: method, path, query, headers, body length and SHA-256, protocol |
//! | `/echo-body` | the request's body, streamed, with its trailers |
//! | `/bytes/N` | N bytes of [`pattern`], streamed |
//! | `/chunked?n=&size=` | n chunks of `size` bytes without a length |
//! | `/sse?n=&ms=` | n server-sent events, ms apart |
//! | `/status/N` | status N, empty |
//! | `/redirect?to=` | 302 |
//! | `/gzip` | a small gzip body with `content-encoding` |
//! | `/trailers` | a body with trailers `x-trailer` and `x-body-sha256` |
//! | `/continue` | reads the body (so a 100 goes out), then as `/echo`; `?reject=1` answers 417 without reading |
//! | `/early-hints` | 103, then 200 (HTTP/1.1 only) |
//! | `/hop-headers` | a response whose `connection` names another of its headers |
//! | `/stall` | never answers |
//! | `/stall-body` | headers and 5 bytes of 100, then silence |
//! | `/slow-headers?ms=` | one byte of the response head every ms (HTTP/1.1 only) |
//! | `/cut-body` | headers and 5 bytes of 100, then a close |
//! | `/reset` | a TCP reset |
//! | `/reset-body` | headers and 5 bytes of 100, then a TCP reset |
//! | `/garbage` | bytes that are not HTTP, then a close |
//! | `/close` | a close without an answer |
//! | `/count?id=` | how many requests came with this `x-id`, as decimal text |
//! | `/ws` | a WebSocket that echoes (RFC 6455) |
//! | `/creto.test.Echo/*` | gRPC |

mod answers;
mod connection;
mod grpc;
mod record;
pub(crate) mod stream_body;
pub(crate) mod websocket;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::authority::{TestAuthority, server_tls};
pub use record::RecordedRequest;
use record::Records;
pub use stream_body::{Body as StreamedBody, BoxError, pattern, pattern_sha256};

/// Which HTTP versions the upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/1.1 and HTTP/2 by ALPN; without TLS by the first bytes (h2c with prior knowledge).
    Both,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 alone.
    Http2,
}

/// A request to an added handler, its body read whole.
pub type BufferedRequest = http::Request<Bytes>;
/// The answer of an added handler.
pub type BufferedResponse = http::Response<Bytes>;

/// The answer of an added handler whose body is made as it is sent.
pub type StreamedResponse = http::Response<stream_body::Body>;

type HandlerFuture = Pin<Box<dyn Future<Output = StreamedResponse> + Send>>;
type Handler = Arc<dyn Fn(BufferedRequest) -> HandlerFuture + Send + Sync>;

/// What an upstream is to be, before it starts.
pub struct UpstreamBuilder {
    address: IpAddr,
    port: u16,
    names: Vec<String>,
    tls: bool,
    no_alpn: bool,
    protocols: Protocols,
    authority: Option<Arc<TestAuthority>>,
    handlers: Vec<(String, Handler)>,
}

impl UpstreamBuilder {
    /// TLS or plain text; TLS if not said.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Plain text.
    #[must_use]
    pub fn plain(self) -> Self {
        self.tls(false)
    }

    /// HTTP/1.1 alone.
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.protocols = Protocols::Http1;
        self
    }

    /// HTTP/2 alone.
    #[must_use]
    pub fn http2_only(mut self) -> Self {
        self.protocols = Protocols::Http2;
        self
    }

    /// Which HTTP versions.
    #[must_use]
    pub fn protocols(mut self, protocols: Protocols) -> Self {
        self.protocols = protocols;
        self
    }

    /// TLS without ALPN, as old servers have it.
    #[must_use]
    pub fn without_alpn(mut self) -> Self {
        self.no_alpn = true;
        self
    }

    /// Another name (or address) in its certificate, besides `localhost`, `127.0.0.1` and its own address.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    /// A certificate for these names only: not for `localhost`.
    #[must_use]
    pub fn only_names(mut self, names: &[&str]) -> Self {
        self.names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// The address to listen on; 127.0.0.1 if not said.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self.names.push(address.to_string());
        self
    }

    /// The port to listen on; a free one if not said.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The authority that signs its certificate; an own one if not said.
    #[must_use]
    pub fn authority(mut self, authority: Arc<TestAuthority>) -> Self {
        self.authority = Some(authority);
        self
    }

    /// Answers every path that begins with `prefix` by a function instead.
    #[must_use]
    pub fn handle<F, Fut>(self, prefix: &str, handler: F) -> Self
    where
        F: Fn(BufferedRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = BufferedResponse> + Send + 'static,
    {
        self.handle_streamed(prefix, move |request| {
            let answer = handler(request);
            async move { answer.await.map(stream_body::full) }
        })
    }

    /// As [`UpstreamBuilder::handle`], with a body that is made as it is sent. The request keeps its extensions, so
    /// that a handler can take part in an upgrade.
    #[must_use]
    pub fn handle_streamed<F, Fut>(mut self, prefix: &str, handler: F) -> Self
    where
        F: Fn(BufferedRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StreamedResponse> + Send + 'static,
    {
        self.handlers.push((prefix.to_owned(), Arc::new(move |request| Box::pin(handler(request)))));
        self
    }

    /// Starts it; it answers when this returns.
    pub async fn start(self) -> Upstream {
        let authority = self.authority.unwrap_or_else(|| Arc::new(TestAuthority::new("Creto test upstream")));
        let listener = TcpListener::bind((self.address, self.port))
            .await
            .unwrap_or_else(|e| panic!("the upstream cannot listen on {}:{}: {e}", self.address, self.port));
        let address = listener.local_addr().unwrap();
        let tls = self.tls.then(|| {
            let alpn: &[&str] = match self.protocols {
                _ if self.no_alpn => &[],
                Protocols::Both => &["h2", "http/1.1"],
                Protocols::Http1 => &["http/1.1"],
                Protocols::Http2 => &["h2"],
            };
            Arc::new(server_tls(authority.issue(&self.names), alpn))
        });
        let records = Arc::new(Records::default());
        let shared = Arc::new(connection::Shared {
            records: records.clone(),
            tls: tls.clone(),
            protocols: self.protocols,
            handlers: self.handlers,
        });
        let task = tokio::spawn(connection::accept(listener, shared));
        Upstream { address, tls: self.tls, authority, records, task }
    }
}

/// A running upstream; it ends when dropped.
pub struct Upstream {
    address: SocketAddr,
    tls: bool,
    authority: Arc<TestAuthority>,
    records: Arc<Records>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// TLS on 127.0.0.1 with a certificate for `localhost`, HTTP/1.1 and HTTP/2, unless said otherwise.
    #[must_use]
    pub fn builder() -> UpstreamBuilder {
        UpstreamBuilder {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            tls: true,
            no_alpn: false,
            protocols: Protocols::Both,
            authority: None,
            handlers: Vec::new(),
        }
    }

    /// Starts one as [`Upstream::builder`] has it.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Starts one without TLS.
    pub async fn start_plain() -> Self {
        Self::builder().plain().start().await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `localhost:PORT`.
    #[must_use]
    pub fn authority_text(&self) -> String {
        format!("localhost:{}", self.port())
    }

    /// `https://localhost:PORT` (or `http:`) and the path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}{path}", self.port())
    }

    /// Certificate of the authority that signed its certificate.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// The authority that signed its certificate.
    #[must_use]
    pub fn authority(&self) -> Arc<TestAuthority> {
        self.authority.clone()
    }

    /// All requests whose heads came, in order, `/count` excepted.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.records.requests()
    }

    /// How many requests came with the header `x-id: ID`.
    #[must_use]
    pub fn count(&self, id: &str) -> usize {
        self.records.count(id)
    }

    /// How many TCP connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.records.connections()
    }

    /// How many TCP connections are open, those upgraded to WebSocket excepted.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.records.open_connections()
    }

    /// How many requests are being answered: a stalled one counts until its client is gone.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.records.in_flight()
    }

    /// Forgets the requests recorded so far.
    pub fn forget(&self) {
        self.records.forget();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
