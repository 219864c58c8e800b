//! identify, authorize, hold, the beginning of the record, and reserve: all that is decided before anything of a call leaves.

use std::sync::Arc;

use bytes::Bytes;
use creto_call::Kind;
use creto_spool::SpoolError;
use http::{Request, Response};

use crate::capture::Connection;
use crate::http::body::AnswerBody;
use crate::path::admitted::{Admitted, end_refused};
use crate::path::classify::{self, Understood};
use crate::path::headed::{self, Headed};
use crate::path::hold::{self, Approvals, Held, Leaving};
use crate::path::judge::{self, Case, Judged, Weighed};
use crate::path::{edit, object, plan, reserve};
use crate::quota::Reach;

/// Why a call does not go on at once.
pub(crate) enum Stop {
    /// It is refused.
    Answered(Box<Response<AnswerBody>>),
    /// People have not approved it. None while they cannot even be asked, since its body is not read.
    Held(Box<Headed>, Option<Box<Held>>),
}

impl From<Box<Response<AnswerBody>>> for Stop {
    fn from(answer: Box<Response<AnswerBody>>) -> Self {
        Self::Answered(answer)
    }
}

/// What is known of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyFacts {
    pub(crate) size: Option<u64>,
    pub(crate) read: bool,
}

/// What is there of a body when a call is decided.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    Unread(BodyFacts),
    /// All of it, with what people have approved so far.
    Whole {
        bytes: &'a Bytes,
        request: &'a Request<()>,
        approvals: Option<&'a Approvals>,
    },
}

impl Body<'_> {
    fn facts(&self) -> BodyFacts {
        match self {
            Self::Unread(facts) => *facts,
            Self::Whole { bytes, .. } => BodyFacts { size: Some(bytes.len() as u64), read: true },
        }
    }
}

/// What a decision comes to.
enum Found {
    Judged(Result<Judged, SpoolError>, Option<Reach>),
    Held(Option<Box<Held>>),
}

/// identify, authorize, hold, the beginning of the record, and reserve: before anything leaves.
pub(crate) fn admit<B>(
    connection: &Connection,
    headed: Headed,
    request: &Request<B>,
    understood: &Understood,
    body: Body<'_>,
) -> Result<Admitted, Stop> {
    let sidecar = &connection.sidecar;
    let facts = body.facts();
    let call = headed::call(
        &headed,
        request,
        classify::details(&headed.destination, request, facts.size, facts.read),
    );
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
    let may_edit = headed.endpoint.may_edit();
    let room = if may_edit && facts.read { edit::MOST_ADDED } else { 0 };
    let bytes = facts.size.map(|size| if size > 0 { size + room } else { 0 });
    let found = understood.with_each(|meanings| {
        let reach = Reach::of(meanings, bytes, headed.enforcement.quotas.prices());
        let case = Case {
            headers: request.headers(),
            call: &call,
            meanings,
            voice: &understood.voice,
            credential: credential.map_or("", |bound| bound.name.as_str()),
            objection: objection.as_ref(),
            reach: reach.as_ref(),
        };
        let mut weighed = judge::weigh(sidecar, &headed.enforcement, case);
        if !weighed.held().is_empty() {
            match hold_back(&headed, case, (understood, &weighed), body) {
                HeldBack::Approved => {}
                HeldBack::Waits(held) => return Found::Held(held),
                HeldBack::Unfit => weighed = weighed.without_waiting(),
            }
        }
        Found::Judged(judge::record(sidecar, &headed.enforcement, case, weighed), reach)
    });
    let (judged, reach) = match found {
        Found::Judged(judged, reach) => (judged, reach),
        Found::Held(held) => return Err(Stop::Held(Box::new(headed), held)),
    };
    let judged = match judged {
        Ok(judged) => judged,
        Err(error) => return Err(Box::new(classify::unrecorded(&error, &understood.voice)).into()),
    };
    let leave = match judged.verdict {
        Ok(leave) => leave,
        Err(refused) => return Err(Box::new(end_refused(&judged.record, &refused)).into()),
    };
    // reserve: between the decision and the wire.
    let most = (bytes, reach.as_ref());
    let lacks = understood.with_each(|meanings| {
        reserve::at_once(sidecar, &headed.enforcement, &call, meanings, most, &judged.record)
    });
    let lacks = match lacks {
        Ok(lacks) => lacks,
        Err(refused) => return Err(Box::new(end_refused(&judged.record, &refused)).into()),
    };
    let credential = credential.map(Arc::clone);
    let plan = plan::of(sidecar, &headed.enforcement, &call, &headed.destination, understood);
    let (guard, tenure) = (leave.guard, leave.tenure);
    let destination = headed.destination;
    Ok(Admitted { destination, record: judged.record, guard, tenure, credential, plan, lacks, may_edit })
}

/// What holds make of a call that policy lets through.
enum HeldBack {
    /// People have approved exactly this.
    Approved,
    /// They are to be asked; none before its body is there to be shown.
    Waits(Option<Box<Held>>),
    /// They cannot be shown it.
    Unfit,
}

fn hold_back(
    headed: &Headed,
    case: Case<'_>,
    (understood, weighed): (&Understood, &Weighed<'_>),
    body: Body<'_>,
) -> HeldBack {
    // What flows in a WebSocket later nobody could have seen.
    if matches!(headed.kind, Kind::WebSocket | Kind::Opaque) {
        return HeldBack::Unfit;
    }
    let Body::Whole { bytes, request, approvals } = body else { return HeldBack::Waits(None) };
    // Who is not known is refused anyway.
    let Some(identified) = weighed.identified() else { return HeldBack::Unfit };
    let leaving = Leaving {
        enforcement: &headed.enforcement,
        identified,
        destination: &headed.destination,
        credential: case.credential,
        request,
        body: bytes,
        meanings: &understood.meanings,
        class: weighed.class(),
        cost: case.reach.and_then(Reach::nanodollars),
    };
    let to_approve = match leaving.split_by(weighed.held()) {
        Some(to_approve) if bytes.len() <= hold::MAX_SHOWN => to_approve,
        _ => return HeldBack::Unfit,
    };
    if approvals.is_some_and(|approvals| approvals.cover(&to_approve)) {
        return HeldBack::Approved;
    }
    let inline = weighed.held().iter().map(|held| held.inline).min().unwrap_or_default();
    HeldBack::Waits(Some(Box::new(Held {
        to_approve,
        question: leaving.question(),
        policy_digest: headed.enforcement.policy_digest,
        inline,
    })))
}
