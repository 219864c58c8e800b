//! A sidecar (`creto-proxy`) as a child process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Outcome, exit};
use crate::home::{make_private_folder, write_private};
use crate::{guard, signals};

/// How long a sidecar may take until it listens and has its first policy.
const READY_WAIT: Duration = Duration::from_secs(20);

/// Between two looks at `ready.json`.
const READY_LOOK: Duration = Duration::from_millis(10);

/// How long a sidecar may take to hand in its records and end.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Lines of the sidecar's log that an error shows.
const LOG_LINES: usize = 12;

/// What a sidecar is started with.
#[derive(Debug)]
pub(crate) struct SidecarPlan<'a> {
    /// Folder of its state.
    pub(crate) state: &'a Path,
    /// `https://host:port` of its control plane.
    pub(crate) control_plane: &'a str,
    /// The authority of that control plane, PEM.
    pub(crate) control_plane_ca: &'a Path,
    /// Single-use token; none when the state holds an identity.
    pub(crate) token: Option<&'a str>,
    /// `host:port` for agents; port 0 for a free one.
    pub(crate) listen: &'a str,
    /// `host:port` for the operator.
    pub(crate) admin: &'a str,
    /// Authorities of upstreams besides the system's.
    pub(crate) upstream_ca: &'a [PathBuf],
}

/// Where a sidecar listens.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    /// `host:port` for agents.
    pub(crate) proxy: String,
    /// `host:port` for the operator.
    pub(crate) admin: String,
}

/// A running sidecar.
#[derive(Debug)]
pub(crate) struct SidecarProcess {
    child: Child,
    /// Where it listens.
    pub(crate) ready: Ready,
    state: PathBuf,
}

impl SidecarProcess {
    /// Starts a sidecar and waits until it enforces its first policy.
    ///
    /// # Errors
    /// When the program is missing, ends early, or is not ready in time; with the end of its log.
    pub(crate) async fn start(plan: &SidecarPlan<'_>) -> Outcome<Self> {
        make_private_folder(plan.state)?;
        let program = program()?;
        let ready = plan.state.join("ready.json");
        let _ = fs::remove_file(&ready);
        let log =
            fs::OpenOptions::new().create(true).append(true).open(log_path(plan.state)).map_err(|error| {
                Failure::new("The sidecar's log cannot be written.").why(error).code(exit::NOT_STARTED)
            })?;
        let errors = log
            .try_clone()
            .map_err(|error| Failure::new("The sidecar's log cannot be written.").why(error))?;
        let mut command = guard::command(&program)?;
        command
            .args(["--control-plane", plan.control_plane, "--listen", plan.listen, "--admin", plan.admin])
            .arg("--control-plane-ca")
            .arg(plan.control_plane_ca)
            .arg("--state")
            .arg(plan.state);
        if let Some(token) = plan.token {
            let file = plan.state.join("enrollment.token");
            write_private(&file, token.as_bytes())?;
            command.arg("--enrollment-token-file").arg(file);
        }
        for file in plan.upstream_ca {
            command.arg("--upstream-ca").arg(file);
        }
        // Its own group: what the terminal sends is for the agent.
        command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            Failure::new(format!("The sidecar {} cannot be started.", program.display()))
                .why(error)
                .code(exit::NOT_STARTED)
        })?;
        let ready = wait_until_ready(&mut child, &ready, plan.state).await?;
        let _ = fs::remove_file(plan.state.join("enrollment.token"));
        Ok(Self { child, ready, state: plan.state.to_path_buf() })
    }

    /// Its log.
    #[must_use]
    pub(crate) fn log(&self) -> PathBuf {
        log_path(&self.state)
    }

    /// The id that the control plane gave it.
    #[must_use]
    pub(crate) fn id(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Identity {
            sidecar_id: String,
        }
        let text = fs::read_to_string(self.state.join("sidecar.json")).ok()?;
        serde_json::from_str::<Identity>(&text).ok().map(|identity| identity.sidecar_id)
    }

    /// The sidecar's own authority: what its agent must trust.
    #[must_use]
    pub(crate) fn authority(&self) -> PathBuf {
        self.state.join("ca.pem")
    }

    /// Waits until the sidecar ends by itself.
    pub(crate) async fn ended(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Asks the sidecar to hand in what it has and to end; ends it after ten seconds. Says whether it ended itself.
    pub(crate) async fn stop(&mut self) -> bool {
        signals::stop(&mut self.child, STOP_WAIT).await
    }
}

/// The sidecar's program: `$CRETO_PROXY_BIN`, else beside this one.
///
/// # Errors
/// When it is at neither place.
pub(crate) fn program() -> Outcome<PathBuf> {
    guard::beside("creto-proxy", "CRETO_PROXY_BIN")
}

fn log_path(state: &Path) -> PathBuf {
    state.join("sidecar.log")
}

async fn wait_until_ready(child: &mut Child, ready: &Path, state: &Path) -> Outcome<Ready> {
    let end = Instant::now() + READY_WAIT;
    loop {
        if let Some(ready) = fs::read_to_string(ready).ok().and_then(|text| serde_json::from_str(&text).ok())
        {
            return Ok(ready);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(Failure::new("The sidecar ended before it was ready.")
                .why(format!("{status}\n{}", last_lines(state)))
                .next(format!("The whole log is {}.", log_path(state).display()))
                .code(exit::NOT_STARTED));
        }
        if Instant::now() > end {
            let _ = child.kill().await;
            return Err(Failure::new("The sidecar was not ready in time.")
                .why(format!(
                    "no policy was in force after {} s\n{}",
                    READY_WAIT.as_secs(),
                    last_lines(state)
                ))
                .next("`creto doctor` checks the control plane; the log of the sidecar is above.")
                .code(exit::NOT_STARTED));
        }
        sleep(READY_LOOK).await;
    }
}

fn last_lines(state: &Path) -> String {
    let text = fs::read_to_string(log_path(state)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
