//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::{Frame, id_of};
use crate::answer::{Problem, page, see};
use crate::cookies::{self, Token};
use crate::form::Fields;
use crate::people::PeopleError;
use crate::posted::{FORM_TOKEN, Posted, fields, forged};
use crate::shared::{Shared, Source, now};

/// The namespace that the form names when nobody says another.
const NAMESPACE: &str = "default";
/// What is said of every failure: it tells nobody which names there are.
const WRONG: &str = "Name or password are not right, or the account is disabled.";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'p> {
    frame: Frame,
    token: String,
    next: &'p str,
    namespace: &'p str,
    name: &'p str,
    said: &'p str,
}

/// `GET /sign-in`
pub(super) async fn show(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let query = Fields::parse(uri.query().unwrap_or_default().as_bytes()).unwrap_or_default();
    form(&shared, &headers, StatusCode::OK, &query, "")
}

/// The form, with what was written into it before. It is bound to a cookie of its own, since there is no session yet.
fn form(shared: &Shared, headers: &HeaderMap, status: StatusCode, written: &Fields, said: &str) -> Response {
    let (before, is_new) = match Token::of(headers, &shared.place, cookies::BEFORE) {
        Some(before) => (before, false),
        None => match Token::random() {
            Ok(before) => (before, true),
            Err(error) => return Problem::from(PeopleError::from(error)).into_response(),
        },
    };
    let namespace =
        Some(written.one("namespace")).filter(|namespace| !namespace.is_empty()).unwrap_or(NAMESPACE);
    let (next, name) = (next(written), written.one("name"));
    let (frame, token) = (Frame::nobody(), before.form_token());
    let mut answer = page(status, &SignInPage { frame, token, next: &next, namespace, name, said });
    if is_new {
        answer.headers_mut().append(header::SET_COOKIE, before.set(&shared.place, cookies::BEFORE));
    }
    answer
}

/// `POST /sign-in`
pub(super) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    Extension(source): Extension<Source>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let written = match fields(&headers, body).await {
        Ok(written) => written,
        Err(problem) => return problem.into_response(),
    };
    let before = Token::of(&headers, &shared.place, cookies::BEFORE);
    if !before.is_some_and(|before| before.made(written.one(FORM_TOKEN))) {
        return forged().page(Frame::nobody(), "/sign-in");
    }
    let (namespace, name, password) =
        (written.one("namespace"), written.one("name"), written.one("password"));
    let account = (namespace, name);
    if let Err(seconds) = shared.throttle.attempt(account, source.0, now()) {
        let said = format!("Too many attempts: try again in {}.", crate::shown::duration(seconds * 1_000));
        let mut answer = form(&shared, &headers, StatusCode::TOO_MANY_REQUESTS, &written, &said);
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return answer;
    }
    match shared.people.knows(namespace, name, password).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::info!(%namespace, from = %source.0, "somebody did not sign in");
            return form(&shared, &headers, StatusCode::UNAUTHORIZED, &written, WRONG);
        }
        Err(error) => return Problem::from(error).into_response(),
    }
    shared.throttle.succeeded(account);
    let begun = async {
        // A session is never carried over from before: whoever planted one has nothing.
        if let Some(old) = Token::of(&headers, &shared.place, cookies::SESSION) {
            shared.people.end_session(&old).await?;
        }
        shared.people.begin_session(namespace, name, now()).await
    };
    let token = match begun.await {
        Ok(token) => token,
        Err(error) => return Problem::from(error).into_response(),
    };
    tracing::info!(%namespace, %name, from = %source.0, "signed in");
    let mut answer = see(&next(&written));
    answer.headers_mut().append(header::SET_COOKIE, token.set(&shared.place, cookies::SESSION));
    answer.headers_mut().append(header::SET_COOKIE, cookies::unset(&shared.place, cookies::BEFORE));
    answer
}

/// `POST /sign-out`
pub(super) async fn sign_out(State(shared): State<Arc<Shared>>, posted: Posted) -> Response {
    if let Err(error) = shared.people.end_session(&posted.by.token).await {
        return Problem::from(error).into_response();
    }
    let mut answer = see("/sign-in");
    answer.headers_mut().append(header::SET_COOKIE, cookies::unset(&shared.place, cookies::SESSION));
    answer
}

/// Where to go after: a page here that changes nothing, and no other address.
fn next(written: &Fields) -> String {
    let next = written.one("next");
    let request = next.strip_prefix("/approvals/").is_some_and(|id| id_of(id).is_ok());
    if request || next == "/insights" { next.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_a_page_here_and_nowhere_else() {
        let to = |address: &str| {
            let query: String =
                form_urlencoded::Serializer::new(String::new()).append_pair("next", address).finish();
            next(&Fields::parse(query.as_bytes()).unwrap())
        };
        let request = format!("/approvals/{}", "ab".repeat(16));
        assert_eq!(to(&request), request);
        assert_eq!(to("/insights"), "/insights");
        for elsewhere in
            ["https://evil.example", "//evil.example", "/\\evil.example", "/approvals/../x", "/sign-out", ""]
        {
            assert_eq!(to(elsewhere), "/", "{elsewhere}");
        }
    }
}
