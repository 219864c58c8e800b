//! Where requests are kept.

use std::path::Path;

use creto_oversight::{ActionDigest, Approved, ExecutionEnd, RequestId, Status};
use creto_sql::{Database, Given, Row, Schema, Step, Work};

use crate::bounds::{
    DENIAL_HOLDS_MS, EXECUTION_MS, MAX_DUE, MAX_OPEN_A_NAMESPACE, MAX_OPEN_AN_AGENT, MAX_PAGE,
};
use crate::error::ApprovalError;
use crate::record::{Change, Facts, Kept, Selection};

const SCHEMA: Schema = Schema {
    name: "oversight",
    steps: &[Step {
        tables: include_str!("../migrations/0001_requests.sql"),
        sqlite: include_str!("../migrations/0001_guards_sqlite.sql"),
        postgres: include_str!("../migrations/0001_guards_postgres.sql"),
    }],
};

/// A statement that reads whole requests.
macro_rules! requests {
    ($which:literal) => {
        concat!("SELECT facts, context, status, version, changed_ms FROM oversight_requests ", $which)
    };
}

const LIVE: &str = requests!("WHERE namespace = $1 AND agent = $2 AND digest = $3 AND live = 1");

/// Requests in SQLite or PostgreSQL. Every change is one transaction, on disk when it returns.
#[derive(Clone, Debug)]
pub struct RequestStore {
    database: Database,
}

/// What became of a request to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// It is kept.
    New,
    /// There is one for this call.
    Joined(Box<Kept>),
}

impl RequestStore {
    /// In a file, which is made if it is not there.
    ///
    /// # Errors
    /// [`ApprovalError::Store`].
    pub async fn sqlite(path: &Path) -> Result<Self, ApprovalError> {
        Ok(Self { database: Database::sqlite(path, &SCHEMA).await? })
    }

    /// In PostgreSQL, at a URL such as `postgres://user@host/database`. Its tables begin with `oversight_`.
    ///
    /// # Errors
    /// [`ApprovalError::Store`].
    pub async fn postgres(url: &str) -> Result<Self, ApprovalError> {
        Ok(Self { database: Database::postgres(url, &SCHEMA).await? })
    }

    /// Closes it; what was committed is kept without.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Keeps a new request, or finds the live one for the same call.
    pub(crate) async fn make(
        &self,
        facts: &Facts,
        context: &str,
        status: &Status,
        now_ms: u64,
    ) -> Result<Made, ApprovalError> {
        let mut work = self.database.begin().await?;
        let (namespace, agent) = (facts.namespace.as_str(), facts.agent.as_str());
        let digest = facts.request.digest.to_string();
        let live = vec![namespace.into(), agent.into(), digest.as_str().into()];
        if let Some(row) = work.row(LIVE, live.clone()).await? {
            return Ok(Made::Joined(Box::new(kept(row)?)));
        }
        for (statement, given, most, full) in [
            (
                "SELECT COUNT(*) FROM oversight_requests WHERE until_ms IS NOT NULL AND namespace = $1 AND agent = $2",
                vec![namespace.into(), agent.into()],
                MAX_OPEN_AN_AGENT,
                ApprovalError::AgentFull(facts.agent.clone()),
            ),
            (
                "SELECT COUNT(*) FROM oversight_requests WHERE until_ms IS NOT NULL AND namespace = $1",
                vec![namespace.into()],
                MAX_OPEN_A_NAMESPACE,
                ApprovalError::NamespaceFull(facts.namespace.clone()),
            ),
        ] {
            let open = work.row(statement, given).await?.map_or(Ok(0), |mut row| row.number())?;
            if open >= most {
                return Err(full);
            }
        }
        const MAKE: &str = "INSERT INTO oversight_requests (id, namespace, agent, digest, word, live, version, \
             created_ms, changed_ms, due_ms, until_ms, facts, context, status) \
             VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
        let id = facts.request.id.to_string();
        let written = Written::of(status, now_ms, &id)?;
        let given = vec![
            id.as_str().into(),
            namespace.into(),
            agent.into(),
            digest.as_str().into(),
            status.word().into(),
            written.live.into(),
            signed(now_ms).into(),
            written.due_ms.into(),
            written.until_ms.into(),
            text(facts, &id)?.into(),
            context.into(),
            written.status.as_str().into(),
        ];
        if work.run(MAKE, given).await? == 0 {
            // Another control plane was faster.
            drop(work);
            let mut read = self.database.read().await?;
            return match read.row(LIVE, live).await? {
                Some(row) => Ok(Made::Joined(Box::new(kept(row)?))),
                None => Err(ApprovalError::Contended),
            };
        }
        note(work.as_mut(), &id, 1, now_ms, ("asked", &facts.agent), &written.status).await?;
        work.commit().await?;
        Ok(Made::New)
    }

    /// The live request for a call, if there is one.
    pub(crate) async fn live(
        &self,
        namespace: &str,
        agent: &str,
        digest: ActionDigest,
    ) -> Result<Option<Kept>, ApprovalError> {
        let given = vec![namespace.into(), agent.into(), digest.to_string().into()];
        self.database.read().await?.row(LIVE, given).await?.map(kept).transpose()
    }

    /// A request.
    pub(crate) async fn read(&self, namespace: &str, id: RequestId) -> Result<Kept, ApprovalError> {
        const ONE: &str = requests!("WHERE id = $1 AND namespace = $2");
        let mut read = self.database.read().await?;
        let row = read.row(ONE, vec![id.to_string().into(), namespace.into()]).await?;
        kept(row.ok_or(ApprovalError::NotFound(id))?)
    }

    /// Makes a step from a version. `false`: another step came before.
    pub(crate) async fn change(
        &self,
        before: &Kept,
        status: &Status,
        (what, by): (&str, &str),
        now_ms: u64,
    ) -> Result<bool, ApprovalError> {
        const CHANGE: &str = "UPDATE oversight_requests SET word = $3, live = $4, version = version + 1, \
             changed_ms = $5, due_ms = $6, until_ms = $7, status = $8 WHERE id = $1 AND version = $2";
        let id = before.id().to_string();
        let written = Written::of(status, now_ms, &id)?;
        let mut work = self.database.begin().await?;
        let given = vec![
            id.as_str().into(),
            before.version.into(),
            status.word().into(),
            written.live.into(),
            signed(now_ms).into(),
            written.due_ms.into(),
            written.until_ms.into(),
            written.status.as_str().into(),
        ];
        if work.run(CHANGE, given).await? == 0 {
            return Ok(false);
        }
        note(work.as_mut(), &id, before.version + 1, now_ms, (what, by), &written.status).await?;
        work.commit().await?;
        Ok(true)
    }

    /// Says that the same call again is another request. `false`: another step came before.
    pub(crate) async fn let_go(&self, before: &Kept) -> Result<bool, ApprovalError> {
        const LET_GO: &str =
            "UPDATE oversight_requests SET live = 0, due_ms = NULL WHERE id = $1 AND version = $2";
        let mut work = self.database.begin().await?;
        let done = work.run(LET_GO, vec![before.id().to_string().into(), before.version.into()]).await?;
        work.commit().await?;
        Ok(done > 0)
    }

    /// Requests that time changes at `now_ms`, over all namespaces, the longest overdue first.
    pub(crate) async fn due(&self, now_ms: u64) -> Result<Vec<Kept>, ApprovalError> {
        const DUE: &str = requests!("WHERE due_ms <= $1 ORDER BY due_ms, id LIMIT $2");
        let mut read = self.database.read().await?;
        let rows = read.rows(DUE, vec![signed(now_ms).into(), MAX_DUE.into()]).await?;
        rows.into_iter().map(kept).collect()
    }

    /// Requests of a namespace.
    pub(crate) async fn list(
        &self,
        namespace: &str,
        selection: &Selection,
    ) -> Result<Vec<Kept>, ApprovalError> {
        const INBOX: &str =
            requests!("WHERE namespace = $1 AND until_ms IS NOT NULL ORDER BY until_ms, id LIMIT $2");
        const WORD: &str =
            requests!("WHERE namespace = $1 AND word = $3 ORDER BY created_ms DESC, id LIMIT $2");
        const ALL: &str = requests!("WHERE namespace = $1 ORDER BY created_ms DESC, id LIMIT $2");
        let limit = if selection.limit == 0 { MAX_PAGE } else { selection.limit.min(MAX_PAGE) };
        let mut given: Vec<Given> = vec![namespace.into(), limit.into()];
        let statement = match &selection.word {
            _ if selection.inbox => INBOX,
            Some(word) => {
                given.push(word.into());
                WORD
            }
            None => ALL,
        };
        let rows = self.database.read().await?.rows(statement, given).await?;
        rows.into_iter().map(kept).collect()
    }

    /// How many requests of a namespace people decide now.
    pub(crate) async fn open(&self, namespace: &str) -> Result<u64, ApprovalError> {
        const OPEN: &str =
            "SELECT COUNT(*) FROM oversight_requests WHERE until_ms IS NOT NULL AND namespace = $1";
        let row = self.database.read().await?.row(OPEN, vec![namespace.into()]).await?;
        let open = row.map_or(Ok(0), |mut row| row.number())?;
        Ok(open.unsigned_abs())
    }

    /// Every step of a request, oldest first.
    pub(crate) async fn history(&self, id: RequestId) -> Result<Vec<Change>, ApprovalError> {
        const HISTORY: &str = "SELECT version, at_ms, by_whom, what, status FROM oversight_changes WHERE id = $1 ORDER BY version";
        let rows = self.database.read().await?.rows(HISTORY, vec![id.to_string().into()]).await?;
        let change = |mut row: Row| {
            Ok(Change {
                version: row.number()?,
                at_ms: row.number()?.unsigned_abs(),
                by: row.text()?,
                what: row.text()?,
                status: parsed(&row.text()?, &id.to_string())?,
            })
        };
        rows.into_iter().map(change).collect()
    }
}

/// A status with what follows from it.
struct Written {
    status: String,
    live: i64,
    due_ms: Option<i64>,
    until_ms: Option<i64>,
}

impl Written {
    fn of(status: &Status, now_ms: u64, id: &str) -> Result<Self, ApprovalError> {
        let (live, due_ms, until_ms) = match status {
            Status::Open(open) => (1, Some(signed(open.until_ms())), Some(signed(open.until_ms()))),
            Status::Approved(approved) => (i64::from(!status.is_final()), approval_due(approved), None),
            // The answer stands for a while, so that a loop does not ask people again and again.
            Status::Denied(_) | Status::TimedOut(_) => {
                (1, Some(signed(now_ms.saturating_add(DENIAL_HOLDS_MS))), None)
            }
            Status::Cancelled(_) | Status::Revoked(_) => (0, None, None),
        };
        Ok(Self { status: text(status, id)?, live, due_ms, until_ms })
    }
}

/// When time changes an approval: it lapses, or the end of a use counts as unknown.
fn approval_due(approved: &Approved) -> Option<i64> {
    let running = approved.executions().iter().filter(|execution| execution.end.is_none());
    let unknown = running.map(|execution| execution.taken_at_ms.saturating_add(EXECUTION_MS)).min();
    let ambiguous = |end: &Option<ExecutionEnd>| matches!(end, Some(ExecutionEnd::Ambiguous { .. }));
    if approved.executions().iter().any(|execution| ambiguous(&execution.end)) {
        // A person has to look: it stays.
        return unknown.map(signed);
    }
    let lapses = (approved.uses_left() > 0 && unknown.is_none()).then(|| approved.not_after_ms());
    unknown.into_iter().chain(lapses).min().map(signed)
}

async fn note(
    work: &mut dyn Work,
    id: &str,
    version: i64,
    now_ms: u64,
    (what, by): (&str, &str),
    status: &str,
) -> Result<(), ApprovalError> {
    const NOTE: &str = "INSERT INTO oversight_changes (id, version, at_ms, by_whom, what, status) \
         VALUES ($1, $2, $3, $4, $5, $6)";
    let given = vec![id.into(), version.into(), signed(now_ms).into(), by.into(), what.into(), status.into()];
    work.run(NOTE, given).await?;
    Ok(())
}

fn kept(mut row: Row) -> Result<Kept, ApprovalError> {
    let facts: Facts = parsed(&row.text()?, "?")?;
    let id = facts.request.id.to_string();
    Ok(Kept {
        context: parsed(&row.text()?, &id)?,
        status: parsed(&row.text()?, &id)?,
        version: row.number()?,
        changed_ms: row.number()?.unsigned_abs(),
        facts,
    })
}

fn text<T: serde::Serialize>(value: &T, id: &str) -> Result<String, ApprovalError> {
    serde_json::to_string(value)
        .map_err(|error| ApprovalError::Damaged { id: id.to_owned(), cause: error.to_string() })
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str, id: &str) -> Result<T, ApprovalError> {
    serde_json::from_str(text)
        .map_err(|error| ApprovalError::Damaged { id: id.to_owned(), cause: error.to_string() })
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
