//! `creto secrets`: values that credentials of policies name. They go in here and come out to sidecars only.

use std::ffi::OsString;
use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use creto_proto::v1;
use serde_json::json;
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome, exit};
use crate::operator::{Operator, all_pages, refused};
use crate::session::Session;
use crate::{secret_input, words};

/// What is done with secrets.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub(crate) enum SecretsCommand {
    /// Put a value under a name, in place of the one before it. It is asked for without being shown, or read from
    /// standard input where that is no terminal.
    Put(PutArgs),
    /// List the secrets. No command shows a value.
    List,
    /// Delete a secret.
    Delete {
        /// Name of the secret.
        name: String,
    },
}

/// Options of `put`.
#[derive(Args)]
pub(crate) struct PutArgs {
    /// Name of the secret: 1 to 63 of a-z, 0-9, '-', '_' and '.'.
    name: String,
    /// Read the value from this file.
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    from_file: Option<PathBuf>,
    /// Read the value from standard input, up to its end.
    #[arg(long)]
    stdin: bool,
    /// Keep a line end at the end of what is read; otherwise one is left out.
    #[arg(long)]
    exact: bool,
    /// Only here to be refused without being printed.
    #[arg(hide = true)]
    value: Option<OsString>,
}

impl std::fmt::Debug for PutArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PutArgs").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Does it.
///
/// # Errors
/// When there is no value to read or the control plane refuses.
pub(crate) async fn run(session: &Session, command: SecretsCommand) -> Outcome {
    match command {
        SecretsCommand::Put(args) => put(session, args).await,
        SecretsCommand::List => list(session).await,
        SecretsCommand::Delete { name } => {
            let operator = session.operator().await?;
            let request =
                v1::DeleteSecretRequest { namespace: operator.namespace.clone(), name: name.clone() };
            let answer = operator.client.secrets().delete_secret(request).await;
            answer.map_err(|status| refused(format!("The secret {name} is not deleted."), &status))?;
            session.output.value(&json!({"deleted": name}), &format!("deleted {name}"))
        }
    }
}

async fn put(session: &Session, args: PutArgs) -> Outcome {
    let name = args.name;
    if args.value.is_some() {
        return Err(Failure::new("The value is not taken from the command line.")
            .why("other users and the shell's history can read it there: replace that secret at its provider")
            .next(format!("Run `creto secrets put {name}` and type it, or pipe it in, or use --from-file."))
            .code(exit::USAGE));
    }
    // Before anything is typed, it is found out whether there is somewhere to put it.
    let operator = session.operator().await?;
    let value = read(&name, args.from_file.as_deref(), args.stdin)?;
    let (length, cut) = if args.exact { (value.len(), false) } else { without_line_end(&value) };
    let request = v1::PutSecretRequest {
        namespace: operator.namespace.clone(),
        name: name.clone(),
        value: value[..length].to_vec(),
    };
    drop(value);
    let answer = operator.client.secrets().put_secret(request).await;
    let kept =
        answer.map_err(|status| refused(format!("The secret {name} is not kept."), &status))?.into_inner();
    let note = if cut { ", without the line end at its end (--exact keeps it)" } else { "" };
    let text = format!("kept {name}, version {}: {length} bytes{note}", kept.version);
    session.output.value(&words::secret(&kept), &text)
}

fn read(name: &str, file: Option<&Path>, stdin: bool) -> Outcome<Zeroizing<Vec<u8>>> {
    if let Some(path) = file {
        let unreadable = |error: std::io::Error| {
            Failure::new(format!("The value cannot be read from {}.", path.display()))
                .why(error)
                .next("Name a file that this user may read.")
        };
        let file = File::open(path).map_err(unreadable)?;
        return secret_input::whole(&file, &format!("the file {}", path.display()));
    }
    let input = std::io::stdin();
    if stdin || !input.is_terminal() {
        secret_input::whole(&input, "standard input")
    } else {
        secret_input::asked(name, &input)
    }
}

/// The length without one line end at the end, and whether there is one.
fn without_line_end(value: &[u8]) -> (usize, bool) {
    let rest = value.strip_suffix(b"\r\n").or_else(|| value.strip_suffix(b"\n"));
    rest.map_or((value.len(), false), |rest| (rest.len(), true))
}

async fn list(session: &Session) -> Outcome {
    let rows: Vec<_> = all(&session.operator().await?)
        .await?
        .iter()
        .map(|secret| {
            let cells = vec![
                secret.name.clone(),
                secret.version.to_string(),
                crate::output::moment(secret.created_at_ms),
                crate::output::moment(secret.updated_at_ms),
            ];
            (cells, words::secret(secret))
        })
        .collect();
    session.output.list(&["name", "version", "created", "updated"], &rows)
}

async fn all(operator: &Operator) -> Outcome<Vec<v1::SecretMetadata>> {
    all_pages(super::LONGEST_LIST, |page_size, page_token| async move {
        let request = v1::ListSecretsRequest { namespace: operator.namespace.clone(), page_size, page_token };
        let answer = operator.client.secrets().list_secrets(request).await;
        let page = answer.map_err(|status| refused("The secrets cannot be listed.", &status))?.into_inner();
        Ok((page.secrets, page.next_page_token))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_left_out() {
        for (value, length, cut) in
            [("a", 1, false), ("a\n", 1, true), ("a\r\n", 1, true), ("a\n\n", 2, true), ("", 0, false)]
        {
            assert_eq!(without_line_end(value.as_bytes()), (length, cut), "{value:?}");
        }
    }
}
