//! The command line of `creto-control-plane`. Every flag is an environment variable too.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use creto_policy_store::{DEFAULT_MAX_STREAMS, DEFAULT_STREAM_RATE, SyncLimits};

use crate::{Options, StripeOptions};

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Creto's control plane: identity, policy and records of calls, for sidecars and operators.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "creto-control-plane",
    version,
    after_help = "`creto-control-plane people --help` says how people are let into the approvals page."
)]
pub struct Arguments {
    /// Folder of all it keeps; made at the first start.
    #[arg(long, env = "CRETO_DATA")]
    pub data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, env = "CRETO_LISTEN", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Names or addresses the server certificate is for, beside the loopback ones.
    #[arg(long, env = "CRETO_ADVERTISE", value_delimiter = ',')]
    pub advertise: Vec<String>,
    /// PostgreSQL that keeps metering events and bills, for several control planes beside each other
    /// (`postgres://user:password@host:port/database`). Without, they are kept in the data folder.
    #[arg(long, env = "CRETO_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Redis that keeps quotas, for several control planes beside each other (`redis://[user:password@]host:port`); it
    /// must keep what it answers (`appendonly yes`, `appendfsync always`). Without, quotas are kept in the data folder.
    #[arg(long, env = "CRETO_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// File with the API key of Stripe, which only its owner may read: exports usage and invoices of the namespaces whose
    /// billing settings say so. Without, nothing is exported.
    #[arg(long, env = "CRETO_STRIPE_KEY_FILE")]
    pub stripe_key_file: Option<PathBuf>,
    /// Another server of Stripe's interface, such as a proxy: https, or http on this machine.
    #[arg(long, env = "CRETO_STRIPE_URL", requires = "stripe_key_file")]
    pub stripe_url: Option<String>,
    /// Address and port of the approvals page; without, there is none. Plain HTTP, so on this machine only (127.0.0.1:8444),
    /// unless --dashboard-url says that a TLS proxy stands in front.
    #[arg(long, env = "CRETO_DASHBOARD_LISTEN")]
    pub dashboard_listen: Option<SocketAddr>,
    /// Where people reach the approvals page through a TLS proxy (`https://approvals.example.com`). Cookies are for TLS then.
    #[arg(long, env = "CRETO_DASHBOARD_URL", requires = "dashboard_listen")]
    pub dashboard_url: Option<String>,
    /// Most push streams open at once.
    #[arg(long, env = "CRETO_MAX_STREAMS", default_value_t = DEFAULT_MAX_STREAMS)]
    pub max_streams: usize,
    /// Most push streams opened in a second; the others are asked to come again.
    #[arg(long, env = "CRETO_MAX_STREAM_RATE", default_value_t = DEFAULT_STREAM_RATE)]
    pub max_stream_rate: u32,
    /// How the log is written to standard error.
    #[arg(long, env = "CRETO_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        Self {
            data: arguments.data,
            listen: arguments.listen,
            advertise: arguments.advertise,
            database_url: arguments.database_url,
            redis_url: arguments.redis_url,
            stripe: arguments
                .stripe_key_file
                .map(|key_file| StripeOptions { key_file, url: arguments.stripe_url }),
            dashboard_listen: arguments.dashboard_listen,
            dashboard_url: arguments.dashboard_url,
            sync: SyncLimits {
                streams: arguments.max_streams,
                stream_rate: arguments.max_stream_rate,
                ..SyncLimits::default()
            },
        }
    }
}
