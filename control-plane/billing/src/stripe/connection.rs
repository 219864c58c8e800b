//! One request over one connection: TLS to the outside, plain text to this machine only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(80);
/// Bytes an answer may have.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// Nothing was sent.
    NotSent(String),
    /// It may have been received.
    Unknown(String),
}

/// A certificate store, read once.
pub(super) fn tls() -> Result<Arc<ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // A root that does not parse signs nothing here.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err("this machine has no root certificates: install ca-certificates".to_owned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Whether a base address may be used.
pub(super) fn allowed(base: &Uri) -> Result<(), String> {
    let host = base.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match base.scheme_str() {
        Some("https") if !host.is_empty() => Ok(()),
        Some("http") if loopback => Ok(()),
        _ => Err(format!(
            "`{base}` is no https address: an API key is sent over TLS, or to a loopback address only"
        )),
    }
}

pub(super) async fn exchange(
    base: &Uri,
    config: Option<&Arc<ClientConfig>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Broken> {
    let host = base.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = base.port_u16().unwrap_or(if config.is_some() { 443 } else { 80 });
    let connecting = async {
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        match config {
            None => Ok(Wire::Plain(stream)),
            Some(config) => {
                let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
                Ok::<Wire, String>(Wire::Tls(Box::new(stream)))
            }
        }
    };
    let wire = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| Broken::NotSent(format!("{host}:{port} does not answer")))?
        .map_err(|cause| Broken::NotSent(format!("{host}:{port}: {cause}")))?;
    let answering = async {
        match wire {
            Wire::Plain(stream) => over(stream, request).await,
            Wire::Tls(stream) => over(*stream, request).await,
        }
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, answering).await {
        Ok(answer) => answer,
        Err(_) => Err(Broken::Unknown(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))),
    }
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

async fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Broken> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Broken::NotSent(error.to_string()))?;
    let driver = tokio::spawn(connection);
    let unknown = |error: &dyn std::fmt::Display| Broken::Unknown(error.to_string());
    let answer = async {
        let (parts, body) = sender.send_request(request).await.map_err(|error| unknown(&error))?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| unknown(&error))?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    };
    let answer = answer.await;
    driver.abort();
    answer
}
