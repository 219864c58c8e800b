//! How much of everything an issuer keeps.

/// Largest limit, sum or reported amount, in units: what both backends add without error (2^53 - 1). In billionths of
/// a dollar that is nine million dollars a window. Sums stop here.
pub const MAX_UNITS: u64 = (1 << 53) - 1;
/// Limits of one namespace: ten thousand agents with twenty quotas each. Each takes 0.6 KB of file with a
/// lease out, and 84 bytes for each hour of the last week it was used in; in memory are only those in use.
/// Those nobody used for long are forgotten by `sweep`, and at one more than this: whose last window ended so long ago
/// that it is not kept any more, and whose holders and leases are of before that too.
#[cfg(not(test))]
pub const MAX_LIMITS: u64 = 200_000;
/// Few enough that a test fills them.
#[cfg(test)]
pub const MAX_LIMITS: u64 = 40;
/// Limits that one `sweep` looks at, and as many when there is no room for another.
#[cfg(not(test))]
pub const FORGET_BATCH: usize = 1_000;
/// Fewer than a test makes.
#[cfg(test)]
pub const FORGET_BATCH: usize = 40;
/// Processes that hold, or held in the last [`WRITE_OFF_AFTER_MS`], leases of one limit.
pub const MAX_HOLDERS: u64 = 20_000;
/// Processes of one sidecar that hold leases of one limit. With another, the one not heard of for the longest is retired:
/// its leases are written off, so they count as used.
pub const MAX_PROCESSES: usize = 8;
/// Limits named in one answer of `drawn`.
pub const MAX_DRAWN: usize = 16;
/// Leases of one process on one limit that are not fully reported: what the process itself can keep.
pub const MAX_OPEN_LEASES: u64 = creto_quota::MAX_OPEN_LEASES as u64;
/// Leases of one limit that are not fully reported, of all processes.
pub const MAX_LEASES: u64 = 200_000;
/// Leases in one report: all a process can have open, and as many it refused.
pub const MAX_REPORT_LEASES: usize = 2 * creto_quota::MAX_OPEN_LEASES;
/// How long a lease lasts unless its limit says otherwise, in milliseconds.
pub const DEFAULT_LEASE_MS: u64 = 60_000;
/// Shortest life of a lease, in milliseconds.
pub const MIN_LEASE_MS: u64 = 2_000;
/// Longest life of a lease, in milliseconds.
pub const MAX_LEASE_MS: u64 = 3_600_000;
/// A process counts as active, when leases are sized, this many lease lives after it was last heard of.
pub const ACTIVE_LIVES: u64 = 2;
/// A lease nobody has accounted for is written off this long after its end: its rest stays counted as used, for good.
/// Processes that were not heard of for so long are forgotten. In milliseconds (24 hours).
pub const WRITE_OFF_AFTER_MS: u64 = 86_400_000;
/// How long a window is kept after its end, besides once its own length, in milliseconds (25 hours).
pub const WINDOW_KEPT_MS: u64 = 90_000_000;
/// Leases, windows and processes one call of `expire` looks at, of each.
pub const EXPIRE_BATCH: usize = 1_000;
/// Events a namespace keeps for those who read them; beyond that the oldest go, and the numbers show the gap.
pub const MAX_EVENTS: u64 = 100_000;
/// Events in one answer.
pub const MAX_EVENTS_READ: u32 = 1_000;
/// Hours a spike is compared with, at most.
pub const MAX_SPIKE_HOURS: u32 = 168;
/// Shortest custom period, in seconds.
pub const MIN_CUSTOM_S: u64 = 60;
/// Longest custom period, in seconds (366 days).
pub const MAX_CUSTOM_S: u64 = 366 * 86_400;
/// Longest name of a limit or a sidecar, in bytes: a limit's is made of those of a policy, a quota and whose share it is.
pub const MAX_NAME_BYTES: usize = 256;
/// Longest name of a namespace, in bytes.
pub const MAX_NAMESPACE_BYTES: usize = 63;
/// Latest moment an issuer is told, in milliseconds since 1970 (the year 6429).
pub const MAX_TIME_MS: u64 = 1 << 47;
