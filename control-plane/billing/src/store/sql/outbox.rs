//! The outbox.

use async_trait::async_trait;
use creto_rating::{Moment, Quantity};

use super::moments::Moments as _;
use super::operations::{Counter, next};
use super::{SqlStore, written};
use crate::BillingError;
use crate::store::MAX_PAGE;
use crate::stripe::{
    Enqueued, HourTotal, KeptItem, MAX_CLAIM, MAX_ERROR_BYTES, MAX_PURGE, MeterEvent, OutboxItem, OutboxKind,
    OutboxState, OutboxStore,
};
use creto_sql::Row;
use creto_sql::Work;

pub(super) async fn put(
    work: &mut dyn Work,
    namespace: &str,
    item: &OutboxItem,
    at: Moment,
) -> Result<bool, BillingError> {
    const PUT: &str = "INSERT INTO billing_outbox (namespace, id, kind, position, state, payload, attempts, next_at) \
         VALUES ($1, $2, $3, $4, 'pending', $5, 0, $6) ON CONFLICT (namespace, id) DO NOTHING";
    let position = next(work, namespace, Counter::Entry).await?;
    let row = vec![
        namespace.into(),
        item.id.as_str().into(),
        item.kind.name().into(),
        position.into(),
        item.payload.as_str().into(),
        at.micros().into(),
    ];
    Ok(work.run(PUT, row).await? > 0)
}

fn damaged(cause: &str) -> BillingError {
    BillingError::Damaged { what: "outbox item", cause: cause.to_owned() }
}

fn kept(mut row: Row) -> Result<KeptItem, BillingError> {
    let (id, kind) = (row.text()?, row.text()?);
    let kind = match kind.as_str() {
        "meter_event" => OutboxKind::MeterEvent,
        "invoice" => OutboxKind::Invoice,
        other => return Err(damaged(other)),
    };
    let state = row.text()?;
    let state = OutboxState::named(&state).ok_or_else(|| damaged(&state))?;
    let item = OutboxItem { id, kind, payload: row.text()? };
    let (progress, attempts) = (row.optional_text()?, row.number()?);
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    let (next_at, first_sent_at) = (row.moment()?, row.optional_moment()?);
    Ok(KeptItem { item, state, progress, attempts, next_at, first_sent_at, error: row.optional_text()? })
}

fn short(error: &str) -> String {
    let end = (0..=MAX_ERROR_BYTES.min(error.len())).rev().find(|end| error.is_char_boundary(*end));
    error[..end.unwrap_or(0)].to_owned()
}

/// What was sent for the hour so far: the revision and the total.
async fn sent_before(
    work: &mut dyn Work,
    namespace: &str,
    total: &HourTotal,
) -> Result<(i64, Quantity), BillingError> {
    const FIND: &str = "SELECT revision, total FROM billing_exports WHERE namespace = $1 AND customer = $2 \
         AND meter = $3 AND hour = $4";
    let given = vec![
        namespace.into(),
        total.customer.as_str().into(),
        total.event_name.as_str().into(),
        total.hour.micros().into(),
    ];
    let Some(mut row) = work.row(FIND, given).await? else { return Ok((0, Quantity::ZERO)) };
    let revision = row.number()?;
    let before = row.text()?.parse().map_err(|error| damaged(&format!("{error}")))?;
    Ok((revision, before))
}

#[async_trait]
impl OutboxStore for SqlStore {
    async fn enqueue(&self, namespace: &str, items: &[OutboxItem], at: Moment) -> Result<u64, BillingError> {
        let mut work = self.work(namespace).await?;
        let mut new = 0;
        for item in items {
            new += u64::from(put(&mut *work, namespace, item, at).await?);
        }
        work.commit().await?;
        Ok(new)
    }

    async fn enqueue_usage(
        &self,
        namespace: &str,
        totals: &[HourTotal],
        at: Moment,
    ) -> Result<Enqueued, BillingError> {
        const KEEP: &str = "INSERT INTO billing_exports (namespace, customer, meter, hour, revision, total) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (namespace, customer, meter, hour) \
             DO UPDATE SET revision = excluded.revision, total = excluded.total";
        let mut work = self.work(namespace).await?;
        let mut enqueued = Enqueued::default();
        for total in totals {
            let (revision, before) = sent_before(&mut *work, namespace, total).await?;
            let more = total.total.atto().checked_sub(before.atto()).and_then(Quantity::from_atto);
            let more = more.ok_or_else(|| damaged("the difference of two totals is out of range"))?;
            if more.is_zero() {
                enqueued.unchanged += 1;
                continue;
            }
            if more.is_negative() {
                enqueued.lower.push(total.clone());
                continue;
            }
            let revision = revision + 1;
            let number = u32::try_from(revision).map_err(|error| damaged(&error.to_string()))?;
            let event = MeterEvent {
                event_name: total.event_name.clone(),
                stripe_customer: total.stripe_customer.clone(),
                value: more,
                hour: total.hour,
                revision: number,
            };
            let payload = written("meter event", &event)?;
            let id = total.identifier(namespace, number);
            put(&mut *work, namespace, &OutboxItem { id, kind: OutboxKind::MeterEvent, payload }, at).await?;
            let row = vec![
                namespace.into(),
                total.customer.as_str().into(),
                total.event_name.as_str().into(),
                total.hour.micros().into(),
                revision.into(),
                total.total.to_string().into(),
            ];
            work.run(KEEP, row).await?;
            enqueued.queued += 1;
        }
        work.commit().await?;
        Ok(enqueued)
    }

    async fn claim(
        &self,
        namespace: &str,
        kind: OutboxKind,
        at: Moment,
        until: Moment,
    ) -> Result<Vec<KeptItem>, BillingError> {
        const LIST: &str = "SELECT id FROM billing_outbox WHERE namespace = $1 AND kind = $2 \
             AND state IN ('pending', 'sending') AND next_at <= $3 ORDER BY position LIMIT $4";
        const CLAIM: &str = "UPDATE billing_outbox SET state = 'sending', attempts = attempts + 1, next_at = $3, \
             first_sent_at = COALESCE(first_sent_at, $4) WHERE namespace = $1 AND id = $2 RETURNING id, kind, state, \
             payload, progress, attempts, next_at, first_sent_at, error";
        let mut work = self.work(namespace).await?;
        let given = vec![namespace.into(), kind.name().into(), at.micros().into(), MAX_CLAIM.into()];
        let mut claimed = Vec::new();
        for mut row in work.rows(LIST, given).await? {
            let given = vec![namespace.into(), row.text()?.into(), until.micros().into(), at.micros().into()];
            if let Some(row) = work.row(CLAIM, given).await? {
                claimed.push(kept(row)?);
            }
        }
        work.commit().await?;
        Ok(claimed)
    }

    async fn acked(&self, namespace: &str, ids: &[String]) -> Result<(), BillingError> {
        const ACK: &str = "UPDATE billing_outbox SET state = 'acked', error = NULL WHERE namespace = $1 AND id = $2 \
             AND state = 'sending'";
        let mut work = self.work(namespace).await?;
        for id in ids {
            work.run(ACK, vec![namespace.into(), id.into()]).await?;
        }
        Ok(work.commit().await?)
    }

    async fn progressed(&self, namespace: &str, id: &str, progress: &str) -> Result<(), BillingError> {
        const KEEP: &str = "UPDATE billing_outbox SET progress = $3 WHERE namespace = $1 AND id = $2";
        let mut work = self.work(namespace).await?;
        work.run(KEEP, vec![namespace.into(), id.into(), progress.into()]).await?;
        Ok(work.commit().await?)
    }

    async fn retry(
        &self,
        namespace: &str,
        ids: &[String],
        next_at: Moment,
        error: &str,
    ) -> Result<(), BillingError> {
        const KEEP: &str = "UPDATE billing_outbox SET next_at = $3, error = $4 WHERE namespace = $1 AND id = $2 \
             AND state = 'sending'";
        let mut work = self.work(namespace).await?;
        for id in ids {
            work.run(KEEP, vec![namespace.into(), id.into(), next_at.micros().into(), short(error).into()])
                .await?;
        }
        Ok(work.commit().await?)
    }

    async fn not_received(&self, namespace: &str, ids: &[String]) -> Result<(), BillingError> {
        const KEEP: &str = "UPDATE billing_outbox SET first_sent_at = NULL WHERE namespace = $1 AND id = $2 \
             AND state = 'sending'";
        let mut work = self.work(namespace).await?;
        for id in ids {
            work.run(KEEP, vec![namespace.into(), id.into()]).await?;
        }
        Ok(work.commit().await?)
    }

    async fn dead(&self, namespace: &str, ids: &[String], error: &str) -> Result<(), BillingError> {
        const KEEP: &str = "UPDATE billing_outbox SET state = 'dead', error = $3 WHERE namespace = $1 AND id = $2 \
             AND state <> 'acked'";
        let mut work = self.work(namespace).await?;
        for id in ids {
            work.run(KEEP, vec![namespace.into(), id.into(), short(error).into()]).await?;
        }
        Ok(work.commit().await?)
    }

    async fn outbox(&self, namespace: &str, state: OutboxState) -> Result<Vec<KeptItem>, BillingError> {
        const LIST: &str = "SELECT id, kind, state, payload, progress, attempts, next_at, first_sent_at, error \
             FROM billing_outbox WHERE namespace = $1 AND state = $2 ORDER BY position LIMIT $3";
        let given = vec![namespace.into(), state.name().into(), MAX_PAGE.into()];
        self.read().await?.rows(LIST, given).await?.into_iter().map(kept).collect()
    }

    async fn is_due(&self, namespace: &str, at: Moment) -> Result<bool, BillingError> {
        const FIND: &str = "SELECT id FROM billing_outbox WHERE namespace = $1 AND state IN ('pending', 'sending') \
             AND next_at <= $2 LIMIT 1";
        Ok(self.read().await?.row(FIND, vec![namespace.into(), at.micros().into()]).await?.is_some())
    }

    async fn waiting(&self, namespace: &str) -> Result<u64, BillingError> {
        const COUNT: &str =
            "SELECT COUNT(*) FROM billing_outbox WHERE namespace = $1 AND state IN ('pending', 'sending')";
        let row = self.read().await?.row(COUNT, vec![namespace.into()]).await?;
        Ok(u64::try_from(row.map_or(Ok(0), |mut row| row.number())?).unwrap_or_default())
    }

    async fn purge(&self, namespace: &str, acked: Moment, hours: Moment) -> Result<u64, BillingError> {
        const ITEMS: &str = "DELETE FROM billing_outbox WHERE namespace = $1 AND id IN (SELECT id FROM billing_outbox \
             WHERE namespace = $1 AND state = 'acked' AND next_at < $2 LIMIT $3)";
        const HOURS: &str = "DELETE FROM billing_exports WHERE namespace = $1 AND (customer, meter, hour) IN \
             (SELECT customer, meter, hour FROM billing_exports WHERE namespace = $1 AND hour < $2 LIMIT $3)";
        const FIND: &str = "SELECT 1 + 0 * COUNT(*) FROM billing_outbox WHERE namespace = $1 AND state = 'acked' \
             AND next_at < $2 HAVING COUNT(*) > 0 UNION ALL SELECT 1 + 0 * COUNT(*) FROM billing_exports \
             WHERE namespace = $1 AND hour < $3 HAVING COUNT(*) > 0";
        // Most of the time there is nothing, and nothing is written then.
        let found = self
            .read()
            .await?
            .rows(FIND, vec![namespace.into(), acked.micros().into(), hours.micros().into()])
            .await?;
        if found.is_empty() {
            return Ok(0);
        }
        let mut work = self.work(namespace).await?;
        let items = work.run(ITEMS, vec![namespace.into(), acked.micros().into(), MAX_PURGE.into()]).await?;
        let hours = work.run(HOURS, vec![namespace.into(), hours.micros().into(), MAX_PURGE.into()]).await?;
        work.commit().await?;
        Ok(items + hours)
    }
}
