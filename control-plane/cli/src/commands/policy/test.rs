//! `creto policy test`: calls with the verdicts that their authors expect.

mod coverage;
mod expectation;
mod files;
mod junit;
mod read;
mod report;
mod ruling;
mod suite;

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, Outcome, exit};
use crate::session::Session;

pub(super) use self::ruling::{Ruled, Verdict};
pub(super) use self::suite::{Sets, Suite};

/// Options of `test`.
#[derive(Args, Debug)]
pub(crate) struct TestArgs {
    /// Test files (TOML); of a folder every *.test.toml in it and below.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Say which rules decided no call.
    #[arg(long)]
    coverage: bool,
    /// Write the results as JUnit XML to this file too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Runs the tests.
///
/// # Errors
/// When a test file or a document does not hold, or a result cannot be written.
pub(super) fn run(session: &Session, args: &TestArgs) -> Outcome<u8> {
    let mut results = Vec::new();
    for file in files::found(&args.files)? {
        results.push(Suite::load(&file)?.run());
    }
    if let Some(file) = &args.junit {
        std::fs::write(file, junit::document(&results)).map_err(|error| {
            Failure::new(format!("The results cannot be written to {}.", file.display())).why(error)
        })?;
    }
    let covered = args.coverage.then(|| coverage::of(&results));
    let (value, text) = report::of(&results, covered.as_deref());
    session.output.value(&value, &text)?;
    let failed = results.iter().any(|result| result.cases.iter().any(|case| !case.holds()));
    Ok(if failed { exit::FAILED } else { 0 })
}
