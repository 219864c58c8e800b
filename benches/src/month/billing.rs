//! The billing run: usage out of the event store, drafts, and each of them finalized and signed.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use creto_billing::{
    BillingRun, Finalize, InvoiceDocument, InvoiceKey, InvoiceStore as _, MeteredUsage, RunReport, SqlStore,
    Unmatched, verify,
};
use creto_event_store::EventStore;
use creto_rating::{LineKind, Moment};

use super::usage::{CUSTOMERS, NOW_US};
use super::{Failed, NAMESPACE, setup};
use crate::report::Report;

/// What was billed, as rows for COPY.
#[derive(Default)]
pub(super) struct Billed {
    pub(super) lines: String,
    pub(super) invoices: String,
    pub(super) taxes: String,
    pub(super) seen: String,
}

pub(super) async fn run(
    report: &mut Report,
    events: Arc<dyn EventStore>,
    folder: &Path,
) -> Result<Billed, Failed> {
    let store = SqlStore::sqlite(&folder.join("billing.db")).await?;
    setup::set_up(&store).await?;
    let key = InvoiceKey::open(&folder.join("invoice.key"))?;
    let at = Moment::from_micros(NOW_US)?;

    let began = Instant::now();
    let run = BillingRun::new(NAMESPACE, at).draw_up(&store, &MeteredUsage::new(events)).await?;
    let took = began.elapsed().as_secs_f64();
    check(&run)?;
    let note = format!(
        "{} events into {} drafts, 14 charges in three plans, {} scan",
        run.events,
        run.drafts.len(),
        run.scans
    );
    report.add("month.draw_up_s", took, "s", note);
    report.add("month.draw_up_per_s", run.events as f64 / took, "events/s", "read, matched and rated");

    let mut billed = Billed::default();
    let of = |reason| run.unmatched.get(&reason).copied().unwrap_or_default();
    let (unknown, nobody) = (of(Unmatched::UnknownSubscription), of(Unmatched::Nobody));
    writeln!(billed.seen, "{}\t{unknown}\t{nobody}", run.events)?;
    let began = Instant::now();
    let mut documents = Vec::new();
    for draft in &run.drafts {
        let finalize = Finalize { invoice: &draft.id, key: &draft.id, at, signer: &key };
        documents.push(store.finalize(NAMESPACE, &finalize).await?);
    }
    let note = format!("{} invoices numbered, signed and kept", documents.len());
    report.add("month.finalize_s", began.elapsed().as_secs_f64(), "s", note);
    let mut lines = 0;
    for signed in documents {
        let document: InvoiceDocument = verify(signed.json.as_bytes(), &key.public())?;
        lines += document.lines.len();
        billed.add(&document)?;
    }
    report.add("month.lines", lines as f64, "", "of all invoices");
    Ok(billed)
}

fn check(run: &RunReport) -> Result<(), Failed> {
    if let Some((subscription, error)) = run.refused.first() {
        return Err(format!("{subscription}: {error}").into());
    }
    if run.drafts.len() as u64 != CUSTOMERS || !run.unfinished.is_empty() {
        return Err(format!("{} drafts for {CUSTOMERS} customers", run.drafts.len()).into());
    }
    Ok(())
}

impl Billed {
    fn add(&mut self, document: &InvoiceDocument) -> Result<(), std::fmt::Error> {
        let subscription = &document.subscription;
        for line in &document.lines {
            let facts = &line.facts;
            let kind = match facts.kind {
                LineKind::Subscription => "subscription",
                LineKind::Usage => "usage",
                LineKind::Minimum => "minimum",
                LineKind::Commitment => "commitment",
            };
            let or_null = |text: Option<&String>| text.cloned().unwrap_or_else(|| "\\N".to_owned());
            let off: i64 = line.reductions.iter().map(|(_, minor)| minor).sum();
            let tax: i64 = line.taxes.iter().map(|tax| tax.minor).sum();
            writeln!(
                self.lines,
                "{subscription}\t{}\t{}\t{kind}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{off}\t{}\t{tax}\t{}",
                facts.from.micros(),
                facts.to.micros(),
                facts.plan,
                or_null(facts.charge.as_ref()),
                or_null(facts.filter.as_ref()),
                or_null(facts.group.first().and_then(Option::as_ref)),
                line.quantity,
                line.events,
                line.fee_minor,
                line.net_minor,
                line.total_minor,
            )?;
        }
        for tax in &document.taxes {
            writeln!(self.taxes, "{subscription}\t{}\t{}", tax.code, tax.minor)?;
        }
        writeln!(
            self.invoices,
            "{subscription}\t{}\t{}\t{}\t{}",
            document.subtotal_minor, document.reductions_minor, document.tax_minor, document.total_minor
        )
    }
}
