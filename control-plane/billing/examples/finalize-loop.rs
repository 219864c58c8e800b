//! Finalizes every draft of namespace `default` in a store, to be killed while it does.
//!
//! `finalize-loop DATABASE KEY-FILE`, where the database is a path or a `postgres://` URL. Prints the id of each invoice
//! before it is finalized.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use creto_billing::{
    BillingError, Finalize, InvoiceKey, InvoiceSelection, InvoiceState, InvoiceStore, SqlStore,
};
use creto_rating::Moment;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, key] = arguments.as_slice() else {
        eprintln!("finalize-loop DATABASE KEY-FILE");
        return ExitCode::FAILURE;
    };
    match run(database, key).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(database: &str, key: &str) -> Result<(), BillingError> {
    let store = if database.starts_with("postgres://") {
        SqlStore::postgres(database).await?
    } else {
        SqlStore::sqlite(Path::new(database)).await?
    };
    let signer = InvoiceKey::open(Path::new(key))?;
    let selection = InvoiceSelection { state: Some(InvoiceState::Draft), ..InvoiceSelection::default() };
    for invoice in store.invoices("default", &selection).await? {
        eprintln!("{}", invoice.id);
        let at = Moment::from_micros(1_769_904_000_000_000)
            .map_err(|error| BillingError::Damaged { what: "time", cause: error.to_string() })?;
        let finalize = Finalize { invoice: &invoice.id, key: &invoice.id, at, signer: &signer };
        store.finalize("default", &finalize).await?;
    }
    Ok(())
}
