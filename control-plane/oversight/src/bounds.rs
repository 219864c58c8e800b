//! Every bound of approvals.

/// Requests of one agent that people decide at once.
pub const MAX_OPEN_AN_AGENT: i64 = 64;
/// Requests of one namespace that people decide at once.
pub const MAX_OPEN_A_NAMESPACE: i64 = 10_000;
/// Bytes of what people are shown of a call. A larger call cannot be reviewed whole, and is not held but refused.
pub const MAX_CONTEXT_BYTES: usize = 1_600_000;
/// Bytes of a body that can be reviewed.
pub const MAX_REVIEWED_BYTES: usize = 1 << 20;
/// How long a denial answers for the same call again without asking people, in milliseconds.
pub const DENIAL_HOLDS_MS: u64 = 300_000;
/// How long a use may run before its end counts as unknown, in milliseconds. Longer than a call may take.
pub const EXECUTION_MS: u64 = 900_000;
/// Requests one reading of a list gives.
pub const MAX_PAGE: u32 = 500;
/// Requests that one caller waits for at once.
pub const MAX_AWAITED: usize = 64;
/// How long one who waits is let wait at most, in milliseconds.
pub const MAX_WAIT_MS: u64 = 20_000;
/// Steps of one request that are shown, the newest.
pub const MAX_STEPS_SHOWN: u32 = 1_000;
/// Requests that moved which one look of a follower gives.
pub const MAX_MOVED: u32 = 1_000;
/// Requests that one look at the clock moves on.
pub const MAX_DUE: u32 = 500;
/// How often a step is tried again that another one came before.
pub const MAX_TRIES: u32 = 16;
/// Changes that a slow listener may be behind before it has to look for itself.
pub const MAX_UNHEARD: usize = 4_096;
