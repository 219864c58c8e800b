//! `creto billing triggers` and `creto billing acknowledge`: what somebody should look at, and that somebody did.

use clap::{Args, ValueEnum};
use creto_proto::v1;
use serde_json::{Value, json};

use super::instant::{Instant, shown};
use crate::failure::Outcome;
use crate::operator::refused;
use crate::session::Session;

/// What is raised.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    /// A budget is used up to its warning.
    BudgetNearlySpent,
    /// An hour used far more than hours do.
    Spike,
    /// A type of events that no plan charges.
    UnknownResourceType,
}

impl Kind {
    /// Its name on the API.
    fn as_str(self) -> &'static str {
        match self {
            Self::BudgetNearlySpent => "budget_nearly_spent",
            Self::Spike => "spike",
            Self::UnknownResourceType => "unknown_resource_type",
        }
    }
}

/// Options of `billing triggers`.
#[derive(Args, Debug)]
pub(crate) struct TriggersArgs {
    /// Those that somebody took note of, too.
    #[arg(long)]
    all: bool,
}

/// Options of `billing acknowledge`.
#[derive(Args, Debug)]
pub(crate) struct AcknowledgeArgs {
    /// The kind, as `creto billing triggers` shows it.
    #[arg(value_enum)]
    kind: Kind,
    /// What it is about.
    key: String,
    /// The window it was seen in: its first instant.
    window: Instant,
}

/// Lists them, oldest first.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn list(session: &Session, args: TriggersArgs) -> Outcome {
    let operator = session.operator().await?;
    let request = v1::ListTriggersRequest { namespace: operator.namespace.clone(), only_open: !args.all };
    let answer = operator.client.billing().list_triggers(request).await;
    let triggers =
        answer.map_err(|status| refused("The triggers cannot be listed.", &status))?.into_inner().triggers;
    let rows: Vec<_> = triggers.iter().map(row).collect();
    session.output.list(&["kind", "key", "window", "raised", "what", "noted by"], &rows)
}

fn row(trigger: &v1::RaisedTrigger) -> (Vec<String>, Value) {
    let detail: Value = serde_json::from_str(&trigger.detail).unwrap_or_default();
    let noted = Some(&trigger.acknowledged_by).filter(|by| !by.is_empty());
    let cells = vec![
        trigger.kind.clone(),
        trigger.key.clone(),
        shown(trigger.window_us),
        shown(trigger.raised_at_us),
        told(&trigger.kind, &detail),
        trigger.acknowledged_by.clone(),
    ];
    let value = json!({
        "kind": trigger.kind, "key": trigger.key, "window": shown(trigger.window_us),
        "raised_at": shown(trigger.raised_at_us), "detail": detail, "acknowledged_by": noted,
        "acknowledged_at": noted.map(|_| shown(trigger.acknowledged_at_us)),
    });
    (cells, value)
}

/// What was seen, in a few words.
fn told(kind: &str, detail: &Value) -> String {
    let number = |field: &str| detail[field].as_u64().unwrap_or_default();
    match kind {
        "budget_nearly_spent" => {
            format!("{} of {} used, warns at {}%", number("used"), number("limit"), number("percent"))
        }
        "spike" => format!("{} in the hour, {} in the mean", number("hour"), number("mean")),
        "unknown_resource_type" => {
            format!("no plan charges it; first event {}", detail["event"].as_str().unwrap_or_default())
        }
        _ => detail.to_string(),
    }
}

/// Takes note of one.
///
/// # Errors
/// When there is none, or the control plane refuses.
pub(super) async fn acknowledge(session: &Session, args: AcknowledgeArgs) -> Outcome {
    let operator = session.operator().await?;
    let (kind, window_us) = (args.kind.as_str(), args.window.micros());
    let request = v1::AcknowledgeTriggerRequest {
        namespace: operator.namespace.clone(),
        kind: kind.into(),
        key: args.key.clone(),
        window_us,
    };
    let answer = operator.client.billing().acknowledge_trigger(request).await;
    answer.map_err(|status| refused("No note is taken of the trigger.", &status))?;
    let window = shown(window_us);
    let text = format!("noted: {kind} {} of {window}", args.key);
    session.output.value(&json!({"kind": kind, "key": args.key, "window": window}), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_told_in_words_and_its_window_can_be_typed_again() {
        let trigger = v1::RaisedTrigger {
            kind: "budget_nearly_spent".into(),
            key: "p/money".into(),
            window_us: 1_767_225_600_000_000,
            detail: r#"{"kind":"budget_nearly_spent","budget":"p/money","used":81,"limit":100,"percent":80}"#
                .into(),
            ..Default::default()
        };
        let (cells, value) = row(&trigger);
        assert_eq!(cells[2].parse::<Instant>().unwrap().micros(), trigger.window_us);
        assert_eq!(cells[4], "81 of 100 used, warns at 80%");
        assert_eq!(value["acknowledged_by"], Value::Null);
    }
}
