//! Styles and scripts, inside the program.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::answer::Problem;

/// As its package has it, compressed; whoever cannot take it so goes without, which everything here does.
const HTMX: &str = "htmx.min.js";

/// Each with its type.
const ASSETS: &[(&str, &str, &[u8])] = &[
    ("page.css", "text/css; charset=utf-8", include_bytes!("../assets/page.css")),
    ("page.js", "text/javascript; charset=utf-8", include_bytes!("../assets/page.js")),
    (HTMX, "text/javascript; charset=utf-8", include_bytes!("../assets/htmx.min.js.gz")),
];

/// One of them.
pub(crate) fn asset(name: &str) -> Response {
    let Some((_, kind, bytes)) = ASSETS.iter().find(|(known, ..)| *known == name) else {
        return Problem::not_found().into_response();
    };
    let mut answer = Response::new(Body::from(*bytes));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if name == HTMX {
        answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=600"));
    answer
}
