//! Takes connections: a bounded number of TLS handshakes at once, the others wait in the system's queue.
//!
//! A handshake is most of what a returning sidecar costs. Ten thousand at once would each get a ten-thousandth of the
//! processor and run out of time together; a few at a time, each is quick.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// TLS handshakes at once.
pub(crate) const MAX_HANDSHAKES: usize = 64;
/// How long a TLS handshake may take, from when it begins.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that the system keeps until they are taken; it may hold fewer (`net.core.somaxconn`).
pub(crate) const BACKLOG: u32 = 4_096;
/// Connections past their handshake that wait to be served.
const WAITING: usize = 64;
/// How long to wait after the system refused a connection, for want of file descriptors mostly.
const REFUSED: Duration = Duration::from_millis(50);

/// Why the doors cannot be made.
#[derive(Debug, Error)]
pub enum DoorError {
    /// Certificate or key do not parse.
    #[error("the server's certificate cannot be read: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The TLS stack does not take them.
    #[error("the server's certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// Client certificates cannot be verified.
    #[error("client certificates cannot be verified: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// Takes connections.
pub(crate) struct Doors {
    acceptor: TlsAcceptor,
    keepalive: Duration,
}

impl Doors {
    /// With this certificate and key (PEM), for clients that have a certificate of `client_ca` or none.
    pub(crate) fn new(
        certificate_pem: &str,
        key_pem: &str,
        client_ca_pem: &str,
        keepalive: Duration,
    ) -> Result<Self, DoorError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain =
            CertificateDer::pem_slice_iter(certificate_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())?;
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(client_ca_pem.as_bytes()) {
            roots.add(root?)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), keepalive })
    }

    /// Connections past their handshake, until the control plane stops.
    pub(crate) fn open(
        self,
        listener: TcpListener,
        stopping: watch::Receiver<bool>,
    ) -> mpsc::Receiver<std::io::Result<TlsStream<TcpStream>>> {
        let (through, taken) = mpsc::channel(WAITING);
        tokio::spawn(self.take(listener, stopping, through));
        taken
    }

    async fn take(
        self,
        listener: TcpListener,
        mut stopping: watch::Receiver<bool>,
        through: mpsc::Sender<std::io::Result<TlsStream<TcpStream>>>,
    ) {
        let room = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        let taking = async {
            // A semaphore that is never closed always gives.
            while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
                let tcp = match listener.accept().await {
                    Ok((tcp, _)) => tcp,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be taken");
                        sleep(REFUSED).await;
                        continue;
                    }
                };
                // Whoever gave up while it stood in line costs no handshake.
                if is_gone(&tcp) {
                    continue;
                }
                self.prepare(&tcp);
                let handshake = self.acceptor.accept(tcp);
                let through = through.clone();
                tokio::spawn(async move {
                    let done = timeout(HANDSHAKE_TIMEOUT, handshake).await;
                    drop(permit);
                    match done {
                        // Nobody is there to serve it: the control plane stops.
                        Ok(Ok(tls)) => drop(through.send(Ok(tls)).await),
                        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                        Err(_) => tracing::debug!("a TLS handshake took too long"),
                    }
                });
            }
        };
        tokio::select! {
            () = taking => {}
            // A sender that is gone is a control plane that is gone.
            _ = stopping.wait_for(|stops| *stops) => {}
        }
    }

    fn prepare(&self, tcp: &TcpStream) {
        let asked = TcpKeepalive::new().with_time(self.keepalive);
        let set = tcp.set_nodelay(true).and_then(|()| SockRef::from(tcp).set_tcp_keepalive(&asked));
        if let Err(error) = set {
            tracing::debug!(%error, "a connection keeps the system's TCP settings");
        }
    }
}

/// Whether the other end has closed already.
fn is_gone(tcp: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut ends = [PollFd::new(tcp, PollFlags::RDHUP)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let closed = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    poll(&mut ends, Some(&at_once)).is_ok() && ends[0].revents().intersects(closed)
}
