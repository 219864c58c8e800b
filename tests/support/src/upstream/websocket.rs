//! WebSockets, RFC 6455: the one that echoes, and those of added handlers.

use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::stream_body::{Body, full};

/// The socket of an upgraded connection.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers the upgrade and echoes text and binary messages until the client closes.
pub(super) fn answer(request: Request<Incoming>) -> Response<Body> {
    upgrade(request, |mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                break;
            }
        }
        socket
    })
}

/// Answers the upgrade; `talk` has the socket until it gives it back to be closed.
pub(crate) fn upgrade<B, Talk, Done>(mut request: Request<B>, talk: Talk) -> Response<Body>
where
    Talk: FnOnce(Socket) -> Done + Send + 'static,
    Done: Future<Output = Socket> + Send + 'static,
{
    let mut response = Response::new(full(""));
    let Some(key) = request.headers().get("sec-websocket-key").cloned() else {
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return response;
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        let mut socket = talk(socket).await;
        // Ends TLS in order, so that nobody takes the end for a truncation.
        socket.get_mut().shutdown().await.ok();
    });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    headers.insert("connection", HeaderValue::from_static("Upgrade"));
    headers.insert("sec-websocket-accept", HeaderValue::from_str(&accept).unwrap());
    response
}
