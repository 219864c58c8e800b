//! One quota in this process.

use std::{fmt, sync::Arc};

use crate::{
    Action, Counts, GrantError, Lease, OwnedReservation, QuotaSpec, Reason, Report, Reservation, Settlement,
    Short, SpecError,
    ledger::{Ledger, Slots},
    line::{Line, NotTaken, Taken},
    slot::{Slot, add_saturating},
    sync::{AtomicU8, AtomicU64, Mutex, Ordering},
    word::Tag,
};

/// A quota: the lease in hand, and what came of it and of the leases before.
///
/// Made once by [`crate::Quotas::resolve`] and shared; it outlives a change of policy. Reserving and settling take no
/// lock and allocate nothing; granting, revoking and reporting take one among themselves.
pub struct Quota {
    line: Line,
    slots: Box<Slots>,
    /// [`Action::code`]; a policy may change it.
    action: AtomicU8,
    short: AtomicU64,
    overage: AtomicU64,
    overage_units: AtomicU64,
    overrun_units: AtomicU64,
    ledger: Mutex<Ledger>,
    spec: QuotaSpec,
}

/// What a reservation holds; plain data, settled through its quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Take {
    /// The lease, or [`Tag::NONE`] where none is behind it.
    tag: Tag,
    pub(crate) amount: u64,
    pub(crate) signals_refill: bool,
    /// Why it goes on without a lease.
    pub(crate) overage: Option<Reason>,
}

impl Quota {
    /// A quota nothing is granted to yet.
    ///
    /// # Errors
    /// [`SpecError`] when a name is not plain or the warning is not 1 to 100%.
    pub fn new(spec: QuotaSpec) -> Result<Self, SpecError> {
        spec.check()?;
        Ok(Self {
            line: Line::new(),
            slots: Box::new(std::array::from_fn(|_| Slot::default())),
            action: AtomicU8::new(spec.action.code()),
            short: AtomicU64::new(0),
            overage: AtomicU64::new(0),
            overage_units: AtomicU64::new(0),
            overrun_units: AtomicU64::new(0),
            ledger: Mutex::new(Ledger::new()),
            spec,
        })
    }

    /// What the quota counts. The action may have changed since: see [`Quota::action`].
    #[must_use]
    pub fn spec(&self) -> &QuotaSpec {
        &self.spec
    }

    /// What happens when it is short.
    #[must_use]
    pub fn action(&self) -> Action {
        Action::from_code(self.action.load(Ordering::Relaxed))
    }

    /// Changes what happens when it is short, for calls from now on.
    pub fn set_action(&self, action: Action) {
        self.action.store(action.code(), Ordering::Relaxed);
    }

    /// Takes `amount` units out of the lease in hand, in one atomic step, for as long as this quota is borrowed.
    /// `now_s` is seconds since 1970.
    ///
    /// Under [`Action::AllowWithOverage`] and [`Action::NotifyOnly`] a short quota takes nothing and lets the call go
    /// on: [`Reservation::overage`] says so.
    ///
    /// # Errors
    /// [`Short`] under [`Action::Block`] when no valid lease covers the amount; under every action after
    /// [`Quota::give_back`].
    #[inline]
    pub fn reserve(&self, amount: u64, now_s: u64) -> Result<Reservation<&Self>, Short> {
        let take = self.take(amount, now_s)?;
        Ok(Reservation::new(self, take))
    }

    /// As [`Quota::reserve`], holding the quota: for a call that outlives the one who asks.
    ///
    /// # Errors
    /// As [`Quota::reserve`].
    #[inline]
    pub fn reserve_owned(self: &Arc<Self>, amount: u64, now_s: u64) -> Result<OwnedReservation, Short> {
        let take = self.take(amount, now_s)?;
        Ok(Reservation::new(Arc::clone(self), take))
    }

    /// Puts a lease in hand. What is left of the one before goes back to the issuer with the next report; its open
    /// reservations settle against it as they come.
    ///
    /// # Errors
    /// [`GrantError`]; the lease before stays in hand, and this one goes back with the next report.
    pub fn grant(&self, lease: &Lease, now_s: u64) -> Result<(), GrantError> {
        self.ledger.lock().grant(&self.line, &self.slots, lease, now_s)
    }

    /// Ends the lease in hand at the issuer's word, if it is this one, and says how many units go back with the next
    /// report.
    #[must_use = "none: this lease is not in hand"]
    pub fn revoke(&self, epoch: u64, id: u64) -> Option<u64> {
        self.ledger.lock().revoke(&self.line, epoch, id)
    }

    /// Ends the quota, on exit: says how many units go back with the next report. Reserving and granting fail from
    /// now on; open reservations still settle, and reports go on until they have.
    pub fn give_back(&self) -> u64 {
        self.ledger.lock().close(&self.line)
    }

    /// What happened since the last report, each unit told once; none when nothing did. Ends the lease in hand if it
    /// is past its end, so that what is left of it goes back.
    ///
    /// Until [`Quota::confirm_report`] is called the same report is handed out again, unchanged. What is lost with
    /// the process before a report was taken in, the issuer counts as spent.
    pub fn take_report(&self, now_s: u64) -> Option<Report> {
        let mut ledger = self.ledger.lock();
        ledger.expire(&self.line, now_s);
        ledger.report(&self.slots, self.overage_units.load(Ordering::Relaxed))
    }

    /// The issuer has the report of this number: the next one may be made. False when no such report waits.
    pub fn confirm_report(&self, sequence: u64) -> bool {
        self.ledger.lock().confirm(sequence)
    }

    /// Whether the issuer is to be asked for a lease: there is none in hand, or it has come down to half or refused an
    /// amount since it was granted. One call for each lease finds out first and is told so, by
    /// [`Reservation::signals_refill`] or [`Short::signals_refill`].
    #[must_use]
    pub fn wants_refill(&self) -> bool {
        self.line.wants_refill()
    }

    /// The lease in hand, expired or not.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        self.ledger.lock().in_hand().copied()
    }

    /// Units left of the lease in hand, expired or not.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.line.word().left()
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            admitted: self.line.admitted.load(Ordering::Relaxed),
            short: self.short.load(Ordering::Relaxed),
            overage: self.overage.load(Ordering::Relaxed),
            overage_units: self.overage_units.load(Ordering::Relaxed),
            overrun_units: self.overrun_units.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub(crate) fn take(&self, amount: u64, now_s: u64) -> Result<Take, Short> {
        // Nothing needs no lease, and holds no slot open to settle against.
        if amount == 0 && self.line.word().tag() != Tag::CLOSED {
            return Ok(Take { tag: Tag::NONE, amount, signals_refill: false, overage: None });
        }
        match self.line.take(amount, now_s) {
            Ok(Taken { tag, signals_refill }) => Ok(Take { tag, amount, signals_refill, overage: None }),
            Err(NotTaken { reason, left, signals_refill }) => {
                self.not_covered(Short { reason, amount, left, signals_refill })
            }
        }
    }

    /// Gives back what a reservation did not use and counts what it did.
    #[inline]
    pub(crate) fn settle(&self, take: Take, actual: u64) -> Settlement {
        self.line.admitted.fetch_add(1, Ordering::Relaxed);
        if !take.tag.is_lease() {
            return self.settle_overage(take, actual);
        }
        let spent = actual.min(take.amount);
        let overrun = actual - spent;
        // Before the units: they may complete the lease, and nothing of it is touched after that.
        if overrun > 0 {
            self.count_overrun(take, overrun);
        }
        self.put_back(take, take.amount - spent);
        if spent > 0 {
            self.slots[take.tag.slot() % self.slots.len()].add_spent(spent);
        }
        Settlement { spent, given_back: take.amount - spent, overrun, overage: 0 }
    }

    /// Undoes a take: the call never was.
    pub(crate) fn release(&self, take: Take) {
        if take.tag.is_lease() {
            self.put_back(take, take.amount);
        }
    }

    #[inline]
    fn put_back(&self, take: Take, rest: u64) {
        if rest > 0 && !self.line.put_back(take.tag, rest) {
            self.slots[take.tag.slot() % self.slots.len()].add_returned(rest);
        }
    }

    #[cold]
    fn count_overrun(&self, take: Take, overrun: u64) {
        self.slots[take.tag.slot() % self.slots.len()].add_overrun(overrun);
        add_saturating(&self.overrun_units, overrun);
    }

    #[cold]
    fn settle_overage(&self, take: Take, actual: u64) -> Settlement {
        if take.overage.is_some() {
            self.overage.fetch_add(1, Ordering::Relaxed);
        }
        if actual > 0 {
            add_saturating(&self.overage_units, actual);
        }
        Settlement { spent: 0, given_back: 0, overrun: 0, overage: actual }
    }

    #[cold]
    fn not_covered(&self, short: Short) -> Result<Take, Short> {
        if short.reason == Reason::Closed || self.action() == Action::Block {
            self.short.fetch_add(1, Ordering::Relaxed);
            return Err(short);
        }
        Ok(Take {
            tag: Tag::NONE,
            amount: short.amount,
            signals_refill: short.signals_refill,
            overage: Some(short.reason),
        })
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quota")
            .field("name", &self.spec.name)
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}
