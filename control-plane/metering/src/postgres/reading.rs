//! What is read: meters, answers, events, accounts.

use std::ops::ControlFlow;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::accounts;
use super::answers::{Asked, From};
use super::events;
use super::fault::Fault;
use super::namespaces::{Namespace, Side};
use super::options::READ_TIMEOUT;
use super::store::PostgresEventStore;
use super::turns::Purpose;
use crate::store::check_namespace;
use crate::{Event, Meter, MeterQuery, MeterValue, ProducerAccount, StoreError, built_in_meters};

/// Events a scan has in memory at a time.
const SCAN_PAGE: usize = 2_000;
/// A reader sees one moment.
const SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
/// Who reads events may take its time.
const AT_LEISURE: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
const KEPT_FROM: &str = "SELECT from_us FROM creto_events.kept";

/// Refuses a time whose events are not all kept any more.
async fn require_kept(connection: &mut PgConnection, from_us: i64) -> Result<(), Fault> {
    let before_us: i64 = sqlx::query_scalar(KEPT_FROM).fetch_one(connection).await?;
    if from_us < before_us {
        return Err(StoreError::Gone { before_us }.into());
    }
    Ok(())
}

async fn snapshot(
    connection: &mut PgConnection,
    reads_events: bool,
) -> Result<Transaction<'_, Postgres>, Fault> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(SNAPSHOT).execute(&mut *transaction).await?;
    if reads_events {
        sqlx::raw_sql(AT_LEISURE).execute(&mut *transaction).await?;
    }
    Ok(transaction)
}

impl PostgresEventStore {
    /// A connection to read with. One that reads events has a connection of its own that is
    /// closed with it: the server notices that nobody waits any more, and nobody else waits for it.
    async fn connection(&self, reads_events: bool) -> Result<PoolConnection<Postgres>, Fault> {
        let mut connection = self.pool().acquire().await?;
        if reads_events {
            connection.close_on_drop();
        }
        Ok(connection)
    }

    /// The namespace; none when nothing was ever said of it.
    async fn namespace(
        &self,
        connection: &mut PgConnection,
        name: &str,
    ) -> Result<Option<Arc<Namespace>>, Fault> {
        Ok(self.namespaces().look(connection, name).await?.map(|shared| shared.namespace))
    }

    pub(super) async fn read_meters(&self, name: &str) -> Result<Vec<Meter>, StoreError> {
        check_namespace(name)?;
        self.repeat(Purpose::Read, || async {
            let mut connection = self.pool().acquire().await?;
            let namespace = self.namespace(&mut connection, name).await?;
            Ok(namespace.map(|namespace| namespace.catalog.meters()))
        })
        .await
        .map(|meters| {
            meters.unwrap_or_else(|| {
                let mut meters = built_in_meters();
                meters.sort_by(|a, b| a.name.cmp(&b.name));
                meters
            })
        })
    }

    pub(super) async fn answer(
        &self,
        name: &str,
        query: &MeterQuery,
        from_events: bool,
    ) -> Result<Vec<MeterValue>, StoreError> {
        check_namespace(name)?;
        self.repeat(Purpose::Read, || self.try_answer(name, query, from_events)).await
    }

    async fn try_answer(
        &self,
        name: &str,
        query: &MeterQuery,
        from_events: bool,
    ) -> Result<Vec<MeterValue>, Fault> {
        let mut connection = self.connection(from_events).await?;
        let mut transaction = snapshot(&mut connection, from_events).await?;
        let namespace = self.namespace(&mut transaction, name).await?;
        let built_in;
        let meter = match &namespace {
            Some(namespace) => namespace.catalog.meter(&query.meter).map(AsRef::as_ref),
            None => {
                built_in = built_in_meters();
                built_in.iter().find(|meter| meter.name == query.meter)
            }
        };
        let Some(meter) = meter else { return Err(StoreError::NoMeter(query.meter.to_string()).into()) };
        query.check(meter).map_err(StoreError::from)?;
        let Some(namespace) = &namespace else { return Ok(Vec::new()) };
        let from = if from_events {
            require_kept(&mut transaction, query.from_us).await?;
            From::Events(namespace.since(&meter.name))
        } else {
            From::Rollups
        };
        let sides = namespace.sides(&meter.event_type).into_iter().flatten();
        let is_of = |side: &Side<'_>| side.meters.iter().any(|other| other.name == meter.name);
        let side = sides.into_iter().find(is_of).ok_or(Fault::Outdated)?;
        let asked = Asked { namespace: name, side, meter, query };
        let answer = asked.answer(&mut transaction, from).await?;
        transaction.rollback().await?;
        Ok(answer)
    }

    pub(super) async fn read_events(
        &self,
        name: &str,
        from_us: i64,
        to_us: i64,
        each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        check_namespace(name)?;
        match tokio::time::timeout(READ_TIMEOUT, self.try_scan(name, from_us, to_us, each)).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(StoreError::Away("PostgreSQL took too long to show the events".into())),
        }
    }

    async fn try_scan(
        &self,
        name: &str,
        from_us: i64,
        to_us: i64,
        each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
    ) -> Result<(), Fault> {
        let _turn = self.turn(Purpose::Read).await?;
        let mut connection = self.connection(true).await?;
        let mut transaction = snapshot(&mut connection, true).await?;
        require_kept(&mut transaction, from_us).await?;
        let open = format!(
            "DECLARE creto_scan NO SCROLL CURSOR FOR SELECT {} FROM creto_events.events \
             WHERE namespace = $1 AND at_us >= $2 AND at_us < $3 ORDER BY ordinal",
            events::COLUMNS
        );
        let open =
            sqlx::query(sqlx::AssertSqlSafe(open)).bind(name).bind(from_us).bind(to_us).persistent(false);
        open.execute(&mut *transaction).await?;
        let fetch = format!("FETCH {SCAN_PAGE} FROM creto_scan");
        loop {
            let page = sqlx::query(sqlx::AssertSqlSafe(fetch.clone())).persistent(false);
            let rows = page.fetch_all(&mut *transaction).await?;
            for row in &rows {
                let (event, order) = events::read(row)?;
                if each(&event, order).is_break() {
                    return Ok(transaction.rollback().await?);
                }
            }
            if rows.len() < SCAN_PAGE {
                return Ok(transaction.rollback().await?);
            }
        }
    }

    pub(super) async fn read_accounts(&self, name: &str) -> Result<Vec<ProducerAccount>, StoreError> {
        check_namespace(name)?;
        self.repeat(Purpose::Read, || async {
            let mut connection = self.pool().acquire().await?;
            accounts::all(&mut connection, name).await
        })
        .await
    }
}
