//! The control plane that this program runs itself, on embedded storage below the home.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::failure::{Failure, Outcome, exit};
use crate::home::make_private_folder;
use crate::{guard, signals};

/// How long the control plane may take until it listens; the first start makes keys and tables.
const READY_WAIT: Duration = Duration::from_secs(30);

/// How long it may take to end.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// What the control plane is told beside the home: what keeps things for it, and where its approvals page listens.
#[derive(Debug, Default)]
pub(crate) struct Stores<'a> {
    pub(crate) redis_url: Option<&'a str>,
    pub(crate) database_url: Option<&'a str>,
    pub(crate) dashboard_listen: Option<&'a str>,
}

/// A control plane of this program's. Started by [`Hosted::start`] it lives as long as this value.
#[derive(Debug)]
pub(crate) struct Hosted {
    child: Child,
    /// `https://host:port`.
    pub(crate) address: String,
}

impl Hosted {
    /// Starts it on `listen` (`host:port`, port 0 for a free one) over the data in `data`.
    ///
    /// # Errors
    /// When its program is missing, or it does not listen in time.
    pub(crate) async fn start(data: &Path, listen: &str, stores: &Stores<'_>) -> Outcome<Self> {
        let mut command: Command = guard::command(&program()?)?;
        command.kill_on_drop(true);
        // Not as arguments, which every user of the machine can read: they hold passwords.
        for (name, value) in [
            ("CRETO_REDIS_URL", stores.redis_url),
            ("CRETO_DATABASE_URL", stores.database_url),
            ("CRETO_DASHBOARD_LISTEN", stores.dashboard_listen),
        ] {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        Self::spawn(command, data, listen).await
    }

    /// Starts it for the runs that share the lock on `users`, on a free port; it ends after the last of them.
    ///
    /// # Errors
    /// As [`Hosted::start`].
    pub(crate) async fn start_for_runs(data: &Path, users: &Path) -> Outcome<Self> {
        Self::spawn(guard::kept_command(&program()?, users)?, data, "127.0.0.1:0").await
    }

    async fn spawn(mut command: Command, data: &Path, listen: &str) -> Outcome<Self> {
        make_private_folder(data)?;
        command.arg("--data").arg(data).args(["--listen", listen]);
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let log = data.join("control-plane.log");
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(&log).map_err(|error| {
            Failure::new(format!("The log {} cannot be written.", log.display()))
                .why(error)
                .code(exit::NOT_STARTED)
        })?;
        command.stderr(errors);
        let unusable = |why: String| {
            Failure::new("The control plane does not start.")
                .why(why)
                .next(format!("Its log is {}.", log.display()))
                .code(exit::NOT_STARTED)
        };
        let mut child = command.spawn().map_err(|error| unusable(error.to_string()))?;
        let Some(stdout) = child.stdout.take() else { return Err(unusable("it has no output".to_owned())) };
        let mut lines = BufReader::new(stdout).lines();
        let said = timeout(READY_WAIT, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(at) = line.strip_prefix("listening on ") {
                    return Some(format!("https://{}", at.trim()));
                }
            }
            None
        });
        match said.await {
            Ok(Some(address)) => Ok(Self { child, address }),
            Ok(None) => Err(unusable("it ended before it listened".to_owned())),
            Err(_) => {
                let _ = child.kill().await;
                Err(unusable(format!("it did not listen within {} s", READY_WAIT.as_secs())))
            }
        }
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Asks it to end; ends it after ten seconds.
    pub(crate) async fn stop(mut self) {
        signals::stop(&mut self.child, STOP_WAIT).await;
    }
}

/// The control plane's program: `$CRETO_CONTROL_PLANE_BIN`, else beside this one.
///
/// # Errors
/// When it is at neither place.
pub(crate) fn program() -> Outcome<PathBuf> {
    guard::beside("creto-control-plane", "CRETO_CONTROL_PLANE_BIN")
}
