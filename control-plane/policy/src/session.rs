//! One push stream.
//!
//! At most one delta is out at a time; what changes meanwhile is merged into the next. Only what is taken away does not
//! wait for it. A heartbeat goes out only while the sidecar's generation is known to be the current one, so a control
//! plane that cannot read its store does not vouch for anything.

use std::sync::Arc;
use std::time::Duration;

use creto_bundle::{Content, Notice};
use creto_identity::{now_ms, random_id};
use creto_proto::v1::sync_request::Message as Said;
use creto_proto::v1::sync_response::Message as Answer;
use creto_proto::v1::{Heartbeat, Hello, Nack, SyncRequest};
use creto_store::StoreError;
use prost::Message as _;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_stream::{Stream, StreamExt as _};

use crate::answers::{Answers, Outbox, answers};
use crate::changes::{Change, NamespaceChanges};
use crate::fleet::Seat;
use crate::principal::Principal;
use crate::snapshot::Snapshot;
use crate::standing::{Standing, TakenAway};
use crate::sync::Shared;
use crate::{SidecarIdentity, SyncEnd};

/// How long a change of documents waits for more.
pub const DEBOUNCE: Duration = Duration::from_millis(20);
/// How often a sidecar hears that its generation is current.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the first message may take.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer to a delta may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest reason of a refusal that is kept, in characters.
pub const MAX_REASON_CHARS: usize = 2_000;
/// How long to wait before building again after the store failed.
const RETRY: Duration = Duration::from_secs(1);
/// How long to wait for room when the deltas of others are on their way.
const ROOM_RETRY: Duration = Duration::from_millis(20);
/// A sidecar's own epoch counts up to here: beyond, it is no epoch this control plane gave.
const MAX_EPOCH: u64 = 1 << 62;

/// A delta that waits for its answer.
struct Out {
    nonce: String,
    until: Instant,
}

struct Offered {
    epoch: u64,
    content: Content,
    standing: Standing,
}

/// Content that the sidecar is to enforce and does not.
struct Next {
    content: Content,
    /// Epoch of the snapshot that it is made of.
    epoch: u64,
    standing: Standing,
}

/// What there is to do, and since when.
#[derive(Default)]
struct Due {
    /// Read the agent and its chain again.
    principal: Option<Instant>,
    /// Build and offer.
    offer: Option<Instant>,
}

impl Due {
    fn principal_now(&mut self) {
        self.principal = Some(Instant::now());
    }

    fn offer_in(&mut self, wait: Duration) {
        let at = Instant::now() + wait;
        self.offer = Some(self.offer.map_or(at, |due| due.min(at)));
    }

    fn nothing(&self) -> bool {
        self.principal.is_none() && self.offer.is_none()
    }
}

/// One sidecar's stream, opened by [`crate::PolicySync::open`].
pub struct SyncSession {
    shared: Arc<Shared>,
    sidecar: SidecarIdentity,
    seat: Seat,
    changes: Arc<NamespaceChanges>,
    /// What the sidecar came with; empty once it has acknowledged anything here.
    hello: Hello,
    principal: Option<Principal>,
    offered: Option<Offered>,
    /// What the sidecar acknowledged last.
    has: Option<Content>,
    /// What that lets its agent do.
    held: Standing,
    out: Option<Out>,
    due: Due,
    /// What was last taken away ahead of a generation, up to which epoch.
    noticed: Option<(u64, TakenAway)>,
    /// A notice was sent since the last offer: the next goes out even if its content is the same, for it ends the notice.
    renew: bool,
    outbox: Outbox,
}

impl SyncSession {
    /// A session, and what its sidecar is sent.
    pub(crate) fn new(shared: Arc<Shared>, sidecar: SidecarIdentity, seat: Seat) -> (Self, Answers) {
        let changes = shared.changes.of(&sidecar.namespace);
        let (outbox, answers) = answers();
        let session = Self {
            shared,
            sidecar,
            seat,
            changes,
            hello: Hello::default(),
            principal: None,
            offered: None,
            has: None,
            held: Standing::of(&Hello::default()),
            out: None,
            due: Due::default(),
            noticed: None,
            renew: false,
            outbox,
        };
        (session, answers)
    }

    /// Serves the stream until it ends. The reason goes out as its last item, unless the sidecar ended it.
    pub async fn run<S, E>(mut self, said: S)
    where
        S: Stream<Item = Result<SyncRequest, E>> + Unpin + Send,
        E: Send,
    {
        if let Err(end) = self.serve(said).await {
            tracing::debug!(sidecar = self.sidecar.sidecar_id, %end, "push stream ends");
            self.outbox.end(end).await;
        }
    }

    async fn serve<S, E>(&mut self, mut said: S) -> Result<(), SyncEnd>
    where
        S: Stream<Item = Result<SyncRequest, E>> + Unpin + Send,
        E: Send,
    {
        // Subscribed before anything is read, so that no change falls between.
        let mut changes = self.changes.subscribe();
        let mut seen = *changes.borrow_and_update();
        let mut own_changes = self.changes.subscribe_agent(&self.sidecar.agent_name);
        own_changes.borrow_and_update();
        self.hello = match timeout(HELLO_TIMEOUT, said.next()).await {
            Ok(Some(Ok(SyncRequest { message: Some(Said::Hello(hello)) }))) => hello,
            Ok(None | Some(Err(_))) => return Ok(()),
            Ok(Some(Ok(_))) => return Err(SyncEnd::Protocol("the first message must be hello")),
            Err(_) => return Err(SyncEnd::Protocol("no hello came in time")),
        };
        self.held = Standing::of(&self.hello);
        // Without a version that epoch was seen here and is not in force.
        let applied = if self.hello.version.is_empty() { 0 } else { self.hello.epoch };
        self.seat.note(|runs| runs.applied_epoch = applied);
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.tick().await;
        let mut stopping = self.shared.stopping.clone();
        let replaced = Arc::clone(&self.seat.replaced);
        self.refresh().await?;
        self.heartbeat().await?;
        loop {
            let last = self.principal.as_ref().is_some_and(Principal::is_last);
            if last && self.out.is_none() && self.due.nothing() {
                return Err(SyncEnd::AgentRevoked);
            }
            // Nothing is built on an agent that is known to have changed.
            let build_at = self.due.offer.filter(|_| self.out.is_none() && self.due.principal.is_none());
            let read_at = self.due.principal;
            let answer_by = self.out.as_ref().map(|out| out.until);
            tokio::select! {
                biased;
                () = replaced.notified() => return Err(SyncEnd::Superseded),
                () = stopped(&mut stopping) => return Err(SyncEnd::Stopping),
                changed = own_changes.changed() => {
                    changed.map_err(|_| SyncEnd::Stopping)?;
                    self.due.principal_now();
                }
                changed = changes.changed() => {
                    changed.map_err(|_| SyncEnd::Stopping)?;
                    let now = *changes.borrow_and_update();
                    self.schedule(seen, now);
                    seen = now;
                }
                () = reached(read_at), if read_at.is_some() => self.look_again().await?,
                message = said.next() => match message {
                    None | Some(Err(_)) => return Ok(()),
                    Some(Ok(message)) => self.hear(message).await?,
                },
                () = reached(build_at), if build_at.is_some() => self.refresh().await?,
                () = reached(answer_by), if answer_by.is_some() => return Err(SyncEnd::Unanswered),
                _ = heartbeat.tick() => self.heartbeat().await?,
            }
        }
    }

    fn schedule(&mut self, seen: Change, now: Change) {
        if now.principals != seen.principals {
            self.due.principal_now();
        }
        if now.documents != seen.documents {
            self.due.offer_in(DEBOUNCE);
        }
    }

    /// Reads the agent again. What it may not do any more goes out at once, past a delta that is under way.
    async fn look_again(&mut self) -> Result<(), SyncEnd> {
        match self.read_principal().await {
            Ok((_, taken)) => {
                self.due.principal = None;
                self.due.offer_in(Duration::ZERO);
                self.notify(taken).await
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(sidecar = self.sidecar.sidecar_id, error, "an agent could not be read");
                self.due.principal = Some(Instant::now() + RETRY);
                Ok(())
            }
        }
    }

    async fn read_principal(&mut self) -> Result<(Arc<Snapshot>, Option<TakenAway>), StoreError> {
        let store = self.shared.store.as_ref();
        let snapshot = self.changes.snapshot(store, &self.sidecar.namespace).await?;
        // What is out may come into force at any moment, and may be refused.
        let out = self.offered.as_ref().filter(|_| self.out.is_some()).map(|offered| &offered.standing);
        let held: Vec<&Standing> = [&self.held].into_iter().chain(out).collect();
        let (epoch, delegations) = (snapshot.revocation_epoch, &self.shared.delegations);
        let (now, taken) = Principal::read(store, delegations, &self.sidecar, epoch, &held).await?;
        self.principal = Some(now);
        Ok((snapshot, taken))
    }

    /// The highest epoch that the sidecar may have in force; 0 if none.
    fn in_force(&self) -> u64 {
        self.offered.as_ref().map_or(self.hello.epoch.min(MAX_EPOCH), |offered| offered.epoch)
    }

    async fn notify(&mut self, taken: Option<TakenAway>) -> Result<(), SyncEnd> {
        let epoch = self.in_force();
        let Some(taken) = taken.filter(|taken| epoch > 0 && self.noticed != Some((epoch, *taken))) else {
            return Ok(());
        };
        (self.noticed, self.renew) = (Some((epoch, taken)), true);
        let notice = Notice { epoch, agent_state: taken.state, chain_revoked: taken.chain };
        let message = notice.message(&self.sidecar.sidecar_id, now_ms());
        self.outbox.send(Answer::Revocation(self.shared.signer.revocation(&message))).await
    }

    /// Builds the sidecar's content and sends what differs, unless the sidecar has it already. What is taken away goes
    /// first.
    async fn refresh(&mut self) -> Result<(), SyncEnd> {
        let next = match self.next().await {
            Ok(Some((next, taken))) => {
                self.notify(taken).await?;
                next
            }
            Ok(None) => return Ok(()),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(sidecar = self.sidecar.sidecar_id, error, "a generation could not be built");
                self.due.offer = Some(Instant::now() + RETRY);
                return Ok(());
            }
        };
        self.offer(next).await
    }

    async fn next(&mut self) -> Result<Option<(Next, Option<TakenAway>)>, StoreError> {
        let store = self.shared.store.as_ref();
        let mut snapshot = self.changes.snapshot(store, &self.sidecar.namespace).await?;
        let mut taken = None;
        if self.principal.is_none() {
            (snapshot, taken) = self.read_principal().await?;
        }
        let Some(principal) = &self.principal else { return Ok(None) };
        if principal.is_outdated(snapshot.revocation_epoch) {
            // Read again, and told ahead if that takes anything away.
            self.due.principal_now();
            return Ok(None);
        }
        let mut resources = snapshot.policies_for(&principal.facts);
        resources.extend(principal.resources.iter().cloned());
        resources.push(self.shared.approval_key.clone());
        let content = Content::new(resources, snapshot.revocation_epoch);
        let standing = principal.standing.clone();
        self.due.offer = None;
        let offered = self.offered.as_ref();
        if !self.renew && offered.is_some_and(|offered| offered.content.version() == content.version()) {
            return Ok(None);
        }
        if offered.is_none() && self.hello.epoch > 0 && self.hello.version == content.version() {
            let epoch = self.hello.epoch;
            self.seat.note(|runs| (runs.offered_epoch, runs.applied_epoch) = (epoch, epoch));
            (self.has, self.held) = (Some(content.clone()), standing.clone());
            self.offered = Some(Offered { epoch, content, standing });
            self.hello = Hello::default();
            return Ok(None);
        }
        Ok(Some((Next { content, epoch: snapshot.epoch, standing }, taken)))
    }

    async fn offer(&mut self, next: Next) -> Result<(), SyncEnd> {
        let Next { content, epoch, standing } = next;
        let missing = match &self.has {
            Some(has) => content.since(has),
            None => content.missing(&Content::known(&self.hello.resources)),
        };
        // Higher than what the sidecar has seen, also when a backup was restored here.
        let epoch = epoch.max(self.in_force() + 1);
        let manifest = content.manifest(&self.sidecar.sidecar_id, epoch, now_ms());
        let bytes = manifest.encoded_len() + missing.iter().map(prost::Message::encoded_len).sum::<usize>();
        // Taken before anything is signed: who waits for room costs no signature.
        let Some(room) = self.shared.room.take(&self.sidecar, bytes) else {
            self.due.offer_in(ROOM_RETRY);
            return Ok(());
        };
        self.outbox.hold(room);
        let nonce = random_id().map_err(|error| SyncEnd::Store(StoreError::Damaged(error.to_string())))?;
        let delta = self.shared.signer.delta(nonce.clone(), &manifest, missing);
        self.renew = false;
        self.out = Some(Out { nonce, until: Instant::now() + ANSWER_TIMEOUT });
        self.seat.note(|runs| {
            runs.offered_epoch = epoch;
            runs.rejection.clear();
        });
        self.offered = Some(Offered { epoch, content, standing });
        self.outbox.send(Answer::Delta(delta)).await
    }

    async fn hear(&mut self, message: SyncRequest) -> Result<(), SyncEnd> {
        match message.message {
            Some(Said::Ack(ack)) => self.acknowledged(&ack.nonce),
            Some(Said::Nack(nack)) => self.refused(&nack),
            Some(Said::Report(report)) => {
                self.shared.events.keep(&self.sidecar, &report).await.map_err(SyncEnd::Store)?;
            }
            Some(Said::Hello(_)) => return Err(SyncEnd::Protocol("hello comes once, as the first message")),
            // A kind of message this version does not know.
            None => {}
        }
        Ok(())
    }

    fn acknowledged(&mut self, nonce: &str) {
        // An answer to anything but the delta that is out says nothing.
        if self.out.take_if(|out| out.nonce == nonce).is_none() {
            return;
        }
        self.outbox.answered();
        if let Some(offered) = &self.offered {
            let epoch = offered.epoch;
            self.seat.note(|runs| runs.applied_epoch = epoch);
            (self.has, self.held) = (Some(offered.content.clone()), offered.standing.clone());
            self.hello = Hello::default();
        }
    }

    fn refused(&mut self, nack: &Nack) {
        if self.out.take_if(|out| out.nonce == nack.nonce).is_none() {
            return;
        }
        self.outbox.answered();
        let reason = reason_of(nack);
        tracing::warn!(
            sidecar = self.sidecar.sidecar_id,
            in_force = nack.epoch,
            reason,
            "a generation is refused"
        );
        self.seat.note(|runs| runs.rejection = reason);
    }

    async fn heartbeat(&mut self) -> Result<(), SyncEnd> {
        if self.principal.as_ref().is_some_and(Principal::has_run_out) {
            self.due.principal_now();
        }
        // A delta that is out says that the stream is alive, and stands in the way.
        if self.out.is_some() {
            return Ok(());
        }
        let current = self.offered.as_ref().filter(|_| self.due.nothing() && !self.renew);
        let epoch = current.map_or(0, |offered| offered.epoch);
        self.outbox.send(Answer::Heartbeat(Heartbeat { epoch })).await
    }
}

/// The reason of a refusal with the resources to blame, bounded.
fn reason_of(nack: &Nack) -> String {
    let mut reason = if nack.reason.is_empty() { "no reason given".to_owned() } else { nack.reason.clone() };
    for rejection in &nack.rejections {
        // The reason as a whole often is that of the one resource to blame.
        if !reason.contains(&rejection.reason) {
            reason.push_str(&format!("\n{}: {}", rejection.resource, rejection.reason));
        }
    }
    reason.chars().take(MAX_REASON_CHARS).collect()
}

async fn reached(at: Option<Instant>) {
    if let Some(at) = at {
        sleep_until(at).await;
    }
}

pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone is a control plane that is gone.
    let _ = stopping.wait_for(|stops| *stops).await;
}
