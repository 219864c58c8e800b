//! A server driven byte by byte, for answers no HTTP engine would send.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::authority::{TestAuthority, server_tls};

/// How long [`RawConnection::read_head`] waits for the end of a request head.
const HEAD_WAIT: Duration = Duration::from_secs(10);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One accepted connection of a [`RawUpstream`]. All bytes read are also kept in [`RawUpstream::received`].
pub struct RawConnection {
    stream: Box<dyn Stream>,
    socket: socket2::Socket,
    received: Arc<Mutex<Vec<u8>>>,
    /// Number of the connection, from 1.
    pub number: usize,
}

impl RawConnection {
    /// Reads until an empty line; returns what came, whole or not.
    pub async fn read_head(&mut self) -> Vec<u8> {
        let mut head = Vec::new();
        let reading = async {
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                let piece = self.read_some().await;
                if piece.is_empty() {
                    break;
                }
                head.extend_from_slice(&piece);
            }
        };
        tokio::time::timeout(HEAD_WAIT, reading).await.ok();
        head
    }

    /// Reads what is there, waiting for at least a byte; empty at the end.
    pub async fn read_some(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 16 * 1024];
        let count = self.stream.read(&mut buffer).await.unwrap_or(0);
        buffer.truncate(count);
        self.received.lock().extend_from_slice(&buffer);
        buffer
    }

    /// Reads until the other side closes or nothing comes for `quiet`.
    pub async fn read_until_quiet(&mut self, quiet: Duration) -> Vec<u8> {
        let mut all = Vec::new();
        while let Ok(piece) = tokio::time::timeout(quiet, self.read_some()).await {
            if piece.is_empty() {
                break;
            }
            all.extend_from_slice(&piece);
        }
        all
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).await.is_ok() {
            self.stream.flush().await.ok();
        }
    }

    /// Ends the sending side in order.
    pub async fn finish(&mut self) {
        self.stream.shutdown().await.ok();
    }

    /// Ends with a TCP reset.
    pub fn reset(self) {
        self.socket.set_linger(Some(Duration::ZERO)).ok();
    }
}

/// A TCP or TLS server that hands every connection to a function; it ends when dropped.
pub struct RawUpstream {
    address: SocketAddr,
    authority: Arc<TestAuthority>,
    received: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl RawUpstream {
    /// A plain TCP server.
    pub async fn start<F, Fut>(script: F) -> Self
    where
        F: Fn(RawConnection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::launch(None, script).await
    }

    /// A TLS server for `localhost` and 127.0.0.1 that offers the ALPN names.
    pub async fn start_tls<F, Fut>(alpn: &[&str], script: F) -> Self
    where
        F: Fn(RawConnection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::launch(Some(alpn), script).await
    }

    /// Reads a request head on each connection, answers these bytes, closes.
    pub async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start(move |mut connection| {
            let bytes = bytes.clone();
            async move {
                connection.read_head().await;
                connection.send(&bytes).await;
                connection.finish().await;
            }
        })
        .await
    }

    async fn launch<F, Fut>(alpn: Option<&[&str]>, script: F) -> Self
    where
        F: Fn(RawConnection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let authority = Arc::new(TestAuthority::new("Creto raw test upstream"));
        let acceptor = alpn.map(|alpn| {
            let leaf = authority.issue(&["localhost".to_owned(), "127.0.0.1".to_owned()]);
            TlsAcceptor::from(Arc::new(server_tls(leaf, alpn)))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (kept, counter) = (received.clone(), connections.clone());
        let script = Arc::new(script);
        let task = tokio::spawn(async move {
            let mut running = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let (acceptor, received, script) = (acceptor.clone(), kept.clone(), script.clone());
                running.spawn(async move {
                    tcp.set_nodelay(true).ok();
                    let Ok(socket) = socket2::SockRef::from(&tcp).try_clone() else { return };
                    let stream: Box<dyn Stream> = match acceptor {
                        None => Box::new(tcp),
                        Some(acceptor) => match acceptor.accept(tcp).await {
                            Ok(secured) => Box::new(secured),
                            Err(_) => return,
                        },
                    };
                    script(RawConnection { stream, socket, received, number }).await;
                });
            }
        });
        Self { address, authority, received, connections, task }
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

    /// Certificate of the authority that signed its certificate.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// All bytes that its connections read, in order of arrival.
    #[must_use]
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().clone()
    }

    /// How many TCP connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
