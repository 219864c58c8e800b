//! The path of a call, every way in alike: capture, classify, identify, authorize, hold, reserve, inject, forward;
//! observe, settle and the end of the record ride on the answer's body.

use std::sync::Arc;

use bytes::Bytes;
use creto_call::{Call, RefusalCode};
use creto_proto::v1::Verdict;
use http::header::EXPECT;
use http::{Method, Request, Response, Version};
use hyper::body::{Body as _, Incoming};

use crate::capture::{Connection, connect};
use crate::http::body::AnswerBody;
use crate::http::refuse::{self, Refused, Voice};
use crate::path::admit::{Body, BodyFacts, Stop, admit};
use crate::path::admitted::{Admitted, Payload, end_refused};
use crate::path::body_room::{self, HeldBody, Room};
use crate::path::classify::{self, Understood};
use crate::path::headed::{self, Headed, head};
use crate::path::hold::Approvals;
use crate::path::record::{Asked, Decided};
use crate::path::{edit, forward, hold, identify, inject, judge, reserve, standing};
use crate::quota::Bound;

/// A body that is there whole.
struct Whole {
    bytes: Bytes,
    rest: Rest,
}

/// What a body that is there whole came by.
enum Rest {
    /// Its place in memory.
    Room(Room),
    /// There was none.
    Empty(Incoming),
}

impl From<Whole> for Payload {
    fn from(whole: Whole) -> Self {
        match whole.rest {
            Rest::Room(room) => Self::Held { bytes: whole.bytes, room },
            Rest::Empty(body) => Self::Streamed(body),
        }
    }
}

/// One call, step by step.
pub(crate) async fn run(connection: Arc<Connection>, request: Request<Incoming>) -> Response<AnswerBody> {
    // CONNECT opens a tunnel; the calls inside it come back here one by one.
    if request.method() == Method::CONNECT {
        return connect::open(&connection, request);
    }
    if let Some(id) = standing::asked(&connection, &request) {
        return Box::pin(standing::tell(&connection, id)).await;
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
            // Boxed: a connection that is idle, and a call that waits for people, keep no room for it.
            Box::pin(forward::forward(&connection.sidecar, admitted, request, payload)).await
        }
        Err(Stop::Held(headed, _)) => Box::pin(show_first(connection, *headed, request)).await,
        Err(Stop::Answered(answer)) => refuse_unread(request, answer).await,
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
) -> Result<Admitted, Stop> {
    let understood = Understood::head(&headed.endpoint);
    // A request without a body has said all that it will say.
    let body = BodyFacts { size: request.body().size_hint().exact(), read: request.body().is_end_stream() };
    admit(connection, headed, request, &understood, Body::Unread(body))
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
    Box::pin(go_on(connection, headed, request, (Whole { bytes, rest: Rest::Room(room) }, true))).await
}

/// The way of a call that people are to see whole.
async fn show_first(
    connection: Arc<Connection>,
    headed: Headed,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let (request, body) = apart(request);
    if body.is_end_stream() {
        let whole = Whole { bytes: Bytes::new(), rest: Rest::Empty(body) };
        return Box::pin(go_on(connection, headed, request, (whole, false))).await;
    }
    let waiting = headed.wait();
    let held = connection.sidecar.bodies.read(body).await;
    let headed = match waiting.resume(&connection) {
        Some(headed) => headed,
        None => match head(&connection, &request, true) {
            Ok(headed) => headed,
            Err(answer) => return *answer,
        },
    };
    match held {
        Ok(HeldBody { bytes, room }) => {
            let reads = headed.reads_body();
            Box::pin(go_on(connection, headed, request, (Whole { bytes, rest: Rest::Room(room) }, reads)))
                .await
        }
        Err(refused) => refuse_headed(&connection, &headed, &request, &refused, None),
    }
}

/// The rest of the way of a call that is there whole: it waits for people where policy says so, then for leases, and leaves.
/// `reads` is whether its body says what it means.
async fn go_on(
    connection: Arc<Connection>,
    mut headed: Headed,
    request: Request<()>,
    (whole, reads): (Whole, bool),
) -> Response<AnswerBody> {
    let sidecar = &connection.sidecar;
    let mut approvals = None;
    let mut until = None;
    let mut rounds = 0;
    let (admitted, understood) = loop {
        // classify, the part the body tells.
        let understood = if reads {
            match Understood::body(&headed.endpoint, &request, &whole.bytes) {
                Ok(understood) => understood,
                Err((refused, voice)) => {
                    return refuse_headed(&connection, &headed, &request, &refused, Some(&voice));
                }
            }
        } else {
            Understood::head(&headed.endpoint)
        };
        let body = Body::Whole { bytes: &whole.bytes, request: &request, approvals: approvals.as_ref() };
        let held = match admit(&connection, headed, &request, &understood, body) {
            Ok(admitted) => break (admitted, understood),
            Err(Stop::Answered(answer)) => return *answer,
            Err(Stop::Held(_, Some(held))) if rounds < hold::ROUNDS => held,
            Err(Stop::Held(headed, Some(_))) => {
                let words = "others like it had every approval so far";
                let refused = Refused::of(RefusalCode::ApprovalUnavailable, words);
                return refuse_headed(&connection, &headed, &request, &refused, Some(&understood.voice));
            }
            Err(Stop::Held(headed, None)) => {
                let refused = Refused::of(RefusalCode::CannotBeHeld, "its body was not read");
                return refuse_headed(&connection, &headed, &request, &refused, Some(&understood.voice));
            }
        };
        // hold: people stand here. Nothing of the policy is held meanwhile; what comes into force counts.
        let until = *until.get_or_insert_with(|| hold::until(held.inline, request.headers()));
        let waited = hold::wait(sidecar, held, until).await;
        rounds += 1;
        headed = match head(&connection, &request, !whole.bytes.is_empty()) {
            Ok(headed) => headed,
            Err(answer) => return *answer,
        };
        match waited {
            Ok(approved) => approvals = approved,
            Err(refused) => {
                return refuse_headed(&connection, &headed, &request, &refused, Some(&understood.voice));
            }
        }
    };
    // Boxed: thousands may wait above, and need no room for what comes after.
    Box::pin(leave(connection, admitted, request, (whole, understood, approvals))).await
}

/// A call that may go: it waits for leases, takes what was approved, and leaves.
async fn leave(
    connection: Arc<Connection>,
    mut admitted: Admitted,
    request: Request<()>,
    (mut whole, understood, approvals): (Whole, Understood, Option<Approvals>),
) -> Response<AnswerBody> {
    let sidecar = &connection.sidecar;
    if let Some(ask) = admitted.lacks.take()
        && let Err(refused) = reserve::wait(sidecar, ask, &admitted.record).await
    {
        return end_refused(&admitted.record, &refused);
    }
    if let Some(approvals) = &approvals
        && let Err(refused) = hold::take(sidecar, approvals, &admitted.record).await
    {
        return end_refused(&admitted.record, &refused);
    }
    if admitted.may_edit {
        whole.bytes = edit::ask_for_usage(&mut admitted, &understood, whole.bytes);
    }
    drop((understood, approvals));
    inject::put_in_and_forward(connection, admitted, request, whole.into()).await
}

fn apart(request: Request<Incoming>) -> (Request<()>, Incoming) {
    let (parts, body) = request.into_parts();
    (Request::from_parts(parts, ()), body)
}

/// Whether the body must be read before the call can be decided, and the call could then be allowed: what no body could
/// save is refused unread.
fn must_be_read(headed: &Headed, request: &Request<Incoming>) -> bool {
    if request.body().is_end_stream() || !headed.reads_body() {
        return false;
    }
    let Some(policy) = &headed.enforcement.policy else { return false };
    let understood = Understood::head(&headed.endpoint);
    let details = classify::details(&headed.destination, request, request.body().size_hint().exact(), false);
    let call = headed::call(headed, request, details);
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

/// Refuses what has a destination but cannot be understood.
fn refuse_headed<B>(
    connection: &Connection,
    headed: &Headed,
    request: &Request<B>,
    refused: &Refused,
    voice: Option<&Voice>,
) -> Response<AnswerBody> {
    let call = headed::call(headed, request, classify::details(&headed.destination, request, None, false));
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
        most: Bound::default(),
    };
    let asked = Asked { call, meanings: &[call.details.meaning], voice };
    match connection.sidecar.recorder.begin(asked, decided) {
        Ok(record) => end_refused(&record, refused),
        Err(_) => refuse::answer(refused, voice, ""),
    }
}
