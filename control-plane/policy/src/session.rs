//! One push stream.
//!
//! At most one bundle is out at a time; what changes meanwhile is merged into the next. A heartbeat goes out only
//! while the sidecar's bundle is known to be the current one, so a control plane that cannot read its store does
//! not vouch for anything.

use std::sync::Arc;
use std::time::Duration;

use creto_identity::{now_ms, now_s, random_id};
use creto_proto::v1::sync_request::Message as Said;
use creto_proto::v1::sync_response::Message as Answer;
use creto_proto::v1::{Heartbeat, Hello, SignedBundle, SyncRequest, SyncResponse};
use creto_store::StoreError;
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_stream::{Stream, StreamExt as _};

use crate::changes::{Change, NamespaceChanges};
use crate::connections::Connection;
use crate::sync::Shared;
use crate::{SidecarIdentity, SyncEnd, bundle};

/// How long a change of documents waits for more.
pub const DEBOUNCE: Duration = Duration::from_millis(20);
/// How often a sidecar hears that its bundle is current.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the first message may take.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer to a bundle may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a message may wait for a sidecar that does not read.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest reason of a refusal that is kept, in characters.
pub const MAX_REASON_CHARS: usize = 2_000;
/// How long to wait before building again after the store failed.
const RETRY: Duration = Duration::from_secs(1);
/// A sidecar's own epoch counts up to here: beyond, it is no epoch this control plane gave.
const MAX_EPOCH: u64 = 1 << 62;

/// Where answers go; the receiver is the stream.
type Answers = mpsc::Sender<Result<SyncResponse, SyncEnd>>;

struct Out {
    nonce: String,
    epoch: u64,
    until: Instant,
}

/// One sidecar's stream, opened by [`crate::PolicySync::open`].
pub struct SyncSession {
    shared: Arc<Shared>,
    sidecar: SidecarIdentity,
    connection: Connection,
    changes: Arc<NamespaceChanges>,
    hello: Hello,
    /// Epoch and version offered last.
    offered: Option<(u64, String)>,
    out: Option<Out>,
    /// When to build again.
    due: Option<Instant>,
    chain_ends_s: Option<u64>,
    last: bool,
}

impl SyncSession {
    pub(crate) fn new(shared: Arc<Shared>, sidecar: SidecarIdentity, connection: Connection) -> Self {
        let changes = shared.changes.of(&sidecar.namespace);
        Self {
            shared,
            sidecar,
            connection,
            changes,
            hello: Hello::default(),
            offered: None,
            out: None,
            due: None,
            chain_ends_s: None,
            last: false,
        }
    }

    /// Serves the stream until it ends. The reason goes out as its last item, unless the sidecar ended it.
    pub async fn run<S, E>(mut self, said: S, answers: Answers)
    where
        S: Stream<Item = Result<SyncRequest, E>> + Unpin + Send,
        E: Send,
    {
        let ended = self.serve(said, &answers).await;
        let (namespace, id) = (&self.sidecar.namespace, &self.sidecar.sidecar_id);
        if let Err(error) = self.shared.store.note_seen(namespace, id, now_ms()).await {
            tracing::warn!(sidecar = id, %error, "when the sidecar was last seen is not noted");
        }
        if let Err(end) = ended {
            tracing::debug!(sidecar = id, %end, "push stream ends");
            // Nobody may be reading any more; the stream ends either way.
            let _ = timeout(SEND_TIMEOUT, answers.send(Err(end))).await;
        }
    }

    async fn serve<S, E>(&mut self, mut said: S, answers: &Answers) -> Result<(), SyncEnd>
    where
        S: Stream<Item = Result<SyncRequest, E>> + Unpin + Send,
        E: Send,
    {
        // Subscribed before the first bundle is built, so that no change falls between.
        let mut changes = self.changes.subscribe();
        let mut seen = *changes.borrow_and_update();
        self.hello = match timeout(HELLO_TIMEOUT, said.next()).await {
            Ok(Some(Ok(SyncRequest { message: Some(Said::Hello(hello)) }))) => hello,
            Ok(None | Some(Err(_))) => return Ok(()),
            Ok(Some(Ok(_))) => return Err(SyncEnd::Protocol("the first message must be hello")),
            Err(_) => return Err(SyncEnd::Protocol("no hello came in time")),
        };
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.tick().await;
        let mut stopping = self.shared.stopping.clone();
        let replaced = Arc::clone(&self.connection.replaced);
        self.refresh(answers).await?;
        if self.out.is_none() {
            self.heartbeat(answers).await?;
        }
        loop {
            if self.last && self.out.is_none() && self.due.is_none() {
                return Err(SyncEnd::AgentRevoked);
            }
            let build_at = self.due.filter(|_| self.out.is_none());
            let answer_by = self.out.as_ref().map(|out| out.until);
            tokio::select! {
                biased;
                () = replaced.notified() => return Err(SyncEnd::Superseded),
                () = stopped(&mut stopping) => return Err(SyncEnd::Stopping),
                message = said.next() => match message {
                    None | Some(Err(_)) => return Ok(()),
                    Some(Ok(message)) => self.hear(message).await?,
                },
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Err(SyncEnd::Stopping);
                    }
                    let now = *changes.borrow_and_update();
                    self.schedule(seen, now);
                    seen = now;
                }
                () = sleep_until(build_at.unwrap_or_else(Instant::now)), if build_at.is_some() => {
                    self.refresh(answers).await?;
                }
                () = sleep_until(answer_by.unwrap_or_else(Instant::now)), if answer_by.is_some() => {
                    return Err(SyncEnd::Unanswered);
                }
                _ = heartbeat.tick() => self.heartbeat(answers).await?,
            }
        }
    }

    fn schedule(&mut self, seen: Change, now: Change) {
        let wait = if now.urgent > seen.urgent { Duration::ZERO } else { DEBOUNCE };
        let at = Instant::now() + wait;
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Builds the bundle and sends it unless the sidecar has it already.
    async fn refresh(&mut self, answers: &Answers) -> Result<(), SyncEnd> {
        match self.offer().await {
            Ok(None) => {
                self.due = None;
                Ok(())
            }
            Ok(Some(bundle)) => {
                self.due = None;
                send(answers, Answer::Bundle(bundle)).await
            }
            Err(error) => {
                tracing::error!(sidecar = self.sidecar.sidecar_id, %error, "a bundle could not be built");
                self.due = Some(Instant::now() + RETRY);
                Ok(())
            }
        }
    }

    async fn offer(&mut self) -> Result<Option<SignedBundle>, StoreError> {
        let store = self.shared.store.as_ref();
        let (namespace, id) = (self.sidecar.namespace.as_str(), self.sidecar.sidecar_id.as_str());
        let snapshot = self.changes.snapshot(store, namespace).await?;
        let draft = bundle::draft(store, &self.shared.delegations, &snapshot, &self.sidecar).await?;
        let mut bundle = draft.bundle;
        let unchanged = self.offered.as_ref().is_some_and(|(_, version)| *version == bundle.version);
        self.chain_ends_s = draft.chain_ends_s;
        self.last = draft.last;
        if unchanged {
            return Ok(None);
        }
        let has_it = self.hello.version == bundle.version;
        // An epoch the sidecar knows under other content is passed, also when a backup was restored here.
        let own = self.hello.epoch.min(MAX_EPOCH) + u64::from(!has_it && self.hello.epoch > 0);
        let epoch = store.offer_bundle(namespace, id, &bundle.version, own, now_ms()).await?;
        self.offered = Some((epoch, bundle.version.clone()));
        if has_it && self.hello.epoch == epoch {
            store.note_answer(namespace, id, epoch, None, now_ms()).await?;
            return Ok(None);
        }
        bundle.epoch = epoch;
        bundle.issued_at_ms = now_ms();
        let encoded = bundle.encode_to_vec();
        let nonce = random_id().map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.out = Some(Out { nonce: nonce.clone(), epoch, until: Instant::now() + ANSWER_TIMEOUT });
        Ok(Some(SignedBundle { nonce, signature: self.shared.signer.sign(&encoded), bundle: encoded.into() }))
    }

    async fn hear(&mut self, message: SyncRequest) -> Result<(), SyncEnd> {
        let (nonce, rejection) = match message.message {
            Some(Said::Ack(ack)) => (ack.nonce, None),
            Some(Said::Nack(nack)) => {
                let reason: String = nack.reason.chars().take(MAX_REASON_CHARS).collect();
                let reason = if reason.is_empty() { "no reason given".to_owned() } else { reason };
                (nack.nonce, Some(reason))
            }
            Some(Said::Hello(_)) => return Err(SyncEnd::Protocol("hello comes once, as the first message")),
            // A kind of message this version does not know.
            None => return Ok(()),
        };
        // An answer to anything but the bundle that is out says nothing.
        let Some(out) = self.out.take_if(|out| out.nonce == nonce) else { return Ok(()) };
        if let Some(reason) = &rejection {
            tracing::warn!(sidecar = self.sidecar.sidecar_id, epoch = out.epoch, reason, "bundle refused");
        }
        self.shared
            .store
            .note_answer(
                &self.sidecar.namespace,
                &self.sidecar.sidecar_id,
                out.epoch,
                rejection.as_deref(),
                now_ms(),
            )
            .await
            .map_err(SyncEnd::Store)
    }

    async fn heartbeat(&mut self, answers: &Answers) -> Result<(), SyncEnd> {
        if self.chain_ends_s.is_some_and(|ends| ends <= now_s()) {
            self.due = Some(Instant::now());
        }
        match &self.offered {
            Some((epoch, _)) if self.out.is_none() && self.due.is_none() => {
                send(answers, Answer::Heartbeat(Heartbeat { epoch: *epoch })).await
            }
            _ => Ok(()),
        }
    }
}

async fn send(answers: &Answers, message: Answer) -> Result<(), SyncEnd> {
    match timeout(SEND_TIMEOUT, answers.send(Ok(SyncResponse { message: Some(message) }))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(SyncEnd::NotReading),
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone is a control plane that is gone.
    let _ = stopping.wait_for(|stops| *stops).await;
}
