//! hold: an allowed call waits until the people that policy names have approved it, exactly as it would leave.
//!
//! Nothing of the policy is held meanwhile, nothing is reserved, nothing is on record: what comes into force while it waits
//! counts, and what is approved is looked for again in the call as it is judged then ([`Approvals::cover`]). Right before it
//! leaves, one use is taken for it ([`take`]), and the proof is checked against the key that the signed policy carries.

mod action;
mod body;
mod held;
mod patience;

use std::time::SystemTime;

use creto_call::RefusalCode;
use creto_oversight::{ActionDigest, ApprovalKey, SignedGrant};
use creto_proto::v1::{AskApprovalRequest, TakeApprovalRequest};
use tokio::time::Instant;
use tonic::{Code, Status};

pub(crate) use self::action::{Leaving, ToApprove};
pub(crate) use self::held::HeldBy;
pub(crate) use self::patience::until;
use crate::approvals::{Phase, Seat, Standing, Use, Uses};
use crate::enforcement::{AgentStanding, Enforcement};
use crate::http::refuse::{Refused, Waits};
use crate::path::record::CallRecord;
use crate::sidecar::Sidecar;

/// Header in which an agent may say why it makes a call. It is shown to people as what it is, and does not leave.
pub(crate) const REASON_HEADER: &str = "creto-reason";
/// Largest body that can be shown whole, bytes: as the control plane takes.
pub(crate) const MAX_SHOWN: usize = 1 << 20;
/// How often a call asks anew because another one like it had the approval.
pub(crate) const ROUNDS: usize = 8;
/// Seconds after which a call that still waits is to be sent again.
const AGAIN_S: u32 = 5;

/// What a call waits for.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) to_approve: Vec<ToApprove>,
    /// What people are shown, for all of it alike.
    pub(crate) question: AskApprovalRequest,
    /// The documents that it is asked under.
    pub(crate) policy_digest: [u8; 32],
    /// How long it may be held open.
    pub(crate) inline: std::time::Duration,
}

/// What was approved, and under which request.
#[derive(Debug)]
pub(crate) struct Approvals(Vec<(ToApprove, String)>);

impl Approvals {
    /// Whether all of this was approved. Anything that changed meanwhile was not.
    pub(crate) fn cover(&self, to_approve: &[ToApprove]) -> bool {
        to_approve.iter().all(|wanted| self.0.iter().any(|(approved, _)| approved == wanted))
    }
}

/// Waits until all is approved; none when it has to be judged anew: another call like it had one of the approvals, or what it
/// goes by has changed.
///
/// # Errors
/// Why it does not go on; among that, that nobody has decided by `until`.
pub(crate) async fn wait(
    sidecar: &Sidecar,
    held: Box<Held>,
    until: Instant,
) -> Result<Option<Approvals>, Refused> {
    // All are asked before any is waited for: the people of each hold need not wait for those of another.
    let mut seats = Vec::with_capacity(held.to_approve.len());
    for wanted in &held.to_approve {
        seats.push(seat(sidecar, &held, wanted).await?);
    }
    let Held { to_approve, question, policy_digest, inline: _ } = *held;
    // Thousands may wait: what people are shown is with the control plane by now.
    drop(question);
    let mut approved = Vec::with_capacity(seats.len());
    for (wanted, seat) in to_approve.into_iter().zip(seats) {
        match one(sidecar, &wanted, (seat, policy_digest), until).await? {
            Some(id) => approved.push((wanted, id)),
            None => return Ok(None),
        }
    }
    Ok(Some(Approvals(approved)))
}

/// A place in front of the request for one hold.
async fn seat(sidecar: &Sidecar, held: &Held, wanted: &ToApprove) -> Result<Seat, Refused> {
    let question = || {
        let mut question = Box::new(held.question.clone());
        question.digest = wanted.digest.0.to_vec();
        question.policy.clone_from(&wanted.policy);
        question.rule.clone_from(&wanted.rule);
        if let Some(context) = &mut question.context {
            context.trigger = if wanted.reason.is_empty() {
                format!("policy {}, hold {}", wanted.policy, wanted.rule)
            } else {
                wanted.reason.clone()
            };
        }
        question
    };
    let asked = sidecar.approvals.seat(wanted.digest, question).await;
    asked.map_err(|status| by(wanted, unasked(&status)))
}

/// The request that approves it; none when nothing can come of that any more.
async fn one(
    sidecar: &Sidecar,
    wanted: &ToApprove,
    (mut seat, policy_digest): (Seat, [u8; 32]),
    until: Instant,
) -> Result<Option<String>, Refused> {
    let mut stopping = sidecar.shutdown();
    loop {
        if !still_asks(&sidecar.enforced.load(), &policy_digest) {
            return Ok(None);
        }
        let standing = seat.standing();
        match standing.phase {
            Phase::Approved => return Ok(Some(standing.id)),
            Phase::Asked | Phase::Waiting | Phase::Taken => {
                let moved = tokio::select! {
                    moved = seat.moves(until) => moved,
                    // A sidecar that stops lets its calls go: the request stays, and the same call joins it again.
                    _ = stopping.wait_for(|stops| *stops) => false,
                };
                if !moved {
                    return Err(by(wanted, pending(sidecar, standing)));
                }
            }
            Phase::Over => return Ok(None),
            Phase::Denied => return Err(by(wanted, said(RefusalCode::ApprovalDenied, &standing))),
            Phase::TimedOut => return Err(by(wanted, said(RefusalCode::ApprovalTimedOut, &standing))),
            Phase::Ambiguous => return Err(by(wanted, said(RefusalCode::ApprovalAmbiguous, &standing))),
        }
    }
}

/// Whether a call that waits would still be asked about by the same documents.
fn still_asks(enforcement: &Enforcement, policy_digest: &[u8; 32]) -> bool {
    let may_call = enforcement.standing == AgentStanding::Active && enforcement.chain.is_some();
    may_call && enforcement.policy_digest == *policy_digest
}

/// Takes one use of each approval for a call that is about to leave; how the call ends is told with its record.
///
/// # Errors
/// What was approved cannot be taken any more, or the proof does not hold. Nothing is taken then.
pub(crate) async fn take(
    sidecar: &Sidecar,
    approvals: &Approvals,
    record: &CallRecord,
) -> Result<(), Refused> {
    let Some(key) = sidecar.enforced.load().approval_key.clone() else {
        let words = "the policy that is in force carries no key of an approval service";
        return Err(Refused::of(RefusalCode::ApprovalUnavailable, words));
    };
    let call_id = record.call_id();
    let mut uses = Uses::new(&sidecar.approvals);
    for (wanted, id) in &approvals.0 {
        let request = TakeApprovalRequest {
            id: id.clone(),
            digest: wanted.digest.0.to_vec(),
            call_id: call_id.clone(),
        };
        let taken = sidecar.approvals.take(request).await.map_err(|status| by(wanted, untaken(&status)))?;
        uses.add(Use { id: id.clone(), number: taken.number });
        let grant = SignedGrant { content: taken.grant, signature: taken.signature };
        let proof = Proof { key: &key, sidecar: &sidecar.id, call: &call_id, request: id };
        proof.holds(&grant, wanted.digest).map_err(|words| {
            tracing::error!(approval = id, words, "an approval is refused: its proof does not hold");
            by(wanted, Refused::of(RefusalCode::ApprovalUnavailable, words))
        })?;
    }
    record.taken(uses);
    Ok(())
}

/// What a grant must be signed by, and for.
struct Proof<'a> {
    key: &'a ApprovalKey,
    sidecar: &'a str,
    call: &'a str,
    request: &'a str,
}

impl Proof<'_> {
    fn holds(&self, grant: &SignedGrant, digest: ActionDigest) -> Result<(), String> {
        let opened = grant.open(self.key).map_err(|error| error.to_string())?;
        if opened.request.to_string() != self.request {
            return Err("the grant is for another request".into());
        }
        opened.allows((self.sidecar, self.call), digest, now_ms()).map_err(|error| error.to_string())
    }
}

fn by(wanted: &ToApprove, refused: Refused) -> Refused {
    Refused { policy: wanted.policy.clone(), rule: wanted.rule.clone(), ..refused }
}

fn said(code: RefusalCode, standing: &Standing) -> Refused {
    let reason = if standing.reason.is_empty() { "no reason was given" } else { &standing.reason };
    Refused::of(code, format!("request {}: {reason}", standing.id))
}

fn pending(sidecar: &Sidecar, standing: Standing) -> Refused {
    let words = format!("request {}: {}", standing.id, standing.word);
    Refused {
        retry_after_s: std::num::NonZero::new(AGAIN_S),
        waits: Some(Box::new(Waits {
            status_url: format!("http://{}{}{}", sidecar.address, super::standing::PATH, standing.id),
            id: standing.id,
            status: standing.word,
            expires_at_ms: standing.expires_at_ms,
        })),
        ..Refused::of(RefusalCode::ApprovalPending, words)
    }
}

/// People could not be asked.
fn unasked(status: &Status) -> Refused {
    match status.code() {
        Code::InvalidArgument => Refused::of(RefusalCode::CannotBeHeld, status.message()),
        Code::ResourceExhausted => Refused {
            retry_after_s: std::num::NonZero::new(AGAIN_S),
            ..Refused::of(RefusalCode::ApprovalUnavailable, status.message())
        },
        _ => Refused {
            retry_after_s: std::num::NonZero::new(1),
            ..Refused::of(RefusalCode::ApprovalUnavailable, status.message())
        },
    }
}

/// It was approved, and cannot be had.
fn untaken(status: &Status) -> Refused {
    Refused {
        retry_after_s: std::num::NonZero::new(1),
        ..Refused::of(RefusalCode::ApprovalUnavailable, status.message())
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
