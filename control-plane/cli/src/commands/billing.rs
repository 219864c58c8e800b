//! `creto billing`: who is billed for what, and what somebody should look at.

mod apply;
mod change;
pub(super) mod instant;
mod list;
pub(super) mod money;
mod outbox;
mod triggers;

use clap::Subcommand;

pub(super) use self::list::document_of;
use crate::failure::Outcome;
use crate::session::Session;

/// What is done about billing.
#[derive(Debug, Subcommand)]
pub(crate) enum BillingCommand {
    /// Put in what files say: settings, plans, customers, subscriptions, wallets, credits. The same again changes nothing.
    Apply(apply::ApplyArgs),
    /// What was put in, as it is kept.
    List(list::ListArgs),
    /// Another plan or another status for a subscription.
    Change(change::ChangeArgs),
    /// End a subscription. What was used until then is still billed.
    Cancel(change::CancelArgs),
    /// What somebody should look at: a budget nearly spent, a spike, usage that no plan charges.
    Triggers(triggers::TriggersArgs),
    /// Take note of a trigger.
    Acknowledge(triggers::AcknowledgeArgs),
    /// How the export to Stripe stands. Exits with 1 if something will not be sent.
    Exports,
}

/// Does it; gives the exit code.
///
/// # Errors
/// When a file does not hold or the control plane refuses.
pub(crate) async fn run(session: &Session, command: BillingCommand) -> Outcome<u8> {
    match command {
        BillingCommand::Apply(args) => apply::run(session, args).await?,
        BillingCommand::List(args) => list::run(session, args).await?,
        BillingCommand::Change(args) => change::change(session, args).await?,
        BillingCommand::Cancel(args) => change::cancel(session, args).await?,
        BillingCommand::Triggers(args) => triggers::list(session, args).await?,
        BillingCommand::Acknowledge(args) => triggers::acknowledge(session, args).await?,
        BillingCommand::Exports => return outbox::run(session).await,
    }
    Ok(0)
}
