//! The cache line all reservations of a quota go over.

use crate::{
    lease::Lease,
    short::Reason,
    sync::{AtomicU64, Ordering},
    word::{Tag, Word},
};

/// The lease in hand, on a line of its own: two lines' width, since processors fetch them in pairs.
///
/// `word` alone says which lease is spent and how much of it is left; whoever changes it does so in one atomic step
/// that fails when the lease or the amount has changed. `terms` has two sides, used in turn: the side of a lease is
/// written again by the second grant after it at the earliest, and by then `word` has changed, so terms that were read
/// on the way to a step that succeeded are those of the lease it took from. (Tags come back after 128 grants at the
/// earliest: a thread that stood still that long between two instructions, and finds the same amount left, takes from
/// the lease of now by the end of another. No amount is affected.)
#[repr(align(128))]
pub(crate) struct Line {
    word: AtomicU64,
    terms: [Terms; 2],
    /// The last turn that asked for a refill; only rises, so a late thread undoes nothing of a newer lease.
    refill: AtomicU64,
    /// Settled calls; here since whoever settles has this line.
    pub(crate) admitted: AtomicU64,
}

const _: () = assert!(size_of::<Line>() == 128 || cfg!(test));

#[derive(Default)]
struct Terms {
    not_after_s: AtomicU64,
    /// The whole lease.
    amount: AtomicU64,
    /// Which grant it was, from 1.
    turn: AtomicU64,
}

/// Units taken from a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) tag: Tag,
    /// The first to ask for more since this lease was granted.
    pub(crate) signals_refill: bool,
}

/// Why nothing was taken, and what was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotTaken {
    pub(crate) reason: Reason,
    pub(crate) left: u64,
    /// The first to ask for more since this lease was granted.
    pub(crate) signals_refill: bool,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(Word::new(Tag::NONE, 0).bits()),
            terms: [Terms::default(), Terms::default()],
            refill: AtomicU64::new(0),
            admitted: AtomicU64::new(0),
        }
    }

    /// Takes `amount` units if the lease in hand is valid and has them.
    #[inline]
    pub(crate) fn take(&self, amount: u64, now_s: u64) -> Result<Taken, NotTaken> {
        let mut word = self.word();
        loop {
            let tag = word.tag();
            if !tag.is_lease() {
                return Err(Self::no_lease(tag));
            }
            let terms = &self.terms[tag.side()];
            let (whole, turn) = (terms.amount.load(Ordering::Relaxed), terms.turn.load(Ordering::Relaxed));
            if now_s >= terms.not_after_s.load(Ordering::Relaxed) {
                return Err(self.refused(turn, Reason::Expired, 0));
            }
            let Some(left) = word.left().checked_sub(amount) else {
                let reason = if amount > whole { Reason::LargerThanLease } else { Reason::Spent };
                return Err(self.refused(turn, reason, word.left()));
            };
            // Released, so that the terms read above were read before any grant that sees this step.
            match self.word.compare_exchange_weak(
                word.bits(),
                word.with_left(left).bits(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    return Ok(Taken { tag, signals_refill: left <= whole / 2 && self.ask_refill(turn) });
                }
                Err(now) => word = Word::from_bits(now),
            }
        }
    }

    /// Puts units back into the lease they were taken from, if it is still the one in hand.
    #[inline]
    pub(crate) fn put_back(&self, tag: Tag, units: u64) -> bool {
        let mut word = self.word();
        while word.tag() == tag {
            match self.word.compare_exchange_weak(
                word.bits(),
                word.with_left(word.left() + units).bits(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => word = Word::from_bits(now),
            }
        }
        false
    }

    /// Puts a lease in hand and says what was left of the one before. One caller at a time, turns from 1.
    pub(crate) fn start(&self, slot: u8, turn: u64, lease: &Lease) -> Word {
        let tag = Tag::of_lease(slot, turn);
        let terms = &self.terms[tag.side()];
        terms.not_after_s.store(lease.not_after_s, Ordering::Relaxed);
        terms.amount.store(lease.amount, Ordering::Relaxed);
        terms.turn.store(turn, Ordering::Relaxed);
        self.replace(Word::new(tag, lease.amount))
    }

    /// Takes the lease out of hand and says what was left of it; `tag` is one of no lease.
    pub(crate) fn end(&self, tag: Tag) -> Word {
        self.replace(Word::new(tag, 0))
    }

    pub(crate) fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Whether the lease in hand has asked for a refill, or there is none.
    pub(crate) fn wants_refill(&self) -> bool {
        let tag = self.word().tag();
        if !tag.is_lease() {
            return tag == Tag::NONE;
        }
        self.refill.load(Ordering::Relaxed) == self.terms[tag.side()].turn.load(Ordering::Relaxed)
    }

    fn replace(&self, word: Word) -> Word {
        Word::from_bits(self.word.swap(word.bits(), Ordering::AcqRel))
    }

    /// Asks for a refill; true for the first who does so for this lease.
    fn ask_refill(&self, turn: u64) -> bool {
        self.refill.load(Ordering::Relaxed) < turn && self.refill.fetch_max(turn, Ordering::Relaxed) < turn
    }

    #[cold]
    fn no_lease(tag: Tag) -> NotTaken {
        let reason = if tag == Tag::CLOSED { Reason::Closed } else { Reason::NothingGranted };
        NotTaken { reason, left: 0, signals_refill: false }
    }

    #[cold]
    fn refused(&self, turn: u64, reason: Reason, left: u64) -> NotTaken {
        NotTaken { reason, left, signals_refill: self.ask_refill(turn) }
    }
}
