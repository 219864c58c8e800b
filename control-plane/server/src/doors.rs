//! Takes connections: a bounded number of TLS handshakes at once, the others wait.
//!
//! A handshake is most of what a returning sidecar costs. Ten thousand at once would each get a ten-thousandth of the
//! processor and run out of time together; a few at a time, each is quick. Whoever says nothing, or stops in the middle,
//! does not hold one of the few for long.

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
/// How long a TLS handshake may take, from when its turn came.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a handshake is counted among those at once: one that takes longer waits for its client and not for us.
pub(crate) const TURN: Duration = Duration::from_millis(500);
/// Connections taken whose handshake is not done; more wait in the system's queue.
pub(crate) const MAX_BEFORE_HANDSHAKE: usize = 4_096;
/// How long a connection may stay silent before its handshake.
pub(crate) const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(3);
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
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
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
        let (room, turns) = (semaphore(MAX_BEFORE_HANDSHAKE), semaphore(MAX_HANDSHAKES));
        let taking = async {
            // A semaphore that is never closed always gives.
            while let Ok(place) = Arc::clone(&room).acquire_owned().await {
                let tcp = match listener.accept().await {
                    Ok((tcp, _)) => tcp,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be taken");
                        sleep(REFUSED).await;
                        continue;
                    }
                };
                self.prepare(&tcp);
                let (acceptor, turns, through) = (self.acceptor.clone(), Arc::clone(&turns), through.clone());
                tokio::spawn(async move {
                    let done = welcome(tcp, acceptor, turns).await;
                    drop(place);
                    match done {
                        // Nobody is there to serve it: the control plane stops.
                        Ok(tls) => drop(through.send(Ok(tls)).await),
                        Err(why) => {
                            tracing::debug!(why, "a connection ends before its TLS handshake is done");
                        }
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

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits))
}

/// The TLS handshake of one connection, when its turn comes.
async fn welcome(
    tcp: TcpStream,
    acceptor: TlsAcceptor,
    turns: Arc<Semaphore>,
) -> Result<TlsStream<TcpStream>, String> {
    match timeout(FIRST_BYTE_TIMEOUT, tcp.readable()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("it stayed silent".to_owned()),
    }
    let turn = turns.acquire_owned().await.map_err(|error| error.to_string())?;
    // Whoever gave up while it stood in line costs no handshake.
    if is_gone(&tcp) {
        return Err("its client gave up".to_owned());
    }
    let handshake = acceptor.accept(tcp);
    tokio::pin!(handshake);
    let begun = timeout(TURN, &mut handshake).await;
    drop(turn);
    let done = match begun {
        Ok(done) => done,
        Err(_) => match timeout(HANDSHAKE_TIMEOUT.saturating_sub(TURN), handshake).await {
            Ok(done) => done,
            Err(_) => return Err("its handshake took too long".to_owned()),
        },
    };
    done.map_err(|error| error.to_string())
}

/// Whether the other end has closed already.
fn is_gone(tcp: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut ends = [PollFd::new(tcp, PollFlags::RDHUP)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let closed = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    poll(&mut ends, Some(&at_once)).is_ok() && ends[0].revents().intersects(closed)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, Issuer, KeyPair};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;
    use tokio_rustls::TlsConnector;

    use super::*;

    struct Open {
        address: std::net::SocketAddr,
        connector: TlsConnector,
        _stop: watch::Sender<bool>,
    }

    async fn open() -> Open {
        let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut ca = CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::from_params(&ca, &ca_key);
        let names = vec!["localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let doors = Doors::new(
            &certificate.pem(),
            &key.serialize_pem(),
            &ca_certificate.pem(),
            Duration::from_secs(20),
        )
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let mut taken = doors.open(listener, stopping);
        tokio::spawn(async move {
            let mut served = Vec::new();
            while let Some(tls) = taken.recv().await {
                served.push(tls);
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(ca_certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Open { address, connector: TlsConnector::from(Arc::new(config)), _stop: stop }
    }

    impl Open {
        async fn handshake(&self) -> Duration {
            let begun = Instant::now();
            let tcp = TcpStream::connect(self.address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            timeout(Duration::from_secs(20), self.connector.connect(name, tcp)).await.unwrap().unwrap();
            begun.elapsed()
        }
    }

    #[tokio::test]
    async fn connections_that_say_nothing_keep_nobody_out() {
        let open = open().await;
        let mut silent = Vec::new();
        for _ in 0..4 * MAX_HANDSHAKES {
            silent.push(TcpStream::connect(open.address).await.unwrap());
        }
        let took = open.handshake().await;
        assert!(took < FIRST_BYTE_TIMEOUT, "{took:?}");
    }

    #[tokio::test]
    async fn connections_that_stop_in_the_middle_keep_others_out_for_their_turn_only() {
        let open = open().await;
        let mut halves = Vec::new();
        for _ in 0..2 * MAX_HANDSHAKES {
            let mut tcp = TcpStream::connect(open.address).await.unwrap();
            // A handshake record of 512 bytes that does not come.
            tcp.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
            halves.push(tcp);
        }
        let took = open.handshake().await;
        assert!(took < HANDSHAKE_TIMEOUT / 2, "{took:?}");
    }
}
