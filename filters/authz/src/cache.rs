//! Verdicts on chains that held before, by their tag.

use crate::{
    AgentId, ChainError, ChainVerifier, VerifiedChain,
    chain::{TAG, same_tag},
};

/// Most verdicts kept; a further one pushes out an older one of its set.
const MAX_ENTRIES: usize = 4096;
/// Verdicts to begin with: an idle sidecar pays for one set only.
const FIRST_ENTRIES: usize = 16;
/// Verdicts looked at for one tag.
const WAYS: usize = 4;
/// Longest life of a verdict, in seconds.
const MAX_AGE_S: u64 = 300;

/// Verdicts on chains that held, for one thread.
///
/// The tag alone is the key: it is the output of a keyed hash and only verified ones are kept, so nobody outside can
/// choose a place in the table, and what a hit says comes from the entry, never from the bytes shown.
/// After a change of keys, call [`VerdictCache::clear`].
#[derive(Clone, Debug, Default)]
pub struct VerdictCache {
    entries: Vec<Option<Entry>>,
    min_epoch: u32,
    /// Whose turn it is to be pushed out.
    turn: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    chain: VerifiedChain,
    made_at_s: u64,
    ends_at_s: u64,
}

impl VerdictCache {
    /// An empty cache; memory comes with use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks a chain, from memory if it held lately. Arguments as of [`ChainVerifier::verify`].
    ///
    /// # Errors
    /// As [`ChainVerifier::verify`]; refusals are not remembered.
    pub fn verify(
        &mut self,
        verifier: &ChainVerifier,
        bytes: &[u8],
        holder: &AgentId,
        now_s: u64,
        min_epoch: u32,
    ) -> Result<VerifiedChain, ChainError> {
        if let Some((_, tag)) = bytes.split_last_chunk::<TAG>()
            && let Some(chain) = self.get(tag, holder, now_s, min_epoch)
        {
            return Ok(chain);
        }
        let chain = verifier.verify(bytes, holder, now_s, min_epoch)?;
        self.insert(&chain, now_s, min_epoch);
        Ok(chain)
    }

    /// The verdict on the chain with this tag, if it was made within 5 minutes, under the same `min_epoch`, for the
    /// same holder, and no link has expired since.
    #[inline]
    pub fn get(
        &mut self,
        tag: &[u8; TAG],
        holder: &AgentId,
        now_s: u64,
        min_epoch: u32,
    ) -> Option<VerifiedChain> {
        if min_epoch != self.min_epoch {
            self.clear();
            self.min_epoch = min_epoch;
        }
        let set = set_of(tag, self.entries.len())?;
        self.entries[set..set + WAYS].iter().flatten().find_map(|entry| {
            // A clock set back makes an entry older than now: then it is checked again.
            let lives = entry.made_at_s <= now_s && now_s < entry.ends_at_s;
            (same_tag(&entry.chain.tag, tag) && lives && entry.chain.holder == holder.0[..20])
                .then_some(entry.chain)
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.fill(None);
    }

    /// How many verdicts it keeps, dead ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.iter().flatten().count()
    }

    /// Whether it keeps none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert(&mut self, chain: &VerifiedChain, now_s: u64, min_epoch: u32) {
        if min_epoch != self.min_epoch {
            self.clear();
            self.min_epoch = min_epoch;
        }
        let ends_at_s = chain.expires_at_s().min(now_s.saturating_add(MAX_AGE_S));
        let entry = Entry { chain: *chain, made_at_s: now_s, ends_at_s };
        loop {
            if self.place(entry, now_s) {
                return;
            }
            if self.entries.len() < MAX_ENTRIES {
                self.grow(now_s);
            } else if let Some(set) = set_of(&chain.tag, self.entries.len()) {
                self.turn = (self.turn + 1) % WAYS;
                self.entries[set + self.turn] = Some(entry);
                return;
            }
        }
    }

    /// Puts an entry where the same tag, nothing or a dead entry stands.
    fn place(&mut self, entry: Entry, now_s: u64) -> bool {
        let Some(set) = set_of(&entry.chain.tag, self.entries.len()) else { return false };
        let ways = &mut self.entries[set..set + WAYS];
        let same_tag =
            ways.iter().position(|slot| slot.is_some_and(|kept| kept.chain.tag == entry.chain.tag));
        let free = || ways.iter().position(|slot| slot.is_none_or(|kept| kept.ends_at_s <= now_s));
        match same_tag.or_else(free) {
            Some(way) => {
                ways[way] = Some(entry);
                true
            }
            None => false,
        }
    }

    /// Doubles the table; what finds no room in it is forgotten.
    fn grow(&mut self, now_s: u64) {
        let size = (self.entries.len() * 2).clamp(FIRST_ENTRIES, MAX_ENTRIES);
        let old = std::mem::replace(&mut self.entries, vec![None; size]);
        for entry in old.into_iter().flatten() {
            self.place(entry, now_s);
        }
    }
}

/// Index of the first entry of a tag's set; none while there is no table.
#[inline]
fn set_of(tag: &[u8; TAG], entries: usize) -> Option<usize> {
    let sets = entries / WAYS;
    let [low, high, ..] = *tag;
    (sets > 0).then(|| (usize::from(u16::from_be_bytes([low, high])) & (sets - 1)) * WAYS)
}
