//! `creto billing list`: the documents as they are kept.

mod rows;

use clap::{Args, ValueEnum};
use creto_proto::v1;
use serde_json::Value;

use crate::commands::LONGEST_LIST;
use crate::failure::{Failure, Outcome, exit};
use crate::operator::{Operator, refused};
use crate::output::remark;
use crate::session::Session;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Listed {
    /// Who issues the invoices, and on what terms.
    Settings,
    /// Plans: the version of each that was published last.
    Plans,
    /// Who pays.
    Customers,
    /// Who is on what plan.
    Subscriptions,
    /// Wallets of a customer, with what is left in them.
    Wallets,
    /// What came into a wallet and what was spent, entry by entry.
    Credits,
}

impl Listed {
    /// The kind of document on the API.
    fn kind(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Plans => "plan",
            Self::Customers => "customer",
            Self::Subscriptions => "subscription",
            Self::Wallets => "wallet",
            Self::Credits => "credit",
        }
    }
}

/// Options of `billing list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// What.
    #[arg(value_enum)]
    what: Listed,
    /// Of this: every version of a plan, the wallets of a customer, the credits of a wallet.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    of: String,
}

/// Lists.
///
/// # Errors
/// When it is not said of whom, or the control plane refuses.
pub(super) async fn run(session: &Session, args: ListArgs) -> Outcome {
    let owner = match args.what {
        Listed::Wallets => Some("CUSTOMER"),
        Listed::Credits => Some("WALLET"),
        _ => None,
    };
    if let (Some(owner), true) = (owner, args.of.is_empty()) {
        return Err(Failure::new(format!("It is not said whose {}s are to be listed.", args.what.kind()))
            .next(format!("Add --of {owner}."))
            .code(exit::USAGE));
    }
    if !args.of.is_empty() && owner.is_none() && args.what != Listed::Plans {
        return Err(Failure::new("--of goes with plans, wallets and credits only.")
            .next("Leave it out.")
            .code(exit::USAGE));
    }
    let operator = session.operator().await?;
    let documents = all(&operator, args.what.kind(), &args.of).await?;
    let (heading, row) = rows::of(args.what);
    let rows: Vec<_> =
        documents.into_iter().map(|document| (row(&document), rows::readable(document))).collect();
    session.output.list(heading, &rows)
}

/// Every document of a kind; the first [`LONGEST_LIST`] of them, with a remark when there are more.
///
/// # Errors
/// When the control plane refuses, or sends what is no JSON.
pub(super) async fn all(operator: &Operator, kind: &str, of: &str) -> Outcome<Vec<Value>> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let request = v1::ListBillingDocumentsRequest {
            namespace: operator.namespace.clone(),
            kind: kind.into(),
            of: of.into(),
            after,
        };
        let answer = operator.client.billing().list_billing_documents(request).await;
        let page = answer
            .map_err(|status| refused(format!("Documents of kind {kind} cannot be listed."), &status))?
            .into_inner();
        for document in &page.documents {
            found.push(document_of(document)?);
        }
        if page.next.is_empty() {
            return Ok(found);
        }
        if found.len() >= LONGEST_LIST {
            remark(&format!("Only the first {} are listed.", found.len()));
            return Ok(found);
        }
        after = page.next;
    }
}

/// The JSON of a document.
///
/// # Errors
/// When it is none, as another version of the control plane might send.
pub(in crate::commands) fn document_of<T: serde::de::DeserializeOwned>(text: &str) -> Outcome<T> {
    serde_json::from_str(text).map_err(|error| {
        Failure::new("The control plane sends a document that cannot be read.")
            .why(error)
            .next("Use the `creto` of the same version as the control plane.")
    })
}
