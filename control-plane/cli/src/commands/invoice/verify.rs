//! `creto invoice verify`: that a document is as it was issued, with nothing but its file and a public key.

use std::path::{Path, PathBuf};

use clap::Args;
use creto_billing::{CreditNoteDocument, InvoiceDocument, MAX_SIGNED_BYTES, SignatureError, key_id, verify};
use serde_json::{Value, json};

use crate::commands::billing::money::{amount, digits};
use crate::failure::{Failure, Outcome};
use crate::session::Session;

/// Bytes a key's file may have.
const MAX_KEY_BYTES: u64 = 1_024;

/// Options of `invoice verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// What `creto invoice export --format json` wrote.
    file: PathBuf,
    /// File of the issuer's public key, as `creto invoice key` writes it. It must come another way than the invoice.
    #[arg(long, value_name = "FILE", required_unless_present = "key", conflicts_with = "key")]
    key_file: Option<PathBuf>,
    /// The public key itself, 64 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// The id the key must have, where that is what the issuer made known.
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
}

/// Verifies; a document that does not hold is a failure.
///
/// # Errors
/// When a file cannot be read, the key is another, or any byte is not as it was issued.
pub(super) fn run(session: &Session, args: VerifyArgs) -> Outcome {
    let text = match (&args.key, &args.key_file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => String::from_utf8_lossy(&content(path, MAX_KEY_BYTES)?).into_owned(),
        (None, None) => String::new(),
    };
    let public = public_key(text.trim()).map_err(|problem| {
        Failure::new("There is no public key to verify with.")
            .why(problem)
            .next("Ask the issuer for the key that `creto invoice key` prints.")
    })?;
    let id = key_id(&public);
    if let Some(wanted) = args.key_id.filter(|wanted| *wanted != id) {
        return Err(Failure::new("The public key is another than the one that is wanted.")
            .why(format!("it is key {id}, not {wanted}"))
            .next("Ask the issuer which of them is right, another way than the invoice came."));
    }
    let json = content(&args.file, MAX_SIGNED_BYTES as u64)?;
    let (value, told) = verified(&json, &public).map_err(|error| refused(&args.file, &error))?;
    let text = format!("{told}: it is as it was issued, signed with key {id}");
    session.output.value(&json!({"holds": true, "signing_key": id, "document": value}), &text)
}

/// 32 bytes as 64 hexadecimal digits.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn public_key(text: &str) -> Result<[u8; 32], String> {
    let mut public = [0_u8; 32];
    hex::decode_to_slice(text, &mut public)
        .map_err(|_| "a public key is 64 hexadecimal digits, and nothing else".to_owned())?;
    Ok(public)
}

fn verified(json: &[u8], public: &[u8; 32]) -> Result<(Value, String), SignatureError> {
    // The two are told apart by what only an invoice has.
    let document: Value = verify(json, public)?;
    if document.get("due_minor").is_some() {
        let invoice: InvoiceDocument = verify(json, public)?;
        return Ok(of_invoice(&invoice));
    }
    let note: CreditNoteDocument = verify(json, public)?;
    Ok(of_note(&note))
}

fn of_invoice(invoice: &InvoiceDocument) -> (Value, String) {
    let (total, due) = (invoice.total_minor, invoice.due_minor);
    let told = format!(
        "invoice {} of {} to {}, {}, {} due",
        invoice.number,
        invoice.issuer.name,
        invoice.customer.name,
        amount(total, invoice.currency),
        digits(due, invoice.currency)
    );
    let value = json!({
        "kind": "invoice", "number": invoice.number, "issuer": invoice.issuer.name, "customer": invoice.customer_id,
        "currency": invoice.currency.code(), "total": digits(total, invoice.currency),
        "due": digits(due, invoice.currency), "issued_at": invoice.issued_at.to_string(),
        "due_at": invoice.due_at.to_string(),
    });
    (value, told)
}

fn of_note(note: &CreditNoteDocument) -> (Value, String) {
    let told = format!(
        "credit note {} of invoice {}, {}",
        note.number,
        note.invoice_number,
        amount(note.total_minor, note.currency)
    );
    let value = json!({
        "kind": "credit_note", "number": note.number, "invoice": note.invoice_number, "customer": note.customer,
        "currency": note.currency.code(), "total": digits(note.total_minor, note.currency),
        "issued_at": note.issued_at.to_string(),
    });
    (value, told)
}

fn refused(file: &Path, error: &SignatureError) -> Failure {
    let failure = Failure::new(format!("{} does not hold.", file.display())).why(error);
    match error {
        SignatureError::OtherKey { .. } => failure
            .next("Take the public key of that id, if the issuer vouches for it; otherwise do not pay."),
        _ => failure
            .next("Do not pay it. Ask the issuer for the document again: even a line end more breaks it."),
    }
}

fn content(path: &Path, most: u64) -> Outcome<Vec<u8>> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::new(format!("{} cannot be read.", path.display()))
            .why(why)
            .next("Name the file that `creto invoice export` or `creto invoice key` wrote.")
    };
    let length = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if length > most {
        return Err(unreadable(&format!("{length} bytes are too many: at most {most}")));
    }
    std::fs::read(path).map_err(|error| unreadable(&error))
}
