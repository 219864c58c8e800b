//! Flags of `creto-proxy`. Each is also an environment variable, `CRETO_` and the flag's name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// The sidecar: every outbound call of one agent goes through it.
#[derive(Clone, Debug, Parser)]
#[command(name = "creto-proxy", version)]
pub struct Options {
    /// Address of the control plane.
    #[arg(long, env = "CRETO_CONTROL_PLANE", value_name = "URL")]
    pub control_plane: String,

    /// Certificate authority of the control plane (PEM).
    #[arg(long, env = "CRETO_CONTROL_PLANE_CA", value_name = "FILE")]
    pub control_plane_ca: PathBuf,

    /// Folder for identity, last good policy, interception authority and spool.
    #[arg(long, env = "CRETO_STATE", value_name = "DIR")]
    pub state: PathBuf,

    /// File with the single-use enrolment token; needed at the first start only.
    #[arg(long, env = "CRETO_ENROLLMENT_TOKEN_FILE", value_name = "FILE")]
    pub enrollment_token_file: Option<PathBuf>,

    /// Where the agent reaches the sidecar as HTTP proxy and by base URL. Port 0 takes a free one.
    #[arg(long, env = "CRETO_LISTEN", default_value = "127.0.0.1:15001")]
    pub listen: SocketAddr,

    /// Where redirected connections arrive (nftables REDIRECT).
    #[arg(long, env = "CRETO_TRANSPARENT")]
    pub transparent: Option<SocketAddr>,

    /// Where /ready, /live, /metrics and /config are served.
    #[arg(long, env = "CRETO_ADMIN", default_value = "127.0.0.1:15000")]
    pub admin: SocketAddr,

    /// More certificate authorities to trust in upstreams (PEM), beside the system's.
    #[arg(long, env = "CRETO_UPSTREAM_CA", value_name = "FILE", value_delimiter = ',')]
    pub upstream_ca: Vec<PathBuf>,

    /// Threads that carry calls.
    #[arg(long, env = "CRETO_THREADS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: u16,

    /// Longest wait for the head of an upstream's answer, seconds.
    #[arg(long, env = "CRETO_RESPONSE_TIMEOUT", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub response_timeout: u64,

    /// Longest silence within a body, seconds.
    #[arg(long, env = "CRETO_IDLE_TIMEOUT", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub idle_timeout: u64,

    /// Most disk the spool of undelivered records takes, MiB; at the bound calls are refused.
    #[arg(long, env = "CRETO_SPOOL_LIMIT", default_value_t = 256, value_parser = clap::value_parser!(u32).range(4..=65_536))]
    pub spool_limit: u32,

    /// Longest request body that is read when policy or metering asks what it says, MiB; longer ones are answered 413.
    #[arg(long, env = "CRETO_BODY_LIMIT", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub body_limit: u32,

    /// Memory for the request bodies that are held at once, MiB; further ones wait.
    #[arg(long, env = "CRETO_BODY_MEMORY", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub body_memory: u32,

    /// How log lines look.
    #[arg(long, env = "CRETO_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Every wait of the data path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// Name resolution.
    pub resolve: Duration,
    /// TCP connect.
    pub connect: Duration,
    /// TLS handshake, either side.
    pub handshake: Duration,
    /// First bytes of a connection, and an HTTP/1 request head once begun.
    pub head: Duration,
    /// Head of the upstream's answer.
    pub response: Duration,
    /// Silence within a body or tunnel.
    pub idle: Duration,
}

impl Timeouts {
    /// Those of the flags, the others as `docs/limits.md` lists them.
    #[must_use]
    pub(crate) fn from_options(options: &Options) -> Self {
        Self {
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(300),
            response: Duration::from_secs(options.response_timeout),
            idle: Duration::from_secs(options.idle_timeout),
        }
    }
}
