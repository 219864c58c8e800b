//! Where a call that waits for people asks how it stands: a path of the sidecar's own, reached on its own address only.

use bytes::Bytes;
use creto_proto::v1::ApprovalStanding;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use serde_json::json;

use crate::capture::Connection;
use crate::http::body::AnswerBody;
use crate::path::destination;

/// Begins the path; the id of a request stands behind it.
pub(crate) const PATH: &str = "/.creto/approvals/";

/// The request asked about, if this is such a question: nothing else is taken for one, and it never leaves.
pub(crate) fn asked<B>(connection: &Connection, request: &Request<B>) -> Option<String> {
    let id = request.uri().path().strip_prefix(PATH)?;
    let is_id =
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let asks = is_id && matches!(*request.method(), Method::GET | Method::HEAD);
    (asks && destination::is_own(connection, request)).then(|| id.to_owned())
}

/// Tells how it stands: 200 while something may come of it and once it was approved, 403 denied, 408 timed out, 410 over
/// or not there.
pub(crate) async fn tell(connection: &Connection, id: String) -> Response<AnswerBody> {
    let (status, body) = match connection.sidecar.approvals.look(id).await {
        Ok(standing) => {
            let (status, terminal) = match standing.state.as_str() {
                "denied" => (StatusCode::FORBIDDEN, true),
                "timed_out" => (StatusCode::REQUEST_TIMEOUT, true),
                "cancelled" | "revoked" => (StatusCode::GONE, true),
                "executed" | "ambiguous" => (StatusCode::OK, true),
                _ => (StatusCode::OK, false),
            };
            (status, told(&standing, terminal))
        }
        Err(_) => {
            let detail = "the control plane does not say how the request stands: ask again";
            (StatusCode::SERVICE_UNAVAILABLE, json!({"detail": detail}).to_string())
        }
    };
    let waits = status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE;
    let mut response = Response::new(AnswerBody::full(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if waits {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn told(standing: &ApprovalStanding, terminal: bool) -> String {
    let body = json!({
        "operation_id": standing.id,
        "status": standing.state,
        "terminal": terminal,
        // Once approved, it goes out when it is sent again.
        "retry_original_request": !terminal,
        "expires_at_ms": standing.expires_at_ms,
        "reason": standing.reason,
    });
    body.to_string()
}
