//! Verdicts shared by all threads: one thread's full check spares the others theirs.

use std::{array, fmt, hint::black_box, sync::atomic::AtomicU64};

use crate::{
    AgentId,
    chain::TAG,
    seqlock::{Slot, Word},
    verdict::{Terms, VERDICT_WORDS, Verdict},
};

/// Verdicts looked at for one tag.
pub(crate) const WAYS: usize = 4;
/// Verdicts if nothing else is asked for: 1 MiB.
const ENTRIES: usize = 8192;
/// Most verdicts that can be asked for: 8 MiB.
const MAX_ENTRIES: usize = 65_536;

/// A table of verdicts on chains that held, for all threads, behind their own [`crate::VerdictCache`]s.
///
/// Bounded, without locks, and without allocation once it is made. A verdict pushes out another one of its set when
/// the set is full; two threads that write the same place at once leave one of the two verdicts, whole.
pub struct SharedVerdicts(Table<AtomicU64>);

impl SharedVerdicts {
    /// A table of this many verdicts, 128 bytes each: rounded up to a power of two from 4 to 65,536.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self(Table::new(entries.clamp(WAYS, MAX_ENTRIES).div_ceil(WAYS).next_power_of_two()))
    }

    /// How many verdicts it has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.sets.len() * WAYS
    }

    #[inline]
    pub(crate) fn get(&self, tag: &[u8; TAG], terms: Terms, holder: &AgentId, now_s: u64) -> Option<Verdict> {
        self.0.get(tag, terms, holder, now_s)
    }

    pub(crate) fn insert(&self, verdict: Verdict, terms: Terms, now_s: u64) {
        self.0.insert(verdict, terms, now_s);
    }
}

impl Default for SharedVerdicts {
    /// 8,192 verdicts: 1 MiB.
    fn default() -> Self {
        Self::new(ENTRIES)
    }
}

impl fmt::Debug for SharedVerdicts {
    /// Without the tags: whoever has one can act under its chain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedVerdicts(room for {})", self.capacity())
    }
}

/// Sets of [`WAYS`] places each; a power of two of them.
struct Table<W> {
    sets: Box<[[Slot<W, VERDICT_WORDS>; WAYS]]>,
}

impl<W: Word> Table<W> {
    fn new(sets: usize) -> Self {
        Self { sets: (0..sets).map(|_| array::from_fn(|_| Slot::new())).collect() }
    }

    #[inline]
    fn get(&self, tag: &[u8; TAG], terms: Terms, holder: &AgentId, now_s: u64) -> Option<Verdict> {
        let ways = self.sets.get(set_of(tag, self.sets.len()))?;
        in_turn(tag).into_iter().find_map(|way| {
            let words = ways[way].read()?;
            if !tag_is(&words, tag) {
                return None;
            }
            let (verdict, given_under) = Verdict::from_words(&words);
            (verdict.counts_for(tag, holder, now_s) && given_under == terms).then_some(verdict)
        })
    }

    /// Puts a verdict where one on the same chain or one that counts no more stands, or else in its first place.
    fn insert(&self, verdict: Verdict, terms: Terms, now_s: u64) {
        let tag = &verdict.chain.tag;
        let Some(ways) = self.sets.get(set_of(tag, self.sets.len())) else { return };
        let places = in_turn(tag);
        let (mut same, mut free) = (None, None);
        for way in places {
            match ways[way].read().map(|words| Verdict::from_words(&words)) {
                Some((kept, _)) if kept.chain.tag == *tag => same = same.or(Some(way)),
                Some((kept, given_under)) if given_under == terms && !kept.is_over(now_s) => {}
                _ => free = free.or(Some(way)),
            }
        }
        let way = same.or(free).unwrap_or(places[0]);
        // Another thread writes there now: its verdict is as good.
        let _ = ways[way].write(&verdict.to_words(terms));
    }
}

/// Compares in the same time wherever the difference is.
#[inline]
fn tag_is(words: &[u64; VERDICT_WORDS], tag: &[u8; TAG]) -> bool {
    let (tag, _) = tag.as_chunks::<8>();
    let difference = words.iter().zip(tag).fold(0, |sum, (a, b)| sum | (a ^ u64::from_ne_bytes(*b)));
    black_box(difference) == 0
}

/// Which set a tag belongs to; past the end where there is none. The tag is the output of a keyed hash: nobody outside chooses its bits.
#[inline]
pub(crate) fn set_of(tag: &[u8; TAG], sets: usize) -> usize {
    let [a, b, c, d, ..] = *tag;
    u32::from_be_bytes([a, b, c, d]) as usize & sets.wrapping_sub(1)
}

/// The places of a set in the order in which they are looked at for this tag: in most cases the first one holds it.
#[inline]
pub(crate) fn in_turn(tag: &[u8; TAG]) -> [usize; WAYS] {
    let first = usize::from(tag[4]);
    array::from_fn(|way| (first + way) % WAYS)
}

#[cfg(test)]
mod tests;
