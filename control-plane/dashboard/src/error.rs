//! Why the page does not start.

use std::net::SocketAddr;

/// Why the page does not start.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// Passwords would cross a network in the clear.
    #[error(
        "the dashboard speaks plain HTTP and would listen on {0}, which others can reach: listen on 127.0.0.1, or put a TLS \
         proxy in front of it and give its address with --dashboard-url https://..."
    )]
    PlainHttp(SocketAddr),
    /// Not where people would find it.
    #[error("--dashboard-url {url}: {cause}; write it as https://approvals.example.com")]
    Url {
        /// As given.
        url: String,
        /// What is wrong.
        cause: &'static str,
    },
    /// The address cannot be listened on.
    #[error("the dashboard cannot listen on {address}: {source}; choose another with --dashboard-listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}
