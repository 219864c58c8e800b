//! The embedded store: a log of what came in, and a database of what it comes to.
//!
//! What comes in is judged where it is asked, decided and written by one thread ([`writer`]: one write and one sync for
//! all that waits), and counted by another ([`counter`]). Nothing is answered before it is on disk. From time to time
//! what was counted goes into the database, with how far the log is counted, in one transaction ([`checkpoint`]); start
//! reads the database and counts the rest of the log ([`recover`]). The log is the truth: the database can always be made
//! from it, as far back as the log goes.

mod account;
mod anew;
mod applied;
mod block;
mod checkpoint;
mod counter;
mod epochs;
mod file;
mod generation;
mod load;
mod log;
mod options;
mod payload;
mod read;
mod record;
mod recover;
mod scan;
mod segment;
mod shared;
mod space;
mod start;
mod usage;
mod writer;

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, Row as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

pub use self::options::*;

use self::counter::{Told, closed};
use self::scan::Wanted;
use self::shared::Shared;
use self::writer::{Candidate, FrameRequest, NamedAnswer, NamedRequest, Request};
use crate::bounds::MAX_NAMED_EVENTS;
use crate::store::check_namespace;
use crate::{
    Catalog, Event, EventStore, Frame, FrameOutcome, Meter, MeterQuery, MeterValue, NamedEvent, NamedOutcome,
    ProducerAccount, StoreError, Tally, Value,
};

/// Bytes that one permit of the queue stands for.
const PERMIT_BYTES: usize = 1_024;
/// Keys that are looked up in one statement.
const LOOK_UP_ROWS: usize = 256;
/// How often named events are looked up again because checkpoints came in between.
const LOOK_UPS: usize = 10;

/// Keeps events in a folder of the control plane. Clones share it.
#[derive(Clone)]
pub struct EmbeddedEventStore {
    shared: Arc<Shared>,
    options: Arc<EmbeddedOptions>,
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    counter: Weak<SyncSender<Told>>,
    readers: SqlitePool,
    recovery: Arc<Recovery>,
    ended: watch::Receiver<bool>,
}

impl fmt::Debug for EmbeddedEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedEventStore").field("folder", &self.shared.folder).finish_non_exhaustive()
    }
}

impl EmbeddedEventStore {
    /// Opens the folder, makes it (mode 0700) if it is not there, counts what of the log is not in the database, and starts
    /// answering. It belongs to this process until [`EmbeddedEventStore::close`], or until the last clone is dropped.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it, [`StoreError::Damaged`] when acknowledged data cannot be read
    /// and [`EmbeddedOptions::skip_damaged`] is not set, [`StoreError::NewerSchema`] for a folder of a later version, else
    /// why it cannot be opened.
    pub async fn open(folder: &Path, options: EmbeddedOptions) -> Result<Self, StoreError> {
        let gone = || StoreError::Away("the thread of the event store ended".into());
        let started = start::start(folder, options.clone()).await.map_err(|_| gone())??;
        Ok(Self {
            readers: file::readers(folder),
            shared: started.shared,
            options: Arc::new(options),
            requests: started.requests,
            room: Arc::new(Semaphore::new(MAX_WAITING_BYTES / PERMIT_BYTES)),
            counter: started.counter,
            recovery: Arc::new(started.recovery),
            ended: started.ended,
        })
    }

    /// What was found at start.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Writes what was counted into the database now, so that the next start has nothing to count.
    ///
    /// # Errors
    /// Why it cannot be written; the log has it.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        self.all_counted().await?;
        let (answer, answered) = oneshot::channel();
        let mut told = Told::Checkpoint(answer);
        loop {
            let counter = self.counter.upgrade().ok_or_else(closed)?;
            match counter.try_send(told) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) => told = back,
                Err(TrySendError::Disconnected(_)) => return Err(closed()),
            }
            drop(counter);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        answered.await.map_err(|_| closed())?
    }

    /// Answers what was asked before, makes a last checkpoint, and lets go of the folder. Whoever asks later is told that
    /// the store was closed.
    ///
    /// What could not be counted any more is counted by the next start: the log has it.
    ///
    /// # Errors
    /// [`StoreError::Away`] when it was closed before, or what is being written takes longer than [`MAX_CLOSE`].
    pub async fn close(&self) -> Result<(), StoreError> {
        let closing = async {
            let sent = self.requests.send(Request::Close).await;
            let mut ended = self.ended.clone();
            // The sender is dropped without a word only when the thread is gone.
            let _ = ended.wait_for(|ended| *ended).await;
            self.readers.close().await;
            sent.map_err(|_| closed())
        };
        let late =
            || format!("what is being written takes longer than {} s; the log has it", MAX_CLOSE.as_secs());
        tokio::time::timeout(MAX_CLOSE, closing).await.unwrap_or_else(|_| Err(StoreError::Away(late())))
    }

    /// Waits until everything that was acknowledged is counted.
    async fn all_counted(&self) -> Result<(), StoreError> {
        let committed = self.shared.committed.load(Ordering::Acquire);
        let mut counted = self.shared.counted.subscribe();
        // It never ends: the sender is in what is shared.
        counted.wait_for(|record| *record >= committed).await.map_err(|_| closed())?;
        Ok(())
    }

    async fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let permits = (bytes / PERMIT_BYTES + 1).min(MAX_WAITING_BYTES / PERMIT_BYTES) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(permits);
        match tokio::time::timeout(MAX_WAIT, room).await {
            Ok(permit) => permit.map_err(|_| closed()),
            Err(_) => {
                let busy = || StoreError::Away("too much waits to be written already".into());
                Err(self.shared.trouble.lock().clone().unwrap_or_else(busy))
            }
        }
    }

    async fn ask<T>(
        &self,
        request: Request,
        answered: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.requests.send(request).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Fills in what the database knows of the candidates; the last record that was in it.
    async fn look_up(&self, candidates: &mut [Candidate]) -> Result<u64, StoreError> {
        let away = |error: sqlx::Error| file::away(&self.shared.folder, &error);
        let mut connection = self.readers.acquire().await.map_err(away)?;
        let mut transaction = connection.begin().await.map_err(away)?;
        let record: Option<i64> = sqlx::query_scalar("SELECT record FROM progress")
            .fetch_optional(&mut *transaction)
            .await
            .map_err(away)?;
        for chunk in candidates.chunks_mut(LOOK_UP_ROWS) {
            let places = vec!["?"; chunk.len()].join(",");
            let sql = format!("SELECT key, digest FROM named WHERE key IN ({places})");
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
            for candidate in chunk.iter() {
                query = query.bind(candidate.key.to_vec());
            }
            let mut found = std::collections::HashMap::new();
            for row in query.fetch_all(&mut *transaction).await.map_err(away)? {
                let bytes = |column: usize| {
                    let bytes: Vec<u8> = row.try_get(column).map_err(away)?;
                    <[u8; 32]>::try_from(bytes)
                        .map_err(|_| file::damaged(&self.shared.folder, "a key of another length"))
                };
                found.insert(bytes(0)?, bytes(1)?);
            }
            for candidate in chunk {
                candidate.known = found.get(&candidate.key).copied();
            }
        }
        Ok(record.unwrap_or(0).cast_unsigned())
    }

    fn judged(&self, catalog: &Catalog, event: NamedEvent, namespace: &str, now_us: i64) -> Candidate {
        let rejection = catalog.judge_named(&event, now_us, &self.options.acceptance).err();
        let (key, digest) = (event.key(namespace), event.digest());
        Candidate { event: event.into_event(now_us), key, digest, known: None, rejection }
    }
}

/// Bytes a named event takes, about, and not less than it does where it is kept.
fn named_bytes(event: &NamedEvent) -> usize {
    let texts = [
        &event.source,
        &event.id,
        &event.event_type,
        &event.agent,
        &event.customer,
        &event.subscription,
        &event.delegation,
    ];
    let property = |(name, value): &(Arc<str>, Value)| {
        let text = if let Value::Text(text) = value { text.len() } else { 0 };
        name.len() + text + 48
    };
    let signature = event.signature.as_ref().map_or(0, |signature| signature.len());
    // The source may have an account of its own in the record, too.
    200 + event.source.len()
        + texts.iter().map(|text| text.len()).sum::<usize>()
        + event.properties.iter().map(property).sum::<usize>()
        + signature
}

#[async_trait]
impl EventStore for EmbeddedEventStore {
    async fn put_meter(&self, namespace: &str, meter: &Meter) -> Result<(), StoreError> {
        check_namespace(namespace)?;
        meter.check()?;
        let (answer, answered) = oneshot::channel();
        let meter = Box::new(meter.clone());
        let request = Request::Meter { namespace: namespace.into(), meter, answer };
        self.ask(request, answered).await
    }

    async fn meters(&self, namespace: &str) -> Result<Vec<Meter>, StoreError> {
        check_namespace(namespace)?;
        Ok(self.shared.catalog(namespace).meters())
    }

    async fn ingest_frame(
        &self,
        namespace: &str,
        frame: Frame,
        now_us: i64,
    ) -> Result<FrameOutcome, StoreError> {
        check_namespace(namespace)?;
        if !frame.namespace().is_empty() && frame.namespace() != namespace {
            let said = frame.namespace().chars().take(80).collect();
            return Err(StoreError::OtherNamespace { said, expected: namespace.into() });
        }
        let permit = self.room_for(frame.memory()).await?;
        let catalog = self.shared.catalog(namespace);
        let rejections = catalog.judge_frame(&frame, now_us, &self.options.acceptance);
        let (answer, answered) = oneshot::channel();
        let namespace = namespace.into();
        let request = FrameRequest { namespace, frame: Box::new(frame), catalog, rejections, now_us, answer };
        self.ask(Request::Frame(request, permit), answered).await
    }

    async fn ingest_named(
        &self,
        namespace: &str,
        events: Vec<NamedEvent>,
        now_us: i64,
    ) -> Result<Vec<NamedOutcome>, StoreError> {
        check_namespace(namespace)?;
        if events.is_empty() {
            return Ok(Vec::new());
        }
        if events.len() > MAX_NAMED_EVENTS {
            return Err(StoreError::TooMany { found: events.len(), most: MAX_NAMED_EVENTS });
        }
        let bytes = events.iter().map(named_bytes).sum();
        if bytes > MAX_NAMED_BYTES {
            return Err(StoreError::TooLarge { found: bytes, most: MAX_NAMED_BYTES });
        }
        let mut catalog = self.shared.catalog(namespace);
        let mut candidates: Vec<Candidate> =
            events.iter().map(|event| self.judged(&catalog, event.clone(), namespace, now_us)).collect();
        for _ in 0..LOOK_UPS {
            let permit = self.room_for(bytes).await?;
            let looked_up = self.look_up(&mut candidates).await?;
            let (answer, answered) = oneshot::channel();
            let of_request = Arc::clone(&catalog);
            let request = NamedRequest {
                namespace: namespace.into(),
                candidates,
                catalog: of_request,
                looked_up,
                now_us,
                answer,
            };
            candidates = match self.ask(Request::Named(request, permit), answered).await? {
                NamedAnswer::Outcomes(outcomes) => return Ok(outcomes),
                NamedAnswer::Stale(candidates) => candidates,
            };
            let current = self.shared.catalog(namespace);
            if !Arc::ptr_eq(&current, &catalog) {
                catalog = current;
                candidates = events
                    .iter()
                    .map(|event| self.judged(&catalog, event.clone(), namespace, now_us))
                    .collect();
            }
        }
        Err(StoreError::Away("checkpoints follow each other too fast".into()))
    }

    async fn query(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        check_namespace(namespace)?;
        let catalog = self.shared.catalog(namespace);
        self.all_counted().await?;
        read::answer(&self.shared, &self.readers, namespace, &catalog, query).await
    }

    async fn recompute(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        check_namespace(namespace)?;
        let catalog = self.shared.catalog(namespace);
        let entry =
            catalog.entry(&query.meter).ok_or_else(|| StoreError::NoMeter(query.meter.to_string()))?;
        let mut tally = Tally::new(&entry.meter, query)?;
        let mut wrong = None;
        self.scan(namespace, query.from_us, query.to_us, &mut |event, order| {
            if order < entry.since {
                return ControlFlow::Continue(());
            }
            match tally.add(event, order) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    wrong = Some(error);
                    ControlFlow::Break(())
                }
            }
        })
        .await?;
        match wrong {
            Some(error) => Err(error.into()),
            None => Ok(tally.values()?),
        }
    }

    async fn scan(
        &self,
        namespace: &str,
        from_us: i64,
        to_us: i64,
        each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        check_namespace(namespace)?;
        self.all_counted().await?;
        let mut records = scan::read(&self.shared, Wanted { namespace: namespace.into(), from_us, to_us })?;
        while let Some(events) = records.recv().await {
            for (event, order) in events? {
                if each(&event, order).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn producers(&self, namespace: &str) -> Result<Vec<ProducerAccount>, StoreError> {
        check_namespace(namespace)?;
        self.all_counted().await?;
        read::producers(&self.shared, &self.readers, namespace).await
    }
}
