//! `creto quota`: what quotas and budgets have used, and what people are told of.

use clap::Subcommand;
use creto_proto::v1;
use serde_json::{Value, json};

use crate::failure::Outcome;
use crate::operator::{Operator, refused};
use crate::output::moment;
use crate::session::Session;

/// What is asked of quotas.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub(crate) enum QuotaCommand {
    /// What was used of every quota and budget in the window under way.
    List {
        /// Of this agent only.
        #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
        agent: String,
    },
    /// Warnings, limits that were reached, spikes, and losses of data, oldest first.
    Events {
        /// Those after this number only.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
    },
}

/// Does it.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn run(session: &Session, command: QuotaCommand) -> Outcome {
    let operator = session.operator().await?;
    match command {
        QuotaCommand::List { agent } => list(session, &operator, agent).await,
        QuotaCommand::Events { after } => events(session, &operator, after).await,
    }
}

async fn list(session: &Session, operator: &Operator, agent_name: String) -> Outcome {
    let request = v1::ListQuotasRequest { namespace: operator.namespace.clone(), agent_name };
    let answer = operator.client.quotas().list_quotas(request).await;
    let quotas =
        answer.map_err(|status| refused("The quotas cannot be listed.", &status))?.into_inner().quotas;
    let rows: Vec<_> = quotas.iter().map(|state| (cells(state), value(state))).collect();
    let heading =
        ["policy", "quota", "whose", "used", "of", "percent", "in leases", "window ends", "when used up"];
    session.output.list(&heading, &rows)
}

async fn events(session: &Session, operator: &Operator, mut after: u64) -> Outcome {
    let mut found: Vec<v1::QuotaNotice> = Vec::new();
    loop {
        let request = v1::ListQuotaEventsRequest { namespace: operator.namespace.clone(), after };
        let answer = operator.client.quotas().list_quota_events(request).await;
        let page = answer.map_err(|status| refused("The events cannot be listed.", &status))?.into_inner();
        let Some(last) = page.events.last() else { break };
        after = last.sequence;
        found.extend(page.events);
        if found.len() >= super::LONGEST_LIST {
            break;
        }
    }
    let rows: Vec<_> = found
        .iter()
        .map(|event| {
            let cells = vec![
                event.sequence.to_string(),
                moment(event.at_ms),
                event.kind.clone(),
                event.policy.clone(),
                event.quota.clone(),
                event.scope.clone(),
                event.detail.clone(),
            ];
            let value = json!({
                "sequence": event.sequence,
                "at_ms": event.at_ms,
                "kind": event.kind,
                "policy": event.policy,
                "quota": event.quota,
                "scope": event.scope,
                "detail": event.detail,
            });
            (cells, value)
        })
        .collect();
    session.output.list(&["number", "at", "event", "policy", "quota", "whose", "detail"], &rows)
}

/// All that counts as used: as reported, and what nobody can account for.
fn used(state: &v1::QuotaState) -> u64 {
    [state.spent, state.overage, state.stranded, state.lost, state.assumed]
        .into_iter()
        .fold(0, u64::saturating_add)
}

fn cells(state: &v1::QuotaState) -> Vec<String> {
    let used = used(state);
    let percent = u128::from(used) * 100 / u128::from(state.amount.max(1));
    vec![
        state.policy.clone(),
        state.quota.clone(),
        state.scope.clone(),
        amount(used, &state.unit),
        format!("{} {} {}", amount(state.amount, &state.unit), state.meter, state.period),
        format!("{percent}%"),
        amount(state.leased, &state.unit),
        moment(state.window_ends_ms),
        state.action.clone(),
    ]
}

/// Money in dollars, everything else as it is counted.
pub(super) fn amount(units: u64, unit: &str) -> String {
    if unit != "nanodollar" {
        return units.to_string();
    }
    let digits = format!("{:09}", units % 1_000_000_000);
    format!("${}.{:0<2}", units / 1_000_000_000, digits.trim_end_matches('0'))
}

fn value(state: &v1::QuotaState) -> Value {
    json!({
        "policy": state.policy,
        "quota": state.quota,
        "scope": state.scope,
        "meter": state.meter,
        "unit": state.unit,
        "period": state.period,
        "action": state.action,
        "amount": state.amount,
        "used": used(state),
        "spent": state.spent,
        "leased": state.leased,
        "stranded": state.stranded,
        "lost": state.lost,
        "assumed": state.assumed,
        "overage": state.overage,
        "window_starts_ms": state.window_starts_ms,
        "window_ends_ms": state.window_ends_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_may_not_be_granted_again_counts_as_used() {
        let state = v1::QuotaState {
            policy: "p".into(),
            quota: "money".into(),
            scope: "agent/one".into(),
            meter: "llm.cost".into(),
            unit: "nanodollar".into(),
            period: "daily".into(),
            action: "block".into(),
            amount: 10_000_000_000,
            spent: 1_500_000_000,
            leased: 250_000_000,
            stranded: 500_000_000,
            window_ends_ms: 1_791_973_200_000,
            ..v1::QuotaState::default()
        };
        let shown = cells(&state);
        let expected = [
            "p",
            "money",
            "agent/one",
            "$2.00",
            "$10.00 llm.cost daily",
            "20%",
            "$0.25",
            "2026-10-14T10:20:00Z",
            "block",
        ];
        assert_eq!(shown, expected);
        let value = value(&state);
        assert_eq!(
            (value["used"].as_u64(), value["leased"].as_u64()),
            (Some(2_000_000_000), Some(250_000_000))
        );
    }
}
