//! `creto invoice credit` and `creto invoice credit-notes`: what is given back.

use std::path::{Path, PathBuf};

use clap::Args;
use creto_billing::{CreditNoteDocument, CreditNoteRequest, canonical};
use creto_proto::v1;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::commands::billing::document_of;
use crate::commands::billing::money::{amount, digits};
use crate::failure::{Failure, Outcome};
use crate::operator::refused;
use crate::output::moment;
use crate::session::Session;

/// Bytes the file may have.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Hexadecimal digits of a key that is made from a file.
const KEY_DIGITS: usize = 32;

/// Options of `invoice credit`.
#[derive(Args, Debug)]
pub(crate) struct CreditArgs {
    /// TOML, or JSON where the name ends in .json: `invoice`, `reason`, and `lines` of `line` and `total_minor`.
    file: PathBuf,
    /// Idempotency key; made from what the file says when left out, so that the same file again gives nothing back twice.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Write the signed credit note to this file, as `creto invoice verify` reads it.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Issues a credit note.
///
/// # Errors
/// When the file does not hold, more would be given back than is left, or the control plane refuses.
pub(super) async fn run(session: &Session, args: CreditArgs) -> Outcome {
    let document = read(&args.file)?;
    let key = match args.key {
        Some(key) => key,
        None => key_of(&document)?,
    };
    let operator = session.operator().await?;
    let request = v1::CreditInvoiceRequest {
        namespace: operator.namespace.clone(),
        document: Value::Object(document).to_string(),
        key,
    };
    let answer = operator.client.billing().credit_invoice(request).await;
    let issued = answer.map_err(|status| refused("Nothing is given back.", &status))?.into_inner().document;
    if let Some(path) = &args.out {
        super::export::written(path, issued.as_bytes())?;
    }
    let note = note_of(&issued)?;
    let text = format!(
        "{} gives back {} of {}, {} of it tax",
        note.number,
        amount(note.total_minor, note.currency),
        note.invoice_number,
        digits(note.tax_minor, note.currency)
    );
    session.output.value(&value(&note), &text)
}

/// Lists the credit notes of a customer.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn list(session: &Session, customer: String) -> Outcome {
    let operator = session.operator().await?;
    let request = v1::ListCreditNotesRequest { namespace: operator.namespace.clone(), customer };
    let answer = operator.client.billing().list_credit_notes(request).await;
    let documents = answer
        .map_err(|status| refused("The credit notes cannot be listed.", &status))?
        .into_inner()
        .documents;
    let notes: Vec<CreditNoteDocument> =
        documents.iter().map(|text| note_of(text)).collect::<Outcome<_>>()?;
    let rows: Vec<_> = notes
        .iter()
        .map(|note| {
            let cells = vec![
                note.number.clone(),
                moment(note.issued_at.micros().div_euclid(1_000)),
                note.invoice_number.clone(),
                amount(note.total_minor, note.currency),
                note.reason.clone(),
            ];
            (cells, value(note))
        })
        .collect();
    session.output.list(&["number", "issued", "of invoice", "total", "reason"], &rows)
}

/// What a credit note says, signed or not.
fn note_of(text: &str) -> Outcome<CreditNoteDocument> {
    let mut fields: Map<String, Value> = document_of(text)?;
    fields.remove("signature");
    fields.remove("signing_key");
    document_of(&Value::Object(fields).to_string())
}

fn value(note: &CreditNoteDocument) -> Value {
    let lines: Vec<Value> = note
        .lines
        .iter()
        .map(|line| {
            json!({
                "line": line.line, "description": line.description, "net": digits(line.net_minor, note.currency),
                "tax": digits(line.tax_minor, note.currency), "total": digits(line.total_minor, note.currency),
            })
        })
        .collect();
    json!({
        "number": note.number, "invoice": note.invoice, "invoice_number": note.invoice_number,
        "customer": note.customer, "currency": note.currency.code(), "issued_at": note.issued_at.to_string(),
        "reason": note.reason, "lines": lines, "total": digits(note.total_minor, note.currency),
        "tax": digits(note.tax_minor, note.currency),
    })
}

fn read(path: &Path) -> Outcome<Map<String, Value>> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::new(format!("{} cannot be read.", path.display()))
            .why(why)
            .next("Write `invoice`, `reason`, and `lines` of `line` and `total_minor`.")
    };
    let length = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if length > MAX_FILE_BYTES {
        return Err(unreadable(&format!("{length} bytes are too many: at most {MAX_FILE_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let document: Map<String, Value> = if is_json {
        serde_json::from_str(&text).map_err(|error| unreadable(&error))?
    } else {
        toml::from_str(&text).map_err(|error| unreadable(&error))?
    };
    CreditNoteRequest::from_json(&Value::Object(document.clone()).to_string())
        .map_err(|problems| unreadable(&problems))?;
    Ok(document)
}

/// The same contents have the same key, whatever their order or white space.
fn key_of(document: &Map<String, Value>) -> Outcome<String> {
    let text = canonical(&Value::Object(document.clone()))
        .map_err(|error| Failure::new("The credit note cannot be read.").why(error))?;
    let mut digest = hex::encode(Sha256::digest(text));
    digest.truncate(KEY_DIGITS);
    Ok(format!("credit-{digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> Outcome<Map<String, Value>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn the_same_contents_have_the_same_key() {
        let toml =
            "reason = \"Goodwill\"\ninvoice = \"INV-000001\"\nlines = [{ line = 1, total_minor = 500 }]\n";
        let json =
            r#"{"invoice": "INV-000001", "lines": [{"total_minor": 500, "line": 1}], "reason": "Goodwill"}"#;
        let key = key_of(&written("a.toml", toml).unwrap()).unwrap();
        assert_eq!(key, key_of(&written("a.json", json).unwrap()).unwrap());
        assert_eq!(key.len(), "credit-".len() + KEY_DIGITS);
        let more = key_of(&written("a.toml", &toml.replace("500", "501")).unwrap()).unwrap();
        assert_ne!(key, more);
    }

    #[test]
    fn what_is_no_credit_note_is_refused_with_all_its_problems() {
        let refused = written("a.toml", "invoices = \"INV-000001\"\n").unwrap_err().to_json().to_string();
        for part in
            ["`invoice` is missing", "`lines` is missing", "`reason` is missing", "`invoices` is no field"]
        {
            assert!(refused.contains(part), "{part} is not told: {refused}");
        }
        assert!(written("a.json", "[]").is_err() && written("a.toml", "a =").is_err());
    }
}
