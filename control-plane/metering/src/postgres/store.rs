//! The store: connections, transactions, and what is remembered between them.

use std::collections::BTreeSet;
use std::future::Future;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::SemaphorePermit;

use super::epochs::Swept;
use super::fault::Fault;
use super::groups::Groups;
use super::months;
use super::namespaces::{self, Namespaces};
use super::options::{
    ACQUIRE_TIMEOUT, MAX_CONNECTIONS, MAX_GROUP_FRAMES, OPERATION_TIMEOUT, PostgresOptions, READ_TIMEOUT,
    SESSION, TRIES,
};
use super::rollups::STAGING;
use super::schema::{self, Partitioning};
use super::series::KnownSeries;
use super::space::Space;
use super::turns::{Purpose, Turn, Turns};
use super::whole::is_whole;
use crate::bounds::MAX_NAMED_EVENTS;
use crate::store::check_namespace;
use crate::{
    Acceptance, EpochBounds, Frame, FrameOutcome, Meter, NamedEvent, NamedOutcome, StoreError, Window,
};

/// Keeps events in PostgreSQL 15 or later. Any number of replicas may use the same database. Clones share connections.
#[derive(Clone, Debug)]
pub struct PostgresEventStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    acceptance: Acceptance,
    retention_us: i64,
    partitioning: Partitioning,
    namespaces: Namespaces,
    series: KnownSeries,
    turns: Turns,
    groups: Groups,
    epochs: EpochBounds,
    swept: Swept,
    space: Space,
    /// Of a namespace, and of all.
    bytes: (u64, u64),
    most_series: u64,
    /// Months whose partitions are there.
    months: Mutex<BTreeSet<i64>>,
}

impl PostgresEventStore {
    /// Connects, and brings the schema `creto_events` up to date.
    ///
    /// # Errors
    /// [`StoreError::Option`] for options out of range, [`StoreError::Open`] when the server does not let us in or does
    /// not keep what it acknowledges, [`StoreError::NewerSchema`] when a later version was here.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let wrong = |name, problem: String| StoreError::Option { name, problem };
        if !(2..=MAX_CONNECTIONS).contains(&options.connections) {
            let problem = format!("{}: 2 to {MAX_CONNECTIONS}", options.connections);
            return Err(wrong("connections", problem));
        }
        if options.retention_us <= options.acceptance.max_age_us {
            return Err(wrong("retention", "events must be kept longer than they may be late".into()));
        }
        if options.series == 0 {
            return Err(wrong("series", "at least 1".into()));
        }
        if !(1..=MAX_GROUP_FRAMES).contains(&options.group_frames) {
            let problem = format!("{}: 1 to {MAX_GROUP_FRAMES}", options.group_frames);
            return Err(wrong("group_frames", problem));
        }
        let server = PgConnectOptions::from_str(&options.url)
            .map_err(|error| wrong("database.url", error.to_string()))?
            .application_name("creto-events");
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(SESSION).execute(&mut *connection).await?;
                    sqlx::raw_sql(STAGING).execute(&mut *connection).await?;
                    Ok(())
                })
            })
            .after_release(|connection, _| Box::pin(is_whole(connection)))
            .connect_with(server.clone())
            .await
            .map_err(|error| schema::opened(&server, &error))?;
        let mut connection = pool.acquire().await.map_err(|error| schema::opened(&server, &error))?;
        let partitioning = schema::migrate(&mut connection, &server).await?;
        drop(connection);
        let turns = Turns::new(options.connections);
        Ok(Self {
            inner: Arc::new(Inner {
                pool,
                acceptance: options.acceptance,
                retention_us: options.retention_us,
                partitioning,
                namespaces: Namespaces::default(),
                series: KnownSeries::default(),
                groups: Groups::new(turns.most_writers(), options.group_frames),
                turns,
                epochs: options.epochs,
                swept: Swept::default(),
                space: Space::default(),
                bytes: (options.namespace_bytes, options.disk_bytes),
                most_series: options.series,
                months: Mutex::default(),
            }),
        })
    }

    /// Closes the connections; what was acknowledged is kept without.
    pub async fn close(&self) {
        self.inner.pool.close().await;
    }

    /// How the events are kept in pieces.
    #[must_use]
    pub fn partitioning(&self) -> Partitioning {
        self.inner.partitioning
    }

    pub(super) fn namespaces(&self) -> &Namespaces {
        &self.inner.namespaces
    }

    pub(super) fn epoch_bounds(&self) -> EpochBounds {
        self.inner.epochs
    }

    pub(super) fn swept(&self) -> &Swept {
        &self.inner.swept
    }

    pub(super) fn space(&self) -> &Space {
        &self.inner.space
    }

    /// Bytes of a namespace, and of all, there may be.
    pub(super) fn most_bytes(&self) -> (u64, u64) {
        self.inner.bytes
    }

    pub(super) fn known_series(&self) -> &KnownSeries {
        &self.inner.series
    }

    pub(super) fn acceptance(&self) -> &Acceptance {
        &self.inner.acceptance
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    pub(super) fn retention_us(&self) -> i64 {
        self.inner.retention_us
    }

    /// Waits for a place at a connection.
    pub(super) async fn turn(&self, purpose: Purpose) -> Result<Turn<'_>, StoreError> {
        self.inner.turns.wait(purpose).await
    }

    /// Waits for a place to write at, for requests that have their own.
    pub(super) async fn writer_turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.inner.turns.connection(Purpose::Write).await
    }

    pub(super) fn groups(&self) -> &Groups {
        &self.inner.groups
    }

    /// Series of a namespace that are kept apart by all they say.
    pub(super) fn most_series(&self) -> u64 {
        self.inner.most_series
    }

    /// Forgets which partitions there are.
    pub(super) fn forget_months(&self) {
        self.inner.months.lock().clear();
    }

    /// Makes partitions for these times, and for the month after now, where they are missing.
    pub(super) async fn make_months(
        &self,
        times_us: impl Iterator<Item = i64>,
        now_us: i64,
    ) -> Result<(), Fault> {
        if self.inner.partitioning == Partitioning::Hypertable {
            return Ok(());
        }
        // Times that will be rejected need no partition.
        let Acceptance { max_age_us, max_ahead_us } = self.inner.acceptance;
        let accepted = now_us.saturating_sub(max_age_us).max(0)..=now_us.saturating_add(max_ahead_us);
        let soon = [now_us, Window::Month.end_us(now_us)].into_iter().filter(|at| *at >= 0);
        let wanted = months::of(times_us.filter(|at| accepted.contains(at)).chain(soon));
        if wanted.is_subset(&self.inner.months.lock()) {
            return Ok(());
        }
        let mut connection = self.inner.pool.acquire().await?;
        months::ensure(&mut connection, &wanted).await?;
        self.inner.months.lock().extend(wanted);
        Ok(())
    }

    /// Defines a meter, or only the built-in ones.
    pub(super) async fn put(&self, namespace: &str, meter: Option<&Meter>) -> Result<(), StoreError> {
        check_namespace(namespace)?;
        self.repeat(Purpose::Write, || self.try_put(namespace, meter)).await
    }

    pub(super) async fn try_put(&self, namespace: &str, meter: Option<&Meter>) -> Result<(), Fault> {
        let mut transaction = self.inner.pool.begin().await?;
        namespaces::put(&mut transaction, namespace, meter).await?;
        Ok(transaction.commit().await?)
    }

    /// Takes a frame in; on disk when it returns.
    pub(super) async fn frame(
        &self,
        namespace: &str,
        frame: Frame,
        now_us: i64,
    ) -> Result<FrameOutcome, StoreError> {
        check_namespace(namespace)?;
        if !frame.namespace().is_empty() && frame.namespace() != namespace {
            let (said, expected) = (frame.namespace().to_owned(), namespace.to_owned());
            return Err(StoreError::OtherNamespace { said, expected });
        }
        let _request = self.inner.turns.request()?;
        let gone = || StoreError::Away("PostgreSQL: whoever took the frame in is gone".into());
        match tokio::time::timeout(OPERATION_TIMEOUT, self.taken_in(namespace, frame, now_us)).await {
            Ok(answered) => answered.unwrap_or_else(|| Err(gone())),
            Err(_) => Err(silent(OPERATION_TIMEOUT)),
        }
    }

    /// Takes named events in; those that are accepted are on disk when it returns.
    pub(super) async fn named(
        &self,
        namespace: &str,
        events: &[NamedEvent],
        now_us: i64,
    ) -> Result<Vec<NamedOutcome>, StoreError> {
        check_namespace(namespace)?;
        if events.len() > MAX_NAMED_EVENTS {
            return Err(StoreError::TooMany { found: events.len(), most: MAX_NAMED_EVENTS });
        }
        if events.is_empty() {
            return Ok(Vec::new());
        }
        self.repeat(Purpose::Write, || self.try_named(namespace, events, now_us)).await
    }

    async fn try_named(
        &self,
        namespace: &str,
        events: &[NamedEvent],
        now_us: i64,
    ) -> Result<Vec<NamedOutcome>, Fault> {
        self.make_months(events.iter().map(|event| event.at_us.unwrap_or(now_us)), now_us).await?;
        let taken = loop {
            let mut transaction = self.inner.pool.begin().await?;
            if let Some(taken) = self.take_named(&mut transaction, namespace, events, now_us).await? {
                transaction.commit().await?;
                break taken;
            }
            transaction.rollback().await?;
            self.try_put(namespace, None).await?;
        };
        self.inner.series.remember(taken.numbers);
        Ok(taken.outcomes)
    }

    /// Does a transaction, again when the server broke it off for the sake of another. Whatever else goes wrong is the
    /// caller's: nothing was acknowledged.
    pub(super) async fn repeat<T, F: Future<Output = Result<T, Fault>> + Send>(
        &self,
        purpose: Purpose,
        mut transaction: impl FnMut() -> F + Send,
    ) -> Result<T, StoreError> {
        let _request = self.inner.turns.request()?;
        let waited = Instant::now();
        let within = within(purpose);
        match tokio::time::timeout(within, self.inner.turns.connection(purpose)).await {
            Ok(turn) => {
                let _turn = turn?;
                Ok(self.tries_within(within.saturating_sub(waited.elapsed()), &mut transaction).await?)
            }
            Err(_) => Err(silent(within)),
        }
    }

    /// The same for whoever has a place at a connection.
    pub(super) async fn tries<T, F: Future<Output = Result<T, Fault>> + Send>(
        &self,
        purpose: Purpose,
        mut transaction: impl FnMut() -> F + Send,
    ) -> Result<T, Fault> {
        self.tries_within(within(purpose), &mut transaction).await
    }

    async fn tries_within<T, F: Future<Output = Result<T, Fault>> + Send>(
        &self,
        within: Duration,
        transaction: &mut (impl FnMut() -> F + Send),
    ) -> Result<T, Fault> {
        let tries = async {
            for _ in 1..TRIES {
                match transaction().await {
                    Err(fault) if fault.may_be_repeated() => self.forget_months(),
                    done => return done,
                }
            }
            transaction().await
        };
        tokio::time::timeout(within, tries).await.unwrap_or_else(|_| Err(silent(within).into()))
    }
}

/// How long a request may take as a whole.
fn within(purpose: Purpose) -> Duration {
    if purpose == Purpose::Read { READ_TIMEOUT } else { OPERATION_TIMEOUT }
}

fn silent(within: Duration) -> StoreError {
    StoreError::Away(format!("PostgreSQL did not answer for {} s", within.as_secs()))
}
