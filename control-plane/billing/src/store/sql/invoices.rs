//! Invoices: reading them, paying, voiding.

use async_trait::async_trait;
use creto_rating::{Carried, Moment, Period};

use super::moments::Moments as _;
use super::operations::{done_before, remember};
use super::{SqlStore, carried, credit_notes, draft, finalize, missing, parsed, settle, subscriptions};
use crate::BillingError;
use crate::credit_note::{KeptCreditNote, MAX_REASON_CHARS, NewCreditNote};
use crate::customer::refused;
use crate::invoice::{
    Booking, Draft, Invoice, InvoiceKind, InvoiceState, Outcome, RatedLine, SignedInvoice, Standing,
};
use crate::signature::{InvoiceKey, read_signed};
use crate::store::{Finalize, InvoiceSelection, InvoiceStore, MAX_PAGE};
use crate::subscription::SubscriptionStatus;
use creto_sql::Row;
use creto_sql::Work;

fn damaged(cause: &str) -> BillingError {
    BillingError::Damaged { what: "invoice", cause: cause.to_owned() }
}

fn invoice(mut row: Row) -> Result<Invoice, BillingError> {
    let (id, subscription, customer) = (row.text()?, row.text()?, row.text()?);
    let kind = match row.text()?.as_str() {
        "period" => InvoiceKind::Period,
        "progressive" => InvoiceKind::Progressive,
        other => return Err(damaged(other)),
    };
    let period = parsed("period", &row.text()?)?;
    let currency: String = row.text()?;
    let currency = currency.parse().map_err(|error| damaged(&format!("{error}")))?;
    let (state, settled_at, reason) = (row.text()?, row.optional_moment()?, row.optional_text()?);
    let (draft, document) = (row.optional_text()?, row.optional_text()?);
    let standing = match (draft, document) {
        (Some(draft), None) => Standing::Draft(parsed("draft", &draft)?),
        (None, Some(json)) => {
            let document = read_signed(&json).map_err(|error| damaged(&error.to_string()))?;
            let after = match (state.as_str(), settled_at) {
                ("finalized", _) => Outcome::Open,
                ("paid", Some(at)) => Outcome::Paid(at),
                ("void", Some(at)) => Outcome::Void { at, reason: reason.unwrap_or_default() },
                (other, _) => return Err(damaged(other)),
            };
            Standing::Issued { signed: Box::new(SignedInvoice { document, json }), after }
        }
        _ => return Err(damaged("both a draft and a document, or neither")),
    };
    Ok(Invoice { id, subscription, customer, kind, period, currency, standing })
}

/// What is read of a document to know its number.
#[derive(serde::Deserialize)]
struct Numbered {
    number: String,
}

/// What the last digits of a number may count: six of them at least, all at most.
fn sequences_in(number: &str) -> Vec<i64> {
    let digits = number.bytes().rev().take_while(u8::is_ascii_digit).count();
    (6..=digits.min(18)).filter_map(|count| number.get(number.len() - count..)?.parse().ok()).collect()
}

pub(super) async fn find(
    work: &mut dyn Work,
    namespace: &str,
    id: &str,
) -> Result<Option<Invoice>, BillingError> {
    const FIND: &str = "SELECT id, subscription, customer, kind, period, currency, state, settled_at, reason, draft, \
         document FROM billing_invoices WHERE namespace = $1 AND id = $2";
    work.row(FIND, vec![namespace.into(), id.into()]).await?.map(invoice).transpose()
}

pub(super) async fn known(work: &mut dyn Work, namespace: &str, id: &str) -> Result<Invoice, BillingError> {
    find(work, namespace, id).await?.ok_or_else(|| missing(namespace, "invoice", id))
}

/// The invoice, which may become `to`.
pub(super) async fn about_to(
    work: &mut dyn Work,
    namespace: &str,
    id: &str,
    to: InvoiceState,
) -> Result<Invoice, BillingError> {
    let invoice = known(work, namespace, id).await?;
    if !invoice.state().may_become(to) {
        return Err(BillingError::Transition { invoice: invoice.id.clone(), from: invoice.state(), to });
    }
    Ok(invoice)
}

/// A subscription nobody waits for the money of any more is active again.
async fn no_longer_overdue(
    work: &mut dyn Work,
    namespace: &str,
    subscription: &str,
    at: Moment,
) -> Result<(), BillingError> {
    const OVERDUE: &str = "SELECT id FROM billing_invoices WHERE namespace = $1 AND subscription = $2 \
         AND state = 'finalized' AND due_at < $3 AND due_minor > 0 LIMIT 1";
    let (mut record, _) = subscriptions::known(work, namespace, subscription).await?;
    let left = work.row(OVERDUE, vec![namespace.into(), subscription.into(), at.micros().into()]).await?;
    if record.status == SubscriptionStatus::PastDue && left.is_none() {
        record.status = SubscriptionStatus::Active;
        subscriptions::keep(work, namespace, &record, false).await?;
    }
    Ok(())
}

async fn set_state(
    work: &mut dyn Work,
    namespace: &str,
    invoice: &str,
    state: InvoiceState,
    at: Moment,
    reason: Option<String>,
) -> Result<(), BillingError> {
    const SET: &str = "UPDATE billing_invoices SET state = $3, settled_at = $4, reason = $5 WHERE namespace = $1 \
         AND id = $2 AND state = 'finalized'";
    let row = vec![namespace.into(), invoice.into(), state.name().into(), at.micros().into(), reason.into()];
    work.run(SET, row).await?;
    Ok(())
}

#[async_trait]
impl InvoiceStore for SqlStore {
    async fn bookings(
        &self,
        namespace: &str,
        subscription: &str,
        from: Moment,
    ) -> Result<(i64, Vec<Booking>), BillingError> {
        draft::bookings(&mut *self.read().await?, namespace, subscription, from).await
    }

    async fn usage_billed(&self, namespace: &str, subscription: &str) -> Result<i64, BillingError> {
        const SUM: &str = "SELECT CAST(COALESCE(SUM(net_minor), 0) AS BIGINT) FROM billing_bookings \
             WHERE namespace = $1 AND subscription = $2 AND kind = 'usage'";
        let row = self.read().await?.row(SUM, vec![namespace.into(), subscription.into()]).await?;
        Ok(row.map_or(Ok(0), |mut row| row.number())?)
    }

    async fn reopened(&self, namespace: &str, subscription: &str) -> Result<Vec<Period>, BillingError> {
        const LIST: &str = "SELECT DISTINCT period, period_from FROM billing_invoices v WHERE namespace = $1 \
             AND subscription = $2 AND kind = 'period' AND state = 'void' AND period_from < $3 AND NOT EXISTS \
             (SELECT 1 FROM billing_invoices i WHERE i.namespace = v.namespace AND i.subscription = v.subscription \
             AND i.kind = 'period' AND i.period_from = v.period_from AND i.state IN ('finalized', 'paid')) \
             ORDER BY period_from";
        let mut work = self.read().await?;
        let (record, _) = subscriptions::known(&mut *work, namespace, subscription).await?;
        let given = vec![namespace.into(), subscription.into(), record.current_period.from().micros().into()];
        let rows = work.rows(LIST, given).await?;
        rows.into_iter().map(|mut row| parsed("period", &row.text()?)).collect()
    }

    async fn carried_at(&self, namespace: &str, subscription: &str) -> Result<Vec<Moment>, BillingError> {
        carried::instants(&mut *self.read().await?, namespace, subscription).await
    }

    async fn carried(
        &self,
        namespace: &str,
        subscription: &str,
        at: Moment,
    ) -> Result<Option<Carried>, BillingError> {
        carried::at(&mut *self.read().await?, namespace, subscription, at).await
    }

    async fn put_draft(
        &self,
        namespace: &str,
        new: &Draft,
        units: &[Carried],
    ) -> Result<Invoice, BillingError> {
        let mut work = self.work(namespace).await?;
        let invoice = draft::put(&mut *work, namespace, new).await?;
        let (record, _) = subscriptions::known(&mut *work, namespace, &new.subscription).await?;
        carried::keep(&mut *work, namespace, &record, new.period.to(), units).await?;
        work.commit().await?;
        Ok(invoice)
    }

    async fn drop_draft(
        &self,
        namespace: &str,
        subscription: &str,
        kind: InvoiceKind,
        period: &Period,
    ) -> Result<bool, BillingError> {
        let mut work = self.work(namespace).await?;
        let dropped = draft::drop(&mut *work, namespace, subscription, kind, period).await?;
        work.commit().await?;
        Ok(dropped)
    }

    async fn close_period(
        &self,
        namespace: &str,
        subscription: &str,
        period: &Period,
        units: &[Carried],
    ) -> Result<(), BillingError> {
        let mut work = self.work(namespace).await?;
        let (mut record, _) = subscriptions::known(&mut *work, namespace, subscription).await?;
        carried::keep(&mut *work, namespace, &record, period.to(), units).await?;
        if record.current_period == *period {
            record.current_period = record.period_after(period)?;
            subscriptions::keep(&mut *work, namespace, &record, false).await?;
        }
        Ok(work.commit().await?)
    }

    async fn invoice(&self, namespace: &str, id: &str) -> Result<Option<Invoice>, BillingError> {
        find(&mut *self.read().await?, namespace, id).await
    }

    async fn invoice_numbered(&self, namespace: &str, number: &str) -> Result<Option<String>, BillingError> {
        const FIND: &str = "SELECT id, document FROM billing_invoices WHERE namespace = $1 AND sequence = $2";
        let mut work = self.read().await?;
        // A prefix may end in digits: which of the digits count from where only the document says.
        for sequence in sequences_in(number) {
            if let Some(mut row) = work.row(FIND, vec![namespace.into(), sequence.into()]).await? {
                let (id, json) = (row.text()?, row.text()?);
                let kept: Numbered =
                    serde_json::from_str(&json).map_err(|error| damaged(&error.to_string()))?;
                if kept.number == number {
                    return Ok(Some(id));
                }
            }
        }
        Ok(None)
    }

    async fn invoices(
        &self,
        namespace: &str,
        selection: &InvoiceSelection,
    ) -> Result<Vec<Invoice>, BillingError> {
        const LIST: &str = "SELECT id, subscription, customer, kind, period, currency, state, settled_at, reason, \
             draft, document FROM billing_invoices WHERE namespace = $1 AND id > $2 AND ($3 = '' OR subscription = $3) \
             AND ($4 = '' OR state = $4) ORDER BY id LIMIT $5";
        let subscription = selection.subscription.clone().unwrap_or_default();
        let state = selection.state.map(InvoiceState::name).unwrap_or_default();
        let given = vec![
            namespace.into(),
            selection.after.as_str().into(),
            subscription.into(),
            state.into(),
            selection.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE).into(),
        ];
        self.read().await?.rows(LIST, given).await?.into_iter().map(invoice).collect()
    }

    async fn finalize(
        &self,
        namespace: &str,
        finalize: &Finalize<'_>,
    ) -> Result<SignedInvoice, BillingError> {
        let request = format!("finalize {}", finalize.invoice);
        let mut work = self.work(namespace).await?;
        if done_before(&mut *work, namespace, finalize.key, &request).await?.is_some() {
            let invoice = known(&mut *work, namespace, finalize.invoice).await?;
            return invoice.signed().cloned().ok_or_else(|| damaged("finalized, but a draft"));
        }
        let signed = finalize::issue(&mut *work, namespace, finalize).await?;
        remember(&mut *work, namespace, finalize.key, &request, &signed.document.number).await?;
        work.commit().await?;
        Ok(signed)
    }

    async fn pay(
        &self,
        namespace: &str,
        id: &str,
        minor: i64,
        at: Moment,
        key: &str,
    ) -> Result<Invoice, BillingError> {
        let request = format!("pay {id} {minor}");
        let mut work = self.work(namespace).await?;
        if done_before(&mut *work, namespace, key, &request).await?.is_none() {
            let invoice = about_to(&mut *work, namespace, id, InvoiceState::Paid).await?;
            let due = invoice.signed().map_or(0, |signed| signed.document.due_minor);
            if due != minor {
                return Err(BillingError::WrongAmount { invoice: invoice.id, due, paid: minor });
            }
            set_state(&mut *work, namespace, id, InvoiceState::Paid, at, None).await?;
            no_longer_overdue(&mut *work, namespace, &invoice.subscription, at).await?;
            remember(&mut *work, namespace, key, &request, "").await?;
        }
        let invoice = known(&mut *work, namespace, id).await?;
        work.commit().await?;
        Ok(invoice)
    }

    async fn void(
        &self,
        namespace: &str,
        id: &str,
        reason: &str,
        at: Moment,
        key: &str,
    ) -> Result<Invoice, BillingError> {
        const CREDITED: &str =
            "SELECT number FROM billing_credit_notes WHERE namespace = $1 AND invoice = $2 LIMIT 1";
        const LINES: &str =
            "SELECT document FROM billing_lines WHERE namespace = $1 AND invoice = $2 ORDER BY number";
        let count = reason.chars().count();
        let wrong = count == 0 || count > MAX_REASON_CHARS || reason.chars().any(char::is_control);
        let problem =
            format!("`reason` has 1 to {MAX_REASON_CHARS} characters, none of them control characters");
        refused("the voiding of invoice", id, wrong.then_some(problem).into_iter().collect())?;
        let request = format!("void {id}");
        let mut work = self.work(namespace).await?;
        if done_before(&mut *work, namespace, key, &request).await?.is_none() {
            let invoice = about_to(&mut *work, namespace, id, InvoiceState::Void).await?;
            if work.row(CREDITED, vec![namespace.into(), id.into()]).await?.is_some() {
                return Err(BillingError::HasCreditNotes(invoice.id));
            }
            for mut row in work.rows(LINES, vec![namespace.into(), id.into()]).await? {
                let line: RatedLine = parsed("line", &row.text()?)?;
                draft::book(&mut *work, namespace, &invoice.subscription, &line, false).await?;
            }
            settle::give_back(&mut *work, namespace, id, at).await?;
            set_state(&mut *work, namespace, id, InvoiceState::Void, at, Some(reason.to_owned())).await?;
            let (record, _) = subscriptions::known(&mut *work, namespace, &invoice.subscription).await?;
            subscriptions::keep(&mut *work, namespace, &record, true).await?;
            no_longer_overdue(&mut *work, namespace, &invoice.subscription, at).await?;
            remember(&mut *work, namespace, key, &request, "").await?;
        }
        let invoice = known(&mut *work, namespace, id).await?;
        work.commit().await?;
        Ok(invoice)
    }

    async fn mark_overdue(&self, namespace: &str, at: Moment) -> Result<u64, BillingError> {
        const LIST: &str = "SELECT DISTINCT i.subscription FROM billing_invoices i JOIN billing_subscriptions s \
             ON s.namespace = i.namespace AND s.id = i.subscription WHERE i.namespace = $1 AND i.state = 'finalized' \
             AND i.due_at < $2 AND i.due_minor > 0 AND s.status = 'active'";
        let mut work = self.work(namespace).await?;
        let rows = work.rows(LIST, vec![namespace.into(), at.micros().into()]).await?;
        let mut changed = 0;
        for mut row in rows {
            let (mut record, _) = subscriptions::known(&mut *work, namespace, &row.text()?).await?;
            record.status = SubscriptionStatus::PastDue;
            subscriptions::keep(&mut *work, namespace, &record, false).await?;
            changed += 1;
        }
        work.commit().await?;
        Ok(changed)
    }

    async fn credit(
        &self,
        namespace: &str,
        new: &NewCreditNote,
        signer: &InvoiceKey,
    ) -> Result<KeptCreditNote, BillingError> {
        let mut work = self.work(namespace).await?;
        let note = credit_notes::issue_by_hand(&mut *work, namespace, new, signer).await?;
        work.commit().await?;
        Ok(note)
    }

    async fn credit_notes(
        &self,
        namespace: &str,
        customer: &str,
    ) -> Result<Vec<KeptCreditNote>, BillingError> {
        credit_notes::list(&mut *self.read().await?, namespace, customer).await
    }
}
