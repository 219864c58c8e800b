//! Connections of the upstream: accepted, secured, spoken HTTP on, and broken on demand.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::record::Records;
use super::{Handler, Protocols, answers};

/// Break-ins asked for and not yet carried out: one ends the connection, so more than a few never wait.
const BREAK_INS: usize = 8;

pub(super) struct Shared {
    pub(super) records: Arc<Records>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) protocols: Protocols,
    pub(super) handlers: Vec<(String, Handler)>,
}

/// What a request may do to the connection it came on.
pub(super) enum BreakIn {
    /// Writes bytes past the HTTP engine, one piece at a time with the pause between, then closes.
    Write { pieces: Vec<Vec<u8>>, pause: Duration },
    /// Ends with a TCP reset.
    Reset,
}

/// Facts of a connection that its requests need.
#[derive(Clone)]
pub(super) struct ConnectionFacts {
    pub(super) number: usize,
    pub(super) sni: Option<String>,
    pub(super) alpn: Option<String>,
    pub(super) break_in: mpsc::Sender<BreakIn>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The stream under the HTTP engine, also reachable from outside it.
#[derive(Clone)]
struct SharedStream(Arc<Mutex<Box<dyn Stream>>>);

impl AsyncRead for SharedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_read(cx, buf)
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(cx)
    }
}

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, shared.clone()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(tcp: TcpStream, shared: Arc<Shared>) {
    let (number, _open) = shared.records.connection_opens();
    tcp.set_nodelay(true).ok();
    // A second descriptor of the same socket: the first disappears into TLS and the HTTP engine.
    let Ok(handle) = socket2::SockRef::from(&tcp).try_clone() else { return };
    let (mut sni, mut alpn) = (None, None);
    let stream: Box<dyn Stream> = match &shared.tls {
        None => Box::new(tcp),
        Some(config) => match TlsAcceptor::from(config.clone()).accept(tcp).await {
            Ok(secured) => {
                let session = secured.get_ref().1;
                sni = session.server_name().map(str::to_owned);
                alpn = session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
                Box::new(secured)
            }
            Err(_) => return,
        },
    };
    let stream = SharedStream(Arc::new(Mutex::new(stream)));
    let (break_in, mut break_ins) = mpsc::channel(BREAK_INS);
    let facts = ConnectionFacts { number, sni, alpn, break_in };
    let service = service_fn({
        let shared = shared.clone();
        move |request: http::Request<Incoming>| {
            let (shared, facts) = (shared.clone(), facts.clone());
            async move { Ok::<_, Infallible>(answers::answer(request, shared, facts).await) }
        }
    });
    let mut engine = auto::Builder::new(TokioExecutor::new());
    engine.http1().timer(TokioTimer::new()).header_read_timeout(None);
    engine.http2().timer(TokioTimer::new()).max_concurrent_streams(1000);
    let engine = match shared.protocols {
        Protocols::Both => engine,
        Protocols::Http1 => engine.http1_only(),
        Protocols::Http2 => engine.http2_only(),
    };
    let connection = engine.serve_connection_with_upgrades(TokioIo::new(stream.clone()), service);
    let asked = tokio::select! {
        _ = connection => None,
        asked = break_ins.recv() => asked,
    };
    match asked {
        None => {}
        Some(BreakIn::Reset) => {
            handle.set_linger(Some(Duration::ZERO)).ok();
        }
        Some(BreakIn::Write { pieces, pause }) => {
            let mut stream = stream;
            for piece in pieces {
                if stream.write_all(&piece).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            stream.shutdown().await.ok();
        }
    }
}
