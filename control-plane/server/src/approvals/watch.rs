//! Every step of a namespace's requests from now on, read from where they are kept: those of other control planes over the same
//! database too, and nothing is lost for a reader that is slow for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use creto_approvals::{ApprovalDesk, Heard, MAX_MOVED};
use creto_oversight::RequestId;
use creto_proto::v1::ApprovalStep;
use creto_store::Store;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Status;

use super::now;
use super::shown::step;
use crate::caller::Operator;
use crate::shares::{Most, Share, Shares};
use crate::status::{of_approvals, of_store};

/// Watches open at once.
const MAX_WATCHES: Most = Most { all: 256, of_namespace: 64, of_caller: 16 };
/// How often a watch looks whether its operator's token still holds, and whether anything moved that was not heard.
const CHECK: Duration = Duration::from_secs(5);
/// How long what moved waits for more to move, so that a burst is read once.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// Steps that wait to be taken by a watch's reader.
const MAX_WAITING: usize = 10_000;
/// How far behind each other the clocks of control planes over one database may be, in milliseconds.
const CLOCKS_APART_MS: u64 = 10_000;

/// Opens watches.
#[derive(Clone)]
pub(crate) struct Watches {
    desk: ApprovalDesk,
    store: Arc<dyn Store>,
    room: Shares,
    stopping: watch::Receiver<bool>,
}

impl Watches {
    pub(crate) fn new(desk: ApprovalDesk, store: Arc<dyn Store>, stopping: watch::Receiver<bool>) -> Self {
        Self { desk, store, room: Shares::new(MAX_WATCHES), stopping }
    }

    /// A watch over a namespace.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` when there are too many, or the store's.
    pub(crate) async fn open(&self, operator: &Operator, namespace: String) -> Result<Steps, Status> {
        let share = self.room.take(&operator.holder(), 1);
        let share = share.map_err(|spent| Status::resource_exhausted(spent.told()))?;
        let mut steps = Steps {
            heard: self.desk.listen(),
            desk: self.desk.clone(),
            store: Arc::clone(&self.store),
            stopping: self.stopping.clone(),
            namespace,
            digest: operator.digest,
            seen: HashMap::new(),
            since_ms: now(),
            waiting: VecDeque::new(),
            check_at: Instant::now() + CHECK,
            ended: false,
            _share: share,
        };
        // What was there before is not from now on.
        steps.look().await?;
        steps.waiting.clear();
        Ok(steps)
    }
}

/// An open watch.
pub(crate) struct Steps {
    desk: ApprovalDesk,
    store: Arc<dyn Store>,
    heard: broadcast::Receiver<Heard>,
    stopping: watch::Receiver<bool>,
    namespace: String,
    digest: [u8; 32],
    /// Which step of a request was told last, and when that was, for as long as it is read again.
    seen: HashMap<RequestId, (i64, u64)>,
    /// Everything before it was read.
    since_ms: u64,
    waiting: VecDeque<ApprovalStep>,
    check_at: Instant,
    ended: bool,
    _share: Share,
}

impl Steps {
    /// The next step; an error is the last.
    pub(crate) async fn next(&mut self) -> Option<Result<ApprovalStep, Status>> {
        if self.ended {
            return None;
        }
        let item = loop {
            if let Some(step) = self.waiting.pop_front() {
                break Ok(step);
            }
            if let Err(status) = self.wait().await {
                break Err(status);
            }
        };
        self.ended = item.is_err();
        Some(item)
    }

    /// Waits until something may have moved, and reads it.
    async fn wait(&mut self) -> Result<(), Status> {
        let look_at = self.desk.look_every().map(|every| Instant::now() + every);
        loop {
            tokio::select! {
                biased;
                () = stops(&mut self.stopping) => {
                    return Err(Status::unavailable("the control plane stops: watch again later"));
                }
                () = sleep_until(self.check_at) => {
                    self.check_at = Instant::now() + CHECK;
                    if self.store.operator_token(&self.digest).await.map_err(of_store)?.is_none() {
                        return Err(Status::unauthenticated("the operator token was revoked"));
                    }
                }
                () = sleep_until(look_at.unwrap_or(self.check_at)), if look_at.is_some() => break,
                heard = self.heard.recv() => match heard {
                    Ok(step) if *step.namespace != *self.namespace => {}
                    // Something moved here, or so much did that some was missed: what is kept tells all of it.
                    _ => break,
                }
            }
        }
        sleep(DEBOUNCE).await;
        // All that was said until here is read now.
        while !matches!(self.heard.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        self.look().await
    }

    async fn look(&mut self) -> Result<(), Status> {
        let begun_ms = now();
        let since_ms = self.since_ms.saturating_sub(CLOCKS_APART_MS);
        let moved = self.desk.moved(&self.namespace, since_ms).await.map_err(of_approvals)?;
        if moved.len() > MAX_MOVED as usize {
            return Err(missed());
        }
        for moved in moved {
            let told = self.seen.get(&moved.id).map_or(0, |(version, _)| *version);
            if moved.version <= told {
                continue;
            }
            let told = self.tell(moved.id, told).await?;
            self.seen.insert(moved.id, (told.max(moved.version), moved.at_ms));
            if self.waiting.len() > MAX_WAITING {
                return Err(missed());
            }
        }
        self.since_ms = begun_ms;
        let needed_ms = begun_ms.saturating_sub(CLOCKS_APART_MS);
        self.seen.retain(|_, (_, at_ms)| *at_ms >= needed_ms);
        Ok(())
    }

    /// Tells the steps of a request after a version; when none was told, those that are new enough. Gives the last one's version.
    async fn tell(&mut self, id: RequestId, after: i64) -> Result<i64, Status> {
        let kept = self.desk.summary(&self.namespace, id).await.map_err(of_approvals)?;
        let notes = self.desk.steps(id, after).await.map_err(of_approvals)?;
        let since_ms = self.since_ms.saturating_sub(CLOCKS_APART_MS);
        let last = notes.last().map_or(after, |note| note.version);
        for note in notes {
            if after == 0 && note.at_ms < since_ms {
                continue;
            }
            let mut told = step(id, note);
            told.agent_name.clone_from(&kept.facts.agent);
            told.action.clone_from(&kept.context.action);
            self.waiting.push_back(told);
        }
        Ok(last)
    }
}

fn missed() -> Status {
    Status::resource_exhausted(
        "more happened than a watch can follow, and some of it is not told: list again, then watch again",
    )
}

async fn stops(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone is a control plane that is gone.
    let _ = stopping.wait_for(|stops| *stops).await;
}
