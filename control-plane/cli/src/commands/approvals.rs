//! `creto approvals`: calls that wait for people, and what people say.

mod decide;
mod describe;
mod find;
mod list;
mod show;
mod steps;
mod watch;

use clap::Subcommand;

use crate::failure::Outcome;
use crate::session::Session;

/// What is done about calls that wait for people. ID is a request's id, or the first 6 or more of its digits.
#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// What people decide now, soonest to end first.
    List(list::ListArgs),
    /// A request with everything to review, untruncated.
    Show {
        /// The request.
        id: String,
    },
    /// Let calls out. Shows each and asks; exits with 1 if one is refused.
    Approve(decide::ApproveArgs),
    /// Keep calls in. One denial ends a request, whatever the quorum.
    Deny(decide::DenyArgs),
    /// Ask something before deciding.
    Ask {
        /// The request.
        id: String,
        /// What to ask.
        question: String,
    },
    /// Answer the oldest open question.
    Answer {
        /// The request.
        id: String,
        /// The answer.
        text: String,
    },
    /// Let the next tier decide.
    Escalate(decide::DenyArgs),
    /// Put another person in the place of one who is asked.
    Reassign(steps::ReassignArgs),
    /// End a request that nobody waits for any more.
    Cancel(steps::ReasonArgs),
    /// Take an approval back. What runs already is not stopped by this.
    Revoke(steps::ReasonArgs),
    /// Stay and print every step; with --json one object a line.
    Watch,
}

/// Does it; gives the exit code.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn run(session: &Session, command: ApprovalsCommand) -> Outcome<u8> {
    let operator = session.operator().await?;
    match command {
        ApprovalsCommand::List(args) => list::run(session, &operator, args).await?,
        ApprovalsCommand::Show { id } => show::run(session, &operator, &id).await?,
        ApprovalsCommand::Approve(args) => return decide::approve(session, &operator, args).await,
        ApprovalsCommand::Deny(args) => return decide::deny(session, &operator, args).await,
        ApprovalsCommand::Escalate(args) => return decide::escalate(session, &operator, args).await,
        ApprovalsCommand::Ask { id, question } => {
            return decide::ask(session, &operator, &id, question).await;
        }
        ApprovalsCommand::Answer { id, text } => steps::answer(session, &operator, &id, text).await?,
        ApprovalsCommand::Reassign(args) => steps::reassign(session, &operator, args).await?,
        ApprovalsCommand::Cancel(args) => steps::cancel(session, &operator, args).await?,
        ApprovalsCommand::Revoke(args) => steps::revoke(session, &operator, args).await?,
        ApprovalsCommand::Watch => watch::run(session.output, &operator).await?,
    }
    Ok(0)
}
