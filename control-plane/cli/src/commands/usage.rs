//! `creto usage`: what model calls used, and what that costs by the price list.

mod tally;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use creto_prices::{Format, PriceList};
use creto_proto::v1;

use self::tally::Tally;
use crate::failure::{Failure, Outcome};
use crate::operator::{Operator, refused};
use crate::output::remark;
use crate::session::Session;
use crate::span::Span;

/// Calls asked for at once.
const PAGE: u32 = 500;
/// Most recorded calls that one invocation adds up.
const MAX_CALLS: u64 = 10_000_000;

/// What usage is added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// Who called.
    Agent,
    /// The provider and model that answered.
    Model,
    /// The day the call began, in UTC.
    Day,
}

/// Options of `usage`.
#[derive(Args, Debug)]
pub(crate) struct UsageArgs {
    /// Add up by this.
    #[arg(long, value_enum, default_value = "model")]
    by: By,
    /// Of this agent.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    agent: String,
    /// Calls that began within this span: 1h, 7d.
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: Span,
    /// Own price rows (TOML, or JSON where the name ends in .json), ahead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// At most this many recorded calls, the newest; up to 10000000.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=MAX_CALLS))]
    limit: u64,
}

/// Adds up.
///
/// # Errors
/// When the price rows do not hold or the control plane refuses.
pub(crate) async fn run(session: &Session, args: UsageArgs) -> Outcome {
    let list = prices(args.prices.as_deref())?;
    let operator = session.operator().await?;
    let mut tally = Tally::new(list, args.by);
    let cut = read(&operator, &args, &mut tally).await?;
    if cut {
        remark(&format!("Only the newest {} calls are added up: give a larger --limit.", args.limit));
    }
    for (why, calls) in tally.unpriced() {
        remark(&format!("{calls} calls have no price and are not in the cost: {why}"));
    }
    let (heading, rows) = tally.rows();
    session.output.list(&heading, &rows)
}

fn prices(own: Option<&std::path::Path>) -> Outcome<PriceList> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new("The price list does not hold.").why(error);
    let list = PriceList::built_in().map_err(|error| wrong(&error))?;
    let Some(path) = own else { return Ok(list) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{} cannot be read.", path.display())).why(error))?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let format = if is_json { Format::Json } else { Format::Toml };
    list.with_own(&text, format).map_err(|error| wrong(&format!("{}: {error}", path.display())))
}

/// Reads the calls page by page, so that memory does not grow with them; says whether some were left out.
async fn read(operator: &Operator, args: &UsageArgs, tally: &mut Tally) -> Outcome<bool> {
    let filter = v1::CallFilter {
        protocol: "model".to_owned(),
        agent_name: args.agent.clone(),
        since_ms: jiff::Timestamp::now().as_millisecond() - args.since.millis(),
        ..v1::CallFilter::default()
    };
    let (mut token, mut left) = (String::new(), args.limit);
    loop {
        let request = v1::ListCallsRequest {
            namespace: operator.namespace.clone(),
            filter: Some(filter.clone()),
            page_size: u32::try_from(left).unwrap_or(PAGE).min(PAGE),
            page_token: token,
        };
        let answer = operator.client.calls().list_calls(request).await;
        let page = answer.map_err(|status| refused("The calls cannot be listed.", &status))?.into_inner();
        page.calls.iter().for_each(|call| tally.add(call));
        left = left.saturating_sub(page.calls.len() as u64);
        if page.next_page_token.is_empty() {
            return Ok(false);
        }
        if left == 0 {
            return Ok(true);
        }
        token = page.next_page_token;
    }
}
