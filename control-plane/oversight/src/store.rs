//! Where requests are kept.

use std::path::Path;

use creto_oversight::{ActionDigest, Approved, DigestError, ExecutionEnd, RequestId, Status};
use creto_sql::{Database, Given, Row, Schema, Step, Work};

use crate::bounds::{
    DENIAL_HOLDS_MS, EXECUTION_MS, MAX_AWAITED, MAX_DUE, MAX_MOVED, MAX_OPEN_A_NAMESPACE, MAX_OPEN_AN_AGENT,
    MAX_PAGE, MAX_STEPS_SHOWN,
};
use crate::context::Context;
use crate::error::ApprovalError;
use crate::record::{Change, Facts, Kept, Moved, Selection, StepNote};

const SCHEMA: Schema = Schema {
    name: "oversight",
    steps: &[Step {
        tables: include_str!("../migrations/0001_requests.sql"),
        sqlite: include_str!("../migrations/0001_guards_sqlite.sql"),
        postgres: include_str!("../migrations/0001_guards_postgres.sql"),
    }],
};

/// A statement that reads requests, their contexts without headers and body.
macro_rules! requests {
    ($which:literal) => {
        concat!("SELECT facts, summary, status, version, changed_ms FROM oversight_requests ", $which)
    };
}

const LIVE: &str = requests!("WHERE namespace = $1 AND agent = $2 AND digest = $3 AND live = 1");

/// Requests in SQLite or PostgreSQL. Every change is one transaction, on disk when it returns.
#[derive(Clone, Debug)]
pub struct RequestStore {
    database: Database,
    /// Whether other control planes may write to it too.
    shared: bool,
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
        Ok(Self { database: Database::sqlite(path, &SCHEMA).await?, shared: false })
    }

    /// In PostgreSQL, at a URL such as `postgres://user@host/database`. Its tables begin with `oversight_`.
    ///
    /// # Errors
    /// [`ApprovalError::Store`].
    pub async fn postgres(url: &str) -> Result<Self, ApprovalError> {
        Ok(Self { database: Database::postgres(url, &SCHEMA).await?, shared: true })
    }

    /// Closes it; what was committed is kept without.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Whether other control planes may write to it too: a file belongs to one.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Keeps a new request, or finds the live one for the same call.
    pub(crate) async fn make(
        &self,
        facts: &Facts,
        (context, summary): (&str, &Context),
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
             created_ms, changed_ms, due_ms, until_ms, facts, context, status, summary) \
             VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING";
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
            text(summary, &id)?.into(),
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
        note(work.as_mut(), &id, 1, now_ms, ("asked", &facts.agent), (status.word(), &written.status))
            .await?;
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

    /// A request, its context without headers and body.
    pub(crate) async fn read(&self, namespace: &str, id: RequestId) -> Result<Kept, ApprovalError> {
        self.one(requests!("WHERE id = $1 AND namespace = $2"), namespace, id).await
    }

    /// A request with all there is to review.
    pub(crate) async fn read_whole(&self, namespace: &str, id: RequestId) -> Result<Kept, ApprovalError> {
        const WHOLE: &str = "SELECT facts, context, status, version, changed_ms FROM oversight_requests \
             WHERE id = $1 AND namespace = $2";
        self.one(WHOLE, namespace, id).await
    }

    async fn one(
        &self,
        statement: &'static str,
        namespace: &str,
        id: RequestId,
    ) -> Result<Kept, ApprovalError> {
        let mut read = self.database.read().await?;
        let row = read.row(statement, vec![id.to_string().into(), namespace.into()]).await?;
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
        note(work.as_mut(), &id, before.version + 1, now_ms, (what, by), (status.word(), &written.status))
            .await?;
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

    /// The requests of an agent that people decide now.
    pub(crate) async fn open_of(
        &self,
        namespace: &str,
        agent: &str,
    ) -> Result<Vec<RequestId>, ApprovalError> {
        const OPEN: &str = "SELECT id FROM oversight_requests \
             WHERE until_ms IS NOT NULL AND namespace = $1 AND agent = $2 ORDER BY id";
        let rows = self.database.read().await?.rows(OPEN, vec![namespace.into(), agent.into()]).await?;
        rows.into_iter().map(|mut row| request_id(&row.text()?)).collect()
    }

    /// How many steps requests of an agent took; those that are not there, or another agent's, are left out.
    pub(crate) async fn versions(
        &self,
        namespace: &str,
        agent: &str,
        ids: &[RequestId],
    ) -> Result<Vec<(RequestId, i64)>, ApprovalError> {
        // Statements are fixed: as many places as may be asked for, the rest filled with what no id is.
        const VERSIONS: &str = "SELECT id, version FROM oversight_requests WHERE namespace = $1 AND agent = $2 AND id IN (\
             $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, \
             $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, \
             $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65, $66)";
        let mut given: Vec<Given> = vec![namespace.into(), agent.into()];
        let mut asked = ids.iter().take(MAX_AWAITED);
        given.extend(
            (0..MAX_AWAITED).map(|_| asked.next().map_or_else(String::new, RequestId::to_string).into()),
        );
        let rows = self.database.read().await?.rows(VERSIONS, given).await?;
        rows.into_iter().map(|mut row| Ok((request_id(&row.text()?)?, row.number()?))).collect()
    }

    /// Requests of a namespace that took a step at or after an instant, the earliest first; one more than [`MAX_MOVED`] says that
    /// there are more.
    pub(crate) async fn moved(&self, namespace: &str, since_ms: u64) -> Result<Vec<Moved>, ApprovalError> {
        const MOVED: &str = "SELECT id, version, changed_ms FROM oversight_requests \
             WHERE namespace = $1 AND changed_ms >= $2 ORDER BY changed_ms, id LIMIT $3";
        let given = vec![namespace.into(), signed(since_ms).into(), (MAX_MOVED + 1).into()];
        let rows = self.database.read().await?.rows(MOVED, given).await?;
        let moved = |mut row: Row| {
            let (id, version) = (request_id(&row.text()?)?, row.number()?);
            Ok(Moved { id, version, at_ms: row.number()?.unsigned_abs() })
        };
        rows.into_iter().map(moved).collect()
    }

    /// The newest steps of a request after a version, oldest first.
    pub(crate) async fn steps(&self, id: RequestId, after: i64) -> Result<Vec<StepNote>, ApprovalError> {
        const STEPS: &str = "SELECT version, at_ms, by_whom, what, word FROM oversight_changes \
             WHERE id = $1 AND version > $2 ORDER BY version DESC LIMIT $3";
        let given = vec![id.to_string().into(), after.into(), MAX_STEPS_SHOWN.into()];
        let rows = self.database.read().await?.rows(STEPS, given).await?;
        let step = |mut row: Row| {
            Ok(StepNote {
                version: row.number()?,
                at_ms: row.number()?.unsigned_abs(),
                by: row.text()?,
                what: row.text()?,
                word: row.text()?,
            })
        };
        rows.into_iter().rev().map(step).collect()
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
    (word, status): (&str, &str),
) -> Result<(), ApprovalError> {
    const NOTE: &str = "INSERT INTO oversight_changes (id, version, at_ms, by_whom, what, word, status) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let at_ms = signed(now_ms).into();
    let given = vec![id.into(), version.into(), at_ms, by.into(), what.into(), word.into(), status.into()];
    work.run(NOTE, given).await?;
    Ok(())
}

fn request_id(text: &str) -> Result<RequestId, ApprovalError> {
    let damaged =
        |error: DigestError| ApprovalError::Damaged { id: text.to_owned(), cause: error.to_string() };
    text.parse().map_err(damaged)
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
