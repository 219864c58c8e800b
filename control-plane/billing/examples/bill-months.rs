//! Draws up and issues the bills of February to June 2025 of namespace `default`, to be killed while it does.
//!
//! `bill-months DATABASE KEY-FILE`, where the database is a path or a `postgres://` URL. Prints a line before each step.
//! Events are made up, the same every time, and gone after ninety days.
#![forbid(unsafe_code)]

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use async_trait::async_trait;
use creto_billing::{
    BillingError, BillingRun, Finalize, InvoiceKey, InvoiceStore, SourceError, SourcedEvent, SqlStore,
    UsageSource,
};
use creto_rating::{Moment, Order, UsageEvent, Value};

const DAY: i64 = 86_400_000_000;
/// The start of 2025.
const START: i64 = 1_735_689_600_000_000;

/// A seat and a licence a day; every third seat is taken away again.
struct Days {
    now: Moment,
}

#[async_trait]
impl UsageSource for Days {
    async fn scan(
        &self,
        _: &str,
        from: Moment,
        to: Moment,
        each: &mut (dyn for<'e> FnMut(&'e SourcedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), SourceError> {
        if from.micros() < self.now.micros() - 90 * DAY {
            return Err(SourceError("events of that time are not kept any more".to_owned()));
        }
        for day in 0_u64..160 {
            for meter in ["seat", "licence"] {
                let micros = START + i64::try_from(day).unwrap_or_default() * DAY + 3_600_000_000;
                let at = Moment::from_micros(micros).map_err(|error| SourceError(error.to_string()))?;
                if at < from || at >= to || at > self.now {
                    continue;
                }
                let operation = if day % 3 == 2 { "remove" } else { "add" };
                let user = if day % 3 == 2 { day - 1 } else { day };
                let properties = [
                    ("user".to_owned(), Value::Text(user.to_string())),
                    ("gigabytes".to_owned(), Value::Number(1.into())),
                    ("operation_type".to_owned(), Value::Text(operation.to_owned())),
                ];
                let event = UsageEvent {
                    id: format!("{meter}-{day}"),
                    meter: meter.to_owned(),
                    order: Order { at, sequence: day },
                    agent: "ann".to_owned(),
                    properties: properties.into(),
                };
                let sourced = SourcedEvent { subscription: "sub".to_owned(), customer: String::new(), event };
                if each(&sourced).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, key] = arguments.as_slice() else {
        eprintln!("bill-months DATABASE KEY-FILE");
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
    // The ends of January to May.
    for days in [31, 59, 90, 120, 151] {
        let now = Moment::from_micros(START + days * DAY)
            .map_err(|error| BillingError::Damaged { what: "time", cause: error.to_string() })?;
        loop {
            eprintln!("draw up {days}");
            let mut report = BillingRun::new("default", now).draw_up(&store, &Days { now }).await?;
            if let Some((_, error)) = report.refused.pop() {
                return Err(error);
            }
            let Some(draft) = report.drafts.first() else { break };
            eprintln!("finalize {}", draft.id);
            let finalize = Finalize { invoice: &draft.id, key: &draft.id, at: now, signer: &signer };
            store.finalize("default", &finalize).await?;
        }
    }
    Ok(())
}
