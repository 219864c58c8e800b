//! The operator's side of the control plane's API.

use std::path::{Path, PathBuf};

use creto_client::{OperatorClient, PlaneEndpoint};
use tonic::{Code, Status};

use crate::failure::{Failure, Outcome};

/// Things asked for at once in a list.
const PAGE: u32 = 500;

/// Where a control plane is and what opens it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// `https://host:port`.
    pub(crate) address: String,
    /// Its authority, PEM.
    pub(crate) authority: PathBuf,
    /// File of the operator's token.
    pub(crate) token: PathBuf,
}

/// A connection to the control plane, and the namespace that commands work in.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    /// The API.
    pub(crate) client: OperatorClient,
    /// The namespace.
    pub(crate) namespace: String,
}

impl Operator {
    /// Connects.
    ///
    /// # Errors
    /// When a file cannot be read, nothing answers there, or its certificate does not hold.
    pub(crate) async fn connect(access: &Access, namespace: &str) -> Outcome<Self> {
        let ca_pem = read(&access.authority, "The control plane's authority")?;
        let token = read(&access.token, "The operator's token")?;
        let endpoint = PlaneEndpoint { address: access.address.clone(), ca_pem };
        let client = OperatorClient::connect(&endpoint, &token).await.map_err(|error| {
            Failure::new("The control plane cannot be reached.")
                .why(error)
                .next("Start it with `creto up`; `creto doctor` looks closer.")
        })?;
        Ok(Self { client, namespace: namespace.to_owned() })
    }
}

/// Walks a list page by page: `ask` gets page size and token, and gives the page's items and the next token.
///
/// # Errors
/// As `ask`.
pub(crate) async fn all_pages<T, F>(limit: usize, mut ask: impl FnMut(u32, String) -> F) -> Outcome<Vec<T>>
where
    F: Future<Output = Outcome<(Vec<T>, String)>>,
{
    let mut found = Vec::new();
    let mut token = String::new();
    while found.len() < limit {
        let size = u32::try_from(limit - found.len()).unwrap_or(PAGE).min(PAGE);
        let (items, next) = ask(size, token).await?;
        found.extend(items);
        if next.is_empty() {
            break;
        }
        token = next;
    }
    found.truncate(limit);
    Ok(found)
}

/// The failure for an answer of the control plane.
pub(crate) fn refused(what: impl Into<String>, status: &Status) -> Failure {
    let failure = Failure::new(what).why(status.message());
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => {
            failure.next("Use a token that may do this: --token-file names its file.")
        }
        Code::NotFound => {
            failure.next("Check the name and the namespace; the `list` command shows what is there.")
        }
        Code::AlreadyExists => failure.next("Choose another name."),
        Code::Unavailable => failure.next("Start the control plane (`creto up`) and try again."),
        _ => failure,
    }
}

fn read(path: &Path, what: &str) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!("{what} cannot be read from {}.", path.display())).why(error).next(
            "Start a control plane with `creto up`, or name the file (--control-plane-ca, --token-file).",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_is_walked_to_its_end_or_limit() {
        let page = |_: u32, token: String| async move {
            let at: u32 = token.parse().unwrap_or(0);
            let next = if at < 2 { (at + 1).to_string() } else { String::new() };
            Ok((vec![at * 10, at * 10 + 1], next))
        };
        assert_eq!(all_pages(100, page).await.unwrap(), [0, 1, 10, 11, 20, 21]);
        assert_eq!(all_pages(3, page).await.unwrap(), [0, 1, 10]);
    }
}
