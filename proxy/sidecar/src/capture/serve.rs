//! HTTP towards the agent.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use creto_proxy_tls::Protocol;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pingora_core::server::ShutdownWatch;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::capture::Connection;
use crate::path::recipe;

/// Largest head of a request, bytes; more is answered with 431.
const HEAD: usize = 64 * 1024;
/// Most headers in a request.
const HEADERS: usize = 128;
/// Most calls at once on one HTTP/2 connection.
const STREAMS: u32 = 250;
/// Flow-control windows of HTTP/2, bytes.
const STREAM_WINDOW: u32 = 512 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// An HTTP/2 agent that is silent is asked whether it is there.
const PING: Duration = Duration::from_secs(60);

/// Serves one connection to its end. At shutdown the call under way is finished, no other is taken.
pub(crate) async fn serve<S>(connection: Arc<Connection>, stream: S, protocol: Protocol, mut shutdown: ShutdownWatch)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = connection.sidecar.timeouts.head;
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move { Ok::<_, Infallible>(recipe::run(connection, request).await) }
    });
    let io = TokioIo::new(stream);
    let ended = match protocol {
        Protocol::Http1 => {
            let mut serving = std::pin::pin!(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(head)
                    .max_buf_size(HEAD)
                    .max_headers(HEADERS)
                    .serve_connection(io, service)
                    .with_upgrades()
            );
            tokio::select! {
                ended = serving.as_mut() => ended,
                () = asked_to_stop(&mut shutdown) => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            }
        }
        Protocol::Http2 => {
            let mut serving = std::pin::pin!(
                http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .keep_alive_interval(PING)
                    .max_header_list_size(HEAD as u32)
                    .max_concurrent_streams(STREAMS)
                    .initial_stream_window_size(STREAM_WINDOW)
                    .initial_connection_window_size(CONNECTION_WINDOW)
                    .serve_connection(io, service)
            );
            tokio::select! {
                ended = serving.as_mut() => ended,
                () = asked_to_stop(&mut shutdown) => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection from the agent ended");
    }
}

/// Waits for the stop, or for ever.
async fn asked_to_stop(shutdown: &mut ShutdownWatch) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
