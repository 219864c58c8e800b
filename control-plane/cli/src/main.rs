//! `creto`: reads the command line, does it, tells how it went.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use creto_cli::{Cli, Failure, become_child};

fn main() -> ExitCode {
    match become_child(std::env::args_os().skip(1)) {
        Some(Ok(code)) => return ExitCode::from(code),
        Some(Err(failure)) => return tell(failure, false),
        None => {}
    }
    let cli = Cli::parse();
    let json = cli.is_json();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(cli.execute()),
        Err(error) => Err(Failure::new("The program cannot start.").why(error)),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => tell(failure, json),
    }
}

/// Prints a failure and gives its exit code.
fn tell(failure: Failure, json: bool) -> ExitCode {
    let code = failure.exit_code();
    let text = if json { failure.to_json().to_string() } else { failure.render() };
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
    ExitCode::from(code)
}
