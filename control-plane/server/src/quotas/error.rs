//! Why quotas are not answered about.

use std::path::PathBuf;

use creto_identity::IdentityError;
use creto_quota_issuer::IssuerError;
use creto_store::StoreError;
use thiserror::Error;

use super::MAX_EXCHANGES;
use super::listing::MAX_LISTED;

/// Why quotas are not answered about.
#[derive(Debug, Error)]
pub enum QuotaError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Delegations cannot be read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The issuer failed.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// More exchanges than one request may have.
    #[error("a request has at most {MAX_EXCHANGES} exchanges, and this one has {0}: send several")]
    TooManyExchanges(usize),
    /// The run of the sidecar's process has no number.
    #[error(
        "`process` is 0: draw a random number at the start of the process, and send it with every request"
    )]
    NoProcess,
    /// More quotas than one answer holds.
    #[error("the namespace has more than {MAX_LISTED} quotas over all agents: name an agent")]
    TooManyListed,
    /// A quota counts something else than under its name before.
    #[error(
        "the quota `{quota}` of policy `{policy}` counts {before}; one that counts {now} needs another name, for what sidecars hold of it goes by the name"
    )]
    CountsOtherwise {
        /// Name of the policy.
        policy: String,
        /// Name of the quota.
        quota: String,
        /// What it counted before.
        before: String,
        /// What it would count.
        now: String,
    },
    /// The file of the namespaces that were opened cannot be read or written.
    #[error("{path}: {source}; check that the data folder belongs to this user and has space")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
