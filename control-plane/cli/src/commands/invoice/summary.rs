//! An invoice in a row.

use creto_proto::v1;
use serde_json::{Value, json};

use crate::commands::billing::instant::shown;
use crate::commands::billing::money::{amount_of, digits_of};
use crate::output::moment;

/// The titles of [`row`].
pub(super) const HEADING: [&str; 9] =
    ["id", "number", "state", "subscription", "kind", "period from", "to", "total", "due"];

/// The cells of an invoice, and its JSON.
pub(super) fn row(invoice: &v1::InvoiceSummary) -> (Vec<String>, Value) {
    let due = match invoice.state.as_str() {
        "finalized" => {
            format!(
                "{} by {}",
                amount_of(invoice.due_minor, &invoice.currency),
                moment(invoice.due_at_us.div_euclid(1_000))
            )
        }
        _ => String::new(),
    };
    let cells = vec![
        invoice.id.clone(),
        invoice.number.clone(),
        invoice.state.clone(),
        invoice.subscription.clone(),
        invoice.kind.clone(),
        shown(invoice.period_from_us),
        shown(invoice.period_to_us),
        amount_of(invoice.total_minor, &invoice.currency),
        due,
    ];
    (cells, value(invoice))
}

/// An invoice as JSON: amounts in decimal digits, and in minor units beside them.
pub(super) fn value(invoice: &v1::InvoiceSummary) -> Value {
    let issued = |micros: i64| (micros != 0).then(|| shown(micros));
    json!({
        "id": invoice.id,
        "number": Some(&invoice.number).filter(|number| !number.is_empty()),
        "state": invoice.state,
        "kind": invoice.kind,
        "subscription": invoice.subscription,
        "customer": invoice.customer,
        "currency": invoice.currency,
        "total": digits_of(invoice.total_minor, &invoice.currency),
        "total_minor": invoice.total_minor,
        "due": digits_of(invoice.due_minor, &invoice.currency),
        "due_minor": invoice.due_minor,
        "period": {"from": shown(invoice.period_from_us), "to": shown(invoice.period_to_us)},
        "issued_at": issued(invoice.issued_at_us),
        "due_at": issued(invoice.due_at_us),
    })
}

/// The invoice in a sentence.
pub(super) fn told(invoice: &v1::InvoiceSummary) -> String {
    let name = if invoice.number.is_empty() { &invoice.id } else { &invoice.number };
    let total = amount_of(invoice.total_minor, &invoice.currency);
    let due = match invoice.state.as_str() {
        "finalized" => {
            format!(
                ", {} due by {}",
                amount_of(invoice.due_minor, &invoice.currency),
                moment(invoice.due_at_us.div_euclid(1_000))
            )
        }
        _ => String::new(),
    };
    format!("{name} ({}): {}, {total}{due}", invoice.subscription, invoice.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_has_no_number_and_is_not_due() {
        let draft = v1::InvoiceSummary {
            id: "in-1".into(),
            subscription: "s".into(),
            state: "draft".into(),
            currency: "EUR".into(),
            total_minor: 2_499,
            due_minor: 2_499,
            ..Default::default()
        };
        let (cells, value) = row(&draft);
        assert_eq!(cells.len(), HEADING.len());
        assert_eq!((cells[7].as_str(), cells[8].as_str()), ("24.99 EUR", ""));
        assert!(value["number"].is_null() && value["due_at"].is_null());
        assert_eq!((&value["total"], &value["total_minor"]), (&"24.99".into(), &2_499.into()));
        assert_eq!(told(&draft), "in-1 (s): draft, 24.99 EUR");
        let issued = v1::InvoiceSummary { number: "INV-1".into(), state: "finalized".into(), ..draft };
        assert_eq!(told(&issued), "INV-1 (s): finalized, 24.99 EUR, 24.99 EUR due by 1970-01-01T00:00:00Z");
    }
}
