//! An invoice or a draft as it is shown: lines, sums, and who caused it.

use std::collections::BTreeMap;

use creto_billing::{Draft, InvoiceDocument, LineItem, TaxSum};
use creto_rating::{Attribution, Currency, Part, Period, Quantity};
use serde_json::{Value, json};

use crate::commands::billing::money::{amount, digits};
use crate::output::table;

/// What is shown.
#[derive(Debug)]
pub(super) struct Paper {
    pub(super) subscription: String,
    pub(super) customer: String,
    pub(super) currency: Currency,
    pub(super) period: Period,
    pub(super) lines: Vec<LineItem>,
    /// Lines that come to less than was billed, and by how much, with tax.
    pub(super) given_back: Vec<(String, i64)>,
    /// Credit notes and wallets that paid, and how much.
    pub(super) paid_by: Vec<(String, i64)>,
    pub(super) fee_minor: i64,
    pub(super) reductions_minor: i64,
    pub(super) taxes: Vec<TaxSum>,
    pub(super) total_minor: i64,
    /// Left to pay, of an invoice that is issued.
    pub(super) due_minor: Option<i64>,
    pub(super) agents: Vec<Part>,
}

impl Paper {
    /// Of a draft.
    pub(super) fn of_draft(draft: &Draft) -> Self {
        let lines = draft.items();
        let sum = |minor: fn(&LineItem) -> i64| lines.iter().map(minor).fold(0, i64::saturating_add);
        let (fee_minor, net_minor) = (sum(|line| line.fee_minor), sum(|line| line.net_minor));
        let total_minor = sum(|line| line.total_minor);
        let given_back = draft.credits.iter();
        let given_back =
            given_back.map(|credit| (credit.facts.description(), credit.amounts.total_minor)).collect();
        Self {
            subscription: draft.subscription.clone(),
            customer: draft.customer.clone(),
            currency: draft.currency,
            period: draft.period.clone(),
            given_back,
            paid_by: Vec::new(),
            fee_minor,
            reductions_minor: fee_minor.saturating_sub(net_minor),
            taxes: taxes(&lines),
            total_minor,
            due_minor: None,
            agents: agents(&lines),
            lines,
        }
    }

    /// Of an issued invoice.
    pub(super) fn of_document(document: InvoiceDocument) -> Self {
        let notes = document.credits.into_iter();
        let notes = notes.map(|credit| (format!("Credit note {}", credit.credit_note), credit.minor));
        let mut wallets: BTreeMap<String, i64> = BTreeMap::new();
        for prepaid in document.prepaid {
            let sum = wallets.entry(prepaid.wallet).or_default();
            *sum = sum.saturating_add(prepaid.minor);
        }
        let wallets = wallets.into_iter().map(|(wallet, minor)| (format!("Wallet {wallet}"), minor));
        Self {
            subscription: document.subscription,
            customer: document.customer_id,
            currency: document.currency,
            period: document.period,
            lines: document.lines,
            given_back: Vec::new(),
            paid_by: notes.chain(wallets).collect(),
            fee_minor: document.subtotal_minor,
            reductions_minor: document.reductions_minor,
            taxes: document.taxes,
            total_minor: document.total_minor,
            due_minor: Some(document.due_minor),
            agents: document.attribution.agents,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let money = |minor: i64| digits(minor, self.currency);
        let mut lines: Vec<Vec<String>> = Vec::new();
        for line in &self.lines {
            lines.push(vec![
                line.description.clone(),
                line.quantity.clone(),
                line.events.to_string(),
                line.unit_price.clone().unwrap_or_default(),
                money(line.fee_minor),
                money(line.fee_minor.saturating_sub(line.net_minor)),
                money(line.total_minor.saturating_sub(line.net_minor)),
                money(line.total_minor),
            ]);
        }
        let heading = ["line", "units", "events", "unit price", "fee", "less", "tax", "total"];
        let mut text = rows(&heading, &lines);
        let mut sums = vec![("Fees".to_owned(), money(self.fee_minor))];
        if self.reductions_minor != 0 {
            sums.push(("Less".to_owned(), money(self.reductions_minor.saturating_neg())));
        }
        for tax in &self.taxes {
            sums.push((format!("Tax {} {}%", tax.code, tax.percent), money(tax.minor)));
        }
        sums.push(("Total".to_owned(), amount(self.total_minor, self.currency)));
        for (payer, minor) in &self.paid_by {
            sums.push((payer.clone(), money(minor.saturating_neg())));
        }
        sums.extend(self.due_minor.map(|due| ("Due".to_owned(), amount(due, self.currency))));
        for (line, minor) in &self.given_back {
            sums.push((format!("Given back by credit note: {line}"), money(*minor)));
        }
        let width = sums.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        text.push('\n');
        for (name, value) in sums {
            text.push_str(&format!("\n{name:width$}  {value}"));
        }
        if !self.agents.is_empty() {
            let agents: Vec<Vec<String>> = self
                .agents
                .iter()
                .map(|part| vec![named(part).to_owned(), money(part.fee_minor), money(part.total_minor)])
                .collect();
            text.push_str("\n\n");
            text.push_str(&rows(&["agent", "fee", "total"], &agents));
        }
        text
    }

    /// For programs: amounts in decimal digits of the main unit.
    pub(super) fn value(&self) -> Value {
        let money = |minor: i64| digits(minor, self.currency);
        let lines: Vec<Value> = self.lines.iter().map(|line| self.line(line)).collect();
        let taxes: Vec<Value> = self
            .taxes
            .iter()
            .map(|tax| json!({"code": tax.code, "percent": tax.percent.to_string(), "tax": money(tax.minor)}))
            .collect();
        let pairs = |pairs: &[(String, i64)]| -> Vec<Value> {
            pairs.iter().map(|(name, minor)| json!({"what": name, "amount": money(*minor)})).collect()
        };
        json!({
            "subscription": self.subscription,
            "customer": self.customer,
            "currency": self.currency.code(),
            "period": {
                "from": self.period.from().to_string(), "to": self.period.to().to_string(),
                "zone": self.period.zone().to_string(),
            },
            "lines": lines,
            "fee": money(self.fee_minor),
            "reductions": money(self.reductions_minor),
            "taxes": taxes,
            "total": money(self.total_minor),
            "total_minor": self.total_minor,
            "paid_by": pairs(&self.paid_by),
            "given_back": pairs(&self.given_back),
            "due": self.due_minor.map(money),
            "agents": self.parts(&self.agents),
        })
    }

    fn line(&self, line: &LineItem) -> Value {
        let money = |minor: i64| digits(minor, self.currency);
        let dimensions: serde_json::Map<String, Value> = line
            .attribution
            .dimensions
            .iter()
            .map(|(name, parts)| (name.clone(), self.parts(parts).into()))
            .collect();
        json!({
            "description": line.description,
            "meter": line.facts.meter,
            "from": line.facts.from.to_string(),
            "to": line.facts.to.to_string(),
            "late": line.correction,
            "units": line.quantity,
            "events": line.events,
            "unit_price": line.unit_price,
            "fee": money(line.fee_minor),
            "net": money(line.net_minor),
            "tax": money(line.total_minor.saturating_sub(line.net_minor)),
            "total": money(line.total_minor),
            "agents": self.parts(&line.attribution.agents),
            "dimensions": dimensions,
        })
    }

    fn parts(&self, parts: &[Part]) -> Vec<Value> {
        let money = |minor: i64| digits(minor, self.currency);
        let part = |part: &Part| json!({"name": part.name, "fee": money(part.fee_minor), "total": money(part.total_minor)});
        parts.iter().map(part).collect()
    }
}

/// What nobody caused, such as the fee of the plan, is of no agent.
fn named(part: &Part) -> &str {
    part.name.as_deref().unwrap_or("(none)")
}

fn rows(heading: &[&str], cells: &[Vec<String>]) -> String {
    let rows: Vec<&[String]> = cells.iter().map(Vec::as_slice).collect();
    table(heading, &rows)
}

fn taxes(lines: &[LineItem]) -> Vec<TaxSum> {
    let mut sums: BTreeMap<(String, Quantity), i64> = BTreeMap::new();
    for tax in lines.iter().flat_map(|line| &line.taxes) {
        let sum = sums.entry((tax.code.clone(), tax.percent)).or_default();
        *sum = sum.saturating_add(tax.minor);
    }
    sums.into_iter().map(|((code, percent), minor)| TaxSum { code, percent, minor }).collect()
}

/// The agents of all lines, added up, so that they come to fees and total; a line of no agent counts for none.
fn agents(lines: &[LineItem]) -> Vec<Part> {
    let mut sums: BTreeMap<Option<String>, (i64, i64)> = BTreeMap::new();
    for line in lines {
        let Attribution { agents, .. } = &line.attribution;
        let whole = [Part { name: None, fee_minor: line.fee_minor, total_minor: line.total_minor }];
        for part in if agents.is_empty() { &whole[..] } else { agents } {
            let (fee, total) = sums.entry(part.name.clone()).or_default();
            *fee = fee.saturating_add(part.fee_minor);
            *total = total.saturating_add(part.total_minor);
        }
    }
    let parts = sums.into_iter().filter(|(_, (fee, total))| *fee != 0 || *total != 0);
    parts.map(|(name, (fee_minor, total_minor))| Part { name, fee_minor, total_minor }).collect()
}

#[cfg(test)]
mod tests;
