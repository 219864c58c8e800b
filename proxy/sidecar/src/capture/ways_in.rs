//! The two listeners, as pingora's services.

use std::net::SocketAddr;
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;

use async_trait::async_trait;
use creto_call::{Capture, NormalHost, Scheme};
use creto_proxy_tls::Protocol;
use parking_lot::Mutex;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig};
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::{GetSocketDigest as _, Stream};
use pingora_core::server::{Fds, ListenFds, ShutdownWatch};
use pingora_core::services::Service as Serving;
use pingora_core::services::listening::Service;
use tokio::io::AsyncWriteExt as _;

use crate::capture::first_bytes::{self, Begins};
use crate::capture::tunnel::{self, Named, Opened};
use crate::capture::{Connection, Counted, Entrance, serve};
use crate::sidecar::Sidecar;

/// Connections from the agent open at once; beyond it they are answered 503 and closed.
pub(crate) const CONNECTIONS: i64 = 10_000;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncreto-refused: overloaded\r\n\
content-length: 0\r\nconnection: close\r\n\r\n";

/// Proxy and base-URL calls, and TLS that is pointed here directly.
#[derive(Debug)]
pub(crate) struct OpenEntrance(pub(crate) Arc<Sidecar>);

/// Connections that the kernel redirected.
#[derive(Debug)]
pub(crate) struct RedirectedEntrance {
    pub(crate) sidecar: Arc<Sidecar>,
    pub(crate) own: SocketAddr,
}

#[async_trait]
impl ServerApp for OpenEntrance {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let mut stream = *stream.into_any().downcast::<L4Stream>().ok()?;
        let connection = admit(&self.0, Entrance::Open, &mut stream).await?;
        match first_bytes::look(&mut stream, self.0.timeouts.head).await? {
            Begins::Http1 => serve::serve(connection, stream, Protocol::Http1, shutdown.clone()).await,
            Begins::Http2 => {
                Box::pin(serve::serve(connection, stream, Protocol::Http2, shutdown.clone())).await;
            }
            // TLS pointed at the sidecar itself (a hosts file, a rewritten address): the server name is the destination.
            Begins::Tls(_) => {
                let named = Named::Bytes(None);
                let opened =
                    Opened { capture: Capture::Transparent, named, port: Scheme::Https.default_port() };
                Box::pin(tunnel::run(connection, stream, opened)).await;
            }
            Begins::BrokenTls => {}
        }
        None
    }
}

#[async_trait]
impl ServerApp for RedirectedEntrance {
    async fn process_new(self: &Arc<Self>, stream: Stream, _shutdown: &ShutdownWatch) -> Option<Stream> {
        let mut stream = *stream.into_any().downcast::<L4Stream>().ok()?;
        let original =
            stream.get_socket_digest().and_then(|digest| digest.original_dst()?.as_inet().copied());
        let Some(original) = original.filter(|address| *address != self.own) else {
            tracing::warn!("a connection came to the transparent port without a redirect; it is closed");
            return None;
        };
        let connection =
            admit(&self.sidecar, Entrance::Redirected { port: original.port() }, &mut stream).await?;
        // A hello without a server name, or a request without a host, goes by the address it was sent to.
        let address = NormalHost::from_ip(original.ip());
        let named = Named::Bytes(Some(address));
        let opened = Opened { capture: Capture::Transparent, named, port: original.port() };
        tunnel::run(connection, stream, opened).await;
        None
    }
}

/// Takes a place for the connection, or says that there is none.
async fn admit(sidecar: &Arc<Sidecar>, entrance: Entrance, stream: &mut L4Stream) -> Option<Arc<Connection>> {
    let Some(counted) = Counted::take(&sidecar.metrics, CONNECTIONS) else {
        let _ = stream.write_all(FULL).await;
        let _ = stream.shutdown().await;
        return None;
    };
    // What is written is complete: the head of an answer, a last chunk.
    let _ = stream.set_nodelay();
    Some(Arc::new(Connection { sidecar: Arc::clone(sidecar), entrance, counted }))
}

/// A listener that is bound before the server starts, so that its port is known and a port in use is an error.
pub(crate) struct BoundListener<A> {
    service: Service<A>,
    fds: ListenFds,
}

impl<A> BoundListener<A> {
    pub(crate) fn new(name: &str, listener: std::net::TcpListener, app: A) -> std::io::Result<Self> {
        let address = listener.local_addr()?.to_string();
        listener.set_nonblocking(true)?;
        let mut service = Service::new(name.to_owned(), app);
        // hyper and rustls buffer; buffers below them would only hold memory.
        service.add_listener(ListenerConfig::tcp(address.clone()).l4_buffer(L4BufferSettings::unbuffered()));
        let mut fds = Fds::new();
        fds.add(address, listener.into_raw_fd());
        Ok(Self { service, fds: Arc::new(Mutex::new(fds)) })
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> Serving for BoundListener<A> {
    async fn start_service(
        &mut self,
        _fds: Option<ListenFds>,
        shutdown: ShutdownWatch,
        listeners_per_fd: usize,
    ) {
        let fds = Some(Arc::clone(&self.fds));
        self.service.start_service(fds, shutdown, listeners_per_fd).await;
    }

    fn name(&self) -> &str {
        self.service.name()
    }
}
