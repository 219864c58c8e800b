//! `creto-control-plane`: starts the control plane and stops it on a signal.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use creto_control_plane::{Arguments, ControlPlane, LogFormat, Options, PeopleCommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(people) = PeopleCommand::asked() {
        return match people.run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error}");
                ExitCode::FAILURE
            }
        };
    }
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("CRETO_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
    match run(arguments.into()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut plane = ControlPlane::start(options).await?;
    // Whoever started this may not be reading: the line is for those who do.
    let _ = writeln!(std::io::stdout(), "listening on {}", plane.address());
    if let Some(url) = plane.dashboard_url() {
        let _ = writeln!(std::io::stdout(), "dashboard at {url}");
    }
    let ended = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = plane.ended() => true,
    };
    plane.shutdown().await;
    if ended { Err("the server ended: the log above says why".into()) } else { Ok(()) }
}
