//! Idempotency keys, and the counters of a namespace.

use crate::BillingError;
use crate::customer::{id_problem, refused};
use creto_sql::Work;

/// The answer to a request that was done before under this key.
pub(super) async fn done_before(
    work: &mut dyn Work,
    namespace: &str,
    key: &str,
    request: &str,
) -> Result<Option<String>, BillingError> {
    const FIND: &str = "SELECT request, answer FROM billing_operations WHERE namespace = $1 AND key = $2";
    refused("idempotency key", key, id_problem(key).into_iter().collect())?;
    let Some(mut row) = work.row(FIND, vec![namespace.into(), key.into()]).await? else {
        return Ok(None);
    };
    if row.text()? != request {
        return Err(BillingError::KeyReused(key.to_owned()));
    }
    Ok(Some(row.text()?))
}

pub(super) async fn remember(
    work: &mut dyn Work,
    namespace: &str,
    key: &str,
    request: &str,
    answer: &str,
) -> Result<(), BillingError> {
    const KEEP: &str =
        "INSERT INTO billing_operations (namespace, key, request, answer) VALUES ($1, $2, $3, $4)";
    work.run(KEEP, vec![namespace.into(), key.into(), request.into(), answer.into()]).await?;
    Ok(())
}

/// What is counted in a namespace, each without gaps: a number is taken in the transaction that uses it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counter {
    Invoice,
    CreditNote,
    Entry,
}

pub(super) async fn next(
    work: &mut dyn Work,
    namespace: &str,
    counter: Counter,
) -> Result<i64, BillingError> {
    let statement = match counter {
        Counter::Invoice => {
            "UPDATE billing_namespaces SET next_invoice = next_invoice + 1 WHERE namespace = $1 \
             RETURNING next_invoice - 1"
        }
        Counter::CreditNote => {
            "UPDATE billing_namespaces SET next_credit_note = next_credit_note + 1 WHERE namespace = $1 \
             RETURNING next_credit_note - 1"
        }
        Counter::Entry => {
            "UPDATE billing_namespaces SET next_entry = next_entry + 1 WHERE namespace = $1 RETURNING next_entry - 1"
        }
    };
    let row = work.row(statement, vec![namespace.into()]).await?;
    Ok(row.ok_or_else(|| super::missing(namespace, "namespace", namespace))?.number()?)
}
