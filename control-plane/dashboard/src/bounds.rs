//! Every bound of the page and its accounts.

use std::time::Duration;

/// Bytes of a request's body.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Bytes of a request's first line and headers.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Headers of a request.
pub const MAX_HEADERS: usize = 64;
/// Fields of a form.
pub const MAX_FIELDS: usize = 256;
/// Connections at once; more wait in the system's queue.
pub const MAX_CONNECTIONS: usize = 256;
/// How long the head of a request may take, from the end of the one before.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take from its head to the head of its answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one connection may last, whatever it does.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);
/// How long open connections may take to end when the page stops.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Pages with whole requests in them that are made and sent at once; more wait, up to [`REQUEST_TIMEOUT`].
pub const MAX_WHOLE_PAGES: usize = 16;

/// How long a session lasts, in milliseconds.
pub const SESSION_MS: u64 = 8 * 3_600_000;
/// How long a session lasts without its person doing anything, in milliseconds.
pub const SESSION_IDLE_MS: u64 = 30 * 60_000;
/// How much later than kept a session may have been seen, in milliseconds: it is not written at every look.
pub const SEEN_EVERY_MS: u64 = 60_000;
/// Sessions of one account; the oldest ends when there are more.
pub const MAX_SESSIONS: u32 = 16;
/// Accounts of one namespace.
pub const MAX_ACCOUNTS: i64 = 1_000;
/// Bytes of a password, the least and the most.
pub const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 12..=1_024;
/// Passwords that are hashed at once: each takes 19 MiB.
pub const MAX_HASHING: usize = 2;
/// Passwords that wait to be hashed; more are refused.
pub const MAX_HASHING_WAITING: usize = 32;

/// The time over which attempts to sign in are counted, in milliseconds.
pub const ATTEMPTS_MS: u64 = 15 * 60_000;
/// Attempts at one account in that time.
pub const MAX_ATTEMPTS_AN_ACCOUNT: u32 = 10;
/// Attempts from one address (IPv6: one /64) in that time.
pub const MAX_ATTEMPTS_AN_ADDRESS: u32 = 50;
/// Accounts and addresses that are counted, each; the one counted longest makes room.
pub const MAX_COUNTED: usize = 10_000;

/// Requests that a list shows.
pub const MAX_LISTED: u32 = 200;
/// Requests that are reviewed on one page.
pub const MAX_REVIEWED: usize = 20;
/// Bytes of all that is reviewed on one page: more is reviewed in several.
pub const MAX_REVIEW_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of JSON that is also shown laid out for reading.
pub const MAX_LAID_OUT_BYTES: usize = 256 * 1024;
/// Levels of JSON that are laid out.
pub const MAX_LAID_OUT_DEPTH: usize = 64;
/// Newest requests that insights are computed from.
pub const MAX_INSIGHTS: u32 = 500;
/// A decision faster than this after the request was made, or after the same person's decision before, was hardly a review, in
/// milliseconds.
pub const QUICK_MS: u64 = 2_000;
/// Decisions from which on a policy or person is judged.
pub const MIN_JUDGED: usize = 10;
