//! Which leases there are, and what was told of them. Off the path of a call: held under a lock.

use crate::{
    GrantError, Lease, LeaseReport, MAX_LEASE_AMOUNT, MAX_OPEN_LEASES, Report,
    line::Line,
    slot::{Slot, Totals},
    word::{Tag, Word},
};

/// The slots of one quota, by [`Tag::slot`].
pub(crate) type Slots = [Slot; MAX_OPEN_LEASES];

/// The leases of one quota. All changes of the lease in hand go through here, one at a time.
pub(crate) struct Ledger {
    /// The lease in hand, those with open reservations and those with something to report.
    leases: Vec<Record>,
    /// Slots no lease has.
    free: Vec<u8>,
    /// Grants so far.
    turn: u64,
    /// Epoch and id of the last lease taken.
    last: Option<(u64, u64)>,
    closed: bool,
    /// Leases not taken, to be told of.
    refused: Vec<LeaseReport>,
    /// The number of the last report.
    sequence: u64,
    /// The last report, until it is confirmed.
    unconfirmed: Option<Report>,
    overage_told: u64,
}

struct Record {
    lease: Lease,
    slot: u8,
    /// What was left when it ended; none while it is in hand.
    left_at_end: Option<u64>,
    told: Totals,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            leases: Vec::new(),
            free: (0..MAX_OPEN_LEASES).rev().map(|slot| slot as u8).collect(),
            turn: 0,
            last: None,
            closed: false,
            refused: Vec::new(),
            sequence: 0,
            unconfirmed: None,
            overage_told: 0,
        }
    }

    pub(crate) fn grant(
        &mut self,
        line: &Line,
        slots: &Slots,
        lease: &Lease,
        now_s: u64,
    ) -> Result<(), GrantError> {
        if let Some((last_epoch, last_id)) = self.last.filter(|last| lease.order() <= *last) {
            return Err(GrantError::OutOfOrder { id: lease.id, epoch: lease.epoch, last_id, last_epoch });
        }
        // Whatever comes of it: a lease that was refused and went back must not hold when it comes again.
        self.last = Some(lease.order());
        let slot = self.place_for(lease, now_s).inspect_err(|_| self.refuse(lease))?;
        self.turn += 1;
        slots[usize::from(slot)].clear();
        let before = line.start(slot, self.turn, lease);
        self.ended(before);
        self.leases.push(Record { lease: *lease, slot, left_at_end: None, told: Totals::default() });
        Ok(())
    }

    /// The slot for a lease that may be taken.
    fn place_for(&mut self, lease: &Lease, now_s: u64) -> Result<u8, GrantError> {
        let &Lease { id, amount, not_after_s, .. } = lease;
        if self.closed {
            return Err(GrantError::Closed { id });
        }
        if amount == 0 {
            return Err(GrantError::Empty { id });
        }
        if amount > MAX_LEASE_AMOUNT {
            return Err(GrantError::TooLarge { id, amount });
        }
        if now_s >= not_after_s {
            return Err(GrantError::Expired { id, not_after_s, now_s });
        }
        self.free.pop().ok_or(GrantError::TooManyOpen)
    }

    /// Sends a lease back whole. Beyond the bound nothing is told of it, and the issuer counts it as spent.
    fn refuse(&mut self, lease: &Lease) {
        let &Lease { id, epoch, amount: given_back, .. } = lease;
        if given_back > 0 && self.refused.len() < MAX_OPEN_LEASES {
            self.refused.push(LeaseReport { id, epoch, spent: 0, given_back, overrun: 0, last: true });
        }
    }

    /// Ends the lease in hand if it is this one; says what was left.
    pub(crate) fn revoke(&mut self, line: &Line, epoch: u64, id: u64) -> Option<u64> {
        self.in_hand().is_some_and(|lease| lease.order() == (epoch, id)).then(|| self.end(line, Tag::NONE))
    }

    /// Ends the lease in hand if it is past its end; says what was left.
    pub(crate) fn expire(&mut self, line: &Line, now_s: u64) -> Option<u64> {
        self.in_hand().is_some_and(|lease| now_s >= lease.not_after_s).then(|| self.end(line, Tag::NONE))
    }

    /// Ends the lease in hand, for good; says what was left.
    pub(crate) fn close(&mut self, line: &Line) -> u64 {
        self.closed = true;
        self.end(line, Tag::CLOSED)
    }

    /// The lease in hand.
    pub(crate) fn in_hand(&self) -> Option<&Lease> {
        self.leases.iter().find(|record| record.left_at_end.is_none()).map(|record| &record.lease)
    }

    /// The report that is not confirmed, or a new one if there is anything to tell; `overage` is the total so far.
    pub(crate) fn report(&mut self, slots: &Slots, overage: u64) -> Option<Report> {
        if self.unconfirmed.is_some() {
            return self.unconfirmed.clone();
        }
        let mut told = std::mem::take(&mut self.refused);
        let free = &mut self.free;
        self.leases.retain_mut(|record| {
            let line = record.tell(&slots[usize::from(record.slot)]);
            let last = line.last;
            if last {
                free.push(record.slot);
            }
            if last || line.spent > 0 || line.given_back > 0 || line.overrun > 0 {
                told.push(line);
            }
            !last
        });
        let overage_since = overage - self.overage_told;
        if told.is_empty() && overage_since == 0 {
            return None;
        }
        self.overage_told = overage;
        self.sequence += 1;
        self.unconfirmed = Some(Report { sequence: self.sequence, leases: told, overage: overage_since });
        self.unconfirmed.clone()
    }

    /// Forgets the report the issuer has; false when it is not the one that waits.
    pub(crate) fn confirm(&mut self, sequence: u64) -> bool {
        self.unconfirmed.take_if(|report| report.sequence == sequence).is_some()
    }

    fn end(&mut self, line: &Line, tag: Tag) -> u64 {
        let before = line.end(tag);
        self.ended(before);
        before.left()
    }

    /// Notes what was left of the lease that was in hand.
    fn ended(&mut self, before: Word) {
        if let Some(record) = self.leases.iter_mut().find(|record| record.left_at_end.is_none()) {
            record.left_at_end = Some(before.left());
        }
    }
}

impl Record {
    /// What happened since this was last called.
    fn tell(&mut self, slot: &Slot) -> LeaseReport {
        let now = slot.totals(self.left_at_end.unwrap_or(0));
        let told = std::mem::replace(&mut self.told, now);
        LeaseReport {
            id: self.lease.id,
            epoch: self.lease.epoch,
            spent: now.spent - told.spent,
            given_back: now.given_back - told.given_back,
            overrun: now.overrun - told.overrun,
            last: self.left_at_end.is_some() && now.spent + now.given_back == self.lease.amount,
        }
    }
}
