//! How a control plane is started.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use creto_policy_store::SyncLimits;

use crate::StripeOptions;

/// How a control plane is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of all it keeps; made if it is not there.
    pub data: PathBuf,
    /// Where it listens; port 0 for a free one.
    pub listen: SocketAddr,
    /// Names and addresses its certificate is for, beside `localhost`, `127.0.0.1` and `::1`.
    pub advertise: Vec<String>,
    /// PostgreSQL that keeps events and bills, `postgres://user:password@host:port/database`; none keeps them in the data folder.
    pub database_url: Option<String>,
    /// Redis that keeps quotas, `redis://[user:password@]host:port[/database]`; none keeps them in the data folder.
    pub redis_url: Option<String>,
    /// How usage and invoices are exported to Stripe; none exports nothing.
    pub stripe: Option<StripeOptions>,
    /// Where the approvals page listens; none has no page. Loopback, unless `dashboard_url` is given.
    pub dashboard_listen: Option<SocketAddr>,
    /// Where people reach the page, `https://...`, when a TLS proxy stands in front of it.
    pub dashboard_url: Option<String>,
    /// What push streams may take.
    pub sync: SyncLimits,
}

impl Options {
    /// Over this folder, on a free loopback port.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advertise: Vec::new(),
            database_url: None,
            redis_url: None,
            stripe: None,
            dashboard_listen: None,
            dashboard_url: None,
            sync: SyncLimits::default(),
        }
    }
}
