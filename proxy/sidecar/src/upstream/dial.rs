//! One new connection: resolve, judge, connect, secure.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use creto_call::{RefusalCode, Scheme};
use creto_proxy_tls::UpstreamTls;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http::refuse::Refused;
use crate::options::Timeouts;
use crate::upstream::{Guard, Origin};

/// Addresses tried of one name.
const ADDRESSES: usize = 4;

/// Why there is no connection. Nothing of the call was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("{0} does not resolve: {1}")]
    Unresolved(String, String),
    #[error("{host} resolves to {address}, which policy does not allow")]
    Address { host: String, address: IpAddr },
    #[error("{0} is the sidecar itself")]
    Loop(SocketAddr),
    #[error("{origin} at {address}: {reason}")]
    Unreachable { origin: String, address: SocketAddr, reason: String },
    #[error("TLS with {origin}: {reason}")]
    Tls { origin: String, reason: String },
    #[error("{0}: HTTP handshake: {1}")]
    Handshake(String, hyper::Error),
}

impl DialError {
    /// The one mapping of these errors to refusals.
    pub(crate) fn refused(&self) -> Refused {
        let code = match self {
            Self::Unresolved(..) => RefusalCode::NameUnresolved,
            Self::Address { .. } | Self::Loop(_) => RefusalCode::AddressForbidden,
            Self::Unreachable { .. } => RefusalCode::UpstreamUnreachable,
            Self::Tls { .. } => RefusalCode::UpstreamTls,
            Self::Handshake(..) => RefusalCode::UpstreamBroken,
        };
        Refused::of(code, self.to_string())
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) enum Dialed {
    Plain(TcpStream),
    Tls { stream: Box<TlsStream<TcpStream>>, http2: bool },
}

/// Opens connections.
#[derive(Debug)]
pub(crate) struct Dialer {
    tls: UpstreamTls,
    timeouts: Timeouts,
    /// Addresses of our own that no call may reach.
    own: Vec<SocketAddr>,
}

impl Dialer {
    pub(crate) fn new(tls: UpstreamTls, timeouts: Timeouts, own: Vec<SocketAddr>) -> Self {
        Self { tls, timeouts, own }
    }

    /// Connects, secured where the scheme says so.
    pub(crate) async fn dial(
        &self,
        origin: &Origin,
        http2: bool,
        guard: &Guard,
    ) -> Result<(Dialed, SocketAddr), DialError> {
        let (stream, address) = self.tcp(origin, guard).await?;
        if origin.scheme == Scheme::Http {
            return Ok((Dialed::Plain(stream), address));
        }
        let tls_error = |reason: String| DialError::Tls { origin: origin.to_string(), reason };
        let name = match origin.host.ip() {
            Some(ip) => ServerName::from(ip),
            None => {
                ServerName::try_from(origin.host.as_str().to_owned()).map_err(|e| tls_error(e.to_string()))?
            }
        };
        let connector = TlsConnector::from(self.tls.client_config(http2));
        let handshake = tokio::time::timeout(self.timeouts.handshake, connector.connect(name, stream));
        let stream = handshake
            .await
            .map_err(|_| tls_error(format!("no handshake within {:?}", self.timeouts.handshake)))?
            .map_err(|error| tls_error(error.to_string()))?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Dialed::Tls { stream: Box::new(stream), http2 }, address))
    }

    /// A plain connection to the first address that is allowed and answers.
    pub(crate) async fn tcp(
        &self,
        origin: &Origin,
        guard: &Guard,
    ) -> Result<(TcpStream, SocketAddr), DialError> {
        let mut forbidden = None;
        let mut last = None;
        let mut tried = 0;
        for address in self.resolve(origin).await? {
            if !guard.allows(origin, address.ip()) {
                forbidden = Some(address.ip());
                continue;
            }
            if self.is_own(address) {
                return Err(DialError::Loop(address));
            }
            if tried == ADDRESSES {
                break;
            }
            tried += 1;
            match tokio::time::timeout(self.timeouts.connect, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Small writes are the head and the last bytes of a call: they should leave at once.
                    let _ = stream.set_nodelay(true);
                    return Ok((stream, address));
                }
                Ok(Err(error)) => last = Some((address, error.to_string())),
                Err(_) => last = Some((address, format!("no connection within {:?}", self.timeouts.connect))),
            }
        }
        match (last, forbidden) {
            (Some((address, reason)), _) => {
                Err(DialError::Unreachable { origin: origin.to_string(), address, reason })
            }
            (None, Some(address)) => Err(DialError::Address { host: origin.host.to_string(), address }),
            (None, None) => Err(DialError::Unresolved(origin.host.to_string(), "it has no address".into())),
        }
    }

    async fn resolve(&self, origin: &Origin) -> Result<Vec<SocketAddr>, DialError> {
        if let Some(ip) = origin.host.ip() {
            return Ok(vec![SocketAddr::new(ip, origin.port)]);
        }
        let failed = |reason: String| DialError::Unresolved(origin.host.to_string(), reason);
        let lookup = tokio::net::lookup_host((origin.host.as_str(), origin.port));
        let found = tokio::time::timeout(self.timeouts.resolve, lookup)
            .await
            .map_err(|_| failed(format!("no answer within {:?}", self.timeouts.resolve)))?
            .map_err(|error| failed(error.to_string()))?;
        Ok(found.collect())
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        self.own.iter().any(|own| {
            own.port() == address.port()
                && (own.ip() == address.ip() || (own.ip().is_unspecified() && address.ip().is_loopback()))
        })
    }
}

/// Kept by whoever dials.
pub(crate) type SharedDialer = Arc<Dialer>;
