//! Who pays, and who asks to be paid.

use creto_rating::{Currency, Moment, Zone};
use serde::{Deserialize, Serialize};

use crate::BillingError;
use crate::stripe::ExportMeter;

/// Bytes an id may have.
pub const MAX_ID_BYTES: usize = 128;
/// Characters a name or a line of an address may have.
pub const MAX_LINE_CHARS: usize = 200;
/// Lines an address may have.
pub const MAX_ADDRESS_LINES: usize = 8;
/// Tax ids a party may have.
pub const MAX_TAX_IDS: usize = 8;
/// Meters at Stripe that one namespace may export to.
pub const MAX_EXPORT_METERS: usize = 50;
/// Days an invoice may leave to pay.
pub const MAX_TERMS_DAYS: u16 = 365;

/// A number a tax office gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxId {
    /// What it is, such as `VAT`.
    pub kind: String,
    /// The number.
    pub value: String,
}

/// A name and where it is found, as an invoice prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The name.
    pub name: String,
    /// The address, line by line, country included.
    #[serde(default)]
    pub address: Vec<String>,
    /// Its tax numbers.
    #[serde(default)]
    pub tax_ids: Vec<TaxId>,
}

/// Who pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Its id, unique in the namespace.
    pub id: String,
    /// Name, address and tax numbers.
    #[serde(flatten)]
    pub party: Party,
    /// The one currency it pays in.
    pub currency: Currency,
    /// The time zone its periods and days are told in.
    pub zone: Zone,
    /// Its id at Stripe, when invoices and usage are exported there.
    #[serde(default)]
    pub stripe_customer: Option<String>,
}

/// What all invoices of a namespace have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingSettings {
    /// Who issues invoices.
    pub issuer: Party,
    /// What numbers of invoices begin with.
    #[serde(default = "invoice_prefix")]
    pub invoice_prefix: String,
    /// What numbers of credit notes begin with.
    #[serde(default = "credit_note_prefix")]
    pub credit_note_prefix: String,
    /// Days between issue and due date.
    #[serde(default = "terms")]
    pub terms_days: u16,
    /// Whether invoices of customers with an id at Stripe are exported there as soon as they are finalized.
    #[serde(default)]
    pub export_invoices: bool,
    /// What usage is exported to Stripe, hour by hour; none without.
    #[serde(default)]
    pub export_usage: Vec<ExportMeter>,
    /// The first instant whose usage is exported; it goes with `export_usage`.
    #[serde(default)]
    pub export_usage_from: Option<Moment>,
}

pub(crate) fn invoice_prefix() -> String {
    "INV-".to_owned()
}

pub(crate) fn credit_note_prefix() -> String {
    "CN-".to_owned()
}

pub(crate) const fn terms() -> u16 {
    30
}

impl BillingSettings {
    /// Those of an issuer, with the defaults.
    #[must_use]
    pub fn of(issuer: Party) -> Self {
        Self {
            issuer,
            invoice_prefix: invoice_prefix(),
            credit_note_prefix: credit_note_prefix(),
            terms_days: terms(),
            export_invoices: false,
            export_usage: Vec::new(),
            export_usage_from: None,
        }
    }

    /// Whether they hold.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), BillingError> {
        let mut problems = party_problems(&self.issuer);
        for (field, prefix) in
            [("invoice_prefix", &self.invoice_prefix), ("credit_note_prefix", &self.credit_note_prefix)]
        {
            if prefix.len() > 16
                || !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-/".contains(&byte))
            {
                problems.push(format!("`{field}`: at most 16 of A-Z a-z 0-9 - /"));
            }
        }
        if self.terms_days > MAX_TERMS_DAYS {
            problems.push(format!("`terms_days`: {} is above {MAX_TERMS_DAYS}", self.terms_days));
        }
        problems.extend(export_problems(&self.export_usage));
        if self.export_usage_from.is_some() == self.export_usage.is_empty() {
            problems.push("`export_usage` and `export_usage_from` go together".to_owned());
        }
        refused("the settings of", "billing", problems)
    }
}

impl Customer {
    /// Whether it holds.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn validate(&self) -> Result<(), BillingError> {
        let mut problems = party_problems(&self.party);
        problems.extend(id_problem(&self.id));
        if let Some(id) = self.stripe_customer.as_ref().and_then(|id| id_problem(id)) {
            problems.push(format!("`stripe_customer`: {id}"));
        }
        refused("customer", &self.id, problems)
    }
}

fn export_problems(meters: &[ExportMeter]) -> Vec<String> {
    let mut problems = Vec::new();
    if meters.len() > MAX_EXPORT_METERS {
        problems.push(format!("`export_usage`: {} entries; at most {MAX_EXPORT_METERS}", meters.len()));
    }
    let mut named = std::collections::BTreeSet::new();
    for meter in meters.iter().take(MAX_EXPORT_METERS) {
        let texts = [Some(&meter.event_name), Some(&meter.meter), meter.field.as_ref()];
        problems.extend(
            texts.into_iter().flatten().filter_map(|id| Some(format!("`export_usage`: {}", id_problem(id)?))),
        );
        // What was sent of an hour is kept by this name.
        if !named.insert(&meter.event_name) {
            problems.push(format!("`export_usage`: `{}` is there twice", meter.event_name));
        }
    }
    problems
}

/// Why an id is none.
pub(crate) fn id_problem(id: &str) -> Option<String> {
    let fits = !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic());
    (!fits).then(|| format!("an id has 1 to {MAX_ID_BYTES} visible ASCII characters"))
}

pub(crate) fn refused(what: &'static str, id: &str, problems: Vec<String>) -> Result<(), BillingError> {
    if problems.is_empty() {
        return Ok(());
    }
    let id = id.chars().take(MAX_ID_BYTES).collect();
    Err(BillingError::Invalid { what, id, problems })
}

fn party_problems(party: &Party) -> Vec<String> {
    let mut problems = Vec::new();
    let mut line = |field: &str, text: &str| {
        let count = text.chars().count();
        if count == 0 || count > MAX_LINE_CHARS || text.chars().any(char::is_control) {
            problems.push(format!(
                "`{field}`: 1 to {MAX_LINE_CHARS} characters, none of them control characters"
            ));
        }
    };
    line("name", &party.name);
    for text in &party.address {
        line("address", text);
    }
    for tax in &party.tax_ids {
        line("tax_ids.kind", &tax.kind);
        line("tax_ids.value", &tax.value);
    }
    for (field, found, most) in
        [("address", party.address.len(), MAX_ADDRESS_LINES), ("tax_ids", party.tax_ids.len(), MAX_TAX_IDS)]
    {
        if found > most {
            problems.push(format!("`{field}`: {found} entries; at most {most}"));
        }
    }
    problems
}
