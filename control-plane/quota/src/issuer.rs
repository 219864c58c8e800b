//! The trait both backends implement.

use async_trait::async_trait;
use creto_quota::Report;

use crate::{
    Ask, Expired, Granted, Holder, IssuerError, QuotaEvent, QuotaLimit, Reported, Swept, WindowUsage,
};

/// Hands out leases on limits, and settles what holders report.
///
/// What holds at every moment, for each limit and window, whatever dies: units spent, leased, stranded, lost and
/// assumed are at most the amount. It is held in one place that takes one request after the other, and is on disk
/// before an answer leaves. Every request may be repeated when its answer is lost: a grant under the same number is
/// the same lease, a report under the same number counts once.
///
/// A lease is never taken back by time alone. Past its end the holder spends no more of it, but what it spent before
/// is not known until its report comes: until then, and without end if the holder died, the whole rest counts as used
/// in the window the lease was granted in.
///
/// All calls of one process may be made at once. `now_ms` is milliseconds since 1970.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// Says that a namespace is new: nothing was ever granted in it. A namespace the issuer does not know and was not
    /// told of must be one whose data is gone, and the windows under way grant nothing but what holders give back.
    /// Does nothing for one it knows.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn open_namespace(&self, namespace: &str) -> Result<(), IssuerError>;

    /// A lease for the holder, after taking in the report sent along.
    ///
    /// # Errors
    /// [`IssuerError`]; the report may have been taken in all the same where the error is [`IssuerError::Stale`] or
    /// [`IssuerError::Full`] of leases or holders: send it again.
    async fn grant(
        &self,
        limit: &QuotaLimit,
        holder: &Holder,
        ask: &Ask,
        report: Option<&Report>,
        now_ms: u64,
    ) -> Result<Granted, IssuerError>;

    /// Settles what a holder did.
    ///
    /// # Errors
    /// [`IssuerError::NotGranted`] for a lease it never had: nothing of the report counts then. Else [`IssuerError`].
    async fn report(
        &self,
        limit: &QuotaLimit,
        holder: &Holder,
        report: &Report,
        now_ms: u64,
    ) -> Result<Reported, IssuerError>;

    /// Moves on what time changes: leases past their end become stranded, those nobody told of in a day are written
    /// off, windows and holders of long ago are forgotten. To be called every few seconds for each limit in use.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn expire(&self, limit: &QuotaLimit, now_ms: u64) -> Result<Expired, IssuerError>;

    /// Deletes accounts of limits nobody used for long: whose last window ended [`crate::WINDOW_KEPT_MS`] and its own
    /// length ago, and whose holders and leases are of [`crate::WRITE_OFF_AFTER_MS`] ago. What people are told stays. Looks
    /// at [`crate::FORGET_BATCH`] limits from `after` on (empty: from the first), and says where to go on.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn sweep(&self, namespace: &str, after: &str, now_ms: u64) -> Result<Swept, IssuerError>;

    /// The limits whose name begins so that a holder had leases of, the last used first, at most [`crate::MAX_DRAWN`]; as they
    /// are kept, with this version's defaults for what is not. A holder that is forgotten has none.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn drawn(
        &self,
        namespace: &str,
        holder: &Holder,
        prefix: &str,
    ) -> Result<Vec<QuotaLimit>, IssuerError>;

    /// The account of the window that `at_ms` is in; all zero but for the amount where nothing was kept of it.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn usage(&self, limit: &QuotaLimit, at_ms: u64) -> Result<WindowUsage, IssuerError>;

    /// After a loss of data: all calls begun in the current window before the loss, or on leases from before it, used
    /// at most `units` together. Whoever knows says so, from the metering store; the rest of the window opens. Gives
    /// the account as it is then.
    ///
    /// # Errors
    /// [`IssuerError::TooEarly`] while leases from before the loss may be in use: [`crate::MAX_LEASE_MS`] after it, or
    /// until the window's end, so a shorter window is not opened again.
    async fn settle_loss(
        &self,
        limit: &QuotaLimit,
        units: u64,
        now_ms: u64,
    ) -> Result<WindowUsage, IssuerError>;

    /// Events of a namespace after a sequence number, oldest first, at most [`crate::MAX_EVENTS_READ`].
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn events(&self, namespace: &str, after: u64) -> Result<Vec<QuotaEvent>, IssuerError>;

    /// Forgets events up to a sequence number: they are dealt with.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn forget_events(&self, namespace: &str, up_to: u64) -> Result<(), IssuerError>;
}
