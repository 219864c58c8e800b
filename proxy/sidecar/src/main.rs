//! `creto-proxy`: the sidecar's process.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match creto_proxy::run(&creto_proxy::Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "creto-proxy: {error}");
            ExitCode::FAILURE
        }
    }
}
