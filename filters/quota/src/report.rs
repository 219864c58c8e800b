//! What the issuer learns.

/// What happened since the last report.
///
/// Reports of one handle are numbered from 1 without gaps. The issuer applies number n + 1 after n and ignores a
/// number it has seen, so sending one again is harmless. A handle made after a restart counts from 1 again: the sender
/// says which run of the process it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The number of this report.
    pub sequence: u64,
    /// Leases something happened to.
    pub leases: Vec<LeaseReport>,
    /// Units used without a lease that covered them.
    pub overage: u64,
}

/// What happened to one lease since the last report. Amounts add up over reports: at the final one, spent and given
/// back make up the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseReport {
    /// The lease.
    pub id: u64,
    /// Its epoch.
    pub epoch: u64,
    /// Units used, within reservations.
    pub spent: u64,
    /// Units the issuer has back.
    pub given_back: u64,
    /// Units used above reservations: no lease covers them, the issuer charges them to the limit all the same.
    pub overrun: u64,
    /// Nothing more will be told of this lease.
    pub last: bool,
}
