//! The client: what callers hold.

use std::sync::Arc;

use creto_proto::v1::metering_client::MeteringClient as Rpc;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, mpsc, oneshot};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::bearer::Credential;
use super::clock::Clock;
use super::counters::Tally;
use super::pump::{Command, Flush, MAX_FLUSHES, Pump};
use super::ring::{MAX_HANDLES, Put, Ring};
use super::spool::{self, Recovered};
use super::{Counters, Durability, EventDraft, FlushError, MeteringOptions, RecordError, StartError};
use crate::{ConnectError, PlaneEndpoint};

/// What the handles and the sending task share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: MeteringOptions,
    pub(crate) clock: Clock,
    pub(crate) tally: Tally,
    /// Tells the sending task that a ring has something.
    pub(crate) wake: Notify,
    rings: Mutex<Vec<Arc<Ring>>>,
}

impl Shared {
    /// The rings of all handles.
    pub(crate) fn rings(&self) -> MutexGuard<'_, Vec<Arc<Ring>>> {
        self.rings.lock()
    }
}

/// Records events. Clones share one ring; [`Self::handle`] gives another ring, for a thread that records much. When
/// the last one is dropped, what is recorded is still sent, for a few seconds.
#[derive(Clone, Debug)]
pub struct MeteringClient {
    shared: Arc<Shared>,
    ring: Arc<Ring>,
    commands: mpsc::Sender<Command>,
    recovered: Recovered,
}

impl MeteringClient {
    /// For a producer with a token, which only ingests into its own namespace. It connects when there is something to
    /// send, and again whenever the connection broke.
    ///
    /// # Errors
    /// [`StartError`]; a wrong token shows at [`Self::flush`].
    pub fn connect(
        endpoint: &PlaneEndpoint,
        token: &str,
        options: MeteringOptions,
    ) -> Result<Self, StartError> {
        let credential = Credential::of_token(token).ok_or(ConnectError::Token)?;
        Self::start(endpoint.dial_when_used(None)?, credential, options)
    }

    /// Over a channel that is there, with a token or, if the channel presents a certificate, without.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn over(channel: Channel, token: Option<&str>, options: MeteringOptions) -> Result<Self, StartError> {
        let credential = match token {
            Some(token) => Credential::of_token(token).ok_or(ConnectError::Token)?,
            None => Credential::none(),
        };
        Self::start(channel, credential, options)
    }

    fn start(channel: Channel, credential: Credential, options: MeteringOptions) -> Result<Self, StartError> {
        options.check()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let epoch = random_epoch()?;
        let (spool, left, recovered) = match &options.spool {
            Some((folder, bytes)) => {
                let (spool, left, recovered) = spool::Spool::open(folder, epoch, *bytes)?;
                (Some(spool), left, recovered)
            }
            None => (None, Vec::new(), Recovered::default()),
        };
        let ring = Arc::new(Ring::new(options.ring_events));
        let shared = Arc::new(Shared {
            options,
            clock: Clock::default(),
            tally: Tally::default(),
            wake: Notify::new(),
            rings: Mutex::new(vec![Arc::clone(&ring)]),
        });
        let (commands, received) = mpsc::channel(MAX_FLUSHES);
        let rpc = Rpc::new(InterceptedService::new(channel, credential));
        let pump = Pump::new(Arc::clone(&shared), received, rpc, epoch, (spool, left));
        runtime.spawn(pump.run());
        Ok(Self { shared, ring, commands, recovered })
    }

    /// Another handle, with its own ring.
    ///
    /// # Errors
    /// [`StartError::TooManyHandles`].
    pub fn handle(&self) -> Result<Self, StartError> {
        let mut rings = self.shared.rings();
        // A ring that only this list still knows, and that is empty, is of a handle that is gone.
        rings.retain(|ring| Arc::strong_count(ring) > 1 || ring.len() > 0);
        if rings.len() >= MAX_HANDLES {
            return Err(StartError::TooManyHandles);
        }
        let ring = Arc::new(Ring::new(self.shared.options.ring_events));
        rings.push(Arc::clone(&ring));
        drop(rings);
        Ok(Self { ring, ..self.clone() })
    }

    /// Records an event and returns at once. With [`Durability::Disk`] it is on disk a linger later; use
    /// [`Self::record_async`] to know.
    ///
    /// # Errors
    /// [`RecordError::Full`], counted as dropped, or [`RecordError`] for an event that no control plane takes.
    pub fn record(&self, draft: EventDraft) -> Result<(), RecordError> {
        draft.check()?;
        match self.put(draft) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => {
                self.shared.tally.dropped(1);
                Err(RecordError::Full)
            }
            Err(error) => {
                self.shared.tally.dropped(1);
                Err(error)
            }
        }
    }

    /// Records an event, waiting for room. With [`Durability::Disk`] it is on disk when this returns.
    ///
    /// # Errors
    /// [`RecordError`]. After [`RecordError::Spool`] with room in the ring the event is kept in memory and is still
    /// sent: do not record it again.
    pub async fn record_async(&self, draft: EventDraft) -> Result<(), RecordError> {
        draft.check()?;
        let mut draft = draft;
        let nth = loop {
            match self.put(draft)? {
                Ok(nth) => break nth,
                Err(again) => {
                    self.ring.room(again.bytes()).await;
                    draft = again;
                }
            }
        };
        match self.shared.options.durability {
            Durability::Memory => Ok(()),
            Durability::Disk => self.ring.kept(nth).await,
        }
    }

    /// Its number in the ring, or the event again when there is no room.
    fn put(&self, draft: EventDraft) -> Result<Result<u64, EventDraft>, RecordError> {
        let options = &self.shared.options;
        match self.ring.put(draft, &self.shared.clock, options.frame_events)? {
            Put::Full(draft) => Ok(Err(draft)),
            Put::Taken { nth, wake } => {
                self.shared.tally.recorded();
                if wake {
                    self.shared.wake.notify_one();
                }
                Ok(Ok(nth))
            }
        }
    }

    /// Waits until everything that any handle recorded so far is acknowledged: on the control plane's disk, or
    /// rejected one by one. While the control plane is away it waits.
    ///
    /// # Errors
    /// [`FlushError::Refused`] when the control plane does not take the stream at all.
    pub async fn flush(&self) -> Result<(), FlushError> {
        let (reply, answer) = oneshot::channel();
        let rings = self.shared.rings().iter().map(|ring| (Arc::clone(ring), ring.pushed())).collect();
        let flush = Flush::new(rings, reply);
        self.commands.send(Command::Flush(flush)).await.map_err(|_| FlushError::Closed)?;
        answer.await.unwrap_or(Err(FlushError::Closed))
    }

    /// Sends what there is, waits for a few seconds until it is acknowledged, and ends the client for all its handles.
    ///
    /// # Errors
    /// [`FlushError::Unacknowledged`] with what is left: lost with [`Durability::Memory`], sent by the next client of
    /// the spool folder with [`Durability::Disk`].
    pub async fn close(self) -> Result<Counters, FlushError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Close(reply)).await.map_err(|_| FlushError::Closed)?;
        answer.await.unwrap_or(Err(FlushError::Closed))?;
        Ok(self.shared.tally.read())
    }

    /// What came of the events so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.tally.read()
    }

    /// What an earlier process left in the spool folder.
    #[must_use]
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }
}

/// Never zero: on the wire, zero is "as before".
pub(crate) fn random_epoch() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| StartError::Random(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes).max(1))
}
