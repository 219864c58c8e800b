//! The path of a call, every way in alike: capture, classify, identify, authorize, reserve, (hold,) inject, forward;
//! observe, settle and the end of the record ride on the answer's body.

use std::sync::{Arc, Weak};

use creto_call::{Call, Kind};
use creto_classify::Endpoint;
use creto_proto::v1::Verdict;
use creto_swap::Tracked;
use http::header::EXPECT;
use http::{Method, Request, Response, Version};
use hyper::body::{Body as _, Incoming};

use crate::capture::{Connection, connect};
use crate::enforcement::{Enforcement, Snapshot};
use crate::http::body::AnswerBody;
use crate::http::refuse::{self, Refused, Voice};
use crate::http::strict;
use crate::path::admitted::{Admitted, Payload, end_refused};
use crate::path::body_room::{self, HeldBody};
use crate::path::classify::{self, Understood};
use crate::path::destination::{self, Destination};
use crate::path::judge::{self, Case};
use crate::path::record::{Asked, Decided};
use crate::path::{edit, forward, identify, inject, object, plan, reserve};

/// What is known of a body.
#[derive(Clone, Copy, Debug)]
struct BodyFacts {
    size: Option<u64>,
    read: bool,
}

/// A request whose destination is known.
struct Headed {
    enforcement: Snapshot,
    destination: Destination,
    kind: Kind,
    endpoint: Endpoint,
}

impl Headed {
    /// Lets go of the policy.
    fn wait(self) -> Waiting {
        Waiting {
            headed_by: Arc::downgrade(&self.enforcement),
            destination: self.destination,
            kind: self.kind,
            endpoint: self.endpoint,
        }
    }
}

/// The same while its body is read. Nothing here decides.
struct Waiting {
    /// Its place in memory is not used again while this is held, so that it can be told from any other.
    headed_by: Weak<Tracked<Enforcement>>,
    destination: Destination,
    kind: Kind,
    endpoint: Endpoint,
}

impl Waiting {
    /// None when another policy has come into force.
    fn resume(self, connection: &Connection) -> Option<Headed> {
        let enforcement = connection.sidecar.enforced.load_full();
        std::ptr::eq(self.headed_by.as_ptr(), Arc::as_ptr(&enforcement)).then_some(Headed {
            enforcement,
            destination: self.destination,
            kind: self.kind,
            endpoint: self.endpoint,
        })
    }
}

/// One call, step by step.
pub(crate) async fn run(connection: Arc<Connection>, request: Request<Incoming>) -> Response<AnswerBody> {
    // CONNECT opens a tunnel; the calls inside it come back here one by one.
    if request.method() == Method::CONNECT {
        return connect::open(&connection, request);
    }
    let has_body = !request.body().is_end_stream();
    let headed = match head(&connection, &request, has_body) {
        Ok(headed) => headed,
        Err(answer) => return *answer,
    };
    if must_be_read(&headed, &request) {
        // Boxed: a call that is not read does not carry room for one that is.
        return Box::pin(read_first(connection, headed, request)).await;
    }
    // Most calls are decided on the head alone, and their bodies stream.
    match admit_unread(&connection, headed, &request) {
        Ok(admitted) if admitted.lacks.is_some() => Box::pin(wait_first(connection, admitted, request)).await,
        Ok(admitted) => {
            let (mut request, body) = apart(request);
            let payload = Payload::Streamed(body);
            if admitted.credential.is_some() {
                return Box::pin(inject::put_in_and_forward(connection, admitted, request, payload)).await;
            }
            forward::address_to_upstream(&admitted.destination, &mut request);
            forward::forward(&connection.sidecar, admitted, request, payload).await
        }
        Err(answer) => refuse_unread(request, answer).await,
    }
}

/// The way of a call that no lease in hand covers.
async fn wait_first(
    connection: Arc<Connection>,
    mut admitted: Admitted,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    if let Some(ask) = admitted.lacks.take()
        && let Err(refused) = reserve::wait(&connection.sidecar, ask, &admitted.record).await
    {
        return refuse_unread(request, Box::new(end_refused(&admitted.record, &refused))).await;
    }
    let (request, body) = apart(request);
    inject::put_in_and_forward(connection, admitted, request, Payload::Streamed(body)).await
}

/// Hands a refusal on when its sender is ready to read it: over HTTP/1 a body under way comes first, unless the sender
/// waits to be asked for it (RFC 9110 section 10.1.1).
async fn refuse_unread(
    request: Request<Incoming>,
    answer: Box<Response<AnswerBody>>,
) -> Response<AnswerBody> {
    let comes = request.version() < Version::HTTP_2
        && !request.body().is_end_stream()
        && !request.headers().contains_key(EXPECT);
    if comes {
        let mut body = request.into_body();
        Box::pin(body_room::discard(&mut body)).await;
    }
    *answer
}

fn admit_unread(
    connection: &Connection,
    headed: Headed,
    request: &Request<Incoming>,
) -> Result<Admitted, Box<Response<AnswerBody>>> {
    let understood = Understood::head(&headed.endpoint);
    // A request without a body has said all that it will say.
    let body = BodyFacts { size: request.body().size_hint().exact(), read: request.body().is_end_stream() };
    admit(connection, headed, request, &understood, body)
}

/// The way of a call whose body says what it means.
async fn read_first(
    connection: Arc<Connection>,
    headed: Headed,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let (request, body) = apart(request);
    // The agent decides how long its body takes: meanwhile no policy is held, so that the next need not wait for it.
    let waiting = headed.wait();
    let held = connection.sidecar.bodies.read(body).await;
    // What came into force meanwhile, a revocation above all, counts.
    let headed = match waiting.resume(&connection) {
        Some(headed) => headed,
        None => match head(&connection, &request, true) {
            Ok(headed) => headed,
            Err(answer) => return *answer,
        },
    };
    let HeldBody { bytes, room } = match held {
        Ok(held) => held,
        Err(refused) => return refuse_headed(&connection, &headed, &request, &refused, None),
    };
    // classify, the part the body tells.
    let understood = match Understood::body(&headed.endpoint, &request, &bytes) {
        Ok(understood) => understood,
        Err((refused, voice)) => {
            return refuse_headed(&connection, &headed, &request, &refused, Some(&voice));
        }
    };
    let may_edit = headed.endpoint.may_edit();
    let body = BodyFacts { size: Some(bytes.len() as u64), read: true };
    match admit(&connection, headed, &request, &understood, body) {
        Ok(mut admitted) => {
            if let Some(ask) = admitted.lacks.take()
                && let Err(refused) = reserve::wait(&connection.sidecar, ask, &admitted.record).await
            {
                return end_refused(&admitted.record, &refused);
            }
            let bytes = if may_edit { edit::ask_for_usage(&mut admitted, &understood, bytes) } else { bytes };
            drop(understood);
            inject::put_in_and_forward(connection, admitted, request, Payload::Held { bytes, room }).await
        }
        Err(answer) => *answer,
    }
}

fn apart(request: Request<Incoming>) -> (Request<()>, Incoming) {
    let (parts, body) = request.into_parts();
    (Request::from_parts(parts, ()), body)
}

/// capture, and the part of classify that the head tells.
fn head<B>(
    connection: &Connection,
    request: &Request<B>,
    has_body: bool,
) -> Result<Headed, Box<Response<AnswerBody>>> {
    let enforcement = connection.sidecar.enforced.load_full();
    // The kind first: an answer must be in the caller's protocol even when nothing else is clear.
    let kind = classify::kind(request, has_body);
    // A request that can be read in two ways has no facts to decide on.
    let captured = strict::check(request)
        .map_err(|malformed| Refused::of(creto_call::RefusalCode::MalformedRequest, malformed.to_string()))
        .and_then(|()| destination::resolve(connection, &enforcement, request));
    match captured {
        Ok(destination) => {
            let endpoint = classify::endpoint(&enforcement, &destination, request, has_body);
            Ok(Headed { enforcement, destination, kind, endpoint })
        }
        Err(refused) => {
            let call = connection.entrance.partial_call(request, kind);
            let voice = classify::voice_of(kind);
            let answer = refuse_and_record(connection, &call, &voice, &refused, enforcement.epoch);
            Err(Box::new(answer))
        }
    }
}

/// Whether the body must be read before the call can be decided, and the call could then be allowed: what no body could
/// save is refused unread.
fn must_be_read(headed: &Headed, request: &Request<Incoming>) -> bool {
    // gRPC is not read, but a model's JSON is, whatever it calls itself.
    let is_read = headed.kind == Kind::Http || (headed.kind == Kind::Grpc && headed.endpoint.reads_body());
    if request.body().is_end_stream() || !is_read {
        return false;
    }
    let Some(policy) = &headed.enforcement.policy else { return false };
    let understood = Understood::head(&headed.endpoint);
    let details = classify::details(&headed.destination, request, request.body().size_hint().exact(), false);
    let call = call(headed, request, details);
    let asked = understood.with_each(|meanings| {
        meanings.iter().any(|meaning| {
            let mut call = call;
            call.details.meaning = *meaning;
            (headed.endpoint.reads_body() || policy.needs_body(&call) || inject::needs_body(policy, &call))
                && (policy.observes() || policy.could_allow(&call))
        })
    });
    // Last: most bodies are not asked for, and whose call it is is looked at again when it is judged.
    asked && identify::identify(&headed.enforcement, request.headers(), judge::now_s()).is_ok()
}

fn call<'a, B>(headed: &'a Headed, request: &'a Request<B>, details: creto_call::Details<'a>) -> Call<'a> {
    Call {
        capture: headed.destination.capture,
        kind: headed.kind,
        scheme: headed.destination.origin.scheme,
        method: request.method().as_str(),
        host: headed.destination.origin.host.as_str(),
        port: headed.destination.origin.port,
        path: headed.destination.path_and_query(request).0,
        details,
    }
}

/// identify, authorize, the beginning of the record, and reserve: before anything leaves.
fn admit<B>(
    connection: &Connection,
    headed: Headed,
    request: &Request<B>,
    understood: &Understood,
    body: BodyFacts,
) -> Result<Admitted, Box<Response<AnswerBody>>> {
    let sidecar = &connection.sidecar;
    let call = call(&headed, request, classify::details(&headed.destination, request, body.size, body.read));
    let credential = headed.enforcement.credential_for(&call);
    let objection = object::to(
        &sidecar.pins,
        &headed.enforcement,
        &call,
        &headed.destination,
        request,
        understood,
        credential,
    );
    let judged = understood.with_each(|meanings| {
        let case = Case {
            headers: request.headers(),
            call: &call,
            meanings,
            voice: &understood.voice,
            credential: credential.map_or("", |bound| bound.name.as_str()),
            objection: objection.as_ref(),
        };
        judge::judge(sidecar, &headed.enforcement, case)
    });
    let judged = match judged {
        Ok(judged) => judged,
        Err(error) => return Err(Box::new(classify::unrecorded(&error, &understood.voice))),
    };
    let leave = match judged.verdict {
        Ok(leave) => leave,
        Err(refused) => return Err(Box::new(end_refused(&judged.record, &refused))),
    };
    // reserve: between the decision and the wire. hold: people will stand here too.
    let room = if headed.endpoint.may_edit() && body.read { edit::MOST_ADDED } else { 0 };
    let bytes = body.size.map(|size| if size > 0 { size + room } else { 0 });
    let lacks = understood.with_each(|meanings| {
        reserve::at_once(sidecar, &headed.enforcement, &call, meanings, bytes, &judged.record)
    });
    let lacks = match lacks {
        Ok(lacks) => lacks,
        Err(refused) => return Err(Box::new(end_refused(&judged.record, &refused))),
    };
    let credential = credential.map(Arc::clone);
    let plan = plan::of(sidecar, &headed.enforcement, &call, &headed.destination, understood);
    let (guard, tenure) = (leave.guard, leave.tenure);
    let destination = headed.destination;
    Ok(Admitted { destination, record: judged.record, guard, tenure, credential, plan, lacks })
}

/// Refuses what has a destination but cannot be understood.
fn refuse_headed<B>(
    connection: &Connection,
    headed: &Headed,
    request: &Request<B>,
    refused: &Refused,
    voice: Option<&Voice>,
) -> Response<AnswerBody> {
    let call = call(headed, request, classify::details(&headed.destination, request, None, false));
    let spoken = Voice::from(headed.endpoint.dialect());
    refuse_and_record(connection, &call, voice.unwrap_or(&spoken), refused, headed.enforcement.epoch)
}

/// Records a refusal made before there were facts to decide on, and answers.
pub(crate) fn refuse_and_record(
    connection: &Connection,
    call: &Call<'_>,
    voice: &Voice,
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
        credential: "",
    };
    let asked = Asked { call, meanings: &[call.details.meaning], voice };
    match connection.sidecar.recorder.begin(asked, decided) {
        Ok(record) => end_refused(&record, refused),
        Err(_) => refuse::answer(refused, voice, ""),
    }
}
