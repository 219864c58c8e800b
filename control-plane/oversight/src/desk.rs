//! The desk: where requests come in, are decided, and are taken.

use std::collections::BTreeSet;
use std::sync::Arc;

use creto_oversight::{
    ActionDigest, AfterTick, AfterVote, ApprovalSigner, Approved, Ballot, Begun, Execution, ExecutionEnd,
    Grant, Open, Panel, Person, Request, RequestId, SignedGrant, Status, Taking,
};
use tokio::sync::broadcast;

use crate::bounds::{EXECUTION_MS, MAX_TRIES, MAX_UNHEARD};
use crate::context::Context;
use crate::error::ApprovalError;
use crate::record::{Change, Facts, Kept, Moved, Selection, StepNote};
use crate::store::{Made, RequestStore};

/// A call that asks to be approved.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The namespace.
    pub namespace: String,
    /// The agent's name.
    pub agent: String,
    /// What would be approved.
    pub digest: ActionDigest,
    /// The policy that holds the call.
    pub policy: String,
    /// The rule in it.
    pub rule: String,
    /// Who may decide.
    pub panel: Panel,
    /// The requester and everybody along the delegation chain.
    pub excluded: BTreeSet<Person>,
    /// Most uses one approval may give.
    pub most_uses: u16,
    /// How long an approval holds at most, in milliseconds.
    pub most_ms: u64,
    /// What people are shown.
    pub context: Context,
    /// Id of the delegation that the call is made under, in hexadecimal digits.
    pub delegation: String,
}

/// A request that is kept.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The request.
    pub kept: Kept,
    /// Whether it was there before: the same call again.
    pub joined: bool,
}

/// A use that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The request as it is now.
    pub kept: Kept,
    /// The use.
    pub execution: Execution,
    /// The proof.
    pub grant: SignedGrant,
}

/// A request took a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The request.
    pub id: RequestId,
    /// How many steps it took by now.
    pub version: i64,
}

/// Where requests come in, are decided, and are taken.
#[derive(Clone)]
pub struct ApprovalDesk {
    pub(crate) store: RequestStore,
    signer: Arc<ApprovalSigner>,
    heard: broadcast::Sender<Heard>,
}

/// A step: where it leads, what it is, and who makes it.
type Step = (Status, &'static str, String);

impl ApprovalDesk {
    /// A desk over a store; `signer` signs what is taken.
    #[must_use]
    pub fn new(store: RequestStore, signer: ApprovalSigner) -> Self {
        Self { store, signer: Arc::new(signer), heard: broadcast::Sender::new(MAX_UNHEARD) }
    }

    /// The key that verifies its grants.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.signer.public_key()
    }

    /// Hears of every step that is made here from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Heard> {
        self.heard.subscribe()
    }

    /// Asks for approval, or joins the request there is for the same call. It is on disk when this returns.
    ///
    /// # Errors
    /// [`ApprovalError::Context`], [`ApprovalError::AgentFull`], [`ApprovalError::NamespaceFull`], or the store's.
    pub async fn ask(&self, ask: Ask, now_ms: u64) -> Result<Asked, ApprovalError> {
        let context = ask.context.written()?;
        let request = Request {
            id: RequestId(random()?),
            digest: ask.digest,
            excluded: ask.excluded,
            most_uses: ask.most_uses,
            most_ms: ask.most_ms,
            created_at_ms: now_ms,
        };
        let status = match Open::begin(&request, &ask.panel) {
            Begun::Waits(open) => Status::Open(open),
            Begun::Denied(denied) => Status::Denied(denied),
        };
        let summary = ask.context.summary();
        let Ask { namespace, agent, policy, rule, delegation, .. } = ask;
        let facts = Facts { request, namespace, agent, policy, rule, delegation };
        for _ in 0..MAX_TRIES {
            if let Some(live) = self.store.live(&facts.namespace, &facts.agent, facts.request.digest).await? {
                // What nobody looked at the clock for yet counts as it will.
                match self.passed(&live, now_ms).await? {
                    Some(kept) => return Ok(Asked { kept, joined: true }),
                    None => continue,
                }
            }
            match self.store.make(&facts, (&context, &summary), &status, now_ms).await {
                Ok(Made::Joined(kept)) => return Ok(Asked { kept: *kept, joined: true }),
                Ok(Made::New) => {
                    let kept = Kept { facts, context: summary, status, version: 1, changed_ms: now_ms };
                    self.tell(&kept);
                    return Ok(Asked { kept, joined: false });
                }
                Err(ApprovalError::Contended) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ApprovalError::Contended)
    }

    /// Counts a vote.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`], [`ApprovalError::Vote`], [`ApprovalError::Illegal`] when nobody is asked any more.
    pub async fn vote(
        &self,
        namespace: &str,
        id: RequestId,
        ballot: Ballot,
        now_ms: u64,
    ) -> Result<Kept, ApprovalError> {
        self.step(namespace, id, now_ms, |kept| {
            let open = opened(kept, "decided")?;
            let (what, by) = (ballot.decision.name(), ballot.person.to_string());
            let status = match open.vote(&kept.facts.request, ballot.clone(), now_ms)? {
                AfterVote::Waits(open) => Status::Open(open),
                AfterVote::Approved(approved) => Status::Approved(approved),
                AfterVote::Denied(denied) => Status::Denied(denied),
            };
            Ok((status, what, by))
        })
        .await
    }

    /// Answers the oldest question.
    ///
    /// # Errors
    /// [`ApprovalError::Illegal`] when there is none, or the text is empty or too long.
    pub async fn answer(
        &self,
        namespace: &str,
        id: RequestId,
        (text, by): (&str, &str),
        now_ms: u64,
    ) -> Result<Kept, ApprovalError> {
        self.step(namespace, id, now_ms, |kept| {
            let open = opened(kept, "answered")?;
            let next = open.answer(text).ok_or_else(|| illegal(kept, "answered"))?;
            Ok((Status::Open(next), "answered", by.to_owned()))
        })
        .await
    }

    /// Puts another person in the place of one who is asked.
    ///
    /// # Errors
    /// [`ApprovalError::Reassign`], [`ApprovalError::Illegal`].
    pub async fn reassign(
        &self,
        namespace: &str,
        id: RequestId,
        (from, to, by): (&Person, &Person, &str),
        now_ms: u64,
    ) -> Result<Kept, ApprovalError> {
        self.step(namespace, id, now_ms, |kept| {
            let next = opened(kept, "reassigned")?.reassign(&kept.facts.request, from, to.clone())?;
            Ok((Status::Open(next), "reassigned", by.to_owned()))
        })
        .await
    }

    /// Ends a request that nobody waits for any more.
    ///
    /// # Errors
    /// [`ApprovalError::Illegal`] when it was decided.
    pub async fn cancel(
        &self,
        namespace: &str,
        id: RequestId,
        (reason, by): (&str, &str),
        now_ms: u64,
    ) -> Result<Kept, ApprovalError> {
        self.step(namespace, id, now_ms, |kept| {
            let cancelled = opened(kept, "cancelled")?.cancel(reason, now_ms);
            Ok((Status::Cancelled(cancelled), "cancelled", by.to_owned()))
        })
        .await
    }

    /// Takes a use of an approval for one call. It is kept as taken before the proof is signed.
    ///
    /// # Errors
    /// [`ApprovalError::Take`], [`ApprovalError::Illegal`] when it is not approved.
    pub async fn take(
        &self,
        namespace: &str,
        id: RequestId,
        taking: Taking,
        now_ms: u64,
    ) -> Result<Taken, ApprovalError> {
        let (mut taken, mut before) = (None, None);
        let stepped = self
            .step(namespace, id, now_ms, |kept| {
                let Status::Approved(approved) = &kept.status else { return Err(illegal(kept, "taken")) };
                let (next, execution) = approved.take(taking.clone(), now_ms)?;
                if next == *approved {
                    // The same call has it already, and its answer was lost: the proof is given again, nothing is taken.
                    before = Some((kept.clone(), execution, next));
                    return Err(illegal(kept, "taken"));
                }
                taken = Some((execution, next.clone()));
                Ok((Status::Approved(next), "taken", taking.by.clone()))
            })
            .await;
        if let Some((kept, execution, approved)) = before {
            let grant = self.grant(&kept, &approved, &execution, now_ms);
            return Ok(Taken { kept, execution, grant });
        }
        let kept = stepped?;
        let Some((execution, approved)) = taken else { return Err(illegal(&kept, "taken")) };
        let grant = self.grant(&kept, &approved, &execution, now_ms);
        Ok(Taken { kept, execution, grant })
    }

    /// Notes how a use ended.
    ///
    /// # Errors
    /// [`ApprovalError::Illegal`] when there is no such use, or its end is known.
    pub async fn ended(
        &self,
        namespace: &str,
        id: RequestId,
        (number, end, by): (u16, &ExecutionEnd, &str),
        now_ms: u64,
    ) -> Result<Kept, ApprovalError> {
        self.step(namespace, id, now_ms, |kept| {
            let what = if matches!(end, ExecutionEnd::Ambiguous { .. }) { "ambiguous" } else { "ended" };
            let status = match &kept.status {
                Status::Approved(approved) => approved.ended(number, end.clone()).map(Status::Approved),
                // What ran when it was taken back still ends.
                Status::Revoked(revoked) => revoked
                    .was
                    .ended(number, end.clone())
                    .map(|was| Status::Revoked(creto_oversight::Revoked { was, ..revoked.clone() })),
                _ => None,
            };
            Ok((status.ok_or_else(|| illegal(kept, "ended"))?, what, by.to_owned()))
        })
        .await
    }

    /// Takes an approval back. What runs already is not stopped by this.
    ///
    /// # Errors
    /// [`ApprovalError::Illegal`] when it is not approved.
    pub async fn revoke(
        &self,
        namespace: &str,
        id: RequestId,
        (reason, by): (&str, &str),
        now_ms: u64,
    ) -> Result<Kept, ApprovalError> {
        self.step(namespace, id, now_ms, |kept| {
            let Status::Approved(approved) = &kept.status else { return Err(illegal(kept, "revoked")) };
            Ok((Status::Revoked(approved.revoke(by, reason, now_ms)), "revoked", by.to_owned()))
        })
        .await
    }

    /// Looks at the clock for every request that time changes; returns how many it changed. Call it every second or so, and
    /// again at once while it gives [`crate::MAX_DUE`].
    ///
    /// # Errors
    /// When the store fails; what was not changed then is changed the next time.
    pub async fn tick(&self, now_ms: u64) -> Result<usize, ApprovalError> {
        let due = self.store.due(now_ms).await?;
        let mut changed = 0;
        for kept in &due {
            match self.passed(kept, now_ms).await {
                Ok(_) => changed += 1,
                // One that cannot be read must not hold up the others.
                Err(error @ ApprovalError::Damaged { .. }) => {
                    tracing::error!(request = %kept.id(), %error, "a request stays as it is");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// A request with everything to review.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`], or the store's.
    pub async fn get(&self, namespace: &str, id: RequestId) -> Result<Kept, ApprovalError> {
        self.store.read_whole(namespace, id).await
    }

    /// A request without headers and body.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`], or the store's.
    pub async fn summary(&self, namespace: &str, id: RequestId) -> Result<Kept, ApprovalError> {
        self.store.read(namespace, id).await
    }

    /// Ends everything that an agent asks for: it is gone. Says how many requests that were.
    ///
    /// # Errors
    /// The store's; what was not ended then ends by time.
    pub async fn cancel_all(
        &self,
        namespace: &str,
        agent: &str,
        (reason, by): (&str, &str),
        now_ms: u64,
    ) -> Result<usize, ApprovalError> {
        let mut ended = 0;
        for id in self.store.open_of(namespace, agent).await? {
            match self.cancel(namespace, id, (reason, by), now_ms).await {
                Ok(_) => ended += 1,
                // It was decided in between.
                Err(ApprovalError::Illegal { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    /// Requests of a namespace that took a step at or after an instant, the earliest first; one more than [`crate::MAX_MOVED`]
    /// says that there are more.
    ///
    /// # Errors
    /// The store's.
    pub async fn moved(&self, namespace: &str, since_ms: u64) -> Result<Vec<Moved>, ApprovalError> {
        self.store.moved(namespace, since_ms).await
    }

    /// The newest steps of a request after a version, oldest first, at most [`crate::MAX_STEPS_SHOWN`].
    ///
    /// # Errors
    /// The store's.
    pub async fn steps(&self, id: RequestId, after: i64) -> Result<Vec<StepNote>, ApprovalError> {
        self.store.steps(id, after).await
    }

    /// Requests of a namespace.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, namespace: &str, selection: &Selection) -> Result<Vec<Kept>, ApprovalError> {
        self.store.list(namespace, selection).await
    }

    /// How many requests of a namespace people decide now.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(&self, namespace: &str) -> Result<u64, ApprovalError> {
        self.store.open(namespace).await
    }

    /// Every step of a request, oldest first.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`], or the store's.
    pub async fn history(&self, namespace: &str, id: RequestId) -> Result<Vec<Change>, ApprovalError> {
        self.store.read(namespace, id).await?;
        self.store.history(id).await
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Makes a step; when another came before, looks again.
    async fn step(
        &self,
        namespace: &str,
        id: RequestId,
        now_ms: u64,
        mut next: impl FnMut(&Kept) -> Result<Step, ApprovalError>,
    ) -> Result<Kept, ApprovalError> {
        for _ in 0..MAX_TRIES {
            let kept = self.store.read(namespace, id).await?;
            let (status, what, by) = next(&kept)?;
            if let Some(changed) = self.keep(&kept, status, (what, &by), now_ms).await? {
                return Ok(changed);
            }
        }
        Err(ApprovalError::Contended)
    }

    async fn keep(
        &self,
        before: &Kept,
        status: Status,
        (what, by): (&str, &str),
        now_ms: u64,
    ) -> Result<Option<Kept>, ApprovalError> {
        if !self.store.change(before, &status, (what, by), now_ms).await? {
            return Ok(None);
        }
        let kept = Kept { status, version: before.version + 1, changed_ms: now_ms, ..before.clone() };
        self.tell(&kept);
        Ok(Some(kept))
    }

    /// What time makes of a request; none when the same call is a new request from now on, or another step came before.
    async fn passed(&self, kept: &Kept, now_ms: u64) -> Result<Option<Kept>, ApprovalError> {
        let clock = |what| (what, "clock");
        match &kept.status {
            Status::Open(open) => match open.tick(now_ms) {
                AfterTick::Same => Ok(Some(kept.clone())),
                AfterTick::Escalated(next) => {
                    self.keep(kept, Status::Open(next), clock("escalated"), now_ms).await
                }
                AfterTick::TimedOut(ended) => {
                    self.keep(kept, Status::TimedOut(ended), clock("timed_out"), now_ms).await
                }
            },
            Status::Approved(approved) => {
                let lost = approved.executions().iter().find(|execution| {
                    execution.end.is_none() && now_ms >= execution.taken_at_ms.saturating_add(EXECUTION_MS)
                });
                let end = || ExecutionEnd::Ambiguous { cause: "its end was never told".to_owned() };
                if let Some(next) = lost.and_then(|lost| approved.ended(lost.number, end())) {
                    return self.keep(kept, Status::Approved(next), clock("ambiguous"), now_ms).await;
                }
                let lapsed = now_ms >= approved.not_after_ms() && kept.status.word() == "approved";
                if lapsed || kept.status.is_final() {
                    self.release(kept).await
                } else {
                    Ok(Some(kept.clone()))
                }
            }
            Status::Denied(_) | Status::TimedOut(_) => {
                let holds_until = kept.changed_ms.saturating_add(crate::bounds::DENIAL_HOLDS_MS);
                if now_ms >= holds_until { self.release(kept).await } else { Ok(Some(kept.clone())) }
            }
            Status::Cancelled(_) | Status::Revoked(_) => self.release(kept).await,
        }
    }

    async fn release(&self, kept: &Kept) -> Result<Option<Kept>, ApprovalError> {
        self.store.let_go(kept).await.map(|_| None)
    }

    fn tell(&self, kept: &Kept) {
        let heard =
            Heard { namespace: kept.facts.namespace.as_str().into(), id: kept.id(), version: kept.version };
        // Nobody listening is no harm: whoever waits looks at the store first.
        let _ = self.heard.send(heard);
    }

    fn grant(&self, kept: &Kept, approved: &Approved, execution: &Execution, now_ms: u64) -> SignedGrant {
        Grant {
            request: kept.id(),
            namespace: kept.facts.namespace.clone(),
            sidecar: execution.by.clone(),
            call: execution.call.clone(),
            digest: kept.digest(),
            policy: kept.facts.policy.clone(),
            rule: kept.facts.rule.clone(),
            number: execution.number,
            by: approved.by().to_vec(),
            at_ms: now_ms,
            not_after_ms: approved.not_after_ms(),
        }
        .sign(&self.signer)
    }
}

fn opened<'k>(kept: &'k Kept, asked: &'static str) -> Result<&'k Open, ApprovalError> {
    match &kept.status {
        Status::Open(open) => Ok(open),
        _ => Err(illegal(kept, asked)),
    }
}

fn illegal(kept: &Kept, asked: &'static str) -> ApprovalError {
    ApprovalError::Illegal { id: kept.id(), word: kept.status.word().to_owned(), asked }
}

fn random() -> Result<[u8; 16], ApprovalError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ApprovalError::Random(error.to_string()))?;
    Ok(bytes)
}
