//! Who asks, and what they send: the only ways to a session and to a form's fields.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::answer::{Problem, see};
use crate::bounds::MAX_BODY_BYTES;
use crate::cookies::{self, Token};
use crate::form::Fields;
use crate::people::{Role, SignedIn};
use crate::shared::{Shared, now};

/// The header of a page that looks by itself, whose person may be away.
const REFRESH: &str = "x-creto-refresh";
/// The field of a form's token.
pub(crate) const FORM_TOKEN: &str = "token";

/// Whether a person does something: neither a page that looks by itself nor a browser that looks ahead is one.
fn is_active(headers: &HeaderMap) -> bool {
    !headers.contains_key(REFRESH) && !is_ahead(headers)
}

/// Whether a browser looks ahead of its person.
pub(crate) fn is_ahead(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        let value = headers.get(*name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| {
            value.contains("prefetch") || value.contains("prerender") || value.contains("preview")
        })
    })
}

/// Whoever is signed in; others are sent to sign in.
pub(crate) struct Visitor(pub(crate) SignedIn);

impl FromRequestParts<Arc<Shared>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Response> {
        let token = Token::of(&parts.headers, &shared.place, cookies::SESSION);
        if let Some(token) = token {
            let found = shared.people.session(&token, is_active(&parts.headers), now()).await;
            if let Some(signed_in) = found.map_err(|error| Problem::from(error).into_response())? {
                return Ok(Self(signed_in));
            }
        }
        Err(sent_to_sign_in(parts))
    }
}

fn sent_to_sign_in(parts: &Parts) -> Response {
    let path = parts.uri.path();
    if parts.headers.contains_key("hx-request") {
        // A fragment is not the place for it: the whole page goes there.
        let mut answer = StatusCode::UNAUTHORIZED.into_response();
        answer.headers_mut().insert("hx-redirect", HeaderValue::from_static("/sign-in"));
        return answer;
    }
    match parts.method {
        Method::GET | Method::HEAD if path != "/" => see(&format!("/sign-in?next={path}")),
        Method::GET | Method::HEAD => see("/sign-in"),
        _ => Problem::new(
            StatusCode::UNAUTHORIZED,
            "Sign in first",
            "The session is over, and nothing was decided. Sign in, look at the request again, and decide then.",
        )
        .page(crate::pages::Frame::nobody(), "/sign-in"),
    }
}

/// A form that somebody who is signed in sends from this page. That it comes from this page at all is checked before
/// ([`crate::gate`]).
pub(crate) struct Posted {
    pub(crate) by: SignedIn,
    pub(crate) form: Fields,
}

impl FromRequest<Arc<Shared>> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request<Body>, shared: &Arc<Shared>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Visitor(by) = Visitor::from_request_parts(&mut parts, shared).await?;
        let form = fields(&parts.headers, body).await.map_err(Problem::into_response)?;
        if !by.token.made(form.one(FORM_TOKEN)) {
            return Err(forged().into_response());
        }
        Ok(Self { by, form })
    }
}

impl Posted {
    /// Who may do more than look.
    pub(crate) fn acts(&self) -> Result<(), Problem> {
        match self.by.role {
            Role::Approver | Role::Admin => Ok(()),
            Role::Viewer => {
                let text = "Your account may look, and not decide: whoever runs this control plane can give it the role approver.";
                Err(Problem::new(StatusCode::FORBIDDEN, "You may look only", text))
            }
        }
    }
}

/// A form without its token.
pub(crate) fn forged() -> Problem {
    let text = "The form did not come from a page that you have open here, or from an old one. Nothing was decided: load the page again.";
    Problem::new(StatusCode::FORBIDDEN, "Load the page again", text)
}

/// The fields of a form, bounded.
pub(crate) async fn fields(headers: &HeaderMap, body: Body) -> Result<Fields, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "No form", "This page takes forms."));
    }
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Too much", "A form has at most 64 KiB: write less.");
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(whole) => Fields::parse(&whole.to_bytes()).ok_or_else(too_large),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Broken off",
            "The form did not come whole: send it again.",
        )),
    }
}
