//! `creto billing apply`: files of billing documents, checked as a whole, then put in one by one.
//!
//! What is in the files is checked before anything is sent: by itself, then against each other and what is kept already.

mod check;
mod document;
mod file;
mod kept;
mod problem;
mod put;

use std::path::PathBuf;

use clap::Args;

use self::kept::Kept;
use self::problem::Problems;
use crate::failure::Outcome;
use crate::session::Session;

/// Options of `billing apply`.
#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    /// TOML, or JSON where the name ends in .json: a table [settings], and [[plans]], [[customers]], [[subscriptions]],
    /// [[wallets]] and [[credits]].
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Puts in what the files say, and tells of each document what happened.
///
/// # Errors
/// With every problem of every file; nothing is sent then. When the control plane refuses a document: those before it are
/// in, and the same files can be applied again.
pub(super) async fn run(session: &Session, args: ApplyArgs) -> Outcome {
    let mut problems = Problems::default();
    let mut entries = Vec::new();
    for path in &args.files {
        file::read(path, &mut entries, &mut problems);
    }
    let mut entries = check::documents(entries, &mut problems);
    problems.settle()?;
    let operator = session.operator().await?;
    let kept = Kept::load(&operator, &entries).await?;
    kept.fill(&mut entries);
    kept.check(&entries, &mut problems);
    problems.settle()?;
    put::all(session, &operator, &kept, &entries).await
}
