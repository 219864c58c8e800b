//! Drafts, and what is booked.

use creto_rating::{LineKind, Moment, Period};

use super::operations::{Counter, next};
use super::{missing, parsed, subscriptions, written};
use crate::BillingError;
use crate::invoice::{Booking, Draft, Invoice, InvoiceKind, RatedLine, Standing};
use creto_sql::Row;
use creto_sql::Work;

pub(super) async fn bookings(
    work: &mut dyn Work,
    namespace: &str,
    subscription: &str,
    from: Moment,
) -> Result<(i64, Vec<Booking>), BillingError> {
    const LIST: &str = "SELECT document FROM billing_bookings WHERE namespace = $1 AND subscription = $2 \
         AND period_from >= $3 ORDER BY period_from, line";
    let (_, revision) = subscriptions::known(work, namespace, subscription).await?;
    let rows = work.rows(LIST, vec![namespace.into(), subscription.into(), from.micros().into()]).await?;
    let read = |mut row: Row| parsed("booking", &row.text()?);
    Ok((revision, rows.into_iter().map(read).collect::<Result<_, _>>()?))
}

/// Adds to what is booked for a line, or takes off.
pub(super) async fn book(
    work: &mut dyn Work,
    namespace: &str,
    subscription: &str,
    line: &RatedLine,
    add: bool,
) -> Result<(), BillingError> {
    const FIND: &str = "SELECT document FROM billing_bookings WHERE namespace = $1 AND subscription = $2 \
         AND period_from = $3 AND line = $4";
    const PUT: &str = "INSERT INTO billing_bookings (namespace, subscription, period_from, line, net_minor, kind, \
         document) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (namespace, subscription, period_from, line) \
         DO UPDATE SET net_minor = excluded.net_minor, document = excluded.document";
    let (period_from, key) = (line.facts.period_from, line.facts.key());
    let found = work
        .row(
            FIND,
            vec![namespace.into(), subscription.into(), period_from.micros().into(), key.as_str().into()],
        )
        .await?;
    let before: Option<Booking> = found.map(|mut row| parsed("booking", &row.text()?)).transpose()?;
    let before = before.map(|booking| booking.amounts).unwrap_or_default();
    let amounts = if add { before.plus(&line.amounts) } else { before.minus(&line.amounts) };
    let kind = if line.facts.kind == LineKind::Usage { "usage" } else { "other" };
    let net = amounts.net_minor;
    let document = written("booking", &RatedLine { facts: line.facts.clone(), amounts })?;
    let row = vec![
        namespace.into(),
        subscription.into(),
        period_from.micros().into(),
        key.into(),
        net.into(),
        kind.into(),
        document.into(),
    ];
    work.run(PUT, row).await?;
    Ok(())
}

pub(super) async fn put(
    work: &mut dyn Work,
    namespace: &str,
    draft: &Draft,
) -> Result<Invoice, BillingError> {
    const ISSUED: &str = "SELECT id FROM billing_invoices WHERE namespace = $1 AND subscription = $2 \
         AND period_from = $3 AND kind = 'period' AND state IN ('finalized', 'paid')";
    const FIND: &str = "SELECT id FROM billing_invoices WHERE namespace = $1 AND subscription = $2 \
         AND period_from = $3 AND kind = $4 AND state = 'draft'";
    const REPLACE: &str =
        "UPDATE billing_invoices SET draft = $3 WHERE namespace = $1 AND id = $2 AND state = 'draft'";
    const PUT: &str = "INSERT INTO billing_invoices (namespace, id, subscription, customer, kind, period, period_from, \
         currency, state, draft) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'draft', $9)";
    let (record, revision) = subscriptions::known(work, namespace, &draft.subscription).await?;
    if record.customer != draft.customer {
        return Err(missing(namespace, "subscription of the customer", &draft.customer));
    }
    draft.total_minor()?;
    let at = || -> Vec<creto_sql::Given> {
        vec![namespace.into(), draft.subscription.as_str().into(), draft.period.from().micros().into()]
    };
    if draft.kind == InvoiceKind::Period
        && let Some(mut row) = work.row(ISSUED, at()).await?
    {
        return Err(BillingError::Exists { what: "an invoice of the period", id: row.text()? });
    }
    let mut same = at();
    same.push(draft.kind.name().into());
    let id = match work.row(FIND, same).await? {
        Some(mut row) => Some(row.text()?),
        None => None,
    };
    if revision != draft.bookings_revision {
        return Err(BillingError::StaleDraft(id.unwrap_or_else(|| "to be".to_owned())));
    }
    let document = written("draft", draft)?;
    let id = match id {
        Some(id) => {
            work.run(REPLACE, vec![namespace.into(), id.as_str().into(), document.into()]).await?;
            id
        }
        None => {
            let id = format!("in-{:010}", next(work, namespace, Counter::Entry).await?);
            let row = vec![
                namespace.into(),
                id.as_str().into(),
                draft.subscription.as_str().into(),
                draft.customer.as_str().into(),
                draft.kind.name().into(),
                written("period", &draft.period)?.into(),
                draft.period.from().micros().into(),
                draft.currency.code().into(),
                document.into(),
            ];
            work.run(PUT, row).await?;
            id
        }
    };
    Ok(Invoice {
        id,
        subscription: draft.subscription.clone(),
        customer: draft.customer.clone(),
        kind: draft.kind,
        period: draft.period.clone(),
        currency: draft.currency,
        standing: Standing::Draft(Box::new(draft.clone())),
    })
}

pub(super) async fn drop(
    work: &mut dyn Work,
    namespace: &str,
    subscription: &str,
    kind: InvoiceKind,
    period: &Period,
) -> Result<bool, BillingError> {
    const DROP: &str = "DELETE FROM billing_invoices WHERE namespace = $1 AND subscription = $2 AND kind = $3 \
         AND period_from = $4 AND state = 'draft'";
    let row = vec![namespace.into(), subscription.into(), kind.name().into(), period.from().micros().into()];
    Ok(work.run(DROP, row).await? > 0)
}
