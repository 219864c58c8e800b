//! `creto meter`: what is counted of events, what it comes to, and whether every producer's account adds up.

mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use creto_proto::v1;
use serde_json::json;

use super::operators;
use crate::failure::Outcome;
use crate::operator::refused;
use crate::output::moment;
use crate::session::Session;
use crate::span::Span;

/// Rollups are kept by the minute: questions are about whole ones.
const MINUTE_MS: i64 = 60_000;

/// What is asked of meters.
#[derive(Debug, Subcommand)]
pub(crate) enum MeterCommand {
    /// The meters of the namespace, the built-in ones included.
    List,
    /// Define a meter. It counts events that come in from then on, and never changes.
    Put(PutArgs),
    /// What a meter comes to.
    Query(QueryArgs),
    /// Whether what every producer sent adds up: sent = accepted + duplicate + rejected. Exits with 1 if it does not.
    Verify(verify::VerifyArgs),
    /// Make a token that sends events into the namespace and may do nothing else; it is shown once.
    Token {
        /// Tells tokens apart.
        name: String,
        /// Write it to this new file, readable for its owner only, instead of showing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// How events become a number.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Aggregation {
    /// How many events.
    Count,
    /// The sum of a property.
    Sum,
    /// The largest value of a property.
    Max,
    /// How many distinct values of a property.
    UniqueCount,
    /// The value of the last event.
    Latest,
    /// A level that changes, weighted by time.
    WeightedSum,
}

impl Aggregation {
    /// Its name on the API.
    fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Max => "max",
            Self::UniqueCount => "unique_count",
            Self::Latest => "latest",
            Self::WeightedSum => "weighted_sum",
        }
    }
}

/// Windows of time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Window {
    /// By the minute.
    Minute,
    /// By the hour.
    Hour,
    /// By the day.
    Day,
    /// By the month.
    Month,
    /// The whole span at once.
    All,
}

impl Window {
    /// Its name on the API.
    fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::All => "",
        }
    }
}

/// Options of `meter put`.
#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    /// Its name, such as images.pixels.
    name: String,
    /// The type of events it counts, such as image.rendered.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: String,
    /// How events become a number.
    #[arg(long, value_enum, default_value = "count")]
    aggregation: Aggregation,
    /// The property it reads; none for a count.
    #[arg(long, value_name = "PROPERTY", default_value = "", hide_default_value = true)]
    field: String,
    /// Properties its numbers are kept apart by, besides agent, customer and subscription.
    #[arg(long, value_name = "PROPERTY", value_delimiter = ',')]
    by: Vec<String>,
    /// What the number is of, such as pixel.
    #[arg(long, default_value = "", hide_default_value = true)]
    unit: String,
}

/// Options of `meter query`.
#[derive(Args, Debug)]
pub(crate) struct QueryArgs {
    /// The meter.
    name: String,
    /// Of events that happened within this span: 1h, 7d.
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: Span,
    /// By window, in UTC.
    #[arg(long, value_enum, default_value = "day")]
    window: Window,
    /// By these: agent, customer, subscription, or dimensions of the meter.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    by: Vec<String>,
    /// Only where this is equal, such as customer=acme. May be given several times.
    #[arg(long = "where", value_name = "NAME=VALUE", value_parser = pair)]
    only: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is no condition: write NAME=VALUE")),
    }
}

/// Does it; gives the exit code.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn run(session: &Session, command: MeterCommand) -> Outcome<u8> {
    match command {
        MeterCommand::List => list(session).await?,
        MeterCommand::Put(args) => put(session, args).await?,
        MeterCommand::Query(args) => query(session, args).await?,
        MeterCommand::Verify(args) => return verify::run(session, args).await,
        MeterCommand::Token { name, out } => {
            let note = "it sends events and may do nothing else";
            operators::make(session, name, operators::Role::Producer, out, note).await?;
        }
    }
    Ok(0)
}

async fn list(session: &Session) -> Outcome {
    let operator = session.operator().await?;
    let request = v1::ListMetersRequest { namespace: operator.namespace.clone() };
    let answer = operator.client.meters().list_meters(request).await;
    let meters =
        answer.map_err(|status| refused("The meters cannot be listed.", &status))?.into_inner().meters;
    let rows: Vec<_> = meters.iter().map(row).collect();
    session.output.list(&["name", "of events", "aggregation", "field", "by", "unit"], &rows)
}

fn row(meter: &v1::Meter) -> (Vec<String>, serde_json::Value) {
    let cells = vec![
        meter.name.clone(),
        meter.event_type.clone(),
        meter.aggregation.clone(),
        meter.field.clone(),
        meter.dimensions.join(","),
        meter.unit.clone(),
    ];
    let value = json!({
        "name": meter.name, "event_type": meter.event_type, "aggregation": meter.aggregation,
        "field": meter.field, "dimensions": meter.dimensions, "unit": meter.unit,
    });
    (cells, value)
}

async fn put(session: &Session, args: PutArgs) -> Outcome {
    let operator = session.operator().await?;
    let meter = v1::Meter {
        name: args.name,
        event_type: args.event_type,
        aggregation: args.aggregation.as_str().into(),
        field: args.field,
        dimensions: args.by,
        unit: args.unit,
    };
    let (_, value) = row(&meter);
    let text = format!("Meter {} counts events of type {} from now on.", meter.name, meter.event_type);
    let request = v1::PutMeterRequest { namespace: operator.namespace.clone(), meter: Some(meter) };
    let answer = operator.client.meters().put_meter(request).await;
    answer.map_err(|status| refused("The meter cannot be defined.", &status))?;
    session.output.value(&value, &text)
}

async fn query(session: &Session, args: QueryArgs) -> Outcome {
    let operator = session.operator().await?;
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let from_ms = (now_ms - args.since.millis()).div_euclid(MINUTE_MS) * MINUTE_MS;
    let request = v1::QueryMeterRequest {
        namespace: operator.namespace.clone(),
        meter: args.name,
        from_ms: from_ms.max(0),
        // Producers' clocks may be ahead by as much as is accepted.
        to_ms: now_ms.div_euclid(MINUTE_MS) * MINUTE_MS + 6 * MINUTE_MS,
        window: args.window.as_str().into(),
        group_by: args.by.clone(),
        r#where: args.only.into_iter().collect(),
    };
    let answer = operator.client.meters().query_meter(request).await;
    let values = answer.map_err(|status| refused("The meter does not answer.", &status))?.into_inner().values;
    let mut heading: Vec<&str> = vec!["from"];
    heading.extend(args.by.iter().map(String::as_str));
    heading.extend(["value", "events"]);
    let rows: Vec<_> = values
        .iter()
        .map(|value| {
            let mut cells = vec![moment(value.window_starts_ms)];
            cells.extend(args.by.iter().map(|name| value.group.get(name).cloned().unwrap_or_default()));
            cells.extend([value.value.clone(), value.events.to_string()]);
            let shown = json!({
                "from": moment(value.window_starts_ms), "group": value.group,
                "value": value.value, "events": value.events,
            });
            (cells, shown)
        })
        .collect();
    session.output.list(&heading, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_name_and_a_value() {
        assert_eq!(pair("customer=acme"), Ok(("customer".into(), "acme".into())));
        assert_eq!(pair("model="), Ok(("model".into(), String::new())));
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("acme").is_err() && pair("=acme").is_err());
    }
}
