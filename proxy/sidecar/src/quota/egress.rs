//! Quotas of bytes: a body of known size is reserved whole, any other piece by piece as it passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use creto_call::RefusalCode;
use creto_quota::OwnedReservation;
use parking_lot::Mutex;

use super::line::{QuotaLine, Said};
use crate::path::judge::now_s;

/// First and largest piece, in bytes.
const FIRST: u64 = 64 << 10;
const LARGEST: u64 = 16 << 20;
/// How long bytes wait for a lease before the call is ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether bytes may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// They may.
    Goes,
    /// Not before there is a lease for them: ask again in a moment.
    Waits,
}

/// What a call may send.
#[derive(Debug)]
pub(crate) struct EgressRoom {
    /// Bytes from the beginning of the call; without a quota without end.
    room: AtomicU64,
    pieces: Mutex<Pieces>,
}

#[derive(Debug)]
struct Pieces {
    /// One a quota, of the piece that is being used up; those before are settled as used.
    held: Vec<(Arc<QuotaLine>, Option<OwnedReservation>)>,
    /// Bytes in pieces before.
    before: u64,
    waits_since: Option<Instant>,
}

impl EgressRoom {
    /// Reserves the whole body, or the first piece of one whose size is not known.
    ///
    /// # Errors
    /// The quota that is short, and what was asked of it.
    pub(super) fn take(
        lines: &[Arc<QuotaLine>],
        bytes: Option<u64>,
        now_s: u64,
    ) -> Result<Self, (Arc<QuotaLine>, u64)> {
        let amount = if lines.is_empty() { u64::MAX } else { bytes.unwrap_or(FIRST) };
        let mut held = Vec::with_capacity(lines.len());
        for line in lines {
            match line.quota.reserve_owned(amount, now_s) {
                Ok(reservation) => held.push((Arc::clone(line), Some(noted(line, amount, reservation)))),
                Err(_) => {
                    give_back(held);
                    return Err((Arc::clone(line), amount));
                }
            }
        }
        let pieces = Pieces { held, before: 0, waits_since: None };
        Ok(Self { room: AtomicU64::new(amount), pieces: Mutex::new(pieces) })
    }

    /// Whether the call may have sent so many bytes since its beginning.
    ///
    /// # Errors
    /// [`RefusalCode::OverQuota`] and [`RefusalCode::QuotaUnavailable`].
    pub(crate) fn may_reach(&self, total: u64) -> Result<Sending, RefusalCode> {
        if total <= self.room.load(Ordering::Relaxed) {
            return Ok(Sending::Goes);
        }
        self.more(total)
    }

    #[cold]
    fn more(&self, total: u64) -> Result<Sending, RefusalCode> {
        let mut pieces = self.pieces.lock();
        let room = self.room.load(Ordering::Relaxed);
        if total <= room {
            return Ok(Sending::Goes);
        }
        let least = total - room;
        let now_s = now_s();
        let mut short = None;
        // As large a piece as the call has had so far, or what it must be.
        for amount in [room.clamp(FIRST, LARGEST).max(least), least] {
            match pieces.next(amount, now_s) {
                Ok(()) => {
                    pieces.waits_since = None;
                    pieces.before = room;
                    self.room.store(room.saturating_add(amount), Ordering::Relaxed);
                    return Ok(Sending::Goes);
                }
                Err(line) => short = Some(line),
            }
        }
        let Some(line) = short else { return Ok(Sending::Goes) };
        let since = *pieces.waits_since.get_or_insert_with(Instant::now);
        match line.said(least) {
            Said::Exhausted { .. } | Said::Impossible { .. } => Err(RefusalCode::OverQuota),
            Said::Unknown | Said::Away => Err(RefusalCode::QuotaUnavailable),
            Said::Nothing if since.elapsed() > PATIENCE => Err(RefusalCode::QuotaUnavailable),
            Said::Nothing => {
                line.need(least);
                Ok(Sending::Waits)
            }
        }
    }

    /// Whether no quota counts the bytes.
    pub(super) fn is_without_end(&self) -> bool {
        self.room.load(Ordering::Relaxed) == u64::MAX
    }

    /// Settles at what was sent.
    pub(super) fn settle(self, sent: u64) {
        let pieces = self.pieces.into_inner();
        for (_, reservation) in pieces.held {
            if let Some(reservation) = reservation {
                reservation.settle(sent.saturating_sub(pieces.before));
            }
        }
    }
}

impl Pieces {
    /// Takes the next piece from each quota, or from none; then the one before counts as used.
    fn next(&mut self, amount: u64, now_s: u64) -> Result<(), Arc<QuotaLine>> {
        let mut taken = Vec::with_capacity(self.held.len());
        for (line, _) in &self.held {
            match line.quota.reserve_owned(amount, now_s) {
                Ok(reservation) => taken.push((Arc::clone(line), Some(noted(line, amount, reservation)))),
                Err(_) => {
                    give_back(taken);
                    return Err(Arc::clone(line));
                }
            }
        }
        // Dropped, a reservation is settled as used in full.
        self.held = taken;
        Ok(())
    }
}

/// What goes on without a lease asks for one, and what brings a lease to half for the next.
fn noted(line: &QuotaLine, amount: u64, reservation: OwnedReservation) -> OwnedReservation {
    if reservation.overage().is_some() {
        line.need(amount);
    } else if reservation.signals_refill() {
        line.need(0);
    }
    reservation
}

fn give_back(held: Vec<(Arc<QuotaLine>, Option<OwnedReservation>)>) {
    for (_, reservation) in held {
        if let Some(reservation) = reservation {
            reservation.settle(0);
        }
    }
}
