//! Records of calls in SQLite.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use super::statement::statements;
use super::{SqliteStore, integer, unsigned};
use crate::{
    Begun, CallKey, CallPosition, CallSelection, CallStore, Ended, KeptCall, Meaning, ReportEntry,
    ReportOutcome, Reported, StoreError, TokenUsage,
};

statements! {
    MARK = "SELECT mark, ended, event_base FROM report_marks WHERE namespace = ?1 AND sidecar_id = ?2 AND spool_epoch = ?3";
    SET_MARK = "INSERT INTO report_marks (namespace, sidecar_id, spool_epoch, mark, ended) VALUES (?1, ?2, ?3, ?4, ?5) \
                ON CONFLICT (namespace, sidecar_id, spool_epoch) DO UPDATE SET mark = ?4, ended = ?5";
    SET_EVENT_BASE = "UPDATE report_marks SET event_base = ?4 \
                      WHERE namespace = ?1 AND sidecar_id = ?2 AND spool_epoch = ?3";
    BEGIN = "INSERT INTO calls (namespace, sidecar_id, spool_epoch, sequence, agent_name, at_us, capture, kind, scheme, \
             method, host, port, path, verdict, code, policy, rule, policy_epoch, delegation_id, outcome, status, \
             request_bytes, response_bytes, duration_us, upstream, protocol, service, operation, subjects, \
             credential) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
             0, 0, 0, 0, 0, '', ?20, ?21, ?22, ?23, ?24)";
    END = "UPDATE calls SET ended_at_us = ?5, outcome = ?6, status = ?7, request_bytes = ?8, response_bytes = ?9, \
           duration_us = ?10, upstream = ?11, usage_estimated = ?12, input = ?13, cached_input = ?14, cache_write = ?15, \
           cache_write_1h = ?16, output = ?17, reasoning = ?18, audio_input = ?19, audio_output = ?20, \
           image_input = ?21, images = ?22, server_tool_calls = ?23, response_model = ?24, service_tier = ?25, ended_code = ?26 \
           WHERE namespace = ?1 AND sidecar_id = ?2 AND spool_epoch = ?3 AND sequence = ?4 AND ended_at_us IS NULL";
    ONE = "SELECT * FROM calls WHERE namespace = ?1 AND sidecar_id = ?2 AND spool_epoch = ?3 AND sequence = ?4";
    FIRST_PAGE = "SELECT * FROM calls WHERE namespace = ?1 AND (?2 IS NULL OR agent_name = ?2) \
                  AND (?3 IS NULL OR host = ?3) AND (?4 IS NULL OR verdict = ?4) AND (?5 IS NULL OR rule = ?5) \
                  AND (?6 IS NULL OR method = ?6) AND at_us >= ?7 AND at_us < ?8 \
                  AND (?10 IS NULL OR protocol = ?10) AND (?11 IS NULL OR service = ?11) \
                  AND (?12 IS NULL OR instr(subjects, char(10) || ?12 || char(10)) > 0) \
                  ORDER BY at_us DESC, sidecar_id DESC, spool_epoch DESC, sequence DESC LIMIT ?9";
    NEXT_PAGE = "SELECT * FROM calls WHERE namespace = ?1 AND (?2 IS NULL OR agent_name = ?2) \
                 AND (?3 IS NULL OR host = ?3) AND (?4 IS NULL OR verdict = ?4) AND (?5 IS NULL OR rule = ?5) \
                 AND (?6 IS NULL OR method = ?6) AND at_us >= ?7 AND at_us < ?8 \
                 AND (?10 IS NULL OR protocol = ?10) AND (?11 IS NULL OR service = ?11) \
                 AND (?12 IS NULL OR instr(subjects, char(10) || ?12 || char(10)) > 0) \
                 AND (at_us, sidecar_id, spool_epoch, sequence) < (?13, ?14, ?15, ?16) \
                 ORDER BY at_us DESC, sidecar_id DESC, spool_epoch DESC, sequence DESC LIMIT ?9";
}

/// Spool epochs are random 64 bits: kept bit for bit.
fn epoch_column(epoch: u64) -> i64 {
    epoch.cast_signed()
}

fn number<T: TryFrom<i64> + Default>(value: i64) -> T {
    T::try_from(value).unwrap_or_default()
}

fn call(row: &SqliteRow) -> Result<KeptCall, StoreError> {
    let sequence = unsigned(row.try_get("sequence")?);
    let ended_at: Option<i64> = row.try_get("ended_at_us")?;
    let ended = match ended_at {
        None => None,
        Some(at_us) => Some(Ended {
            begun_sequence: sequence,
            at_us,
            outcome: row.try_get("outcome")?,
            status: number(row.try_get("status")?),
            request_bytes: unsigned(row.try_get("request_bytes")?),
            response_bytes: unsigned(row.try_get("response_bytes")?),
            duration_us: unsigned(row.try_get("duration_us")?),
            upstream: row.try_get("upstream")?,
            usage: usage(row)?,
            response_model: row.try_get("response_model")?,
            service_tier: row.try_get("service_tier")?,
            code: row.try_get("ended_code")?,
        }),
    };
    Ok(KeptCall {
        key: CallKey {
            namespace: row.try_get("namespace")?,
            sidecar_id: row.try_get("sidecar_id")?,
            spool_epoch: row.try_get::<i64, _>("spool_epoch")?.cast_unsigned(),
            sequence,
        },
        agent_name: row.try_get("agent_name")?,
        begun: Begun {
            at_us: row.try_get("at_us")?,
            capture: row.try_get("capture")?,
            kind: row.try_get("kind")?,
            scheme: row.try_get("scheme")?,
            method: row.try_get("method")?,
            host: row.try_get("host")?,
            port: number(row.try_get("port")?),
            path: row.try_get("path")?,
            verdict: row.try_get("verdict")?,
            code: row.try_get("code")?,
            policy: row.try_get("policy")?,
            rule: row.try_get("rule")?,
            policy_epoch: unsigned(row.try_get("policy_epoch")?),
            delegation_id: row.try_get("delegation_id")?,
            meaning: Meaning {
                protocol: row.try_get("protocol")?,
                service: row.try_get("service")?,
                operation: row.try_get("operation")?,
                subjects: subjects_of(row.try_get("subjects")?),
            },
            credential: row.try_get("credential")?,
        },
        ended,
    })
}

fn usage(row: &SqliteRow) -> Result<Option<TokenUsage>, StoreError> {
    let Some(estimated) = row.try_get::<Option<bool>, _>("usage_estimated")? else { return Ok(None) };
    let count = |column: &str| row.try_get(column).map(unsigned);
    Ok(Some(TokenUsage {
        input: count("input")?,
        cached_input: count("cached_input")?,
        cache_write: count("cache_write")?,
        cache_write_1h: count("cache_write_1h")?,
        output: count("output")?,
        reasoning: count("reasoning")?,
        audio_input: count("audio_input")?,
        audio_output: count("audio_output")?,
        image_input: count("image_input")?,
        images: count("images")?,
        server_tool_calls: count("server_tool_calls")?,
        estimated,
    }))
}

/// Subjects as one text: each between line feeds, so that one is found whole.
fn subjects_column(subjects: &[String]) -> String {
    let mut text = String::new();
    for subject in subjects {
        text.push('\n');
        text.push_str(subject);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn subjects_of(text: &str) -> Vec<String> {
    text.split('\n').filter(|subject| !subject.is_empty()).map(str::to_owned).collect()
}

type Spool<'a> = (&'a str, &'a str, u64);

fn reported(row: &SqliteRow) -> Result<Reported, StoreError> {
    Ok(Reported {
        mark: unsigned(row.try_get("mark")?),
        ended: unsigned(row.try_get("ended")?),
        event_base: unsigned(row.try_get("event_base")?),
    })
}

async fn begin_call(
    transaction: &mut Transaction<'_, Sqlite>,
    (namespace, sidecar_id, epoch): Spool<'_>,
    agent_name: &str,
    sequence: u64,
    begun: &Begun,
) -> Result<(), StoreError> {
    sqlx::query(BEGIN)
        .bind(namespace)
        .bind(sidecar_id)
        .bind(epoch_column(epoch))
        .bind(integer(sequence))
        .bind(agent_name)
        .bind(begun.at_us)
        .bind(begun.capture)
        .bind(&begun.kind)
        .bind(&begun.scheme)
        .bind(&begun.method)
        .bind(&begun.host)
        .bind(begun.port)
        .bind(&begun.path)
        .bind(begun.verdict)
        .bind(&begun.code)
        .bind(&begun.policy)
        .bind(&begun.rule)
        .bind(integer(begun.policy_epoch))
        .bind(&begun.delegation_id)
        .bind(&begun.meaning.protocol)
        .bind(&begun.meaning.service)
        .bind(&begun.meaning.operation)
        .bind(subjects_column(&begun.meaning.subjects))
        .bind(&begun.credential)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn end_call(
    transaction: &mut Transaction<'_, Sqlite>,
    (namespace, sidecar_id, epoch): Spool<'_>,
    ended: &Ended,
) -> Result<(), StoreError> {
    let usage = ended.usage.unwrap_or_default();
    sqlx::query(END)
        .bind(namespace)
        .bind(sidecar_id)
        .bind(epoch_column(epoch))
        .bind(integer(ended.begun_sequence))
        .bind(ended.at_us)
        .bind(ended.outcome)
        .bind(ended.status)
        .bind(integer(ended.request_bytes))
        .bind(integer(ended.response_bytes))
        .bind(integer(ended.duration_us))
        .bind(&ended.upstream)
        .bind(ended.usage.map(|usage| usage.estimated))
        .bind(integer(usage.input))
        .bind(integer(usage.cached_input))
        .bind(integer(usage.cache_write))
        .bind(integer(usage.cache_write_1h))
        .bind(integer(usage.output))
        .bind(integer(usage.reasoning))
        .bind(integer(usage.audio_input))
        .bind(integer(usage.audio_output))
        .bind(integer(usage.image_input))
        .bind(integer(usage.images))
        .bind(integer(usage.server_tool_calls))
        .bind(&ended.response_model)
        .bind(&ended.service_tier)
        .bind(&ended.code)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[async_trait]
impl CallStore for SqliteStore {
    async fn report_calls(
        &self,
        spool: (&str, &str, u64),
        agent_name: &str,
        entries: &[(u64, ReportEntry)],
    ) -> Result<ReportOutcome, StoreError> {
        let (namespace, sidecar_id, epoch) = spool;
        let mut transaction = self.begin().await?;
        let row = sqlx::query(MARK)
            .bind(namespace)
            .bind(sidecar_id)
            .bind(epoch_column(epoch))
            .fetch_optional(&mut *transaction)
            .await?;
        let Reported { mark: start, mut ended, .. } =
            row.as_ref().map_or(Ok(Reported::default()), reported)?;
        let mut mark = start;
        let mut touched = Vec::new();
        for (sequence, entry) in entries {
            if *sequence <= mark {
                continue;
            }
            if *sequence != mark + 1 {
                return Ok(ReportOutcome::Gap { mark: start });
            }
            match entry {
                ReportEntry::Begun(begun) => {
                    begin_call(&mut transaction, spool, agent_name, *sequence, begun).await?;
                    touched.push(*sequence);
                }
                ReportEntry::Ended(end) => {
                    end_call(&mut transaction, spool, end).await?;
                    touched.push(end.begun_sequence);
                    ended += 1;
                }
            }
            mark = *sequence;
        }
        if mark == start {
            return Ok(ReportOutcome::Committed { mark, changed: Vec::new() });
        }
        sqlx::query(SET_MARK)
            .bind(namespace)
            .bind(sidecar_id)
            .bind(epoch_column(epoch))
            .bind(integer(mark))
            .bind(integer(ended))
            .execute(&mut *transaction)
            .await?;
        touched.sort_unstable();
        touched.dedup();
        let mut changed = Vec::with_capacity(touched.len());
        for sequence in touched {
            let row = sqlx::query(ONE)
                .bind(namespace)
                .bind(sidecar_id)
                .bind(epoch_column(epoch))
                .bind(integer(sequence))
                .fetch_optional(&mut *transaction)
                .await?;
            if let Some(row) = row {
                changed.push(call(&row)?);
            }
        }
        transaction.commit().await?;
        Ok(ReportOutcome::Committed { mark, changed })
    }

    async fn reported(&self, spool: (&str, &str, u64)) -> Result<Reported, StoreError> {
        let (namespace, sidecar_id, epoch) = spool;
        let row = sqlx::query(MARK)
            .bind(namespace)
            .bind(sidecar_id)
            .bind(epoch_column(epoch))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map_or(Ok(Reported::default()), reported)
    }

    async fn set_event_base(&self, spool: (&str, &str, u64), event_base: u64) -> Result<(), StoreError> {
        let (namespace, sidecar_id, epoch) = spool;
        sqlx::query(SET_EVENT_BASE)
            .bind(namespace)
            .bind(sidecar_id)
            .bind(epoch_column(epoch))
            .bind(integer(event_base))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn call_begun_by(
        &self,
        spool: (&str, &str, u64),
        sequence: u64,
    ) -> Result<Option<KeptCall>, StoreError> {
        let (namespace, sidecar_id, epoch) = spool;
        let row = sqlx::query(ONE)
            .bind(namespace)
            .bind(sidecar_id)
            .bind(epoch_column(epoch))
            .bind(integer(sequence))
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(call).transpose()
    }

    async fn calls(
        &self,
        namespace: &str,
        selection: &CallSelection,
        before: Option<&CallPosition>,
        limit: u32,
    ) -> Result<Vec<KeptCall>, StoreError> {
        let query = sqlx::query(if before.is_some() { NEXT_PAGE } else { FIRST_PAGE })
            .bind(namespace)
            .bind(&selection.agent_name)
            .bind(&selection.host)
            .bind(selection.verdict)
            .bind(&selection.rule)
            .bind(&selection.method)
            .bind(selection.since_us.unwrap_or(i64::MIN))
            .bind(selection.until_us.unwrap_or(i64::MAX))
            .bind(limit)
            .bind(&selection.protocol)
            .bind(&selection.service)
            .bind(&selection.subject);
        let query = match before {
            Some(position) => query
                .bind(position.at_us)
                .bind(&position.sidecar_id)
                .bind(epoch_column(position.spool_epoch))
                .bind(integer(position.sequence)),
            None => query,
        };
        query.fetch_all(&self.readers).await?.iter().map(call).collect()
    }
}
