//! Exports the meter events of namespace `default` once, to be killed while it does.
//!
//! `export-once DATABASE ADDRESS MICROS ROUND`, with the key in `CRETO_STRIPE_KEY`. Each round looks at the outbox ten
//! minutes after the one before, when what a dead process had claimed is free again.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use creto_billing::{ApiKey, Exporter, MeterEventMode, SqlStore, StripeAddress, StripeClient};
use creto_rating::Moment;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, address, micros, round] = arguments.as_slice() else {
        return Err("export-once DATABASE ADDRESS MICROS ROUND".into());
    };
    let store = SqlStore::sqlite(Path::new(database)).await?;
    let key = ApiKey::new(std::env::var("CRETO_STRIPE_KEY")?.into())?;
    let client = StripeClient::new(StripeAddress::at(address.parse()?), key)?;
    let at = Moment::from_micros(micros.parse::<i64>()? + round.parse::<i64>()? * 600_000_000)?;
    let exporter = Exporter::new(&store, &client, "default", MeterEventMode::Single);
    exporter.export_meter_events(at).await?;
    Ok(())
}
