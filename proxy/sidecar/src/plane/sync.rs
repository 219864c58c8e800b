//! The push stream: deltas and revocations down, answers and events up.

use std::collections::VecDeque;
use std::time::Duration;

use creto_client::SidecarClient;
use creto_proto::v1::{
    Ack, Delta, Nack, Report, SidecarEvent, SidecarEventKind, SyncRequest, SyncResponse, sync_request,
    sync_response,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::plane::GenerationError;
use crate::plane::backoff::{Backoff, random};
use crate::plane::enforcer::{Enforcer, Prepared};
use crate::plane::link::PlaneLink;

/// Without a word for this long the stream counts as broken: heartbeats come every 5 seconds.
const SILENCE: Duration = Duration::from_secs(20);
/// Longest time that calls may be decided by an earlier policy after the next came into force.
const DRAIN: Duration = Duration::from_secs(5);
/// Most deltas that wait for the one before; the control plane waits for each answer.
const WAITING: usize = 4;
/// Longest wait for the control plane to take the last words on a stream that the sidecar ends.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Most messages that wait to be sent.
const OUTGOING: usize = 16;

/// Keeps the stream open for as long as the sidecar lives.
pub(crate) async fn run(link: &PlaneLink, enforcer: &mut Enforcer, client: &SidecarClient) {
    let mut backoff = Backoff::default();
    loop {
        let status = match Stream::open(link, enforcer, client).await {
            Ok(mut stream) => {
                let Err(status) = stream.keep(&mut backoff).await;
                stream.end(&status).await;
                status
            }
            Err(status) => status,
        };
        link.sidecar.plane.connected(false);
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => enforcer.cut_off(status.message()),
            _ => tracing::warn!(
                reason = status.message(),
                "the control plane is away; the last good policy stays"
            ),
        }
        tokio::time::sleep(backoff.next(&status, random())).await;
    }
}

/// What becomes of the delta in hand. One at a time: a newer one waits.
enum Work {
    None,
    /// On another thread.
    Preparing {
        nonce: String,
        job: JoinHandle<Result<Prepared, GenerationError>>,
    },
    /// In force, and acknowledged once nobody decides by an earlier one.
    Draining {
        nonce: String,
        epoch: u64,
        until: Instant,
    },
}

/// What there is to do next about it.
enum Progress {
    Prepared(Result<Prepared, GenerationError>),
    Drained,
    Held,
}

impl Work {
    /// May be given up at any time.
    async fn next(&mut self, enforcer: &mut Enforcer) -> Progress {
        match self {
            Self::None => std::future::pending().await,
            Self::Preparing { job, .. } => {
                Progress::Prepared(job.await.unwrap_or(Err(GenerationError::Broken)))
            }
            Self::Draining { until, .. } => match timeout_at(*until, enforcer.drained()).await {
                Ok(()) => Progress::Drained,
                Err(_) => Progress::Held,
            },
        }
    }
}

/// One stream while it lasts.
struct Stream<'l> {
    link: &'l PlaneLink,
    enforcer: &'l mut Enforcer,
    up: mpsc::Sender<SyncRequest>,
    incoming: Streaming<SyncResponse>,
    work: Work,
    waiting: VecDeque<Delta>,
    /// Sent, but nothing has come since that shows the control plane to be there.
    unheard: Vec<SidecarEvent>,
}

/// A stream ends in one way only: with the reason.
enum Never {}

impl<'l> Stream<'l> {
    async fn open(
        link: &'l PlaneLink,
        enforcer: &'l mut Enforcer,
        client: &SidecarClient,
    ) -> Result<Self, Status> {
        let (up, outgoing) = mpsc::channel(OUTGOING);
        let hello = SyncRequest { message: Some(sync_request::Message::Hello(enforcer.hello())) };
        up.try_send(hello).map_err(|_| closed())?;
        let incoming = client.policy_sync().sync(ReceiverStream::new(outgoing)).await?.into_inner();
        let (work, waiting, unheard) = (Work::None, VecDeque::new(), Vec::new());
        Ok(Self { link, enforcer, up, incoming, work, waiting, unheard })
    }

    async fn keep(&mut self, backoff: &mut Backoff) -> Result<Never, Status> {
        let mut silent_at = Instant::now() + SILENCE;
        loop {
            self.begin_next();
            tokio::select! {
                // What comes first of all: a revocation overtakes whatever is under way.
                biased;
                message = timeout_at(silent_at, self.incoming.message()) => {
                    let message = match message {
                        Ok(Ok(Some(message))) => message,
                        Ok(Ok(None)) => return Err(closed()),
                        Ok(Err(status)) => return Err(status),
                        Err(_) => return Err(Status::unavailable("the control plane fell silent")),
                    };
                    silent_at = Instant::now() + SILENCE;
                    // A delta says that the stream is up only once it is taken: else one that never fits would come
                    // again and again without a pause.
                    if !matches!(message.message, Some(sync_response::Message::Delta(_))) {
                        backoff.reset();
                    }
                    self.unheard.clear();
                    self.link.sidecar.plane.connected(true);
                    self.take(message)?;
                }
                progress = self.work.next(self.enforcer) => self.progress(progress, backoff)?,
                () = self.link.sidecar.events.wait() => {
                    let events = self.link.sidecar.events.take();
                    self.unheard.extend(events.iter().cloned());
                    self.send(sync_request::Message::Report(Report { events }))?;
                }
            }
        }
    }

    /// What is under way when the stream ends is finished, but nobody is told.
    async fn end(mut self, status: &Status) {
        if status.code() == Code::DataLoss {
            self.say_last_words().await;
        }
        self.link.sidecar.events.put_back(self.unheard);
        if let Work::Preparing { job, .. } = self.work {
            match job.await.unwrap_or(Err(GenerationError::Broken)) {
                Ok(prepared) => {
                    self.enforcer.enforce(prepared);
                    self.link.announce();
                }
                Err(error) => refused(self.link, &error),
            }
        }
    }

    /// Half-closes, so that what was sent arrives, and waits a moment. What is taken away meanwhile is taken away.
    async fn say_last_words(&mut self) {
        // A channel that nobody reads takes the place of the one to the control plane.
        self.up = mpsc::channel(1).0;
        let until = Instant::now() + LAST_WORDS;
        while let Ok(Ok(Some(message))) = timeout_at(until, self.incoming.message()).await {
            if let Some(sync_response::Message::Revocation(sent)) = message.message {
                self.enforcer.revoke(sent);
            }
        }
    }

    fn begin_next(&mut self) {
        if matches!(self.work, Work::None)
            && let Some(delta) = self.waiting.pop_front()
        {
            let nonce = delta.nonce.clone();
            let job = tokio::task::spawn_blocking(self.enforcer.prepare(delta));
            self.work = Work::Preparing { nonce, job };
        }
    }

    fn take(&mut self, message: SyncResponse) -> Result<(), Status> {
        match message.message {
            Some(sync_response::Message::Heartbeat(heartbeat))
                if heartbeat.epoch > 0 && heartbeat.epoch == self.link.sidecar.enforced.load().epoch =>
            {
                self.link.sidecar.freshness.confirm();
                self.link.announce();
            }
            // Of another generation than ours: the control plane is about to send that one.
            Some(sync_response::Message::Heartbeat(_)) | None => {}
            Some(sync_response::Message::Revocation(sent)) => self.enforcer.revoke(sent),
            Some(sync_response::Message::Delta(_)) if self.waiting.len() >= WAITING => {
                return Err(Status::resource_exhausted("the control plane does not wait for answers"));
            }
            Some(sync_response::Message::Delta(delta)) => self.waiting.push_back(delta),
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress, backoff: &mut Backoff) -> Result<(), Status> {
        let work = std::mem::replace(&mut self.work, Work::None);
        match (work, progress) {
            (Work::Preparing { nonce, .. }, Progress::Prepared(Ok(prepared))) => {
                let epoch = self.enforcer.enforce(prepared);
                self.link.announce();
                self.work = Work::Draining { nonce, epoch, until: Instant::now() + DRAIN };
                Ok(())
            }
            (Work::Preparing { nonce, .. }, Progress::Prepared(Err(error))) => {
                refused(self.link, &error);
                let epoch = self.link.sidecar.enforced.load().epoch;
                let (reason, rejections) = (error.reason(), error.rejections());
                let misfit = error.is_misfit();
                self.send(sync_request::Message::Nack(Nack { nonce, epoch, reason, rejections }))?;
                if misfit {
                    // Only the next hello brings the control plane to send all that is missing here.
                    return Err(Status::data_loss(format!("the stream is opened again: {error}")));
                }
                Ok(())
            }
            (Work::Draining { nonce, epoch, .. }, Progress::Drained) => {
                backoff.reset();
                self.send(sync_request::Message::Ack(Ack { nonce, epoch }))
            }
            (Work::Draining { epoch, .. }, _) => {
                tracing::error!(
                    epoch,
                    "calls are decided by an earlier policy {DRAIN:?} after the next came into force; it is not \
                     acknowledged, and the stream is opened again"
                );
                Err(Status::aborted("the policy could not be acknowledged"))
            }
            (Work::None | Work::Preparing { .. }, _) => Ok(()),
        }
    }

    fn send(&self, message: sync_request::Message) -> Result<(), Status> {
        let sent = self.up.try_send(SyncRequest { message: Some(message) });
        sent.map_err(|_| Status::unavailable("the control plane does not read, or closed the stream"))
    }
}

fn closed() -> Status {
    Status::unavailable("the control plane closed the stream")
}

/// Puts a refusal where people see it.
fn refused(link: &PlaneLink, error: &GenerationError) {
    tracing::error!(%error, "a policy is refused; the last good one stays");
    link.sidecar.events.push(SidecarEventKind::GenerationRefused, &error.to_string());
}
