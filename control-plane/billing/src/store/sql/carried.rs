//! Units that last, kept in the transaction that closes a period.

use creto_rating::{Carried, Moment};
use creto_sql::Work;

use super::moments::Moments as _;
use super::{parsed, written};
use crate::BillingError;
use crate::store::{CARRIED_APART_MICROS, CARRIED_KEPT_MICROS, MAX_CARRIED, MAX_CARRIED_BYTES};
use crate::subscription::SubscriptionRecord;

/// Keeps units, and lets go of those that no bill starts from any more. Those near kept ones are not kept.
pub(super) async fn keep(
    work: &mut dyn Work,
    namespace: &str,
    record: &SubscriptionRecord,
    period_to: Moment,
    carried: &[Carried],
) -> Result<(), BillingError> {
    const KEEP: &str = "INSERT INTO billing_carried (namespace, subscription, at, period_to, document) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (namespace, subscription, at) DO NOTHING";
    // The newest from before the horizon stays: what is billed or billed again after it starts from there.
    const DROP: &str = "DELETE FROM billing_carried WHERE namespace = $1 AND subscription = $2 AND at < \
         (SELECT MAX(at) FROM billing_carried WHERE namespace = $1 AND subscription = $2 AND at <= $3)";
    let id = record.id.as_str();
    for units in carried {
        let known = instants(work, namespace, id).await?;
        if known.len() >= MAX_CARRIED || near(&known, units.at()) {
            continue;
        }
        let document = written("units that last", units)?;
        if document.len() > MAX_CARRIED_BYTES {
            return Err(BillingError::TooMany {
                what: "bytes of units that last from one period to the next, of one subscription",
                found: document.len(),
                most: MAX_CARRIED_BYTES,
            });
        }
        let row = vec![
            namespace.into(),
            id.into(),
            units.at().micros().into(),
            period_to.micros().into(),
            document.into(),
        ];
        work.run(KEEP, row).await?;
        let horizon = units.at().micros().saturating_sub(CARRIED_KEPT_MICROS);
        let horizon = horizon.min(record.current_period.from().micros());
        work.run(DROP, vec![namespace.into(), id.into(), horizon.into()]).await?;
    }
    Ok(())
}

/// Whether units of shortly before are among those kept.
pub(crate) fn near(known: &[Moment], at: Moment) -> bool {
    let before =
        |known: &Moment| (0..CARRIED_APART_MICROS).contains(&at.micros().saturating_sub(known.micros()));
    known.iter().any(before)
}

/// The instants units are kept of, in order.
pub(super) async fn instants(
    work: &mut dyn Work,
    namespace: &str,
    subscription: &str,
) -> Result<Vec<Moment>, BillingError> {
    const LIST: &str =
        "SELECT at FROM billing_carried WHERE namespace = $1 AND subscription = $2 ORDER BY at";
    let rows = work.rows(LIST, vec![namespace.into(), subscription.into()]).await?;
    rows.into_iter().map(|mut row| row.moment()).collect()
}

pub(super) async fn at(
    work: &mut dyn Work,
    namespace: &str,
    subscription: &str,
    at: Moment,
) -> Result<Option<Carried>, BillingError> {
    const FIND: &str =
        "SELECT document FROM billing_carried WHERE namespace = $1 AND subscription = $2 AND at = $3";
    let given = vec![namespace.into(), subscription.into(), at.micros().into()];
    work.row(FIND, given).await?.map(|mut row| parsed("units that last", &row.text()?)).transpose()
}
