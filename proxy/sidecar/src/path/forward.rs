//! forward: the call goes to its upstream, once.

use std::pin::pin;
use std::sync::Arc;

use creto_call::{Kind, RefusalCode};
use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};

use crate::http::body::{AnswerBody, ObservedAnswer, Outgoing, Streamed, Whole};
use crate::http::refuse::{self, Refused};
use crate::http::{hop_by_hop, websocket};
use crate::path::admitted::{Admitted, Payload, taken_away};
use crate::path::destination::Destination;
use crate::path::hold::REASON_HEADER;
use crate::path::identify::DELEGATION_HEADER;
use crate::path::observe::{AnswerPlan, Reading};
use crate::path::record::{CallRecord, Outcome};
use crate::path::tenure::{LOOK, Tenure};
use crate::sidecar::Sidecar;
use crate::splice::{self, Lasts};
use crate::upstream::{Lease, Origin, SendError};

/// How often a call that was provably not sent is offered to another connection.
const UNSENT_TRIES: usize = 4;

/// Gives a request the target that its upstream sees, and takes out what is not for it.
pub(crate) fn address_to_upstream(destination: &Destination, request: &mut Request<()>) {
    let target = match &destination.target {
        Some(target) => target.clone(),
        None => request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
    };
    *request.uri_mut() = Uri::from(target);
    let headers = request.headers_mut();
    hop_by_hop::strip(headers);
    headers.remove(DELEGATION_HEADER);
    headers.remove(REASON_HEADER);
    // hyper has answered 100 to the agent when it reads the body; the upstream gets it at once.
    headers.remove(EXPECT);
}

/// Sends a call that is addressed to its upstream, and gives the answer as it comes.
pub(crate) async fn forward(
    sidecar: &Arc<Sidecar>,
    mut admitted: Admitted,
    mut request: Request<()>,
    payload: Payload,
) -> Response<AnswerBody> {
    let record = Arc::clone(&admitted.record);
    let agent_side = (record.kind() == Kind::WebSocket).then(|| hyper::upgrade::on(&mut request));
    let mut unanswered = Unanswered { plan: admitted.plan.take(), record: Arc::clone(&record) };
    if let Some(plan) = &unanswered.plan {
        plan.ask(request.headers_mut());
    }
    match exchange(sidecar, &admitted, request, payload).await {
        Ok((response, lease)) => {
            let plan = unanswered.plan.take();
            answer(sidecar, admitted, response, lease, agent_side, plan)
        }
        Err(refused) => {
            if !has_left(refused.code) {
                unanswered.plan = None;
            }
            drop(unanswered);
            record.status(refused.code.status());
            record.finish(outcome_of(refused.code));
            refuse::answer(&refused, record.voice(), &record.call_id())
        }
    }
}

/// Whether the upstream may have acted on the call, once it had a connection.
fn has_left(code: RefusalCode) -> bool {
    matches!(code, RefusalCode::UpstreamTimeout | RefusalCode::UpstreamBroken) || is_taken_away(code)
}

/// How a call ends that got no answer.
fn outcome_of(code: RefusalCode) -> Outcome {
    if is_taken_away(code) { Outcome::Refused } else { Outcome::UpstreamFailed }
}

/// Whether it is the sidecar that ended the call, and not the upstream.
fn is_taken_away(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::AgentSuspended
            | RefusalCode::AgentRevoked
            | RefusalCode::NoDelegation
            | RefusalCode::DelegationExpired
            | RefusalCode::DelegationRevoked
            | RefusalCode::NoPolicy
            | RefusalCode::PolicyExpired
            | RefusalCode::OverQuota
            | RefusalCode::QuotaUnavailable
    )
}

/// A call without an answer so far. Dropped so, once it may have left, it is settled by what is known: an agent that
/// leaves before the answer comes has asked all the same.
struct Unanswered {
    plan: Option<Box<AnswerPlan>>,
    record: Arc<CallRecord>,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(plan) = &self.plan
            && self.record.may_have_left()
        {
            plan.settle_unanswered(&self.record);
        }
    }
}

async fn exchange(
    sidecar: &Sidecar,
    admitted: &Admitted,
    request: Request<()>,
    payload: Payload,
) -> Result<(Response<Incoming>, Lease), Refused> {
    let origin = &admitted.destination.origin;
    // HTTP/2 upstream only for an HTTP/2 agent: what one side can say, the other can too.
    let http2 = request.version() == Version::HTTP_2;
    let (mut parts, ()) = request.into_parts();
    if admitted.record.kind() == Kind::WebSocket {
        websocket::mark(&mut parts.headers);
    }
    let target = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let record = Arc::clone(&admitted.record);
    let body = match payload {
        Payload::Streamed(body) => {
            let tenure = Arc::clone(&admitted.tenure);
            Outgoing::Streamed(Streamed::new(body, record, tenure, sidecar.timeouts.idle))
        }
        Payload::Held { bytes, room } => {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            Outgoing::Whole(Whole::new(bytes, Some(room), record))
        }
    };
    let mut request = Request::from_parts(parts, body);
    for _ in 0..UNSENT_TRIES {
        let mut lease = sidecar.upstreams.lease(origin, http2, &admitted.guard).await.map_err(|error| {
            tracing::debug!(%origin, %error, "no connection to the upstream");
            error.refused()
        })?;
        // A connection may have been waited for: what was taken away meanwhile counts.
        admitted.tenure.may_act().map_err(taken_away)?;
        admitted.record.upstream(lease.address());
        address(&mut request, origin, &target, lease.is_http2());
        let until = Instant::now() + sidecar.timeouts.response;
        // None when no answer came in time, or it is not wanted any more.
        let sent = {
            let mut sending = pin!(lease.send(request));
            loop {
                let look = LOOK.min(until.saturating_duration_since(Instant::now()));
                match timeout(look, sending.as_mut()).await {
                    Ok(sent) => break Some(sent),
                    Err(_) if Instant::now() >= until || admitted.tenure.stands().is_err() => break None,
                    Err(_) => {}
                }
            }
        };
        // Its body was stopped: what the upstream makes of that is not the reason.
        if let Some(code) = admitted.record.ended_for() {
            return Err(Refused::of(code, "used up while the call was sent"));
        }
        // Whatever came of it: an answer is not for an agent that may not have it any more.
        if !matches!(sent, Some(Err(SendError::Unsent(_)))) {
            admitted.tenure.stands().map_err(taken_away)?;
        }
        match sent {
            Some(Ok(response)) => return Ok((response, lease)),
            // A pooled connection that had closed meanwhile: the request came back whole.
            Some(Err(SendError::Unsent(returned))) => request = *returned,
            Some(Err(SendError::Broken(error))) => {
                return Err(Refused::of(
                    RefusalCode::UpstreamBroken,
                    format!("{origin}: {}", causes(&error)),
                ));
            }
            None => {
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
fn address(request: &mut Request<Outgoing>, origin: &Origin, target: &PathAndQuery, http2: bool) {
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
    admitted: Admitted,
    mut response: Response<Incoming>,
    lease: Lease,
    agent_side: Option<OnUpgrade>,
    plan: Option<Box<AnswerPlan>>,
) -> Response<AnswerBody> {
    let Admitted { record, tenure, .. } = admitted;
    record.upstream_answered(response.status().as_u16());
    hop_by_hop::strip(response.headers_mut());
    // Answers of ours are told apart by this header: an upstream cannot speak for us.
    response.headers_mut().remove("creto-refused");
    let reading = match plan.map(|plan| plan.begin(&sidecar.injector, &record, &mut response)).transpose() {
        Ok(reading) => reading.flatten(),
        Err(fault) => {
            let refused = Refused::of(RefusalCode::AnswerUnclear, fault.to_string());
            record.status(refused.code.status());
            record.finish(Outcome::UpstreamFailed);
            return refuse::answer(&refused, record.voice(), &record.call_id());
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switch(sidecar, record, tenure, response, agent_side, reading);
    }
    let idle = sidecar.timeouts.idle;
    response.map(|body| {
        let answer = ObservedAnswer::new(body, record, tenure, lease, idle, reading);
        AnswerBody::Upstream(Box::new(answer))
    })
}

/// Both sides become one stream of bytes.
fn switch(
    sidecar: &Arc<Sidecar>,
    record: Arc<CallRecord>,
    tenure: Arc<Tenure>,
    mut response: Response<Incoming>,
    agent_side: Option<OnUpgrade>,
    reading: Option<Box<Reading>>,
) -> Response<AnswerBody> {
    let Some(agent_side) = agent_side else {
        let refused = Refused::of(RefusalCode::UpstreamBroken, "the upstream switched protocols unasked");
        record.status(refused.code.status());
        record.finish(Outcome::UpstreamFailed);
        return refuse::answer(&refused, record.voice(), &record.call_id());
    };
    let upstream_side = hyper::upgrade::on(&mut response);
    let idle = sidecar.timeouts.idle;
    tokio::spawn(async move {
        let outcome = match tokio::join!(agent_side, upstream_side) {
            (Ok(agent), Ok(upstream)) => {
                let (agent, upstream) = (TokioIo::new(agent), TokioIo::new(upstream));
                let lasts = Lasts { idle, tenure: &tenure, look: || Ok(()) };
                splice::both_ways(agent, upstream, &record, lasts, reading).await
            }
            (Err(_), _) => Outcome::ClientGone,
            (_, Err(_)) => Outcome::UpstreamFailed,
        };
        record.finish(outcome);
    });
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
