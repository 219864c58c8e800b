//! `creto operators`: who may speak to the control plane. Whoever decides about calls needs a token of their own.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use creto_proto::v1;
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::operator::refused;
use crate::output::remark;
use crate::session::Session;

/// What is done with operators' tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorsCommand {
    /// Make a token for a person or a program of the namespace; it is shown once.
    Create {
        /// Whose it is: their votes count under this name.
        name: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "operator")]
        role: Role,
        /// Write it to this new file, readable for its owner only, instead of showing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// End a token at once.
    Revoke {
        /// Whose it is.
        name: String,
    },
}

/// What a token may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// Everything within its namespace, but tokens.
    Operator,
    /// Everything, in every namespace.
    Admin,
    /// Send events into its namespace, and nothing else.
    Producer,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Producer => "producer",
        }
    }
}

impl From<Role> for v1::OperatorRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Operator => Self::Operator,
            Role::Admin => Self::Admin,
            Role::Producer => Self::Producer,
        }
    }
}

/// Does it.
///
/// # Errors
/// When a file cannot be written or the control plane refuses.
pub(crate) async fn run(session: &Session, command: OperatorsCommand) -> Outcome {
    match command {
        OperatorsCommand::Create { name, role, out } => {
            make(session, name, role, out, "whoever has it speaks under this name").await
        }
        OperatorsCommand::Revoke { name } => revoke(session, name).await,
    }
}

/// Makes a token, and shows or writes it. `note` says what it may do.
///
/// # Errors
/// When the file cannot be written or the control plane refuses.
pub(crate) async fn make(
    session: &Session,
    name: String,
    role: Role,
    out: Option<PathBuf>,
    note: &str,
) -> Outcome {
    let operator = session.operator().await?;
    // A file that cannot be written must not cost a token that nobody ever sees.
    let file = out.as_deref().map(create_private).transpose()?;
    let namespace = operator.namespace.clone();
    let request =
        v1::CreateOperatorTokenRequest { namespace, name, role: v1::OperatorRole::from(role).into() };
    let answer = operator.client.operator_tokens().create_operator_token(request).await;
    let made = match answer {
        Ok(made) => made.into_inner(),
        Err(status) => {
            // The file is new and empty: it would stand in the way of the next try.
            if let Some(path) = &out {
                let _ = std::fs::remove_file(path);
            }
            return Err(refused("The token cannot be made.", &status));
        }
    };
    let role = role.name();
    if let (Some(mut file), Some(path)) = (file, out) {
        let text = format!("{}\n", made.token);
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| unwritten(&path, &error))?;
        let file = path.display().to_string();
        let value = json!({ "namespace": made.namespace, "name": made.name, "role": role, "file": file });
        return session.output.value(&value, &format!("The token of {} is in {file}.", made.name));
    }
    let value = json!({ "namespace": made.namespace, "name": made.name, "role": role, "token": made.token });
    if !session.output.is_json() {
        remark(&format!("Keep this token: it is not shown again, and {note}."));
    }
    session.output.value(&value, &made.token)
}

async fn revoke(session: &Session, name: String) -> Outcome {
    let operator = session.operator().await?;
    let namespace = operator.namespace.clone();
    let request = v1::RevokeOperatorTokenRequest { namespace: namespace.clone(), name: name.clone() };
    let answer = operator.client.operator_tokens().revoke_operator_token(request).await;
    answer.map_err(|status| refused(format!("The token of {name} is not ended."), &status))?;
    let value = json!({ "namespace": namespace, "name": name, "revoked": true });
    session.output.value(&value, &format!("The token of {name} is ended."))
}

fn create_private(path: &Path) -> Outcome<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be written.", path.display()))
        .why(error)
        .next("Name a new file with --out.")
}
