//! Trailers-only, as gRPC over HTTP/2 has it for an immediate error.

use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::Refused;
use crate::http::body::AnswerBody;

pub(super) fn response(refused: &Refused) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(status(refused.code.status())));
    if let Ok(message) = HeaderValue::from_str(&percent_encode(&refused.message(""))) {
        headers.insert("grpc-message", message);
    }
    response
}

/// The gRPC status code for an HTTP status.
pub(super) fn status(http: u16) -> u16 {
    match http {
        400 | 413 | 415 => 3,
        403 | 421 => 7,
        404 | 501 => 12,
        429 => 8,
        504 => 4,
        _ => 14,
    }
}

/// The encoding of `grpc-message`: printable ASCII but `%` as it is.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
