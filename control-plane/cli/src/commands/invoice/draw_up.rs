//! `creto invoice draw-up`: drafts for what is over and not billed.

use clap::Args;
use creto_proto::v1;
use serde_json::{Value, json};

use super::patience::Patience;
use super::summary;
use crate::failure::{Outcome, exit};
use crate::operator::refused;
use crate::output::remark;
use crate::session::Session;
use crate::span::Span;

/// Options of `invoice draw-up`.
#[derive(Args, Debug)]
pub(crate) struct DrawUpArgs {
    /// Instead of what is over: usage of open periods that passed a threshold of its subscription.
    #[arg(long)]
    progressive: bool,
    /// How long after a period usage is waited for: 1h, 2d.
    #[arg(long, value_name = "SPAN", default_value = "1h", conflicts_with = "progressive")]
    grace: Span,
}

/// Draws up, and tells of what was not; the exit code says whether all could be billed.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn run(session: &Session, args: DrawUpArgs) -> Outcome<u8> {
    let operator = session.operator().await?;
    let request = v1::DrawUpInvoicesRequest {
        namespace: operator.namespace.clone(),
        progressive: args.progressive,
        grace_seconds: u32::try_from(args.grace.seconds()).unwrap_or(u32::MAX),
    };
    let mut patience = Patience::default();
    let report = loop {
        let answer = operator.client.billing().draw_up_invoices(request.clone()).await;
        let report = answer.map_err(|status| refused("No invoices are drawn up.", &status))?.into_inner();
        if !report.running {
            break report;
        }
        patience.wait_on()?;
    };
    if session.output.is_json() {
        session.output.value(&value(&report), "")?;
    } else {
        let rows: Vec<_> = report.drafts.iter().map(summary::row).collect();
        session.output.list(&summary::HEADING, &rows)?;
        remarks(&report).iter().for_each(|text| remark(text));
    }
    Ok(if report.refused.is_empty() { 0 } else { exit::FAILED })
}

fn value(report: &v1::DrawUpInvoicesResponse) -> Value {
    let drafts: Vec<Value> = report.drafts.iter().map(summary::value).collect();
    json!({
        "drafts": drafts, "drawn_up": report.drawn_up, "refused": report.refused, "empty": report.empty,
        "waiting": report.waiting, "unfinished": report.unfinished, "unmatched": report.unmatched,
    })
}

/// What is not a draft, and why; in an order that is the same every time.
fn remarks(report: &v1::DrawUpInvoicesResponse) -> Vec<String> {
    let mut told = Vec::new();
    if report.drawn_up > report.drafts.len() as u64 {
        told.push(format!("{} drafts in all: `creto invoice list --state draft` has them", report.drawn_up));
    }
    let mut refused: Vec<_> = report.refused.iter().collect();
    refused.sort();
    told.extend(refused.into_iter().map(|(id, why)| format!("{id} is not billed: {why}")));
    for (ids, what) in [
        (&report.empty, "nothing to bill, their periods are closed"),
        (&report.waiting, "late usage that waits for their next invoice"),
        (&report.unfinished, "more periods than one run bills: draw up again"),
    ] {
        if !ids.is_empty() {
            told.push(format!("{what}: {}", ids.join(", ")));
        }
    }
    let mut unmatched: Vec<_> = report.unmatched.iter().collect();
    unmatched.sort();
    told.extend(
        unmatched.into_iter().map(|(why, events)| format!("{events} events are not billed: {}", reason(why))),
    );
    told
}

/// Why events are on no invoice.
fn reason(why: &str) -> &str {
    match why {
        "unknown_subscription" => "they name a subscription there is none of",
        "unknown_customer" => "they name a customer there is none of",
        "ambiguous" => "they name a customer with several subscriptions, and none of these",
        "nobody" => "they name neither subscription nor customer",
        "no_charge" => "no charge of the plan is about their type",
        "no_service" => "they happened before their subscription started, or after it ended",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_billed_is_told_in_the_same_order_every_time() {
        let report = v1::DrawUpInvoicesResponse {
            refused: [("b".to_owned(), "bad".to_owned()), ("a".to_owned(), "worse".to_owned())].into(),
            empty: vec!["c".into(), "d".into()],
            unmatched: [("nobody".to_owned(), 3)].into(),
            ..Default::default()
        };
        let expected = [
            "a is not billed: worse",
            "b is not billed: bad",
            "nothing to bill, their periods are closed: c, d",
            "3 events are not billed: they name neither subscription nor customer",
        ];
        assert_eq!(remarks(&report), expected);
    }
}
