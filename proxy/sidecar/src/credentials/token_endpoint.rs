//! Forms to token endpoints, over the sidecar's own connections and within its policy's addresses.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use creto_call::{NormalHost, Scheme};
use creto_credentials::{MAX_TOKEN_ANSWER_BYTES, TokenAnswer, TokenEndpoint, encode_form};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Limited};
use zeroize::Zeroizing;

use crate::enforcement::Enforced;
use crate::http::body::{Outgoing, Whole};
use crate::upstream::{Guard, Origin, SendError, Upstreams};

/// Longest wait for an answer.
const WAIT: Duration = Duration::from_secs(20);

/// Sends forms as calls are sent: the same resolution, certificates and guard.
#[derive(Debug)]
pub(crate) struct UpstreamTokens {
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) enforced: Arc<Enforced>,
}

#[async_trait]
impl TokenEndpoint for UpstreamTokens {
    async fn post_form(
        &self,
        url: &str,
        form: &[(&str, &str)],
        basic: Option<&HeaderValue>,
    ) -> Result<TokenAnswer, String> {
        tokio::time::timeout(WAIT, self.post(url, form, basic))
            .await
            .map_err(|_| format!("no answer within {WAIT:?}"))?
    }
}

impl UpstreamTokens {
    async fn post(
        &self,
        url: &str,
        form: &[(&str, &str)],
        basic: Option<&HeaderValue>,
    ) -> Result<TokenAnswer, String> {
        let (origin, target) = taken_apart(url)?;
        let body = Bytes::from_owner(encode_form(form));
        let guard = Guard::own(&self.enforced);
        let origin = Arc::new(origin);
        let mut lease = self
            .upstreams
            .lease(&origin, false, &guard)
            .await
            .map_err(|error| format!("no connection to {origin}: {}", error.refused().detail))?;
        let mut request = Request::new(Outgoing::Whole(Whole::own(body.clone())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(target);
        let headers = request.headers_mut();
        let host = HeaderValue::from_str(&origin.authority()).map_err(|error| error.to_string())?;
        headers.insert(HOST, host);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(basic) = basic {
            headers.insert(AUTHORIZATION, basic.clone());
        }
        let response = match lease.send(request).await {
            Ok(response) => response,
            Err(SendError::Unsent(_)) => return Err(format!("{origin} closed the connection")),
            Err(SendError::Broken(error)) => return Err(format!("{origin} broke off: {error}")),
        };
        let status = response.status().as_u16();
        let read = Limited::new(response.into_body(), MAX_TOKEN_ANSWER_BYTES).collect().await;
        let body = read.map_err(|error| format!("its answer could not be read: {error}"))?.to_bytes();
        lease.give_back();
        Ok(TokenAnswer { status, body: Zeroizing::new(body.to_vec()) })
    }
}

fn taken_apart(url: &str) -> Result<(Origin, PathAndQuery), String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
    let scheme = match uri.scheme_str() {
        Some("https") => Scheme::Https,
        Some("http") => Scheme::Http,
        _ => return Err(format!("{url} is neither https nor http")),
    };
    let host = NormalHost::parse(uri.host().unwrap_or_default()).map_err(|error| error.to_string())?;
    let port = uri.port_u16().unwrap_or(scheme.default_port());
    let target = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    Ok((Origin { scheme, host, port }, target))
}
