//! Triggers.

use async_trait::async_trait;
use creto_rating::Moment;

use super::moments::Moments as _;
use super::{SqlStore, parsed, written};
use crate::BillingError;
use crate::customer::refused;
use crate::store::TriggerStore;
use crate::trigger::{MAX_DETAIL_BYTES, MAX_TRIGGER_PAGE, RaisedTrigger, Trigger};
use creto_sql::Row;

fn raised(mut row: Row) -> Result<RaisedTrigger, BillingError> {
    let trigger = parsed("trigger", &row.text()?)?;
    let (window, raised_at) = (row.moment()?, row.moment()?);
    let (at, by) = (row.optional_moment()?, row.optional_text()?);
    Ok(RaisedTrigger { trigger, window, raised_at, acknowledged: at.zip(by) })
}

#[async_trait]
impl TriggerStore for SqlStore {
    async fn raise(
        &self,
        namespace: &str,
        trigger: &Trigger,
        window: Moment,
        at: Moment,
    ) -> Result<bool, BillingError> {
        const PUT: &str = "INSERT INTO billing_triggers (namespace, kind, key, time_window, document, raised_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (namespace, kind, key, time_window) DO NOTHING";
        let document = written("trigger", trigger)?;
        let key = trigger.key();
        let wrong = document.len() > MAX_DETAIL_BYTES || key.is_empty() || key.chars().any(char::is_control);
        let problem =
            format!("it needs a key without control characters, and at most {MAX_DETAIL_BYTES} bytes");
        refused("trigger", trigger.kind(), wrong.then_some(problem).into_iter().collect())?;
        let mut work = self.work(namespace).await?;
        let row = vec![
            namespace.into(),
            trigger.kind().into(),
            trigger.key().into(),
            window.micros().into(),
            document.into(),
            at.micros().into(),
        ];
        let new = work.run(PUT, row).await? > 0;
        work.commit().await?;
        Ok(new)
    }

    async fn triggers(&self, namespace: &str, only_open: bool) -> Result<Vec<RaisedTrigger>, BillingError> {
        const LIST: &str = "SELECT document, time_window, raised_at, acknowledged_at, acknowledged_by \
             FROM billing_triggers WHERE namespace = $1 AND ($2 = 0 OR acknowledged_at IS NULL) \
             ORDER BY raised_at, kind, key, time_window LIMIT $3";
        let given = vec![namespace.into(), i64::from(only_open).into(), MAX_TRIGGER_PAGE.into()];
        self.read().await?.rows(LIST, given).await?.into_iter().map(raised).collect()
    }

    async fn acknowledge(
        &self,
        namespace: &str,
        (kind, key, window): (&str, &str, Moment),
        by: &str,
        at: Moment,
    ) -> Result<bool, BillingError> {
        const ACK: &str = "UPDATE billing_triggers SET acknowledged_at = $5, acknowledged_by = $6 WHERE namespace = $1 \
             AND kind = $2 AND key = $3 AND time_window = $4 AND acknowledged_at IS NULL";
        let mut work = self.work(namespace).await?;
        let given = vec![
            namespace.into(),
            kind.into(),
            key.into(),
            window.micros().into(),
            at.micros().into(),
            by.into(),
        ];
        let noted = work.run(ACK, given).await? > 0;
        work.commit().await?;
        Ok(noted)
    }
}
