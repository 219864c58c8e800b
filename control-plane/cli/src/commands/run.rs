//! `creto run -- CMD`: any agent, unmodified, under a sidecar of its own.

use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use clap::Args;
use creto_proto::v1;
use indicatif::ProgressBar;
use tokio::process::{Child, Command};

use crate::agent_environment::{Variables, Way};
use crate::commands::{calls, policy};
use crate::failure::{Failure, Outcome, exit};
use crate::handing_in::{self, Counts};
use crate::home::make_private_folder;
use crate::operator::{Access, Operator};
use crate::output::remark;
use crate::principals::{self, Standing};
use crate::scoped_policy::{ScopedPolicy, scope};
use crate::seat::Seat;
use crate::session::Session;
use crate::sidecar_process::{SidecarPlan, SidecarProcess};
use crate::signals::{self, Incoming};
use crate::summary::Summary;
use crate::{keys, trust};

/// How long the delegation to the agent of a run lasts.
const DELEGATION_S: u64 = 86_400;

/// Calls that the summary counts; of more, the newest.
const COUNTED_CALLS: usize = 100_000;

/// Options of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// What the agent may call; without it, the policies applied already.
    #[arg(long, env = "CRETO_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Name of the agent; without it a fresh one that ends with the run.
    #[arg(long, env = "CRETO_AGENT", value_name = "NAME")]
    agent: Option<String>,
    /// Authority that the sidecar trusts in upstreams besides the system's (PEM); may be repeated.
    #[arg(long, env = "CRETO_UPSTREAM_CA", value_name = "FILE", value_delimiter = ',')]
    upstream_ca: Vec<PathBuf>,
    /// Set the proxy and authority variables even where they are set already.
    #[arg(long, env = "CRETO_REPLACE_ENV")]
    replace_env: bool,
    /// Write the summary to this file as JSON instead of showing it.
    #[arg(long, env = "CRETO_SUMMARY", value_name = "FILE")]
    summary: Option<PathBuf>,
    /// The agent's command.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs the command to its end; gives its exit code.
///
/// # Errors
/// When it could not be brought to run: exit code 125, 126 or 127.
pub(crate) async fn run(session: &Session, args: RunArgs) -> Outcome<u8> {
    let started = Instant::now();
    let mut incoming = Incoming::listen()?;
    let document = document(&args).map_err(|failure| failure.code(exit::NOT_STARTED))?;
    check_command(&args.command[0])?;
    let mut run = tokio::select! {
        prepared = prepare(session, &args, document) => prepared.map_err(|failure| failure.code(exit::NOT_STARTED))?,
        signal = incoming.next() => return Ok(128 + u8::try_from(signal.as_raw()).unwrap_or(0)),
    };
    let outcome = match start_child(&run, &args).await {
        Ok(mut child) => Ok(wait(&mut child, &mut incoming, &mut run.sidecar).await),
        Err(failure) => Err(failure),
    };
    let counts = tokio::select! {
        counts = handing_in::settled(&run.sidecar.ready.admin) => counts,
        // Whoever sends a signal now has waited long enough.
        _ = incoming.next_one_more() => None,
    };
    let ended = run.sidecar.stop().await;
    let calls = run.calls().await;
    let handed_in = ended && run.has_handed_in(counts, calls.as_deref());
    if let Ok(code) = &outcome {
        tell(&run, &args, calls.as_deref(), started.elapsed(), *code);
    }
    run.end(handed_in).await;
    outcome
}

/// Everything that lives as long as the run.
struct Run {
    agent: String,
    /// Whether the agent was made for this run alone.
    fresh: bool,
    operator: Operator,
    policy: Option<ScopedPolicy>,
    folder: PathBuf,
    sidecar: SidecarProcess,
    access: Access,
    seat: Option<Seat>,
    /// When the run began, milliseconds since the Unix epoch.
    since_ms: i64,
}

impl Run {
    /// Takes back what was made for the run. What cannot be taken back is said, and harms nobody.
    async fn end(self, handed_in: bool) {
        let own = self.policy.and_then(|policy| policy.only_for_the_run);
        if let Some(name) = own
            && let Err(failure) = policy::delete(&self.operator, &name).await
        {
            remark(&format!("creto: {failure}"));
        }
        if self.fresh
            && let Err(failure) = principals::revoke(&self.operator, &self.agent).await
        {
            remark(&format!("creto: {failure}"));
        }
        if handed_in {
            let _ = std::fs::remove_dir_all(&self.folder);
        } else {
            remark(&format!(
                "creto: not every record of this run is known to be at the control plane: what is missing stays in \
                 {0}/sidecar. With the control plane running, `creto-proxy --state {0}/sidecar --control-plane URL \
                 --control-plane-ca {1} --listen 127.0.0.1:0 --admin 127.0.0.1:0` hands it in.",
                self.folder.display(),
                self.access.authority.display(),
            ));
        }
        if let Some(seat) = self.seat {
            seat.leave().await;
        }
    }

    /// The calls of the run, the newest first; none, and that is said, when the control plane does not answer.
    async fn calls(&self) -> Option<Vec<v1::CallRecord>> {
        let filter =
            v1::CallFilter { agent_name: self.agent.clone(), since_ms: self.since_ms, ..Default::default() };
        match calls::list(&self.operator, filter, COUNTED_CALLS).await {
            Ok(calls) => Some(calls),
            Err(failure) => {
                remark(&format!(
                    "creto: there is no summary: {failure} The calls are listed once the control plane is back."
                ));
                None
            }
        }
    }

    /// Whether the control plane has every record of the run.
    fn has_handed_in(&self, counts: Option<Counts>, calls: Option<&[v1::CallRecord]>) -> bool {
        let Some(counts) = counts else { return false };
        match (calls, self.sidecar.id()) {
            (Some(calls), Some(id)) => counts.are_among(calls, &id, calls.len() < COUNTED_CALLS),
            _ => counts.were_taken(),
        }
    }
}

fn document(args: &RunArgs) -> Outcome<Option<String>> {
    let Some(file) = &args.policy else { return Ok(None) };
    let text = policy::read(file)?;
    policy::parse(&file.to_string_lossy(), &text)?;
    Ok(Some(text))
}

/// A command that is not there is found out before anything is started.
fn check_command(command: &OsString) -> Outcome {
    let there = if Path::new(command).components().count() > 1 {
        Path::new(command).try_exists().unwrap_or(true)
    } else {
        trust::find_on_path(&command.to_string_lossy()).is_some()
    };
    if there { Ok(()) } else { Err(not_found(command)) }
}

fn not_found(command: &OsString) -> Failure {
    Failure::new(format!("There is no command {}.", command.to_string_lossy()))
        .next("Check its name and PATH; options of creto itself go before `--`.")
        .code(exit::NOT_FOUND)
}

async fn prepare(session: &Session, args: &RunArgs, document: Option<String>) -> Outcome<Run> {
    let progress =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    progress.enable_steady_tick(Duration::from_millis(100));
    progress.set_message("control plane");
    let since_ms = jiff::Timestamp::now().as_millisecond();
    let (seat, operator, access) = control_plane(session).await?;
    progress.set_message("agent");
    let tail = hex::encode(keys::random::<3>()?);
    let name = args.agent.clone().unwrap_or_else(|| fresh_name(&args.command[0], &tail));
    let root = principals::root_principal(&session.home, &operator).await?;
    let standing = Standing { name: &name, lifetime_s: DELEGATION_S, keep_key: args.agent.is_some() };
    let agent = principals::stand(&session.home, &operator, &root, &standing).await?;
    let policy = match document {
        Some(document) => {
            let scoped = scope(document, &agent.name, &tail)?;
            policy::apply(&operator, scoped.document.clone()).await?;
            Some(scoped)
        }
        None => None,
    };
    progress.set_message("sidecar");
    let token = principals::enrollment_token(&operator, &agent.name).await?;
    let own = if args.agent.is_some() { format!("{}-{tail}", agent.name) } else { agent.name.clone() };
    let folder = session.home.run(&own);
    make_private_folder(&folder)?;
    let sidecar = SidecarProcess::start(&SidecarPlan {
        state: &folder.join("sidecar"),
        control_plane: &access.address,
        control_plane_ca: &access.authority,
        token: Some(&token),
        listen: "127.0.0.1:0",
        admin: "127.0.0.1:0",
        upstream_ca: &args.upstream_ca,
    })
    .await?;
    progress.finish_and_clear();
    Ok(Run {
        agent: agent.name,
        fresh: args.agent.is_none(),
        operator,
        policy,
        folder,
        sidecar,
        access,
        seat,
        since_ms,
    })
}

/// The control plane given or running in this home; else one that ends with the last run that uses it.
async fn control_plane(session: &Session) -> Outcome<(Option<Seat>, Operator, Access)> {
    if session.is_elsewhere() {
        let access = session.access()?;
        let operator = Operator::connect(&access, session.namespace()).await?;
        return Ok((None, operator, access));
    }
    let (seat, address) = Seat::take(session).await?;
    let access = session.access_at(&address);
    let operator = Operator::connect(&access, session.namespace()).await?;
    Ok((seat, operator, access))
}

/// `python3.11` becomes `python3-11-3fa2c1`.
fn fresh_name(command: &OsString, tail: &str) -> String {
    let base = Path::new(command).file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let plain: String =
        base.chars().take(40).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { format!("agent-{tail}") } else { format!("{plain}-{tail}") }
}

async fn start_child(run: &Run, args: &RunArgs) -> Outcome<Child> {
    let bundle = run.folder.join("bundle.pem");
    let authority = run.sidecar.authority();
    trust::write_bundle(&authority, &bundle).map_err(|failure| failure.code(exit::NOT_STARTED))?;
    let program = &args.command[0];
    let proxy = &run.sidecar.ready.proxy;
    let java = trust::java_options(&program.to_string_lossy(), proxy, &authority, &run.folder).await;
    let way = Way { proxy, authority: &authority, bundle: &bundle, java: java.as_deref() };
    let variables = Variables::choose(way, args.replace_env, |name| std::env::var_os(name).is_some());
    for line in variables.remarks() {
        remark(&line);
    }
    let mut command = Command::new(program);
    command.args(&args.command[1..]).envs(variables.set);
    for name in variables.unset {
        command.env_remove(name);
    }
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => not_found(program),
        _ => Failure::new(format!("The command {} cannot be executed.", program.to_string_lossy()))
            .why(error)
            .next("Check that it is executable (chmod +x) and for this machine.")
            .code(exit::NOT_EXECUTABLE),
    })
}

/// Waits for the agent, passes signals on, and says when the sidecar is gone.
async fn wait(child: &mut Child, incoming: &mut Incoming, sidecar: &mut SidecarProcess) -> u8 {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let mut guarded = true;
    loop {
        tokio::select! {
            status = child.wait() => return status.as_ref().map_or(exit::FAILED, |status: &ExitStatus| signals::exit_code(*status)),
            signal = incoming.next() => {
                if let Some(pid) = pid.filter(|_| !signals::comes_from_the_terminal(signal)) {
                    signals::send(pid, signal);
                }
            }
            status = sidecar.ended(), if guarded => {
                guarded = false;
                let status = status.map_or_else(String::new, |status| format!(" ({status})"));
                remark(&format!(
                    "creto: the sidecar has ended{status}: every further call of the agent fails. Its log is {}.",
                    sidecar.log().display()
                ));
            }
        }
    }
}

/// The summary, to standard error or the file asked for.
fn tell(run: &Run, args: &RunArgs, calls: Option<&[v1::CallRecord]>, took: Duration, code: u8) {
    let Some(calls) = calls else { return };
    let mut summary = Summary::default();
    calls.iter().for_each(|call| summary.add(call));
    let Some(file) = &args.summary else {
        remark(&summary.text(&run.agent, took));
        return;
    };
    let text = format!("{}\n", summary.json(&run.agent, took, code));
    if let Err(error) = std::fs::write(file, text) {
        // The agent's own exit code is worth more than the file.
        remark(&format!("creto: the summary cannot be written to {}: {error}", file.display()));
        remark(&summary.text(&run.agent, took));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_agent_is_named_after_its_command() {
        for (command, name) in
            [("/usr/bin/Python3.11", "python3-11-ab"), ("...", "agent-ab"), ("./run_it.sh", "run-it-sh-ab")]
        {
            assert_eq!(fresh_name(&OsString::from(command), "ab"), name);
        }
    }
}
