//! The path of a call, every way in alike.

use std::sync::Arc;

use creto_call::{Call, RefusalCode};
use creto_proto::v1::Verdict;
use http::{Method, Request, Response};
use hyper::body::Incoming;

use crate::capture::{Connection, connect};
use crate::http::body::AnswerBody;
use crate::http::refuse::{self, Refused};
use crate::http::strict;
use crate::path::destination::{self, Destination};
use crate::path::record::{CallRecord, Decided, Outcome};
use crate::path::{classify, forward, judge};
use crate::upstream::Guard;

/// A call that may leave.
pub(crate) struct Admitted {
    pub(crate) destination: Destination,
    pub(crate) record: Arc<CallRecord>,
    /// Which addresses its destination may have.
    pub(crate) guard: Guard,
}

/// One call, step by step.
pub(crate) async fn run(connection: Arc<Connection>, request: Request<Incoming>) -> Response<AnswerBody> {
    // CONNECT opens a tunnel; the calls inside it come back here one by one.
    if request.method() == Method::CONNECT {
        return connect::open(&connection, request);
    }
    // Everything up to here borrows; what is admitted owns what the rest needs.
    match admit(&connection, &request) {
        // forward: the first step that takes time. observe, settle and the end of the record ride on the answer's body.
        Ok(admitted) => forward::forward(&connection.sidecar, admitted, request).await,
        Err(answer) => *answer,
    }
}

fn admit(
    connection: &Connection,
    request: &Request<Incoming>,
) -> Result<Admitted, Box<Response<AnswerBody>>> {
    let sidecar = &connection.sidecar;
    let enforcement = sidecar.enforced.load();
    // classify, the part the head tells: an answer must be in the caller's protocol even when nothing else is clear.
    let kind = classify::kind(request);
    // capture: first, since a request that can be read in two ways has no facts to decide on.
    let captured = strict::check(request)
        .map_err(|malformed| Refused::of(RefusalCode::MalformedRequest, malformed.to_string()))
        .and_then(|()| destination::resolve(connection, &enforcement, request));
    let destination = match captured {
        Ok(destination) => destination,
        Err(refused) => {
            let call = connection.entrance.partial_call(request, kind);
            return Err(Box::new(refuse_and_record(connection, &call, &refused, enforcement.epoch)));
        }
    };
    let path = destination.target.as_ref().map_or_else(|| request.uri().path(), |target| target.path());
    let call = Call {
        capture: destination.capture,
        kind,
        scheme: destination.origin.scheme,
        method: request.method().as_str(),
        host: destination.origin.host.as_str(),
        port: destination.origin.port,
        path,
    };
    // identify, authorize, and the beginning of the record: before anything leaves.
    let judged = match judge::judge(&sidecar.recorder, &enforcement, request.headers(), &call) {
        Ok(judged) => judged,
        Err(error) => {
            let refused = Refused::of(RefusalCode::RecordUnavailable, error.to_string());
            return Err(Box::new(refuse::answer(&refused, kind, "")));
        }
    };
    let guard = match judged.verdict {
        Ok(guard) => guard,
        Err(refused) => return Err(Box::new(end_refused(&judged.record, &refused))),
    };
    // reserve, hold, inject: quota, people and credentials stand here, between the decision and the wire.
    Ok(Admitted { destination, record: judged.record, guard })
}

/// Records a refusal made before there were facts to decide on, and answers.
pub(crate) fn refuse_and_record(
    connection: &Connection,
    call: &Call<'_>,
    refused: &Refused,
    policy_epoch: u64,
) -> Response<AnswerBody> {
    let decided = Decided {
        verdict: Verdict::Denied,
        code: refused.code.as_str(),
        policy: &refused.policy,
        rule: &refused.rule,
        policy_epoch,
        delegation_id: &[],
    };
    match connection.sidecar.recorder.begin(call, decided) {
        Ok(record) => end_refused(&record, refused),
        Err(_) => refuse::answer(refused, call.kind, ""),
    }
}

fn end_refused(record: &CallRecord, refused: &Refused) -> Response<AnswerBody> {
    record.status(refused.code.status());
    record.finish(Outcome::Refused);
    refuse::answer(refused, record.kind(), &record.call_id())
}
