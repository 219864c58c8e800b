//! HTTP towards the agent.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use creto_proxy_tls::Protocol;
use http::{Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pingora_core::server::ShutdownWatch;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::capture::Connection;
use crate::http::body::AnswerBody;
use crate::path::recipe;

/// Largest head of a request, bytes; more is answered with 431.
const HEAD: usize = 64 * 1024;
/// Most headers in a request.
const HEADERS: usize = 128;
/// Most calls at once on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// Flow-control windows of HTTP/2, bytes. All streams together fit in the connection's: calls whose bodies wait, for room
/// or for their upstream, do not keep the others' from coming.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
/// An HTTP/2 agent that is silent is asked whether it is there.
const PING: Duration = Duration::from_secs(60);

/// Serves one connection to its end. At shutdown the call under way is finished, no other is taken.
pub(crate) async fn serve<S>(
    connection: Arc<Connection>,
    stream: S,
    protocol: Protocol,
    shutdown: ShutdownWatch,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let ended = match protocol {
        Protocol::Http1 => http1(connection, stream, shutdown).await,
        // Boxed, so that the many HTTP/1 connections do not carry room for HTTP/2's state.
        Protocol::Http2 => Box::pin(http2(connection, stream, shutdown)).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection from the agent ended");
    }
}

async fn http1<S>(connection: Arc<Connection>, stream: S, mut shutdown: ShutdownWatch) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(connection.sidecar.timeouts.head)
        .max_buf_size(HEAD)
        .max_headers(HEADERS);
    let calls = service_fn(move |request| answer(Arc::clone(&connection), request));
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), calls).with_upgrades());
    tokio::select! {
        ended = serving.as_mut() => return ended,
        () = asked_to_stop(&mut shutdown) => serving.as_mut().graceful_shutdown(),
    }
    serving.await
}

async fn http2<S>(connection: Arc<Connection>, stream: S, mut shutdown: ShutdownWatch) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let calls = service_fn(move |request| answer(Arc::clone(&connection), request));
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), calls));
    tokio::select! {
        ended = serving.as_mut() => return ended,
        () = asked_to_stop(&mut shutdown) => serving.as_mut().graceful_shutdown(),
    }
    serving.await
}

async fn answer(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    // hyper leaves the body of an answer to HEAD out over HTTP/1 only; over HTTP/2 it would break the stream.
    let bare = request.method() == Method::HEAD && request.version() == Version::HTTP_2;
    let response = recipe::run(connection, request).await;
    Ok(if bare { response.map(AnswerBody::without_own) } else { response })
}

/// Waits for the stop, or for ever.
async fn asked_to_stop(shutdown: &mut ShutdownWatch) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use pingora_core::protocols::l4::stream::Stream as L4Stream;

    use super::*;

    fn size_of_future<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    fn size_of_answer<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_holds_little_and_a_call_not_much_more() {
        let idle = size_of_future(http1::<L4Stream>);
        assert!(idle <= 2048, "the future of an HTTP/1 connection is {idle} bytes");
        let call = size_of_answer(answer);
        assert!(call <= 2304, "the future of a call is {call} bytes");
    }
}
