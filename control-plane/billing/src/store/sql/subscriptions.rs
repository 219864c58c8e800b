//! Subscriptions.

use std::sync::Arc;

use async_trait::async_trait;
use creto_rating::{Moment, Subscription, UsageError};

use super::catalogue::{in_effect, known_customer, versions};
use super::{SqlStore, missing, parsed, written};
use crate::BillingError;
use crate::store::{MAX_PAGE, SubscriptionStore};
use crate::subscription::{NewSubscription, PlanChange, SubscriptionRecord, SubscriptionStatus};
use creto_sql::Work;

/// A subscription, and how often its bookings changed.
pub(super) async fn find(
    work: &mut dyn Work,
    namespace: &str,
    id: &str,
) -> Result<Option<(SubscriptionRecord, i64)>, BillingError> {
    const FIND: &str =
        "SELECT document, bookings_revision FROM billing_subscriptions WHERE namespace = $1 AND id = $2";
    let Some(mut row) = work.row(FIND, vec![namespace.into(), id.into()]).await? else { return Ok(None) };
    Ok(Some((parsed("subscription", &row.text()?)?, row.number()?)))
}

pub(super) async fn known(
    work: &mut dyn Work,
    namespace: &str,
    id: &str,
) -> Result<(SubscriptionRecord, i64), BillingError> {
    find(work, namespace, id).await?.ok_or_else(|| missing(namespace, "subscription", id))
}

/// Keeps a changed subscription; `booked` when its bookings changed too.
pub(super) async fn keep(
    work: &mut dyn Work,
    namespace: &str,
    record: &SubscriptionRecord,
    booked: bool,
) -> Result<(), BillingError> {
    const KEEP: &str = "UPDATE billing_subscriptions SET status = $3, document = $4, \
         bookings_revision = bookings_revision + $5 WHERE namespace = $1 AND id = $2";
    let document = written("subscription", record)?;
    let (id, status) = (record.id.as_str(), record.status.name());
    let row = vec![namespace.into(), id.into(), status.into(), document.into(), i64::from(booked).into()];
    work.run(KEEP, row).await?;
    Ok(())
}

/// The subscription as rating takes it.
pub(super) async fn rateable(
    work: &mut dyn Work,
    namespace: &str,
    record: &SubscriptionRecord,
) -> Result<Subscription, BillingError> {
    let mut parts = Vec::with_capacity(record.plans.len());
    for change in &record.plans {
        let all = versions(work, namespace, &change.plan).await?;
        let found = all.into_iter().find(|version| version.version == change.version);
        let plan = found.ok_or_else(|| missing(namespace, "plan", &change.plan))?.document.plan;
        parts.push(creto_rating::PlanVersion { from: change.from, plan: Arc::new(plan) });
    }
    Ok(Subscription {
        id: record.id.clone(),
        customer: record.customer.clone(),
        ended_at: record.ended_at,
        versions: parts,
    })
}

/// What came before the current period is billed and is not rewritten.
fn not_billed(record: &SubscriptionRecord, at: Moment) -> Result<(), BillingError> {
    let since = record.current_period.from().max(record.started_at);
    if at < since {
        return Err(BillingError::TooEarly { subscription: record.id.clone(), at, since });
    }
    Ok(())
}

fn moves(record: &SubscriptionRecord, to: SubscriptionStatus) -> Result<(), BillingError> {
    if record.status.may_become(to) {
        return Ok(());
    }
    let (from, to) = (record.status.name(), to.name());
    Err(BillingError::Status { subscription: record.id.clone(), from, to })
}

#[async_trait]
impl SubscriptionStore for SqlStore {
    async fn subscribe(
        &self,
        namespace: &str,
        new: &NewSubscription,
    ) -> Result<SubscriptionRecord, BillingError> {
        const FIND: &str =
            "SELECT request, document FROM billing_subscriptions WHERE namespace = $1 AND id = $2";
        const PUT: &str = "INSERT INTO billing_subscriptions (namespace, id, customer, status, bookings_revision, \
             request, document) VALUES ($1, $2, $3, $4, 0, $5, $6)";
        new.validate()?;
        let request = written("subscription", new)?;
        let mut work = self.work(namespace).await?;
        if let Some(mut row) = work.row(FIND, vec![namespace.into(), new.id.as_str().into()]).await? {
            if row.text()? == request {
                return parsed("subscription", &row.text()?);
            }
            return Err(BillingError::Exists { what: "subscription", id: new.id.clone() });
        }
        let customer = known_customer(&mut *work, namespace, &new.customer).await?;
        let version = in_effect(&mut *work, namespace, &new.plan, new.started_at).await?;
        let plan = &version.document.plan;
        if plan.currency != customer.currency {
            return Err(BillingError::Currencies {
                what: format!("plan `{}`", new.plan),
                owner: format!("customer `{}`", new.customer),
                found: plan.currency,
                wanted: customer.currency,
            });
        }
        for coupon in &new.coupons {
            if let creto_rating::CouponAmount::Fixed { currency, .. } = coupon.amount
                && currency != customer.currency
            {
                return Err(BillingError::Currencies {
                    what: format!("coupon `{}`", coupon.code),
                    owner: format!("customer `{}`", new.customer),
                    found: currency,
                    wanted: customer.currency,
                });
            }
        }
        let period = plan.interval.period_at(new.started_at, &customer.zone).map_err(UsageError::from)?;
        let change = PlanChange { from: new.started_at, plan: new.plan.clone(), version: version.version };
        let record = SubscriptionRecord {
            id: new.id.clone(),
            customer: new.customer.clone(),
            owner: new.owner.clone(),
            status: SubscriptionStatus::Active,
            currency: plan.currency,
            billing_period: plan.interval,
            plans: vec![change],
            started_at: new.started_at,
            current_period: period,
            ended_at: None,
            quotas: new.quotas.clone(),
            coupons: new.coupons.clone(),
            thresholds: new.thresholds.clone(),
            metadata: new.metadata.clone(),
        };
        rateable(&mut *work, namespace, &record).await?.validate()?;
        let document = written("subscription", &record)?;
        let (id, customer, status) = (new.id.as_str(), new.customer.as_str(), record.status.name());
        let row = vec![
            namespace.into(),
            id.into(),
            customer.into(),
            status.into(),
            request.into(),
            document.into(),
        ];
        work.run(PUT, row).await?;
        work.commit().await?;
        Ok(record)
    }

    async fn subscription(
        &self,
        namespace: &str,
        id: &str,
    ) -> Result<Option<SubscriptionRecord>, BillingError> {
        Ok(find(&mut *self.read().await?, namespace, id).await?.map(|(record, _)| record))
    }

    async fn subscriptions(
        &self,
        namespace: &str,
        after: &str,
    ) -> Result<Vec<SubscriptionRecord>, BillingError> {
        const LIST: &str = "SELECT document FROM billing_subscriptions WHERE namespace = $1 AND id > $2 ORDER BY id LIMIT $3";
        let rows =
            self.read().await?.rows(LIST, vec![namespace.into(), after.into(), MAX_PAGE.into()]).await?;
        rows.into_iter().map(|mut row| parsed("subscription", &row.text()?)).collect()
    }

    async fn change_plan(
        &self,
        namespace: &str,
        id: &str,
        plan: &str,
        from: Moment,
    ) -> Result<SubscriptionRecord, BillingError> {
        let mut work = self.work(namespace).await?;
        let (mut record, _) = known(&mut *work, namespace, id).await?;
        let version = in_effect(&mut *work, namespace, plan, from).await?;
        let change = PlanChange { from, plan: plan.to_owned(), version: version.version };
        if record.plans.last() == Some(&change) {
            return Ok(record);
        }
        if record.status == SubscriptionStatus::Canceled {
            let (from, to) = (record.status.name(), "on another plan");
            return Err(BillingError::Status { subscription: record.id, from, to });
        }
        not_billed(&record, from)?;
        record.plans.push(change);
        rateable(&mut *work, namespace, &record).await?.validate()?;
        keep(&mut *work, namespace, &record, true).await?;
        work.commit().await?;
        Ok(record)
    }

    async fn set_status(
        &self,
        namespace: &str,
        id: &str,
        status: SubscriptionStatus,
    ) -> Result<SubscriptionRecord, BillingError> {
        let mut work = self.work(namespace).await?;
        let (mut record, _) = known(&mut *work, namespace, id).await?;
        if record.status == status {
            return Ok(record);
        }
        moves(&record, status)?;
        if status == SubscriptionStatus::Canceled {
            let (from, to) = (record.status.name(), "canceled without a time to end at");
            return Err(BillingError::Status { subscription: record.id, from, to });
        }
        record.status = status;
        keep(&mut *work, namespace, &record, false).await?;
        work.commit().await?;
        Ok(record)
    }

    async fn cancel(
        &self,
        namespace: &str,
        id: &str,
        at: Moment,
    ) -> Result<SubscriptionRecord, BillingError> {
        let mut work = self.work(namespace).await?;
        let (mut record, _) = known(&mut *work, namespace, id).await?;
        if record.status == SubscriptionStatus::Canceled && record.ended_at == Some(at) {
            return Ok(record);
        }
        moves(&record, SubscriptionStatus::Canceled)?;
        not_billed(&record, at)?;
        record.status = SubscriptionStatus::Canceled;
        record.ended_at = Some(at);
        keep(&mut *work, namespace, &record, true).await?;
        work.commit().await?;
        Ok(record)
    }

    async fn rateable(&self, namespace: &str, id: &str) -> Result<Subscription, BillingError> {
        let mut work = self.read().await?;
        let (record, _) = known(&mut *work, namespace, id).await?;
        rateable(&mut *work, namespace, &record).await
    }
}
