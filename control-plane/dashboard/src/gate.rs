//! What every request passes on its way in, and every answer on its way out.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::timeout;
use tower_service::Service as _;

use crate::answer::Problem;
use crate::bounds::REQUEST_TIMEOUT;
use crate::posted::is_ahead;
use crate::shared::{Shared, Source};

/// What is loaded, run, framed and sent where: this page's own, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// On every answer.
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("x-robots-tag", "noindex, nofollow, noarchive"),
];

/// Answers a request.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    mut pages: Router,
    mut request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response, Infallible> {
    let mut answer = match refusal(&shared, &request) {
        Some(problem) => problem.into_response(),
        None => {
            let from = Source(source(&shared, request.headers(), peer));
            request.extensions_mut().insert(from);
            let changes = *request.method() == Method::POST;
            let request = request.map(Body::new);
            // What a form changes is changed whole, whether its browser waits for the answer or not.
            let answering = tokio::spawn(async move { pages.call(request).await });
            let waits = answering.abort_handle();
            match timeout(REQUEST_TIMEOUT, answering).await {
                Ok(Ok(Ok(answer))) => answer,
                Ok(Ok(Err(never))) => match never {},
                Ok(Err(error)) => {
                    tracing::error!(%error, "a request was not answered");
                    let text = "Something is wrong here; the log says what. Look whether it was done before you try again.";
                    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Not answered", text).into_response()
                }
                Err(_) => {
                    if !changes {
                        waits.abort();
                    }
                    let text = "It took too long. Look whether it was done before you try again.";
                    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", text).into_response()
                }
            }
        }
    };
    for (name, value) in HEADERS {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !answer.headers().contains_key(header::CACHE_CONTROL) {
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(answer)
}

fn refusal(shared: &Shared, request: &Request<Incoming>) -> Option<Problem> {
    if !shared.place.is_host(request.headers()) {
        let text = format!("This page is reached at {} and under no other name.", shared.place.url());
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, "Another host", text));
    }
    match *request.method() {
        Method::GET | Method::HEAD => None,
        Method::POST if is_ahead(request.headers()) => {
            let text = "A browser that looks ahead decides nothing.";
            Some(Problem::new(StatusCode::FORBIDDEN, "Nothing was decided", text))
        }
        Method::POST if shared.place.is_same_origin(request.headers()) => None,
        Method::POST => {
            let text = "The form was sent by another page. Nothing was decided.";
            Some(Problem::new(StatusCode::FORBIDDEN, "From elsewhere", text))
        }
        _ => {
            let text = "This page takes GET, HEAD and POST.";
            Some(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Not taken", text))
        }
    }
}

/// Where a request comes from. Behind a proxy all come from that; the last address it noted is whom it speaks for.
fn source(shared: &Shared, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    if !shared.place.is_secure() {
        return peer;
    }
    let noted = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let last = noted.and_then(|noted| noted.rsplit(',').next()?.trim().parse().ok());
    last.unwrap_or(peer)
}
