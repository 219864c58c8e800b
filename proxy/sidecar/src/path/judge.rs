//! identify, authorize and the beginning of the record, in one: whatever leaves goes through here, opened or not.

use std::sync::Arc;
use std::time::SystemTime;

use creto_call::{Call, Decision};
use creto_proto::v1::Verdict;
use creto_spool::SpoolError;
use http::HeaderMap;

use crate::enforcement::Enforcement;
use crate::http::refuse::Refused;
use crate::path::record::{CallRecord, Decided, Recorder};
use crate::path::{authorize, identify};
use crate::upstream::Guard;

/// A call that is decided and on record.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) record: Arc<CallRecord>,
    /// Which addresses its destination may have; or why it may not leave.
    pub(crate) verdict: Result<Guard, Refused>,
}

/// Decides on the finished facts; nothing after it changes them.
///
/// # Errors
/// [`SpoolError`]: what cannot be recorded does not leave.
pub(crate) fn judge(
    recorder: &Arc<Recorder>,
    enforcement: &Enforcement,
    headers: &HeaderMap,
    call: &Call<'_>,
) -> Result<Judged, SpoolError> {
    // identify: before policy, because policy speaks of an agent that is known and in good standing.
    let identified = identify::identify(enforcement, headers, now_s());
    let delegation_id = identified.as_ref().map_or(&[][..], |known| known.delegation_id);
    // authorize: the delegation's scope, then the rules.
    let decision = authorize::authorize(enforcement, identified, call);
    let (verdict, code, by) = match decision {
        Decision::Allow { by } => (Verdict::Allowed, "", Some(by)),
        Decision::Observe(refusal) => (Verdict::Observed, refusal.code.as_str(), refusal.by),
        Decision::Deny(refusal) => (Verdict::Denied, refusal.code.as_str(), refusal.by),
    };
    let decided = Decided {
        verdict,
        code,
        policy: by.map_or("", |by| by.policy),
        rule: by.map_or("", |by| by.rule),
        policy_epoch: enforcement.epoch,
        delegation_id,
    };
    // record: the beginning, before anything leaves.
    let record = recorder.begin(call, decided)?;
    let verdict = match decision {
        Decision::Deny(refusal) => Err(Refused {
            code: refusal.code,
            policy: decided.policy.to_owned(),
            rule: decided.rule.to_owned(),
            detail: format!(
                "{} {}://{}:{}{:.256}",
                call.method,
                call.scheme.as_str(),
                call.host,
                call.port,
                call.path
            ),
        }),
        Decision::Allow { .. } => Ok(Guard::of(enforcement, false)),
        Decision::Observe(_) => Ok(Guard::of(enforcement, true)),
    };
    Ok(Judged { record, verdict })
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
