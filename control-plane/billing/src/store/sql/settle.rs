//! What pays an invoice besides money: credit notes first, oldest first, then wallets.

use creto_rating::{Due, Moment, Wallet, spend};

use super::wallets::{Entry, enter, of_customer};
use crate::BillingError;
use crate::invoice::{AppliedCredit, Draft, Prepaid};
use crate::wallet::Movement;
use creto_sql::Work;

/// What each line asks for.
pub(super) fn dues(draft: &Draft) -> Result<Vec<Due>, BillingError> {
    let due = |line: &crate::invoice::RatedLine| {
        let total = line.amounts.total_minor;
        let minor = u64::try_from(total).map_err(|_| BillingError::Amount(total.into()))?;
        Ok(Due { meter: line.facts.meter.clone(), currency: draft.currency, minor })
    };
    draft.lines.iter().map(due).collect()
}

/// Takes up to `left` off what is due, the largest line first; returns what it took.
fn take(dues: &mut [Due], left: u64) -> u64 {
    let mut places: Vec<usize> = (0..dues.len()).collect();
    places.sort_by_key(|place| (std::cmp::Reverse(dues[*place].minor), *place));
    let mut taken = 0;
    for place in places {
        let minor = dues[place].minor.min(left - taken);
        dues[place].minor -= minor;
        taken += minor;
    }
    taken
}

pub(super) async fn credit_notes(
    work: &mut dyn Work,
    namespace: &str,
    invoice: &str,
    draft: &Draft,
    dues: &mut [Due],
) -> Result<Vec<AppliedCredit>, BillingError> {
    const OPEN: &str = "SELECT number, left_minor FROM billing_credit_notes WHERE namespace = $1 AND customer = $2 \
         AND currency = $3 AND left_minor > 0 ORDER BY issued_at, sequence";
    const LESS: &str =
        "UPDATE billing_credit_notes SET left_minor = left_minor - $3 WHERE namespace = $1 AND number = $2";
    const USE: &str = "INSERT INTO billing_credit_uses (namespace, number, invoice, minor, returned) \
         VALUES ($1, $2, $3, $4, 0)";
    let mut applied = Vec::new();
    let given = vec![namespace.into(), draft.customer.as_str().into(), draft.currency.code().into()];
    for mut row in work.rows(OPEN, given).await? {
        let (number, left) = (row.text()?, row.number()?);
        let minor = i64::try_from(take(dues, left.unsigned_abs())).unwrap_or(left);
        if minor == 0 {
            break;
        }
        work.run(LESS, vec![namespace.into(), number.as_str().into(), minor.into()]).await?;
        work.run(USE, vec![namespace.into(), number.as_str().into(), invoice.into(), minor.into()]).await?;
        applied.push(AppliedCredit { credit_note: number, minor });
    }
    Ok(applied)
}

pub(super) async fn wallets(
    work: &mut dyn Work,
    namespace: &str,
    invoice: &str,
    draft: &Draft,
    dues: &mut [Due],
    at: Moment,
) -> Result<Vec<Prepaid>, BillingError> {
    let kept = of_customer(work, namespace, &draft.customer).await?;
    let mut wallets: Vec<Wallet> =
        kept.into_iter().map(|kept| kept.wallet).filter(|wallet| wallet.currency == draft.currency).collect();
    let spent = spend(&mut wallets, dues, at).map_err(creto_rating::BillError::from)?;
    let mut prepaid = Vec::with_capacity(spent.len());
    for part in spent {
        let minor = i64::try_from(part.minor).map_err(|_| BillingError::Amount(part.minor.into()))?;
        let line = u32::try_from(part.line).unwrap_or(u32::MAX).saturating_add(1);
        let entry = Entry {
            wallet: &part.wallet,
            credit: &part.credit,
            movement: Movement::Consumed,
            minor: -minor,
            invoice: Some((invoice, line)),
            at,
        };
        enter(work, namespace, entry).await?;
        prepaid.push(Prepaid { wallet: part.wallet, credit: part.credit, line, minor });
    }
    Ok(prepaid)
}

/// Undoes both, for an invoice that is voided.
pub(super) async fn give_back(
    work: &mut dyn Work,
    namespace: &str,
    invoice: &str,
    at: Moment,
) -> Result<(), BillingError> {
    const USES: &str = "SELECT number, minor FROM billing_credit_uses WHERE namespace = $1 AND invoice = $2 \
         AND returned = 0";
    const MORE: &str =
        "UPDATE billing_credit_notes SET left_minor = left_minor + $3 WHERE namespace = $1 AND number = $2";
    const RETURNED: &str =
        "UPDATE billing_credit_uses SET returned = 1 WHERE namespace = $1 AND invoice = $2 AND returned = 0";
    const CONSUMED: &str = "SELECT wallet, credit, line, minor FROM billing_wallet_ledger WHERE namespace = $1 \
         AND invoice = $2 AND movement = 'consumed' ORDER BY sequence";
    for mut row in work.rows(USES, vec![namespace.into(), invoice.into()]).await? {
        let (number, minor) = (row.text()?, row.number()?);
        work.run(MORE, vec![namespace.into(), number.into(), minor.into()]).await?;
    }
    work.run(RETURNED, vec![namespace.into(), invoice.into()]).await?;
    for mut row in work.rows(CONSUMED, vec![namespace.into(), invoice.into()]).await? {
        let (wallet, credit, line, minor) = (row.text()?, row.text()?, row.number()?, row.number()?);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let entry = Entry {
            wallet: &wallet,
            credit: &credit,
            movement: Movement::Returned,
            minor: -minor,
            invoice: Some((invoice, line)),
            at,
        };
        enter(work, namespace, entry).await?;
    }
    Ok(())
}
