//! How to reach PostgreSQL, and what to accept.

use std::time::Duration;

use crate::bounds::{
    DEFAULT_DISK_BYTES, DEFAULT_NAMESPACE_BYTES, DEFAULT_RETENTION_US, DEFAULT_SERIES, MAX_FRAME_BYTES,
    MAX_FRAME_EVENTS,
};
use crate::{Acceptance, EpochBounds};

/// Connections of one store, when nothing else is said.
pub const DEFAULT_CONNECTIONS: u32 = 8;
/// Connections one store may be given.
pub const MAX_CONNECTIONS: u32 = 64;
/// Series whose number is remembered; at more all are looked up again.
pub const MAX_KNOWN_SERIES: usize = 500_000;
/// Namespaces whose meters are remembered; at more all are read again.
pub const MAX_KNOWN_NAMESPACES: usize = 10_000;
/// Requests in hand or waiting for a connection; more are sent away at once.
pub const MAX_REQUESTS: usize = 512;
/// Frames taken in by one transaction, when nothing else is said.
pub const MAX_GROUP_FRAMES: usize = 64;
/// Events of such frames: as many as one block of numbers has, so never more than these.
pub const MAX_GROUP_EVENTS: usize = MAX_FRAME_EVENTS;
/// Encoded bytes of such frames; a single one may have as many.
pub const MAX_GROUP_BYTES: usize = MAX_FRAME_BYTES;
/// How long the server may take to take a connection: longer, and it is away. There is always one to be had: see
/// `turns.rs`.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Rows one statement forgets because of their age.
pub(super) const FORGET_ROWS: i64 = 10_000;
/// How many such statements one expiry makes of each kind; the rest goes the next time.
pub(super) const FORGET_STATEMENTS: u32 = 1_000;
/// How long one operation may take as a whole: a server that is gone without a word is noticed by this.
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a query, a recomputation or a scan may take as a whole.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Times a transaction is tried that the server broke off for the sake of another.
pub(super) const TRIES: usize = 4;
/// How long a partition that is given up waits for who reads it; it goes another time.
pub(super) const DROP_LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";
/// Said on every new connection. Bounds how long the server works on a statement, waits for a lock, and keeps a
/// transaction whose client is silent or gone; and sees to it that a commit is on disk when it returns.
pub(super) const SESSION: &str = "SET statement_timeout = '60s'; SET lock_timeout = '20s'; \
     SET idle_in_transaction_session_timeout = '60s'; SET TimeZone = 'UTC'; \
     SET client_connection_check_interval = '5s'; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// How the store on PostgreSQL behaves.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database`, with `sslmode` and `sslrootcert` where they are needed.
    pub url: String,
    /// Connections at most: 2 to [`MAX_CONNECTIONS`].
    pub connections: u32,
    /// When events may have happened.
    pub acceptance: Acceptance,
    /// How long events, and marks of producers that are silent, are kept, in microseconds.
    pub retention_us: i64,
    /// How many epochs of producers are held.
    pub epochs: EpochBounds,
    /// Bytes of events one namespace may have, about: a request more, and what other replicas take in within ten seconds.
    pub namespace_bytes: u64,
    /// Bytes of events, and of what they come to, of all namespaces, about: and what is taken in within a minute.
    pub disk_bytes: u64,
    /// Series of one namespace that are kept apart by all they say: see [`DEFAULT_SERIES`]. Up to nine tenths of them are
    /// added without a look at what other replicas add; what these added is seen after ten seconds. So there may be more,
    /// by what all replicas add within ten seconds, but for the last tenth: at most nine tenths more for each replica.
    pub series: u64,
    /// Frames that may share a transaction while they wait for a connection: 1 to [`MAX_GROUP_FRAMES`].
    pub group_frames: usize,
}

impl PostgresOptions {
    /// The server at this address, the rest as usual.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            connections: DEFAULT_CONNECTIONS,
            acceptance: Acceptance::default(),
            retention_us: DEFAULT_RETENTION_US,
            epochs: EpochBounds::default(),
            namespace_bytes: DEFAULT_NAMESPACE_BYTES,
            disk_bytes: DEFAULT_DISK_BYTES,
            series: DEFAULT_SERIES,
            group_frames: MAX_GROUP_FRAMES,
        }
    }
}

impl std::fmt::Debug for PostgresOptions {
    /// Without the address: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("connections", &self.connections)
            .field("acceptance", &self.acceptance)
            .field("retention_us", &self.retention_us)
            .finish_non_exhaustive()
    }
}
