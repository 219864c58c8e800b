//! Documents as people write them: JSON objects, read so that everything that is wrong is told at once.
//!
//! Instants are microseconds since 1970 or RFC 3339 texts.

use creto_rating::Moment;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::BillingError;
use crate::catalogue::MAX_PROBLEMS;
use crate::credit_note::CreditLine;
use crate::customer::{BillingSettings, Customer, Party, credit_note_prefix, invoice_prefix, terms};
use crate::subscription::NewSubscription;
use crate::wallet::{NewCredit, NewWallet};

/// Bytes any document but a plan may have.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// The fields of a document that were not read yet, and what is wrong with those that were.
pub(crate) struct Fields {
    table: Map<String, Value>,
    problems: Vec<String>,
}

impl Fields {
    pub(crate) fn of(table: Map<String, Value>) -> Self {
        Self { table, problems: Vec::new() }
    }

    pub(crate) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    pub(crate) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.missing(name);
        self.optional(name)
    }

    pub(crate) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.table.remove(name)?;
        serde_json::from_value(value).map_err(|error| self.problems.push(format!("`{name}`: {error}"))).ok()
    }

    /// As [`Fields::optional`], and nothing where `null` is written.
    fn nullable<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.optional::<Option<T>>(name).flatten()
    }

    pub(crate) fn required_moment(&mut self, name: &str) -> Option<Moment> {
        self.missing(name);
        self.moment(name)
    }

    fn moment(&mut self, name: &str) -> Option<Moment> {
        let value = self.table.remove(name).filter(|value| !value.is_null())?;
        let moment = match &value {
            Value::Number(number) => number.as_i64().and_then(|micros| Moment::from_micros(micros).ok()),
            Value::String(text) => {
                text.parse::<jiff::Timestamp>().ok().and_then(|at| Moment::try_from(at).ok())
            }
            _ => None,
        };
        if moment.is_none() {
            let written = match &value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let written: String = written.chars().take(64).collect();
            self.problems.push(format!("`{name}`: `{written}` is no time such as 2026-01-01T00:00:00Z"));
        }
        moment
    }

    fn missing(&mut self, name: &str) {
        if !self.table.contains_key(name) {
            self.problems.push(format!("`{name}` is missing"));
        }
    }

    /// All problems; fields that were not read are some.
    pub(crate) fn end(mut self, what: &str) -> Vec<String> {
        for key in self.table.keys() {
            let key: String = key.chars().take(64).collect();
            self.problems.push(format!("`{key}` is no field of {what}: drop it, or look how it is spelt"));
        }
        self.problems
    }
}

/// A document, its fields read by `read`, which gives it with a name for it; `check` looks at it as a whole.
fn document<T>(
    what: &'static str,
    json: &str,
    read: impl FnOnce(&mut Fields) -> (String, Option<T>),
    check: impl FnOnce(&T) -> Result<(), BillingError>,
) -> Result<T, BillingError> {
    let unreadable = |problem| BillingError::Invalid { what, id: String::new(), problems: vec![problem] };
    if json.len() > MAX_DOCUMENT_BYTES {
        return Err(unreadable(format!("{} bytes are too many: at most {MAX_DOCUMENT_BYTES}", json.len())));
    }
    let table = serde_json::from_str(json).map_err(|error| unreadable(error.to_string()))?;
    let mut fields = Fields::of(table);
    let (id, made) = read(&mut fields);
    let mut problems = fields.end(&format!("{what}s"));
    match made.as_ref().map(check) {
        Some(Err(BillingError::Invalid { problems: more, .. })) => problems.extend(more),
        Some(Err(error)) => problems.push(error.to_string()),
        Some(Ok(())) | None => {}
    }
    if problems.len() > MAX_PROBLEMS {
        let more = problems.len() - MAX_PROBLEMS;
        problems.truncate(MAX_PROBLEMS);
        problems.push(format!("and {more} more"));
    }
    match (made, problems.is_empty()) {
        (Some(made), true) => Ok(made),
        _ => {
            Err(BillingError::Invalid { what, id: id.chars().take(crate::MAX_ID_BYTES).collect(), problems })
        }
    }
}

impl BillingSettings {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn from_json(json: &str) -> Result<Self, BillingError> {
        let read = |fields: &mut Fields| {
            let issuer = fields.required::<Party>("issuer").unwrap_or_default();
            let settings = Self {
                issuer,
                invoice_prefix: fields.optional("invoice_prefix").unwrap_or_else(invoice_prefix),
                credit_note_prefix: fields.optional("credit_note_prefix").unwrap_or_else(credit_note_prefix),
                terms_days: fields.optional("terms_days").unwrap_or_else(terms),
                export_invoices: fields.optional("export_invoices").unwrap_or_default(),
                export_usage: fields.optional("export_usage").unwrap_or_default(),
                export_usage_from: fields.moment("export_usage_from"),
            };
            (String::new(), Some(settings))
        };
        document("billing setting", json, read, Self::validate)
    }
}

impl Customer {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn from_json(json: &str) -> Result<Self, BillingError> {
        let read = |fields: &mut Fields| {
            let id = fields.required::<String>("id").unwrap_or_default();
            let party = Party {
                name: fields.required("name").unwrap_or_default(),
                address: fields.optional("address").unwrap_or_default(),
                tax_ids: fields.optional("tax_ids").unwrap_or_default(),
            };
            let (currency, zone) = (fields.required("currency"), fields.required("zone"));
            let stripe_customer = fields.nullable("stripe_customer");
            let made = currency.zip(zone).map(|(currency, zone)| Self {
                id: id.clone(),
                party,
                currency,
                zone,
                stripe_customer,
            });
            (id, made)
        };
        document("customer", json, read, Self::validate)
    }
}

impl NewSubscription {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn from_json(json: &str) -> Result<Self, BillingError> {
        let read = |fields: &mut Fields| {
            let id = fields.required::<String>("id").unwrap_or_default();
            let (customer, plan) = (fields.required("customer"), fields.required("plan"));
            let started_at = fields.required_moment("started_at");
            let (owner, quotas) = (fields.optional("owner"), fields.optional("quotas"));
            let (coupons, thresholds) = (fields.optional("coupons"), fields.nullable("thresholds"));
            let metadata = fields.optional("metadata");
            let made = customer.zip(plan).zip(started_at).map(|((customer, plan), started_at)| Self {
                id: id.clone(),
                customer,
                owner: owner.unwrap_or_default(),
                plan,
                started_at,
                quotas: quotas.unwrap_or_default(),
                coupons: coupons.unwrap_or_default(),
                thresholds,
                metadata: metadata.unwrap_or_default(),
            });
            (id, made)
        };
        document("subscription", json, read, Self::validate)
    }
}

impl NewWallet {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn from_json(json: &str) -> Result<Self, BillingError> {
        let read = |fields: &mut Fields| {
            let id = fields.required::<String>("id").unwrap_or_default();
            let (customer, currency) = (fields.required("customer"), fields.required("currency"));
            let (priority, only) = (fields.required("priority"), fields.nullable("only"));
            let created_at = fields.required_moment("created_at");
            let made = customer.zip(currency).zip(priority.zip(created_at)).map(
                |((customer, currency), (priority, created_at))| Self {
                    id: id.clone(),
                    customer,
                    currency,
                    priority,
                    only,
                    created_at,
                },
            );
            (id, made)
        };
        document("wallet", json, read, |_| Ok(()))
    }
}

impl NewCredit {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn from_json(json: &str) -> Result<Self, BillingError> {
        let read = |fields: &mut Fields| {
            let id = fields.required::<String>("id").unwrap_or_default();
            let (wallet, source) = (fields.required("wallet"), fields.required("source"));
            let (priority, minor) = (fields.required("priority"), fields.required("minor"));
            let (received_at, expires_at) =
                (fields.required_moment("received_at"), fields.moment("expires_at"));
            let made = wallet.zip(source).zip(priority.zip(minor)).zip(received_at).map(
                |(((wallet, source), (priority, minor)), received_at)| Self {
                    wallet,
                    id: id.clone(),
                    source,
                    priority,
                    minor,
                    received_at,
                    expires_at,
                },
            );
            (id, made)
        };
        document("credit", json, read, |_| Ok(()))
    }
}

/// A credit note as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditNoteRequest {
    /// Id or number of the invoice.
    pub invoice: String,
    /// What is given back.
    pub lines: Vec<CreditLine>,
    /// Why.
    pub reason: String,
}

impl CreditNoteRequest {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`BillingError::Invalid`] with every problem.
    pub fn from_json(json: &str) -> Result<Self, BillingError> {
        let read = |fields: &mut Fields| {
            let invoice = fields.required::<String>("invoice").unwrap_or_default();
            let (lines, reason) = (fields.required("lines"), fields.required("reason"));
            let made =
                lines.zip(reason).map(|(lines, reason)| Self { invoice: invoice.clone(), lines, reason });
            (invoice, made)
        };
        document("credit note", json, read, |_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems<T: std::fmt::Debug>(read: Result<T, BillingError>) -> Vec<String> {
        match read.unwrap_err() {
            BillingError::Invalid { problems, .. } => problems,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn everything_that_is_wrong_with_a_document_is_told_at_once() {
        let told = problems(Customer::from_json(r#"{"id":"","name":"A","currency":"nope","zones":"UTC"}"#));
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("`currency`:") && told[1] == "`zone` is missing", "{told:?}");
        assert!(told[2].starts_with("`zones` is no field of customers"), "{told:?}");
        let whole = r#"{"id":"a b","name":"","currency":"EUR","zone":"UTC","address":["\u0007"]}"#;
        assert_eq!(problems(Customer::from_json(whole)).len(), 3);
        let told = problems(NewSubscription::from_json(r#"{"id":"s","started_at":"yesterday"}"#));
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[2].contains("yesterday") && told[2].contains("2026-01-01T00:00:00Z"), "{told:?}");
        assert_eq!(problems(BillingSettings::from_json("[]")).len(), 1);
        assert_eq!(problems(NewCredit::from_json("{}")).len(), 6);
        assert_eq!(problems(NewWallet::from_json("{}")).len(), 5);
        assert_eq!(problems(CreditNoteRequest::from_json("{}")).len(), 3);
    }

    #[test]
    fn a_document_that_is_too_large_is_not_read() {
        let large = format!("\"{}\"", "a".repeat(MAX_DOCUMENT_BYTES));
        assert!(problems(Customer::from_json(&large))[0].contains("too many"));
    }

    #[test]
    fn instants_are_written_as_texts_or_as_microseconds() {
        let read = |at: &str| {
            let json = format!(r#"{{"id":"s","customer":"c","plan":"p","started_at":{at}}}"#);
            NewSubscription::from_json(&json).unwrap().started_at.micros()
        };
        assert_eq!(read("1767225600000000"), read("\"2026-01-01T00:00:00Z\""));
    }
}
