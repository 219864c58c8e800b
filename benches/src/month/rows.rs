//! The same events as rows for PostgreSQL, and what is asked of it.

use std::fmt::Write as _;
use std::io::Write as _;

use creto_rating::CouponAmount;

use super::Failed;
use super::billing::Billed;
use super::frames::{UNKNOWN, agent_name, customer_id, subscription_id, user_name};
use super::postgres::{CopyIn, Postgres};
use super::setup::terms;
use super::usage::{KINDS, PROPERTIES, Payer, Usage, Value, usage};

/// Connections per table that copy at a time, and events one of them takes before the next does.
const LOADERS: u64 = 2;
const BLOCK: u64 = 4_096;
/// Bytes of rows that are kept before they are sent.
const BUFFER: usize = 256 << 10;

/// Tables, and in them the events and what was set up.
pub(super) fn load(postgres: &Postgres, events: u64) -> Result<(), Failed> {
    postgres.run(include_str!("tables.sql"))?;
    copy(postgres, "subscriptions", &subscriptions()?)?;
    copy(postgres, "coupons", &coupons()?)?;
    std::thread::scope(|scope| {
        let loaders: Vec<_> =
            (0..LOADERS).map(|loader| scope.spawn(move || load_part(postgres, loader, events))).collect();
        for loader in loaders {
            loader.join().map_err(|_| "a loader ended badly")??;
        }
        Ok::<(), Failed>(())
    })?;
    postgres.run("ANALYZE;")?;
    Ok(())
}

/// Every difference between `billed` and what SQL comes to, a line each.
pub(super) fn recompute(postgres: &Postgres, billed: &Billed) -> Result<String, Failed> {
    postgres.run(include_str!("prices.sql"))?;
    postgres.run(include_str!("usage.sql"))?;
    postgres.run(include_str!("lines.sql"))?;
    copy(postgres, "billed_lines", &billed.lines)?;
    copy(postgres, "billed_invoices", &billed.invoices)?;
    copy(postgres, "billed_taxes", &billed.taxes)?;
    copy(postgres, "seen", &billed.seen)?;
    postgres.run(include_str!("compare.sql"))
}

fn copy(postgres: &Postgres, table: &str, rows: &str) -> Result<(), Failed> {
    let mut copy = postgres.copy_in(table)?;
    copy.write_all(rows.as_bytes())?;
    copy.finish()
}

fn load_part(postgres: &Postgres, loader: u64, events: u64) -> Result<(), Failed> {
    let mut tables = Vec::new();
    for kind in &KINDS {
        tables.push((postgres.copy_in(kind.name)?, Vec::with_capacity(BUFFER + 4_096)));
    }
    for block in (loader..events.div_ceil(BLOCK)).step_by(LOADERS as usize) {
        for nth in block * BLOCK..(block * BLOCK + BLOCK).min(events) {
            let used = usage(nth, events);
            let (copy, rows) = &mut tables[used.kind];
            row(rows, &used)?;
            if rows.len() >= BUFFER {
                copy.write_all(rows)?;
                rows.clear();
            }
        }
    }
    for (mut copy, rows) in tables {
        copy.write_all(&rows)?;
        CopyIn::finish(copy)?;
    }
    Ok(())
}

fn row(rows: &mut Vec<u8>, used: &Usage) -> Result<(), std::io::Error> {
    let (customer, subscription) = match used.payer {
        Payer::Subscription(customer) => (customer_id(customer), subscription_id(customer)),
        Payer::Customer(customer) => (customer_id(customer), String::new()),
        Payer::Unknown => (String::new(), UNKNOWN.to_owned()),
        Payer::Nobody => (String::new(), String::new()),
    };
    write!(rows, "{}\t{}\t{customer}\t{subscription}", used.at_us, agent_name(used.agent))?;
    for (place, value) in KINDS[used.kind].properties.iter().zip(used.values) {
        match value {
            Value::None => write!(rows, "\t\\N")?,
            Value::Number(number) => {
                let unit = 10_u64.pow(PROPERTIES[*place].scale.unwrap_or(0));
                let sign = if number < 0 { "-" } else { "" };
                let (whole, part) = (number.unsigned_abs() / unit, number.unsigned_abs() % unit);
                write!(rows, "\t{sign}{whole}")?;
                if unit > 1 {
                    let places = PROPERTIES[*place].scale.unwrap_or(0) as usize;
                    write!(rows, ".{part:0places$}")?;
                }
            }
            Value::Word(word) => write!(rows, "\t{word}")?,
            Value::User(user) => write!(rows, "\t{}", user_name(user))?,
        }
    }
    rows.push(b'\n');
    Ok(())
}

fn subscriptions() -> Result<String, Failed> {
    let or_null = |time: Option<i64>| time.map_or_else(|| "\\N".to_owned(), |time| time.to_string());
    let mut rows = String::new();
    for terms in terms()? {
        let (sub, customer) = (subscription_id(terms.customer), customer_id(terms.customer));
        let (started, ended) = (or_null(terms.started_us), or_null(terms.ended_us));
        let (changed, later) =
            (or_null(terms.later.map(|later| later.0)), terms.later.map_or("\\N", |later| later.1));
        writeln!(
            rows,
            "{sub}\t{customer}\t{}\t{started}\t{ended}\t{}\t{changed}\t{later}",
            terms.zone, terms.plan
        )?;
    }
    Ok(rows)
}

fn coupons() -> Result<String, Failed> {
    let mut rows = String::new();
    for terms in terms()? {
        for (nth, coupon) in (1..).zip(&terms.coupons) {
            let (percent, minor) = match coupon.amount {
                CouponAmount::Percent(percent) => (percent.to_string(), "\\N".to_owned()),
                CouponAmount::Fixed { minor, .. } => ("\\N".to_owned(), minor.to_string()),
            };
            let only = coupon.only.as_ref().map_or_else(
                || "\\N".to_owned(),
                |only| format!("{{{}}}", only.iter().cloned().collect::<Vec<_>>().join(",")),
            );
            let sub = subscription_id(terms.customer);
            writeln!(rows, "{sub}\t{nth}\t{}\t{percent}\t{minor}\t{only}", coupon.code)?;
        }
    }
    Ok(rows)
}
