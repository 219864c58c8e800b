//! Where the control plane is and how a channel to it is opened.

use std::time::Duration;

use thiserror::Error;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// How long TCP and TLS may take together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for a sidecar, which may stand in line with ten thousand others that come back.
pub const SIDECAR_CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an answer to a unary call may take. Streams are not bounded by it once they are open.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest message taken from the control plane or sent to it.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

// Longer than a control plane is busy with a change for all: giving up on it then would make it busier.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why no channel could be opened.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The address is not a URL of the form `https://host:port`.
    #[error("the control plane's address {address:?} is not usable: give it as https://host:port")]
    Address {
        /// As given.
        address: String,
    },
    /// The token holds characters that no HTTP header may.
    #[error("the operator token is malformed: it must be the one line of the token file")]
    Token,
    /// The certificate authority or the client identity does not load.
    #[error("the TLS settings do not load ({source}): check the control plane's ca.pem and the client key")]
    Tls {
        /// What the transport said.
        source: tonic::transport::Error,
    },
    /// No connection.
    #[error(
        "no connection to the control plane at {address} ({cause}): check that it runs and that its ca.pem is the one given"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// The innermost cause the transport named.
        cause: String,
        /// What the transport said.
        source: tonic::transport::Error,
    },
}

/// Where the control plane is and by which authority its certificate is judged.
#[derive(Clone, Debug)]
pub struct PlaneEndpoint {
    /// `https://host:port`.
    pub address: String,
    /// The control plane's `ca.pem`.
    pub ca_pem: String,
}

impl PlaneEndpoint {
    /// Opens a channel that presents no client certificate.
    ///
    /// # Errors
    /// [`ConnectError`] when the address, the authority or the connection fails.
    pub async fn open(&self) -> Result<Channel, ConnectError> {
        self.dial(None).await
    }

    /// Opens a channel that presents a client certificate.
    pub(crate) async fn dial(&self, identity: Option<Identity>) -> Result<Channel, ConnectError> {
        self.prepare(identity)?.connect().await.map_err(|source| ConnectError::Unreachable {
            address: self.address.clone(),
            cause: innermost(&source),
            source,
        })
    }

    /// A channel that connects when it is first used, and again whenever it broke.
    pub(crate) fn dial_when_used(&self, identity: Option<Identity>) -> Result<Channel, ConnectError> {
        Ok(self.prepare(identity)?.connect_lazy())
    }

    fn prepare(&self, identity: Option<Identity>) -> Result<Endpoint, ConnectError> {
        if !self.address.starts_with("https://") {
            return Err(ConnectError::Address { address: self.address.clone() });
        }
        let endpoint = Endpoint::from_shared(self.address.clone())
            .map_err(|_| ConnectError::Address { address: self.address.clone() })?;
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.ca_pem));
        let mut connect_timeout = CONNECT_TIMEOUT;
        if let Some(identity) = identity {
            tls = tls.identity(identity);
            connect_timeout = SIDECAR_CONNECT_TIMEOUT;
        }
        Ok(endpoint
            .tls_config(tls)
            .map_err(|source| ConnectError::Tls { source })?
            .connect_timeout(connect_timeout)
            .timeout(REQUEST_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true))
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(next) = at.source() {
        at = next;
    }
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_plain_address_is_refused() {
        let plain = PlaneEndpoint { address: "http://127.0.0.1:1".into(), ca_pem: String::new() };
        assert!(matches!(plain.open().await, Err(ConnectError::Address { .. })));
    }

    #[tokio::test]
    async fn a_certificate_authority_that_is_none_is_refused() {
        let broken = PlaneEndpoint { address: "https://127.0.0.1:1".into(), ca_pem: "no pem".into() };
        assert!(broken.open().await.is_err());
    }
}
