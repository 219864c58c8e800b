//! Settings, plans and customers.

use async_trait::async_trait;
use creto_rating::Moment;

use super::{SqlStore, missing, parsed, written};
use crate::BillingError;
use crate::catalogue::{PlanDocument, PlanVersion};
use crate::customer::{BillingSettings, Customer};
use crate::store::{CatalogueStore, MAX_PAGE};
use creto_sql::Row;
use creto_sql::Work;

pub(super) async fn settings(
    work: &mut dyn Work,
    namespace: &str,
) -> Result<Option<BillingSettings>, BillingError> {
    const FIND: &str = "SELECT settings FROM billing_namespaces WHERE namespace = $1";
    let Some(mut row) = work.row(FIND, vec![namespace.into()]).await? else { return Ok(None) };
    row.optional_text()?.map(|text| parsed("settings", &text)).transpose()
}

pub(super) async fn customer(
    work: &mut dyn Work,
    namespace: &str,
    id: &str,
) -> Result<Option<Customer>, BillingError> {
    const FIND: &str = "SELECT document FROM billing_customers WHERE namespace = $1 AND id = $2";
    let row = work.row(FIND, vec![namespace.into(), id.into()]).await?;
    row.map(|mut row| parsed("customer", &row.text()?)).transpose()
}

pub(super) async fn known_customer(
    work: &mut dyn Work,
    namespace: &str,
    id: &str,
) -> Result<Customer, BillingError> {
    customer(work, namespace, id).await?.ok_or_else(|| missing(namespace, "customer", id))
}

fn version(mut row: Row) -> Result<PlanVersion, BillingError> {
    let version = u32::try_from(row.number()?)
        .map_err(|error| BillingError::Damaged { what: "plan", cause: error.to_string() })?;
    Ok(PlanVersion { version, document: parsed("plan", &row.text()?)? })
}

pub(super) async fn versions(
    work: &mut dyn Work,
    namespace: &str,
    code: &str,
) -> Result<Vec<PlanVersion>, BillingError> {
    const FIND: &str =
        "SELECT version, document FROM billing_plans WHERE namespace = $1 AND code = $2 ORDER BY version";
    work.rows(FIND, vec![namespace.into(), code.into()]).await?.into_iter().map(version).collect()
}

/// The version of a plan in effect at an instant.
pub(super) async fn in_effect(
    work: &mut dyn Work,
    namespace: &str,
    code: &str,
    at: Moment,
) -> Result<PlanVersion, BillingError> {
    let versions = versions(work, namespace, code).await?;
    if versions.is_empty() {
        return Err(missing(namespace, "plan", code));
    }
    let found = versions.into_iter().rev().find(|version| version.document.effective_from <= at);
    found.ok_or_else(|| BillingError::NotInEffect { code: code.to_owned(), at })
}

fn fits(last: &PlanVersion, plan: &PlanDocument) -> Result<(), BillingError> {
    let (old, new) = (&last.document.plan, &plan.plan);
    let changed = |found: String, wanted: String| BillingError::PlanChanged {
        code: new.code.clone(),
        version: last.version.saturating_add(1),
        found,
        wanted,
    };
    if old.currency != new.currency {
        return Err(changed(new.currency.to_string(), old.currency.to_string()));
    }
    if old.interval != new.interval {
        return Err(changed(new.interval.to_string(), old.interval.to_string()));
    }
    let (after, found) = (last.document.effective_from, plan.effective_from);
    if found <= after {
        return Err(BillingError::PlanOrder { code: new.code.clone(), after, found });
    }
    Ok(())
}

#[async_trait]
impl CatalogueStore for SqlStore {
    async fn put_settings(&self, namespace: &str, settings: &BillingSettings) -> Result<(), BillingError> {
        const PUT: &str = "UPDATE billing_namespaces SET settings = $2 WHERE namespace = $1";
        settings.validate()?;
        let mut work = self.work(namespace).await?;
        work.run(PUT, vec![namespace.into(), written("settings", settings)?.into()]).await?;
        Ok(work.commit().await?)
    }

    async fn settings(&self, namespace: &str) -> Result<Option<BillingSettings>, BillingError> {
        settings(&mut *self.read().await?, namespace).await
    }

    async fn publish_plan(&self, namespace: &str, plan: &PlanDocument) -> Result<PlanVersion, BillingError> {
        const PUT: &str = "INSERT INTO billing_plans (namespace, code, version, effective_from, document) \
             VALUES ($1, $2, $3, $4, $5)";
        let plan = plan.clone().checked()?;
        let mut work = self.work(namespace).await?;
        let last = versions(&mut *work, namespace, &plan.plan.code).await?.pop();
        if let Some(last) = last.as_ref() {
            if last.document == plan {
                return Ok(last.clone());
            }
            fits(last, &plan)?;
        }
        let version = last.map_or(0, |last| last.version).saturating_add(1);
        let code = plan.plan.code.as_str();
        let document = written("plan", &plan)?;
        let row = vec![
            namespace.into(),
            code.into(),
            version.into(),
            plan.effective_from.micros().into(),
            document.into(),
        ];
        work.run(PUT, row).await?;
        work.commit().await?;
        Ok(PlanVersion { version, document: plan })
    }

    async fn plan_versions(&self, namespace: &str, code: &str) -> Result<Vec<PlanVersion>, BillingError> {
        versions(&mut *self.read().await?, namespace, code).await
    }

    async fn plans(&self, namespace: &str) -> Result<Vec<PlanVersion>, BillingError> {
        const LIST: &str = "SELECT version, document FROM billing_plans p WHERE namespace = $1 AND version = \
             (SELECT MAX(version) FROM billing_plans WHERE namespace = p.namespace AND code = p.code) ORDER BY code";
        self.read().await?.rows(LIST, vec![namespace.into()]).await?.into_iter().map(version).collect()
    }

    async fn put_customer(&self, namespace: &str, new: &Customer) -> Result<(), BillingError> {
        const PUT: &str = "INSERT INTO billing_customers (namespace, id, document) VALUES ($1, $2, $3) \
             ON CONFLICT (namespace, id) DO UPDATE SET document = excluded.document";
        const USED: &str = "SELECT 1 + 0 * COUNT(*) FROM billing_subscriptions WHERE namespace = $1 AND customer = $2 \
             HAVING COUNT(*) > 0 UNION ALL SELECT 1 + 0 * COUNT(*) FROM billing_wallets WHERE namespace = $1 \
             AND customer = $2 HAVING COUNT(*) > 0";
        new.validate()?;
        let mut work = self.work(namespace).await?;
        if let Some(old) = customer(&mut *work, namespace, &new.id).await?
            && old.currency != new.currency
            && !work.rows(USED, vec![namespace.into(), new.id.as_str().into()]).await?.is_empty()
        {
            return Err(BillingError::Currencies {
                what: "the change".to_owned(),
                owner: format!("customer `{}`", new.id),
                found: new.currency,
                wanted: old.currency,
            });
        }
        let row = vec![namespace.into(), new.id.as_str().into(), written("customer", new)?.into()];
        work.run(PUT, row).await?;
        Ok(work.commit().await?)
    }

    async fn customer(&self, namespace: &str, id: &str) -> Result<Option<Customer>, BillingError> {
        customer(&mut *self.read().await?, namespace, id).await
    }

    async fn customers(&self, namespace: &str, after: &str) -> Result<Vec<Customer>, BillingError> {
        const LIST: &str =
            "SELECT document FROM billing_customers WHERE namespace = $1 AND id > $2 ORDER BY id LIMIT $3";
        let rows =
            self.read().await?.rows(LIST, vec![namespace.into(), after.into(), MAX_PAGE.into()]).await?;
        rows.into_iter().map(|mut row| parsed("customer", &row.text()?)).collect()
    }
}
