//! `creto invoice export` and `creto invoice key`: what is handed to whoever pays.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use creto_billing::key_id;
use serde_json::{Value, json};

use super::{Got, get, summary};
use crate::failure::{Failure, Outcome, exit};
use crate::output::remark;
use crate::session::Session;

/// How an invoice is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Printed, from the signed document alone: the same invoice is the same bytes every time.
    Pdf,
    /// The signed document, byte for byte: what `creto invoice verify` reads.
    Json,
}

/// Options of `invoice export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// Id or number of an issued invoice.
    invoice: String,
    /// As what.
    #[arg(long, value_enum)]
    format: Format,
    /// Write it to this file, in place of what is there; standard output without.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Options of `invoice key`.
#[derive(Args, Debug)]
pub(crate) struct KeyArgs {
    /// Id or number of an issued invoice.
    invoice: String,
    /// Write it to this file; standard output without.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the invoice, and says which key signed it.
///
/// # Errors
/// When there is none, it is a draft, or the file cannot be written.
pub(super) async fn run(session: &Session, args: ExportArgs) -> Outcome {
    if args.format == Format::Pdf && args.out.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::new("A PDF is nothing for a terminal.")
            .next("Name a file with -o, or pipe it on.")
            .code(exit::USAGE));
    }
    let operator = session.operator().await?;
    let format = if args.format == Format::Pdf { "pdf" } else { "json" };
    let Got { summary: found, content, public_key } = get(&operator, &args.invoice, format).await?;
    if found.state == "draft" {
        return Err(Failure::new(format!("{} is a draft.", found.id))
            .why("drafts are neither numbered nor signed, and may change")
            .next(format!("Issue it with `creto invoice finalize {}`.", found.id)));
    }
    let Some(path) = &args.out else { return printed(&content) };
    written(path, &content)?;
    let key = match args.format {
        Format::Json => signing_key(&content),
        Format::Pdf => None,
    };
    let mut value = summary::value(&found);
    value["file"] = path.display().to_string().into();
    value["signing_key"] = key.clone().into();
    value["public_key"] = Some(public_key).filter(|key| !key.is_empty()).map(hex::encode).into();
    let signed = key.map(|key| format!(", signed with key {key}"));
    let text = format!("{} is in {}{}", found.number, path.display(), signed.unwrap_or_default());
    session.output.value(&value, &text)
}

/// The id of the key a document names.
fn signing_key(content: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(content).ok()?;
    document["signing_key"].as_str().map(str::to_owned)
}

/// Writes the public key: 64 hexadecimal digits.
///
/// # Errors
/// When the invoice is a draft or was signed with another key, or the file cannot be written.
pub(super) async fn key(session: &Session, args: KeyArgs) -> Outcome {
    let operator = session.operator().await?;
    let Got { summary: found, public_key, .. } = get(&operator, &args.invoice, "json").await?;
    let public: [u8; 32] = public_key.try_into().map_err(|_| {
        let failure = Failure::new("The control plane has no key that verifies this invoice.");
        if found.state == "draft" {
            failure
                .why("it is a draft, and not signed")
                .next(format!("Issue it with `creto invoice finalize {}`.", found.id))
        } else {
            failure
                .why("it was signed with another key than the one there is now")
                .next("Take the public key that was kept when that key signed.")
        }
    })?;
    let (id, text) = (key_id(&public), hex::encode(public));
    let value = json!({"id": id, "public_key": text});
    let Some(path) = args.out else {
        session.output.value(&value, &text)?;
        if !session.output.is_json() {
            remark(&format!("This is key {id}. Whoever pins it can verify every invoice that names it."));
        }
        return Ok(());
    };
    written(&path, format!("{text}\n").as_bytes())?;
    session.output.value(&value, &format!("public key {id} is in {}", path.display()))
}

/// Writes a file, in place of what is there.
///
/// # Errors
/// When the system refuses.
pub(super) fn written(path: &Path, content: &[u8]) -> Outcome {
    std::fs::write(path, content).map_err(|error| {
        Failure::new(format!("{} cannot be written.", path.display()))
            .why(error)
            .next("Name a file in a folder that this user may write to.")
    })
}

/// The bytes as they are: a line end more would break the signature.
fn printed(content: &[u8]) -> Outcome {
    let mut output = std::io::stdout().lock();
    match output.write_all(content).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new("The invoice cannot be printed.").why(error))
        }
        _ => Ok(()),
    }
}
