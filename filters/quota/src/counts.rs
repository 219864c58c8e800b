//! Numbers for metrics.

/// What happened on a quota since it was made. Calls are counted when they are settled, refusals at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls admitted and settled, those with overage among them.
    pub admitted: u64,
    /// Calls refused.
    pub short: u64,
    /// Calls admitted without a lease that covered them.
    pub overage: u64,
    /// Units used without a lease that covered them; stops at the largest number.
    pub overage_units: u64,
    /// Units used above what was reserved; stops at the largest number.
    pub overrun_units: u64,
}
