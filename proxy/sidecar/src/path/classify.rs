//! classify: what kind of call a request is. Model APIs, MCP and A2A get their own kinds here.

use creto_call::Kind;
use http::Request;
use http::header::CONTENT_TYPE;

use crate::http::websocket;

/// The kind, from the head alone.
pub(crate) fn kind<B>(request: &Request<B>) -> Kind {
    if request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    {
        Kind::Grpc
    } else if websocket::is_requested(request) {
        Kind::WebSocket
    } else {
        Kind::Http
    }
}
