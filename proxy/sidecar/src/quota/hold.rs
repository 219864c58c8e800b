//! What is reserved for one call, settled when it has ended.

use creto_call::RefusalCode;
use creto_metering::Settled;
use creto_policy::QuotaMeter;
use creto_quota::{MAX_SET, OwnedSetReservation};

use super::{EgressRoom, Most, Sending};

/// Reserved units of one call. Dropped unsettled, they count as used.
#[derive(Debug)]
pub(crate) struct QuotaHold {
    shares: OwnedSetReservation,
    meters: [Option<QuotaMeter>; MAX_SET],
    egress: EgressRoom,
    most: Most,
    cut: bool,
}

/// What a call came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used<'a> {
    /// It had a connection to leave by.
    pub(crate) left: bool,
    pub(crate) request_bytes: u64,
    /// The upstream answered, and with an error: such an answer uses nothing that is not said.
    pub(crate) failed: bool,
    pub(crate) settled: Option<&'a Settled>,
}

impl QuotaHold {
    pub(super) fn new(
        shares: OwnedSetReservation,
        meters: [Option<QuotaMeter>; MAX_SET],
        egress: EgressRoom,
        most: Most,
        cut: bool,
    ) -> Self {
        Self { shares, meters, egress, most, cut }
    }

    /// Shares that go on without a lease, by their places.
    pub(super) fn uncovered(&self) -> impl Iterator<Item = usize> {
        (0..MAX_SET).filter(|at| self.shares.overage(*at).is_some())
    }

    pub(super) fn signals_refill(&self) -> bool {
        self.shares.signals_refill()
    }

    /// Whether the call may have sent so many bytes since its beginning.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn may_reach(&self, total: u64) -> Result<Sending, RefusalCode> {
        self.egress.may_reach(total)
    }

    /// Tokens of answer after which a quota wants it ended.
    pub(crate) fn cut_at(&self) -> u64 {
        if self.cut { self.most.answer() } else { u64::MAX }
    }

    /// Whether bytes are reserved, too.
    pub(crate) fn counts_bytes(&self) -> bool {
        !self.egress.is_without_end()
    }

    /// Settles every quota.
    pub(crate) fn settle(self, used: Used<'_>) {
        let Self { mut shares, meters, egress, most, cut: _ } = self;
        egress.settle(if used.left { used.request_bytes } else { 0 });
        for (at, meter) in meters.into_iter().enumerate() {
            let (Some(meter), Some(reserved)) = (meter, shares.amount(at)) else { continue };
            shares.settle_one(at, most.came_to(meter, reserved, &used));
        }
    }
}
