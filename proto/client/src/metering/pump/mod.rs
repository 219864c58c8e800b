//! The task behind the handles: rings to frames, frames to the spool and the stream, answers to counters.

mod flush;
mod link;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use creto_proto::v1::IngestMark;
use creto_proto::v1::metering_client::MeteringClient as Rpc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Status};

pub(crate) use flush::Flush;
pub use flush::MAX_FLUSHES;
use link::{Heard, Link};
use queue::Queue;

use super::bearer::Credential;
use super::budget::Budget;
use super::client::{Shared, random_epoch};
use super::columns::{FramePlace, pack_frame};
use super::options::MAX_FRAME_EVENTS;
use super::ring::Recorded;
use super::spool::{Left, Place as Kept, Spool};
use super::{Durability, FlushError, Rejection, read_frame};

/// Frames on their way at once, unanswered; with [`Durability::Memory`] also the most that are kept.
pub const MAX_WINDOW_FRAMES: usize = 32;
/// Frames waiting in the spool; above them rings fill up.
pub const MAX_WAITING_FRAMES: usize = 65_536;
/// How long closing may take.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Frames packed before they are written to the spool together.
const MAX_GROUP_FRAMES: usize = 16;
/// How long an answer may take before the connection counts as broken.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits before it connects again: doubled from the one to the other, and anywhere below.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// How long it waits before it tries a spool again that could not be written.
const SPOOL_RETRY: Duration = Duration::from_secs(1);

/// Trailers of a stream that ended because frames are missing.
const GAP_EPOCH: &str = "creto-gap-epoch";
const GAP_MARK: &str = "creto-gap-mark";

/// The generated client with the producer's token.
pub(crate) type Grpc = Rpc<InterceptedService<Channel, Credential>>;

/// What a handle asks of the task.
#[derive(Debug)]
pub(crate) enum Command {
    /// Tell when all so far is acknowledged.
    Flush(Flush),
    /// Send what there is, for a few seconds, and end.
    Close(oneshot::Sender<Result<(), FlushError>>),
}

/// The task.
pub(crate) struct Pump {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    rpc: Grpc,
    epoch: u64,
    next_sequence: u64,
    queue: Queue,
    spool: Option<Spool>,
    link: Link,
    flushes: Vec<Flush>,
    /// When what is in the rings is packed.
    due: Option<Instant>,
    /// Attempts to connect since the last answer, and when the next one may be.
    attempts: u32,
    retry_at: Instant,
    /// When an answer is too late.
    answer_by: Instant,
    /// When the spool is tried again, after it failed.
    spool_at: Option<Instant>,
    /// An epoch of which the control plane lacks frames up to a sequence, and the epoch of what comes after.
    gap: Option<Gap>,
    /// Why the control plane does not take the stream.
    refused: Option<FlushError>,
    last_heard: String,
    closing: Option<Closing>,
    jitter: u64,
}

#[derive(Clone, Copy)]
struct Gap {
    epoch: u64,
    after: u64,
    new: u64,
}

struct Closing {
    by: Instant,
    reply: Option<oneshot::Sender<Result<(), FlushError>>>,
}

impl Pump {
    pub(crate) fn new(
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        rpc: Grpc,
        epoch: u64,
        (spool, left): (Option<Spool>, Vec<Left>),
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            commands,
            rpc,
            epoch,
            next_sequence: 1,
            queue: Queue::of(left),
            spool,
            link: Link::default(),
            flushes: Vec::new(),
            due: None,
            attempts: 0,
            retry_at: now,
            answer_by: now,
            spool_at: None,
            gap: None,
            refused: None,
            last_heard: "the control plane was not reached".into(),
            closing: None,
            jitter: epoch,
        }
    }

    /// Runs until it is closed or nobody is there any more.
    pub(crate) async fn run(mut self) {
        loop {
            self.number_anew().await;
            self.collect().await;
            self.send().await;
            self.answer_flushes();
            if self.ended() {
                break;
            }
            let until = self.wake_at();
            tokio::select! {
                () = self.shared.wake.notified() => {}
                command = self.commands.recv(), if self.closing.is_none() && self.flushes.len() < MAX_FLUSHES => {
                    self.obey(command);
                }
                heard = self.link.heard() => self.hear(heard),
                () = sleep_until(until) => self.tick(),
            }
            if self.due.is_none() && self.in_rings() > 0 {
                self.due = Some(Instant::now() + self.shared.options.linger);
            }
        }
        self.end();
    }

    fn in_rings(&self) -> usize {
        self.shared.rings().iter().map(|ring| ring.len()).sum()
    }

    fn durable(&self) -> bool {
        self.shared.options.durability == Durability::Disk
    }

    /// How many frames may wait now.
    fn room(&self) -> bool {
        if self.spool_at.is_some() {
            return false;
        }
        match &self.spool {
            Some(spool) if self.durable() => self.queue.len() < MAX_WAITING_FRAMES && spool.has_room(),
            _ => self.queue.fresh() < MAX_WINDOW_FRAMES,
        }
    }

    /// Packs what is in the rings into frames, if it is time, and writes them to the spool.
    async fn collect(&mut self) {
        if self.spool_at.is_some_and(|at| at <= Instant::now()) {
            self.spool_at = None;
            self.keep().await;
        }
        let frame_events = self.shared.options.frame_events.min(MAX_FRAME_EVENTS);
        let asked = self.closing.is_some() || self.flushes.iter().any(|flush| !flush.taken());
        let now = Instant::now();
        let full = self.shared.rings().iter().any(|ring| ring.len() >= frame_events);
        if !asked && !full && self.due.is_none_or(|due| due > now) {
            return;
        }
        while self.room() {
            for _ in 0..MAX_GROUP_FRAMES {
                let events = self.take(frame_events);
                if events.is_empty() {
                    break;
                }
                self.pack(&events);
                if !self.room() {
                    break;
                }
            }
            if !self.keep().await || self.in_rings() == 0 {
                break;
            }
        }
        self.due = None;
    }

    /// Events for one frame, from all rings.
    fn take(&self, most: usize) -> Vec<Recorded> {
        let mut events = Vec::new();
        let mut budget = Budget::new(most);
        for ring in self.shared.rings().iter() {
            ring.take(&mut events, &mut budget);
            if budget.is_spent() {
                break;
            }
        }
        events
    }

    fn pack(&mut self, events: &[Recorded]) {
        let options = &self.shared.options;
        let place = FramePlace {
            namespace: &options.namespace,
            producer: &options.producer,
            epoch: self.epoch,
            first_sequence: self.next_sequence,
        };
        self.queue.push(pack_frame(place, events));
        self.next_sequence += events.len() as u64;
    }

    /// Writes packed frames to the spool, in one go. Whether all that was taken is where it was promised to be.
    async fn keep(&mut self) -> bool {
        if !self.durable() {
            self.queue.keep_in_memory();
            self.told_kept();
            return true;
        }
        let Some(mut spool) = self.spool.take() else { return false };
        let frames = self.queue.unkept();
        if frames.is_empty() {
            self.spool = Some(spool);
            return true;
        }
        let written = tokio::task::spawn_blocking(move || {
            let places = spool.append(&frames);
            (spool, frames, places)
        });
        let failure = match written.await {
            Ok((spool, frames, places)) => {
                self.spool = Some(spool);
                match places {
                    Ok(places) => {
                        self.queue.keep_on_disk(frames, places);
                        self.told_kept();
                        return true;
                    }
                    Err(error) => {
                        self.queue.put_back(frames);
                        error.to_string()
                    }
                }
            }
            Err(_) => "the task that writes it ended".into(),
        };
        for ring in self.shared.rings().iter() {
            ring.fail(&failure);
        }
        for flush in self.flushes.drain(..) {
            flush.answer(Err(FlushError::Spool(failure.clone())));
        }
        self.last_heard = failure;
        self.spool_at = Some(Instant::now() + SPOOL_RETRY);
        false
    }

    fn told_kept(&self) {
        for ring in self.shared.rings().iter() {
            ring.keep();
        }
    }

    /// Numbers what is not acknowledged anew, where the control plane lacks what came before it.
    async fn number_anew(&mut self) {
        if self.retry_at > Instant::now() {
            return;
        }
        let Some(gap) = self.gap.take() else { return };
        let Gap { epoch, after, new } = gap;
        // On disk before it is sent: the next process must not number it anew once more.
        if let Some(mut spool) = self.spool.take() {
            let written = tokio::task::spawn_blocking(move || {
                let written = spool.renumber(epoch, after, new);
                (spool, written)
            });
            let Ok((spool, written)) = written.await else { return };
            self.spool = Some(spool);
            if let Err(error) = written {
                self.gap = Some(gap);
                self.last_heard = error.to_string();
                self.retry_at = Instant::now() + SPOOL_RETRY;
                return;
            }
        }
        self.queue.renumber(epoch, after, new);
        if self.epoch == epoch {
            self.epoch = new;
            self.next_sequence -= after;
        }
    }

    /// Connects if there is something to send, and sends what the window takes.
    async fn send(&mut self) {
        if self.queue.is_empty() || self.gap.is_some() {
            return;
        }
        if self.link.is_down() {
            if Instant::now() < self.retry_at {
                return;
            }
            self.queue.rewind();
            self.link.open(self.rpc.clone());
            self.answer_by = Instant::now() + ANSWER_PATIENCE;
        }
        loop {
            if let Some(place) = self.queue.next_to_load(MAX_WINDOW_FRAMES)
                && !self.load(place).await
            {
                break;
            }
            let Some((frame, first_time)) = self.queue.next_to_send(MAX_WINDOW_FRAMES) else { break };
            let events = u64::from(frame.count);
            if !self.link.send(frame) {
                break;
            }
            if first_time {
                self.shared.tally.sent(events);
            }
            if self.queue.unanswered() == 0 {
                self.answer_by = Instant::now() + ANSWER_PATIENCE;
            }
            self.queue.sent();
        }
    }

    /// Reads the next frame back from the spool.
    async fn load(&mut self, place: Kept) -> bool {
        let Some(spool) = self.spool.take() else { return false };
        let read = tokio::task::spawn_blocking(move || {
            let frame = spool.read(place);
            (spool, frame)
        });
        let Ok((spool, frame)) = read.await else { return false };
        self.spool = Some(spool);
        match frame {
            Ok(frame) => {
                self.queue.load(frame);
                true
            }
            Err(error) => {
                self.last_heard = error.to_string();
                false
            }
        }
    }

    fn obey(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Flush(flush)) => {
                self.ask_again();
                self.flushes.push(flush);
            }
            Some(Command::Close(reply)) => self.begin_closing(Some(reply)),
            None => self.begin_closing(None),
        }
    }

    fn begin_closing(&mut self, reply: Option<oneshot::Sender<Result<(), FlushError>>>) {
        self.closing = Some(Closing { by: Instant::now() + CLOSE_PATIENCE, reply });
        self.ask_again();
    }

    /// Somebody waits: whoever refused before is asked again.
    fn ask_again(&mut self) {
        if self.refused.take().is_some() {
            self.retry_at = Instant::now();
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Opened => {}
            Heard::Mark(mark) => self.mark(&mark),
            Heard::Closed if self.queue.unanswered() == 0 => self.link.close(),
            Heard::Closed => self.broken(&Status::unavailable("the control plane ended the stream")),
            Heard::Ended(status) => self.broken(&status),
        }
    }

    /// The control plane answered a frame.
    fn mark(&mut self, mark: &IngestMark) {
        self.attempts = 0;
        self.refused = None;
        self.answer_by = Instant::now() + ANSWER_PATIENCE;
        let done = self.queue.acknowledge(mark.epoch, mark.sequence);
        let mut events: u64 = 0;
        for held in done {
            events += held.count;
            if let (Some(place), Some(spool)) = (held.place, &mut self.spool) {
                spool.done(place);
            }
            if let (Some(handler), Some(frame)) = (&self.shared.options.rejected, &held.frame) {
                let last = held.first_sequence + held.count;
                let mut sent = None;
                for rejected in &mark.rejected {
                    if !(held.first_sequence..last).contains(&rejected.sequence) {
                        continue;
                    }
                    let sent = sent.get_or_insert_with(|| read_frame(frame).unwrap_or_default());
                    handler(&Rejection {
                        epoch: mark.epoch,
                        sequence: rejected.sequence,
                        code: rejected.code.clone(),
                        detail: rejected.detail.clone(),
                        event: sent.iter().find(|event| event.sequence == rejected.sequence).cloned(),
                    });
                }
            }
        }
        // The answers to frames that an earlier answer covered already count nothing more.
        let accepted = mark.accepted.min(events);
        let rejected = (mark.rejected.len() as u64).min(events - accepted);
        self.shared.tally.answered(accepted, events - accepted - rejected, rejected);
    }

    /// The stream ended, was refused, or never came to be.
    fn broken(&mut self, status: &Status) {
        self.link.close();
        if let Some((epoch, mark)) = gap(status)
            && let Some(after) = self.queue.lacks(epoch, mark)
            && let Ok(new) = random_epoch()
        {
            self.gap = Some(Gap { epoch, after, new });
            self.retry_at = Instant::now();
            return;
        }
        self.attempts = self.attempts.saturating_add(1);
        let mut wait = RETRY.0.saturating_mul(1 << self.attempts.min(12)).min(RETRY.1);
        // One that says when to come back is believed, within bounds (gRPC design A6).
        let pushed_back =
            status.metadata().get("grpc-retry-pushback-ms").and_then(|value| value.to_str().ok());
        let pushed_back = pushed_back.and_then(|value| value.parse().ok()).map(Duration::from_millis);
        if final_refusal(status.code()) {
            wait = RETRY.1;
            self.refused = Some(FlushError::Refused {
                code: format!("{:?}", status.code()),
                message: status.message().to_owned(),
            });
        }
        self.retry_at =
            Instant::now() + pushed_back.map_or_else(|| self.jittered(wait), |told| told.min(RETRY.1));
        self.last_heard = format!("{:?}: {}", status.code(), status.message());
    }

    /// Anywhere between half of it and all of it (xorshift64).
    fn jittered(&mut self, wait: Duration) -> Duration {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let share = u32::try_from(self.jitter % 512).unwrap_or(0);
        wait / 2 + wait / 1_024 * share
    }

    fn tick(&mut self) {
        let late = !self.link.is_down() && self.queue.unanswered() > 0 && Instant::now() >= self.answer_by;
        if late {
            self.broken(&Status::deadline_exceeded("no answer came to a frame in time"));
        }
        if self.queue.unanswered() == 0 {
            self.answer_by = Instant::now() + ANSWER_PATIENCE;
        }
    }

    fn wake_at(&self) -> Instant {
        let mut at = Instant::now() + ANSWER_PATIENCE;
        if self.room() {
            at = at.min(self.due.unwrap_or(at));
        }
        if self.link.is_down() && (!self.queue.is_empty() || self.gap.is_some()) {
            at = at.min(self.retry_at);
        }
        if self.queue.unanswered() > 0 {
            at = at.min(self.answer_by);
        }
        if let Some(spool_at) = self.spool_at {
            at = at.min(spool_at);
        }
        if let Some(closing) = &self.closing {
            at = at.min(closing.by);
        }
        at
    }

    fn answer_flushes(&mut self) {
        for flush in &mut self.flushes {
            flush.look(self.queue.pushed());
        }
        let acknowledged = self.queue.acknowledged();
        let refused = self.refused.clone();
        for flush in std::mem::take(&mut self.flushes) {
            if flush.done(acknowledged) {
                flush.answer(Ok(()));
            } else if let Some(refused) = &refused {
                flush.answer(Err(refused.clone()));
            } else {
                self.flushes.push(flush);
            }
        }
    }

    /// Whether closing came to its end.
    fn ended(&mut self) -> bool {
        let Some(closing) = &self.closing else { return false };
        let all = self.queue.is_empty() && self.in_rings() == 0;
        all || self.refused.is_some() || Instant::now() >= closing.by
    }

    fn end(mut self) {
        let mut lost: u64 = 0;
        for ring in self.shared.rings().drain(..) {
            lost += ring.close();
        }
        let unacknowledged = lost + self.queue.events();
        lost += self.queue.events_in_memory_only();
        self.shared.tally.dropped(lost);
        if let Some(mut spool) = self.spool.take() {
            spool.end();
            // The folder is free before anybody is told that this is over.
        }
        let came_to = match (unacknowledged, self.refused.take()) {
            (0, _) => Ok(()),
            (_, Some(refused)) => Err(refused),
            (events, None) => {
                Err(FlushError::Unacknowledged { events, reason: std::mem::take(&mut self.last_heard) })
            }
        };
        for flush in self.flushes.drain(..) {
            flush.answer(came_to.clone());
        }
        if let Some(reply) = self.closing.and_then(|closing| closing.reply) {
            // Whoever asked may have gone.
            let _ = reply.send(came_to);
        }
    }
}

/// The epoch of which frames are missing, and up to which sequence none is.
fn gap(status: &Status) -> Option<(u64, u64)> {
    let number = |name: &str| status.metadata().get(name)?.to_str().ok()?.parse().ok();
    Some((number(GAP_EPOCH)?, number(GAP_MARK)?)).filter(|_| status.code() == Code::FailedPrecondition)
}

/// Whether trying again at once would come to the same.
fn final_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthenticated
            | Code::PermissionDenied
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::Unimplemented
            | Code::OutOfRange
    )
}
