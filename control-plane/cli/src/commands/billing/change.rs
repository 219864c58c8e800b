//! `creto billing change` and `creto billing cancel`: what becomes of a subscription.

use clap::{Args, ValueEnum};
use creto_billing::SubscriptionRecord;
use creto_proto::v1;
use creto_proto::v1::change_subscription_request::Change;
use serde_json::json;

use super::instant::Instant;
use super::list::document_of;
use crate::failure::Outcome;
use crate::operator::refused;
use crate::session::Session;

/// Where a subscription may be put by hand.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    /// In service.
    Active,
    /// In service; an invoice is overdue.
    PastDue,
    /// Service is stopped for now; what was used is billed.
    Suspended,
}

impl Status {
    /// Its name on the API.
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Suspended => "suspended",
        }
    }
}

/// Options of `billing change`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).args(["plan", "status"]))]
pub(crate) struct ChangeArgs {
    /// The subscription.
    subscription: String,
    /// The plan it is to have, in the version in effect then.
    #[arg(long, value_name = "CODE", requires = "from")]
    plan: Option<String>,
    /// From when, such as 2026-02-01T00:00:00Z, or now. Nothing from then on may be billed yet.
    #[arg(long, value_name = "TIME", requires = "plan", conflicts_with = "status")]
    from: Option<Instant>,
    /// The status it is to have.
    #[arg(long, value_enum)]
    status: Option<Status>,
}

/// Options of `billing cancel`.
#[derive(Args, Debug)]
pub(crate) struct CancelArgs {
    /// The subscription.
    subscription: String,
    /// When it ends, such as 2026-02-01T00:00:00Z, or now.
    #[arg(long, value_name = "TIME")]
    at: Instant,
}

/// Changes plan or status.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn change(session: &Session, args: ChangeArgs) -> Outcome {
    let change = match (args.plan, args.from, args.status) {
        (Some(plan), Some(from), _) => Change::Plan(v1::PlanFrom { plan, from_us: from.micros() }),
        (_, _, Some(status)) => Change::Status(status.as_str().into()),
        // The command line asks for one of the two.
        _ => return Ok(()),
    };
    put(session, args.subscription, change).await
}

/// Ends a subscription.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn cancel(session: &Session, args: CancelArgs) -> Outcome {
    put(session, args.subscription, Change::CancelAtUs(args.at.micros())).await
}

async fn put(session: &Session, subscription: String, change: Change) -> Outcome {
    let operator = session.operator().await?;
    let what = format!("Subscription {subscription} is not changed.");
    let request = v1::ChangeSubscriptionRequest {
        namespace: operator.namespace.clone(),
        subscription,
        change: Some(change),
    };
    let answer = operator.client.billing().change_subscription(request).await;
    let document = answer.map_err(|status| refused(what, &status))?.into_inner().document;
    let record: SubscriptionRecord = document_of(&document)?;
    let plans: Vec<_> = record
        .plans
        .iter()
        .map(
            |change| json!({"plan": change.plan, "version": change.version, "from": change.from.to_string()}),
        )
        .collect();
    let ends = record.ended_at.map(|end| end.to_string());
    let last = record.plans.last();
    let plan = last.map(|last| format!(", plan {} v{} from {}", last.plan, last.version, last.from));
    let end = ends.as_ref().map(|end| format!(", ends at {end}"));
    let text = format!(
        "subscription {}: {}{}{}",
        record.id,
        record.status,
        plan.unwrap_or_default(),
        end.unwrap_or_default()
    );
    let value = json!({
        "id": record.id, "customer": record.customer, "status": record.status.name(), "plans": plans, "ended_at": ends,
    });
    session.output.value(&value, &text)
}
