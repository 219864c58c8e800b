//! The commands, one a file.

pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod billing;
pub(crate) mod calls;
pub(crate) mod delegate;
pub(crate) mod doctor;
pub(crate) mod invoice;
pub(crate) mod meter;
pub(crate) mod operators;
pub(crate) mod policy;
pub(crate) mod quota;
pub(crate) mod run;
pub(crate) mod secrets;
pub(crate) mod sidecars;
pub(crate) mod up;
pub(crate) mod usage;

use clap::{Parser, Subcommand};

use crate::failure::Outcome;
use crate::session::{Common, Session};

/// Most things that a list shows.
pub(crate) const LONGEST_LIST: usize = 100_000;

/// The sidecar for AI agents: who may call what, and what went out.
#[derive(Debug, Parser)]
#[command(
    name = "creto",
    version,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 the command line is wrong; `creto run` gives its \
                  command's own code (128 + n for signal n), or 125 not started, 126 not executable, 127 not found."
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, clippy::large_enum_variant)]
pub(crate) enum Command {
    /// Start the control plane, and with --agent a sidecar, until a signal comes.
    Up(up::UpArgs),
    /// Run a command, unmodified, under a sidecar of its own.
    Run(run::RunArgs),
    /// Who the agents are.
    #[command(subcommand)]
    Agents(agents::AgentsCommand),
    /// Who may speak to the control plane, and decide about calls.
    #[command(subcommand)]
    Operators(operators::OperatorsCommand),
    /// Hand permissions from one principal to another.
    Delegate(delegate::DelegateArgs),
    /// What was handed on.
    #[command(subcommand)]
    Delegations(delegate::DelegationsCommand),
    /// What agents may call.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Calls that wait for people, and what people say.
    #[command(subcommand)]
    Approvals(approvals::ApprovalsCommand),
    /// What quotas and budgets have used.
    #[command(subcommand)]
    Quota(quota::QuotaCommand),
    /// Values that credentials of policies name; put in here, given to sidecars only.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// What went out, what was refused, and why.
    Calls(calls::CallsArgs),
    /// What model calls used and what that costs, by agent, model or day.
    Usage(usage::UsageArgs),
    /// What is counted of events of metering, and whether it adds up.
    #[command(subcommand)]
    Meter(meter::MeterCommand),
    /// Who is billed for what, and what somebody should look at.
    #[command(subcommand)]
    Billing(billing::BillingCommand),
    /// What is asked for: previews, drafts, signed invoices.
    #[command(subcommand)]
    Invoice(invoice::InvoiceCommand),
    /// The sidecars and whether they enforce what they were offered.
    Sidecars(sidecars::SidecarsArgs),
    /// Check this machine and what runs.
    Doctor,
}

impl Cli {
    /// Whether results and failures are printed as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.common.json
    }

    /// Does what was asked; gives the exit code.
    ///
    /// # Errors
    /// As the command.
    pub async fn execute(self) -> Outcome<u8> {
        let session = Session::new(self.common)?;
        match self.command {
            Command::Up(args) => up::run(&session, args).await?,
            Command::Run(args) => return run::run(&session, args).await,
            Command::Agents(command) => agents::run(&session, command).await?,
            Command::Operators(command) => operators::run(&session, command).await?,
            Command::Approvals(command) => return approvals::run(&session, command).await,
            Command::Delegate(args) => delegate::run(&session, args).await?,
            Command::Delegations(command) => delegate::manage(&session, command).await?,
            Command::Policy(command) => return policy::run(&session, command).await,
            Command::Quota(command) => quota::run(&session, command).await?,
            Command::Secrets(command) => secrets::run(&session, command).await?,
            Command::Calls(args) => calls::run(&session, args).await?,
            Command::Usage(args) => usage::run(&session, args).await?,
            Command::Meter(command) => return meter::run(&session, command).await,
            Command::Billing(command) => return billing::run(&session, command).await,
            Command::Invoice(command) => return invoice::run(&session, command).await,
            Command::Sidecars(args) => sidecars::run(&session, args).await?,
            Command::Doctor => doctor::run(&session).await?,
        }
        Ok(0)
    }
}
