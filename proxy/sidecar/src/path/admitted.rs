//! What the decision leaves behind: a call that may go on, or one that is refused.

use std::sync::Arc;

use bytes::Bytes;
use creto_call::RefusalCode;
use creto_credentials::Credential;
use http::Response;
use hyper::body::Incoming;

use crate::http::body::AnswerBody;
use crate::http::refuse::{self, Refused};
use crate::path::body_room::Room;
use crate::path::destination::Destination;
use crate::path::observe::AnswerPlan;
use crate::path::record::{CallRecord, Outcome};
use crate::path::tenure::Tenure;
use crate::quota::QuotaAsk;
use crate::upstream::Guard;

/// A call that may leave.
pub(crate) struct Admitted {
    pub(crate) destination: Destination,
    pub(crate) record: Arc<CallRecord>,
    /// Which addresses its destination may have.
    pub(crate) guard: Guard,
    /// For how long it may go on.
    pub(crate) tenure: Arc<Tenure>,
    /// What is put in where the agent has a placeholder.
    pub(crate) credential: Option<Arc<Credential>>,
    /// What is to be read of the answer.
    pub(crate) plan: Option<Box<AnswerPlan>>,
    /// Quotas that leases in hand do not cover: waited for before anything leaves.
    pub(crate) lacks: Option<Box<QuotaAsk>>,
    /// Whether its body may be asked to say what it used.
    pub(crate) may_edit: bool,
}

/// What the agent sends with a call.
pub(crate) enum Payload {
    /// As it comes.
    Streamed(Incoming),
    /// Read, because its meaning was asked for.
    Held { bytes: Bytes, room: Room },
}

/// Ends the record of a refused call, and answers.
pub(crate) fn end_refused(record: &CallRecord, refused: &Refused) -> Response<AnswerBody> {
    record.status(refuse::status(refused, record.voice()));
    record.finish(Outcome::Refused);
    refuse::answer(refused, record.voice(), &record.call_id())
}

/// What let a call through was taken away before it left, or before its answer came.
pub(crate) fn taken_away(code: RefusalCode) -> Refused {
    Refused::of(code, "taken away while the call was under way")
}
