//! Verdicts on chains that held before, by their tag.

use std::sync::Arc;

use crate::{
    AgentId, ChainError, ChainVerifier, SharedVerdicts, VerifiedChain,
    chain::TAG,
    shared::{WAYS, in_turn, set_of},
    verdict::{Terms, Verdict},
};

/// Most verdicts kept; a further one pushes out another one of its set.
const MAX_ENTRIES: usize = 4096;
/// Verdicts to begin with: an idle sidecar pays for four sets only.
const FIRST_ENTRIES: usize = 16;

/// Verdicts on chains that held, for one thread; with [`VerdictCache::shared`] in front of those of all threads.
///
/// The tag alone is the key: it is the output of a keyed hash and only verified ones are kept, so nobody outside can
/// choose a place in the table, and what a hit says comes from the entry, never from the bytes shown. Whoever shows a
/// tag is taken to hold the chain; so a tag is as secret as a password, and never logged.
///
/// A verdict counts for 5 minutes at most, not past the earliest expiry of its chain, and only while the verifier has
/// the same keys and the lowest accepted epoch is the same: any other empties the cache.
#[derive(Clone, Debug, Default)]
pub struct VerdictCache {
    entries: Vec<Verdict>,
    terms: Terms,
    shared: Option<Arc<SharedVerdicts>>,
}

impl VerdictCache {
    /// An empty cache; memory comes with use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty cache in front of verdicts that all threads share.
    #[must_use]
    pub fn shared(verdicts: Arc<SharedVerdicts>) -> Self {
        Self { shared: Some(verdicts), ..Self::default() }
    }

    /// Checks a chain, from memory if it held lately. Arguments as of [`ChainVerifier::verify`].
    ///
    /// # Errors
    /// As [`ChainVerifier::verify`]; refusals are not remembered.
    #[inline]
    pub fn verify(
        &mut self,
        verifier: &ChainVerifier,
        bytes: &[u8],
        holder: &AgentId,
        now_s: u64,
        min_epoch: u32,
    ) -> Result<VerifiedChain, ChainError> {
        if let Some((_, tag)) = bytes.split_last_chunk::<TAG>()
            && let Some(chain) = self.get(verifier, tag, holder, now_s, min_epoch)
        {
            return Ok(*chain);
        }
        self.verify_fully(verifier, bytes, holder, now_s, min_epoch)
    }

    /// The verdict on the chain with this tag, if it was given within 5 minutes, under the same keys and the same
    /// `min_epoch`, for the same holder, and no link has expired since.
    #[inline]
    pub fn get(
        &mut self,
        verifier: &ChainVerifier,
        tag: &[u8; TAG],
        holder: &AgentId,
        now_s: u64,
        min_epoch: u32,
    ) -> Option<&VerifiedChain> {
        self.agree(Terms::of(verifier, min_epoch));
        let at = match self.find(tag, holder, now_s) {
            Some(at) => at,
            None => self.take_from_shared(tag, holder, now_s)?,
        };
        Some(&self.entries[at].chain)
    }

    /// Forgets everything; what all threads share stays.
    pub fn clear(&mut self) {
        self.entries.fill(Verdict::NONE);
    }

    /// How many verdicts it keeps, dead ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.is_none()).count()
    }

    /// Whether it keeps none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn find(&self, tag: &[u8; TAG], holder: &AgentId, now_s: u64) -> Option<usize> {
        let first = set_of(tag, self.entries.len() / WAYS) * WAYS;
        let ways = self.entries.get(first..first + WAYS)?;
        in_turn(tag).into_iter().find(|way| ways[*way].counts_for(tag, holder, now_s)).map(|way| first + way)
    }

    #[cold]
    #[inline(never)]
    fn verify_fully(
        &mut self,
        verifier: &ChainVerifier,
        bytes: &[u8],
        holder: &AgentId,
        now_s: u64,
        min_epoch: u32,
    ) -> Result<VerifiedChain, ChainError> {
        let chain = verifier.verify(bytes, holder, now_s, min_epoch)?;
        let verdict = Verdict::new(chain, now_s);
        self.agree(Terms::of(verifier, min_epoch));
        self.insert(verdict, now_s);
        if let Some(shared) = &self.shared {
            shared.insert(verdict, self.terms, now_s);
        }
        Ok(chain)
    }

    /// What another thread found counts here for as long as it does there.
    #[inline(never)]
    fn take_from_shared(&mut self, tag: &[u8; TAG], holder: &AgentId, now_s: u64) -> Option<usize> {
        let verdict = self.shared.as_ref()?.get(tag, self.terms, holder, now_s)?;
        Some(self.insert(verdict, now_s))
    }

    /// Verdicts given under other terms are forgotten.
    #[inline]
    fn agree(&mut self, terms: Terms) {
        if terms != self.terms {
            self.clear();
            self.terms = terms;
        }
    }

    /// Puts a verdict in; says where.
    fn insert(&mut self, verdict: Verdict, now_s: u64) -> usize {
        loop {
            if let Some(at) = self.place(verdict, now_s) {
                return at;
            }
            if self.entries.len() >= MAX_ENTRIES {
                let tag = &verdict.chain.tag;
                let at = set_of(tag, self.entries.len() / WAYS) * WAYS + in_turn(tag)[0];
                self.entries[at] = verdict;
                return at;
            }
            self.grow(now_s);
        }
    }

    /// Puts a verdict where one on the same chain, none or one that is over stands.
    fn place(&mut self, verdict: Verdict, now_s: u64) -> Option<usize> {
        let tag = &verdict.chain.tag;
        let first = set_of(tag, self.entries.len() / WAYS) * WAYS;
        let ways = self.entries.get(first..first + WAYS)?;
        let places = in_turn(tag).into_iter();
        let way = places
            .clone()
            .find(|way| ways[*way].chain.tag == *tag)
            .or_else(|| places.clone().find(|way| ways[*way].is_over(now_s)))?;
        self.entries[first + way] = verdict;
        Some(first + way)
    }

    /// Doubles the table; what finds no room in it is forgotten.
    fn grow(&mut self, now_s: u64) {
        let size = (self.entries.len() * 2).clamp(FIRST_ENTRIES, MAX_ENTRIES);
        let old = std::mem::replace(&mut self.entries, vec![Verdict::NONE; size]);
        for verdict in old.into_iter().filter(|entry| !entry.is_none()) {
            let _ = self.place(verdict, now_s);
        }
    }
}
