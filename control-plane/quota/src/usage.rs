//! What became of a window's units.

use crate::Window;

/// A window's account, in units. At every moment `spent + leased + stranded + lost + assumed` is at most the amount
/// (the highest it had since the window began); overrun and overage are use no lease covered, and come on top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The amount in force.
    pub amount: u64,
    /// Used out of leases, as reported.
    pub spent: u64,
    /// Used above what calls had reserved, as reported.
    pub overrun: u64,
    /// Used without a lease, as reported.
    pub overage: u64,
    /// In leases under way: may yet be spent or given back.
    pub leased: u64,
    /// In leases past their end, not accounted for: in calls still open, or with a process that died. Counts as used
    /// until the holder's report says otherwise. As of the last `expire`.
    pub stranded: u64,
    /// Stranded for so long that it was written off: counts as used for good.
    pub lost: u64,
    /// Assumed used, since what was kept was lost during this window.
    pub assumed: u64,
    /// Units that can be granted.
    pub available: u64,
}

impl Usage {
    /// Units that count as used: all that nobody may still give back unused, as far as is known.
    #[must_use]
    pub fn used(&self) -> u64 {
        [self.spent, self.overrun, self.overage, self.stranded, self.lost, self.assumed]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// A window and its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowUsage {
    /// Which.
    pub window: Window,
    /// Its account.
    pub usage: Usage,
}

/// What `expire` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Units that became stranded: of leases past their end.
    pub stranded: u64,
    /// Units written off.
    pub written_off: u64,
    /// There is more to do: call again.
    pub more: bool,
    /// When something is to be done next about a lease, in milliseconds since 1970; none: not before another is granted.
    pub next_ms: Option<u64>,
}

/// What `sweep` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Limits whose account was deleted.
    pub forgotten: u64,
    /// Where to go on; empty: all limits were looked at.
    pub next: String,
}
