//! forward: the call goes to its upstream, once.

use std::sync::Arc;

use creto_call::{Kind, RefusalCode};
use http::header::{EXPECT, HOST, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::http::body::{AnswerBody, ObservedAnswer, ObservedRequest};
use crate::http::refuse::{self, Refused};
use crate::http::{hop_by_hop, websocket};
use crate::path::identify::DELEGATION_HEADER;
use crate::path::recipe::Admitted;
use crate::path::record::{CallRecord, Outcome};
use crate::sidecar::Sidecar;
use crate::splice;
use crate::upstream::{Lease, Origin, SendError};

/// How often a call that was provably not sent is offered to another connection.
const UNSENT_TRIES: usize = 4;

/// Sends the call and gives the answer as it comes.
pub(crate) async fn forward(
    sidecar: &Arc<Sidecar>,
    admitted: Admitted,
    mut request: Request<Incoming>,
) -> Response<AnswerBody> {
    let record = Arc::clone(&admitted.record);
    let agent_side = (record.kind() == Kind::WebSocket).then(|| hyper::upgrade::on(&mut request));
    match exchange(sidecar, &admitted, request).await {
        Ok((response, lease)) => answer(sidecar, &admitted, response, lease, agent_side),
        Err(refused) => {
            record.status(refused.code.status());
            record.finish(Outcome::UpstreamFailed);
            refuse::answer(&refused, record.kind(), &record.call_id())
        }
    }
}

async fn exchange(
    sidecar: &Sidecar,
    admitted: &Admitted,
    request: Request<Incoming>,
) -> Result<(Response<Incoming>, Lease), Refused> {
    let origin = &admitted.destination.origin;
    // HTTP/2 upstream only for an HTTP/2 agent: what one side can say, the other can too.
    let http2 = request.version() == Version::HTTP_2;
    let (mut parts, body) = request.into_parts();
    let websocket = admitted.record.kind() == Kind::WebSocket;
    hop_by_hop::strip(&mut parts.headers);
    parts.headers.remove(DELEGATION_HEADER);
    // hyper has answered 100 to the agent when it reads the body; the upstream gets it at once.
    parts.headers.remove(EXPECT);
    if websocket {
        websocket::mark(&mut parts.headers);
    }
    let target = match &admitted.destination.target {
        Some(target) => target.clone(),
        None => parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
    };
    let body = ObservedRequest::new(body, Arc::clone(&admitted.record), sidecar.timeouts.idle);
    let mut request = Request::from_parts(parts, body);
    for _ in 0..UNSENT_TRIES {
        let mut lease = sidecar.upstreams.lease(origin, http2, &admitted.guard).await.map_err(|error| {
            tracing::debug!(%origin, %error, "no connection to the upstream");
            error.refused()
        })?;
        admitted.record.upstream(lease.address());
        address(&mut request, origin, &target, lease.is_http2());
        match tokio::time::timeout(sidecar.timeouts.response, lease.send(request)).await {
            Ok(Ok(response)) => return Ok((response, lease)),
            // A pooled connection that had closed meanwhile: the request came back whole.
            Ok(Err(SendError::Unsent(returned))) => request = *returned,
            Ok(Err(SendError::Broken(error))) => {
                return Err(Refused::of(
                    RefusalCode::UpstreamBroken,
                    format!("{origin}: {}", causes(&error)),
                ));
            }
            Err(_) => {
                let waited = sidecar.timeouts.response;
                return Err(Refused::of(
                    RefusalCode::UpstreamTimeout,
                    format!("{origin} gave no answer within {waited:?}"),
                ));
            }
        }
    }
    Err(Refused::of(
        RefusalCode::UpstreamUnreachable,
        format!("{origin} closes every connection before it is used"),
    ))
}

/// Puts target, version and host as the connection's protocol has them.
fn address(request: &mut Request<ObservedRequest>, origin: &Origin, target: &PathAndQuery, http2: bool) {
    if http2 {
        let mut uri = http::uri::Parts::default();
        uri.scheme = origin.scheme.as_str().parse().ok();
        uri.authority = origin.authority().parse().ok();
        uri.path_and_query = Some(target.clone());
        if let Ok(uri) = Uri::from_parts(uri) {
            *request.uri_mut() = uri;
        }
        request.headers_mut().remove(HOST);
        *request.version_mut() = Version::HTTP_2;
    } else {
        let mut uri = http::uri::Parts::default();
        uri.path_and_query = Some(target.clone());
        if let Ok(uri) = Uri::from_parts(uri) {
            *request.uri_mut() = uri;
        }
        if let Ok(host) = HeaderValue::from_str(&origin.authority()) {
            request.headers_mut().insert(HOST, host);
        }
        *request.version_mut() = Version::HTTP_11;
    }
}

fn answer(
    sidecar: &Arc<Sidecar>,
    admitted: &Admitted,
    mut response: Response<Incoming>,
    lease: Lease,
    agent_side: Option<OnUpgrade>,
) -> Response<AnswerBody> {
    let record = &admitted.record;
    record.status(response.status().as_u16());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switch(sidecar, record, response, agent_side);
    }
    hop_by_hop::strip(response.headers_mut());
    // Answers of ours are told apart by this header: an upstream cannot speak for us.
    response.headers_mut().remove("creto-refused");
    let idle = sidecar.timeouts.idle;
    response.map(|body| {
        AnswerBody::Upstream(Box::new(ObservedAnswer::new(body, Arc::clone(record), Some(lease), idle)))
    })
}

/// Both sides become one stream of bytes.
fn switch(
    sidecar: &Arc<Sidecar>,
    record: &Arc<CallRecord>,
    mut response: Response<Incoming>,
    agent_side: Option<OnUpgrade>,
) -> Response<AnswerBody> {
    let Some(agent_side) = agent_side else {
        let refused = Refused::of(RefusalCode::UpstreamBroken, "the upstream switched protocols unasked");
        record.status(refused.code.status());
        record.finish(Outcome::UpstreamFailed);
        return refuse::answer(&refused, record.kind(), &record.call_id());
    };
    let upstream_side = hyper::upgrade::on(&mut response);
    let held = Arc::clone(record);
    let idle = sidecar.timeouts.idle;
    tokio::spawn(async move {
        let outcome = match tokio::join!(agent_side, upstream_side) {
            (Ok(agent), Ok(upstream)) => {
                splice::both_ways(TokioIo::new(agent), TokioIo::new(upstream), &held, idle).await
            }
            (Err(_), _) => Outcome::ClientGone,
            (_, Err(_)) => Outcome::UpstreamFailed,
        };
        held.finish(outcome);
    });
    hop_by_hop::strip(response.headers_mut());
    websocket::mark(response.headers_mut());
    response.map(|_| AnswerBody::empty())
}

/// An error and what caused it, in one line.
fn causes(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
