//! What every command starts from: the home, the control plane it talks to, and how it prints.

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, Outcome};
use crate::home::Home;
use crate::operator::{Access, Operator};
use crate::output::Output;

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Folder of keys and data; default $XDG_DATA_HOME/creto or ~/.local/share/creto.
    #[arg(long, env = "CRETO_HOME", global = true, value_name = "DIR", help_heading = "Common options")]
    pub(crate) home: Option<PathBuf>,
    /// Data folder of the control plane; default control-plane in the home.
    #[arg(long, env = "CRETO_DATA", global = true, value_name = "DIR", help_heading = "Common options")]
    pub(crate) data: Option<PathBuf>,
    /// A control plane elsewhere: https://host:port.
    #[arg(
        long,
        env = "CRETO_CONTROL_PLANE",
        global = true,
        value_name = "URL",
        help_heading = "Common options"
    )]
    pub(crate) control_plane: Option<String>,
    /// Authority of that control plane (PEM).
    #[arg(
        long,
        env = "CRETO_CONTROL_PLANE_CA",
        global = true,
        value_name = "FILE",
        help_heading = "Common options"
    )]
    pub(crate) control_plane_ca: Option<PathBuf>,
    /// Operator's token for that control plane.
    #[arg(
        long,
        env = "CRETO_TOKEN_FILE",
        global = true,
        value_name = "FILE",
        help_heading = "Common options"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Namespace to work in.
    #[arg(
        long,
        env = "CRETO_NAMESPACE",
        global = true,
        default_value = "default",
        value_name = "NAME",
        help_heading = "Common options"
    )]
    pub(crate) namespace: String,
    /// Print JSON.
    #[arg(long, env = "CRETO_JSON", global = true, help_heading = "Common options")]
    pub(crate) json: bool,
}

/// The state of one invocation.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The home folder.
    pub(crate) home: Home,
    /// Where results go.
    pub(crate) output: Output,
    common: Common,
}

impl Session {
    /// Of the options given.
    ///
    /// # Errors
    /// When there is no home folder.
    pub(crate) fn new(common: Common) -> Outcome<Self> {
        let home = Home::find(common.home.as_deref(), common.data.as_deref())?;
        Ok(Self { home, output: Output::new(common.json), common })
    }

    /// The namespace of the invocation.
    #[must_use]
    pub(crate) fn namespace(&self) -> &str {
        &self.common.namespace
    }

    /// Whether the control plane is one that this home does not run.
    #[must_use]
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.common.control_plane.is_some()
    }

    /// What opens a control plane at this address.
    #[must_use]
    pub(crate) fn access_at(&self, address: &str) -> Access {
        let data = self.home.data();
        Access {
            address: address.to_owned(),
            authority: self.common.control_plane_ca.clone().unwrap_or_else(|| data.join("ca.pem")),
            token: self.common.token_file.clone().unwrap_or_else(|| data.join("operator.token")),
        }
    }

    /// The control plane given, else the one running in this home.
    ///
    /// # Errors
    /// When none is given and none runs.
    pub(crate) fn access(&self) -> Outcome<Access> {
        if let Some(address) = &self.common.control_plane {
            return Ok(self.access_at(address));
        }
        let running = self.home.running().ok_or_else(|| {
            Failure::new("No control plane runs in this home.")
                .why(format!(
                    "{} names none that is alive",
                    self.home.data().join("control-plane.json").display()
                ))
                .next("Start one with `creto up`, or name one elsewhere with --control-plane.")
        })?;
        Ok(self.access_at(&running.address))
    }

    /// Connects to it.
    ///
    /// # Errors
    /// As [`Session::access`] and [`Operator::connect`].
    pub(crate) async fn operator(&self) -> Outcome<Operator> {
        Operator::connect(&self.access()?, self.namespace()).await
    }
}
