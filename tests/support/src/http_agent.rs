//! An agent that speaks HTTP through a sidecar, by any of the four ways in, or raw bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::authority::client_tls;
use crate::netns::NetworkHandle;
use crate::patience::within;

/// How long one answer may take before the test fails.
const ANSWER: Duration = Duration::from_secs(20);
/// How long [`HttpAgent::send_raw`] waits for the other side to close after its last byte.
const RAW_QUIET: Duration = Duration::from_secs(3);

/// How a call gets into the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `CONNECT`, then TLS if the URL is `https`.
    Connect,
    /// The whole URL in the request line; for `http` URLs.
    AbsoluteForm,
    /// To the sidecar's own address, this prefix in front of the path.
    BaseUrl(&'static str),
    /// A connection to the URL's own address, redirected; inside a [`crate::TestNetwork`].
    Transparent,
}

/// One call to be made.
#[derive(Clone)]
pub struct Trip {
    /// The way in.
    pub way: Way,
    /// URL of the upstream, whatever the way.
    pub url: String,
    /// The method.
    pub method: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body; no `content-length` is sent for an empty one.
    pub body: Bytes,
    /// Speaks HTTP/2: by ALPN over TLS, by prior knowledge without.
    pub http2: bool,
    /// Server name for TLS other than the URL's host.
    pub sni: Option<String>,
}

impl Trip {
    /// A GET over HTTP/1.1.
    #[must_use]
    pub fn get(way: Way, url: &str) -> Self {
        Self {
            way,
            url: url.to_owned(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            http2: false,
            sni: None,
        }
    }

    /// With another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Over HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// With another TLS server name.
    #[must_use]
    pub fn sni(mut self, name: &str) -> Self {
        self.sni = Some(name.to_owned());
        self
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// HTTP version.
    pub version: Version,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, whole.
    pub body: Bytes,
    /// Trailers, if any came.
    pub trailers: Option<HeaderMap>,
    /// Why the body broke off, if it did.
    pub broke: Option<String>,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.text()))
    }

    /// A header as text; empty if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default()
    }

    /// The code of a refusal: of the `creto-refused` header, which must agree with the body's; empty if not refused.
    #[must_use]
    pub fn refusal(&self) -> String {
        let code = self.header("creto-refused");
        if !code.is_empty() && self.header("content-type").starts_with("application/problem+json") {
            assert_eq!(self.json()["code"], code.as_str(), "header and body of the refusal differ");
            assert_eq!(self.json()["status"], self.status, "status and body of the refusal differ");
        }
        code
    }
}

/// A test client beside a sidecar.
#[derive(Clone)]
pub struct HttpAgent {
    sidecar: SocketAddr,
    ca_pem: String,
    network: Option<NetworkHandle>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl HttpAgent {
    pub(crate) fn new(sidecar: SocketAddr, ca_pem: &str, network: Option<NetworkHandle>) -> Self {
        Self { sidecar, ca_pem: ca_pem.to_owned(), network }
    }

    /// The same client, trusting another authority (PEM): for tunnels that are not opened.
    #[must_use]
    pub fn trusting(&self, ca_pem: &str) -> Self {
        Self { ca_pem: ca_pem.to_owned(), ..self.clone() }
    }

    /// GET over HTTP/1.1.
    pub async fn get(&self, way: Way, url: &str) -> Answer {
        self.go(Trip::get(way, url)).await
    }

    /// Makes a call; panics when no answer comes. For calls that may fail: [`HttpAgent::try_go`].
    pub async fn go(&self, trip: Trip) -> Answer {
        let what = format!("{:?} {}", trip.way, trip.url);
        self.try_go(trip).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Makes a call. A refused `CONNECT` gives the refusal as the answer.
    ///
    /// # Errors
    /// What broke, in words.
    pub async fn try_go(&self, trip: Trip) -> Result<Answer, String> {
        let what = format!("{:?} {}", trip.way, trip.url);
        within(ANSWER, &what, self.carry_out(trip)).await
    }

    async fn carry_out(&self, trip: Trip) -> Result<Answer, String> {
        let url: Uri = trip.url.parse().map_err(|e| format!("bad URL: {e}"))?;
        let secure = url.scheme_str() == Some("https");
        let host = url.host().unwrap_or_default().to_owned();
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let authority = url.authority().map(ToString::to_string).unwrap_or_default();
        let path = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let (stream, target, authority) = match trip.way {
            Way::Connect => match self.tunnel(&format!("{host}:{port}")).await? {
                Ok(stream) => (stream, path, authority),
                Err(refused) => return Ok(refused),
            },
            Way::Transparent => {
                let address = self.resolve(&host, port).await?;
                (self.dial(address).await?, path, authority)
            }
            Way::AbsoluteForm => (self.dial(self.sidecar).await?, trip.url.clone(), authority),
            Way::BaseUrl(prefix) => {
                (self.dial(self.sidecar).await?, format!("{prefix}{path}"), self.sidecar.to_string())
            }
        };
        let wrapped = secure && matches!(trip.way, Way::Connect | Way::Transparent);
        let stream: Box<dyn Stream> =
            if wrapped { Box::new(self.secure(stream, &host, &trip).await?) } else { Box::new(stream) };
        exchange(stream, &trip, &target, &authority, wrapped).await
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr, String> {
        if let Some(address) = self.network.as_ref().and_then(|network| network.resolve(host)) {
            return Ok(SocketAddr::new(address, port));
        }
        let mut found = tokio::net::lookup_host((host, port)).await.map_err(|e| e.to_string())?;
        found.next().ok_or_else(|| format!("{host} has no address"))
    }

    async fn secure(
        &self,
        stream: TcpStream,
        host: &str,
        trip: &Trip,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
        let alpn: &[&str] = if trip.http2 { &["h2"] } else { &["http/1.1"] };
        let config = Arc::new(client_tls(&self.ca_pem, alpn));
        let name = trip.sni.clone().unwrap_or_else(|| host.to_owned());
        let name = ServerName::try_from(name).map_err(|e| e.to_string())?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|e| format!("TLS: {e}"))
    }

    /// Opens a `CONNECT` tunnel and gives it bare; the inner error is the refusal.
    ///
    /// # Errors
    /// What broke, in words.
    pub async fn tunnel(&self, target: &str) -> Result<Result<TcpStream, Answer>, String> {
        let mut stream = self.dial(self.sidecar).await?;
        let head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.map_err(|e| e.to_string())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = stream.read_u8().await.map_err(|e| format!("CONNECT is not answered: {e}"))?;
            answer.push(byte);
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status: u16 = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        if status == 200 {
            return Ok(Ok(stream));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in text.lines().skip(1).filter_map(|line| line.split_once(':')) {
            if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), value.trim().parse()) {
                headers.append(name, value);
            }
        }
        let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        let read = async {
            match length {
                Some(length) => {
                    body.resize(length, 0);
                    stream.read_exact(&mut body).await.map(|_| ())
                }
                None => stream.read_to_end(&mut body).await.map(|_| ()),
            }
        };
        let broke = read.await.err().map(|e| e.to_string());
        Ok(Err(Answer {
            status,
            version: Version::HTTP_11,
            headers,
            body: body.into(),
            trailers: None,
            broke,
        }))
    }

    /// GET straight to an address, past the proxy port.
    pub async fn get_direct(&self, address: SocketAddr, path: &str) -> Answer {
        let stream = self.dial(address).await.unwrap_or_else(|e| panic!("{address}: {e}"));
        let trip = Trip::get(Way::Connect, path);
        exchange(Box::new(stream), &trip, path, &address.to_string(), false).await.unwrap()
    }

    /// Sends bytes to the sidecar's port as they are; gives all that comes until it closes or is quiet for 3 s.
    pub async fn send_raw(&self, bytes: &[u8]) -> Vec<u8> {
        let stream = self.dial(self.sidecar).await.unwrap();
        raw_exchange(stream, bytes).await.0
    }

    /// As [`HttpAgent::send_raw`]; also tells whether the sidecar closed the connection.
    pub async fn send_raw_to_close(&self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let stream = self.dial(self.sidecar).await.unwrap();
        raw_exchange(stream, bytes).await
    }

    /// Sends bytes inside a `CONNECT` tunnel, within TLS when `tls`; as [`HttpAgent::send_raw_to_close`].
    pub async fn send_raw_in_tunnel(&self, target: &str, tls: bool, bytes: &[u8]) -> (Vec<u8>, bool) {
        let stream =
            self.tunnel(target).await.unwrap().unwrap_or_else(|refused| panic!("{}", refused.text()));
        if !tls {
            return raw_exchange(stream, bytes).await;
        }
        let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
        let stream = self.secure(stream, host, &Trip::get(Way::Connect, "")).await.unwrap();
        raw_exchange(stream, bytes).await
    }

    /// A bare TCP connection to the sidecar's port.
    pub async fn connect(&self) -> TcpStream {
        self.dial(self.sidecar).await.unwrap()
    }

    /// A bare TCP connection to any address, from where the agent is.
    ///
    /// # Errors
    /// What broke, in words.
    pub async fn dial(&self, address: SocketAddr) -> Result<TcpStream, String> {
        let stream = match &self.network {
            Some(network) => network.connect(address).await,
            None => TcpStream::connect(address).await,
        };
        let stream = stream.map_err(|e| format!("{address} does not accept a connection: {e}"))?;
        stream.set_nodelay(true).ok();
        Ok(stream)
    }
}

async fn raw_exchange(mut stream: impl Stream, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut came = Vec::new();
    // What the sidecar answers early may come with a reset of what is still being sent.
    stream.write_all(bytes).await.ok();
    stream.flush().await.ok();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match tokio::time::timeout(RAW_QUIET, stream.read(&mut buffer)).await {
            Err(_) => return (came, false),
            Ok(Ok(0) | Err(_)) => return (came, true),
            Ok(Ok(count)) => came.extend_from_slice(&buffer[..count]),
        }
    }
}

async fn exchange(
    stream: Box<dyn Stream>,
    trip: &Trip,
    target: &str,
    authority: &str,
    secure: bool,
) -> Result<Answer, String> {
    let mut request = Request::builder().method(trip.method.as_str());
    if trip.http2 {
        let uri = if target.starts_with('/') {
            format!("{}://{authority}{target}", if secure { "https" } else { "http" })
        } else {
            target.to_owned()
        };
        request = request.uri(uri).version(Version::HTTP_2);
    } else {
        request = request.uri(target);
        if !trip.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", authority);
        }
    }
    for (name, value) in &trip.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(trip.body.clone())).map_err(|e| e.to_string())?;
    let io = TokioIo::new(stream);
    let words = |e: hyper::Error| format!("{e}: {:?}", std::error::Error::source(&e));
    let (response, driver) = if trip.http2 {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.map_err(words)?;
        let driver = tokio::spawn(async move { connection.await.ok() });
        (sender.send_request(request).await.map_err(words)?, driver)
    } else {
        let (mut sender, connection) = http1::handshake(io).await.map_err(words)?;
        let driver = tokio::spawn(async move { connection.await.ok() });
        (sender.send_request(request).await.map_err(words)?, driver)
    };
    let (head, mut body) = response.into_parts();
    let mut data = Vec::new();
    let (mut trailers, mut broke) = (None, None);
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(piece)) => data.extend_from_slice(&piece),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(error) => {
                broke = Some(words(error));
                break;
            }
        }
    }
    driver.abort();
    Ok(Answer {
        status: head.status.as_u16(),
        version: head.version,
        headers: head.headers,
        body: data.into(),
        trailers,
        broke,
    })
}
