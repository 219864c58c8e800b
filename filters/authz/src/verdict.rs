//! A verdict: what a chain that held said, when, and under which terms.

use crate::{AgentId, ChainVerifier, VerifiedChain, chain::TAG};

/// Longest life of a verdict, in seconds.
const MAX_AGE_S: u64 = 300;
/// A verdict as words.
pub(crate) const VERDICT_WORDS: usize = 14;

/// What a verdict was given under; under other terms it does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Which keys were accepted.
    key_set: u64,
    /// Which revocation epoch was the lowest accepted.
    min_epoch: u32,
}

impl Terms {
    #[inline]
    pub(crate) fn of(verifier: &ChainVerifier, min_epoch: u32) -> Self {
        Self { key_set: verifier.key_set(), min_epoch }
    }
}

/// A verdict on a chain that held. Two cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Verdict {
    pub(crate) chain: VerifiedChain,
    made_at_s: u64,
    ends_at_s: u64,
}

impl Verdict {
    /// In the place of one; it never counts.
    pub(crate) const NONE: Self = Self {
        chain: VerifiedChain {
            tag: [0; TAG],
            holder: [0; 20],
            scope: [0; 20],
            expires_at_s: 0,
            epoch: 0,
            links: 0,
        },
        made_at_s: 0,
        ends_at_s: 0,
    };

    /// A verdict given now: it counts for 5 minutes, and no longer than the chain.
    #[inline]
    pub(crate) fn new(chain: VerifiedChain, made_at_s: u64) -> Self {
        let ends_at_s = chain.expires_at_s.min(made_at_s.saturating_add(MAX_AGE_S));
        Self { chain, made_at_s, ends_at_s }
    }

    /// Whether it is no verdict at all.
    pub(crate) fn is_none(&self) -> bool {
        self.ends_at_s == 0
    }

    /// Whether its time is over; a place that may be taken.
    pub(crate) fn is_over(&self, now_s: u64) -> bool {
        self.ends_at_s <= now_s
    }

    /// Whether it is on the chain with this tag, shown by this holder, now.
    ///
    /// A clock set back makes it younger than now: then the chain is checked again.
    #[inline]
    pub(crate) fn counts_for(&self, tag: &[u8; TAG], holder: &AgentId, now_s: u64) -> bool {
        let lives = self.made_at_s <= now_s && now_s < self.ends_at_s;
        same_tag(&self.chain.tag, tag) && lives && self.chain.holder == holder.0[..20]
    }

    /// Everything, the terms too.
    pub(crate) fn to_words(self, terms: Terms) -> [u64; VERDICT_WORDS] {
        let chain = &self.chain;
        let mut words = [0; VERDICT_WORDS];
        for (word, bytes) in words.iter_mut().zip(chain.tag.as_chunks::<8>().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        for (at, name) in [(4, &chain.holder), (6, &chain.scope)] {
            let (whole, rest) = name.as_chunks::<8>();
            words[at] = u64::from_ne_bytes(whole[0]);
            words[at + 1] = u64::from_ne_bytes(whole[1]);
            let [a, b, c, d] = *rest else { continue };
            words[8] = words[8] << 32 | u64::from(u32::from_ne_bytes([a, b, c, d]));
        }
        words[9] = chain.expires_at_s;
        words[10] = self.made_at_s;
        words[11] = u64::from(chain.epoch) << 32 | u64::from(chain.links);
        words[12] = u64::from(terms.min_epoch);
        words[13] = terms.key_set;
        words
    }

    /// The same from words.
    #[inline(always)]
    pub(crate) fn from_words(words: &[u64; VERDICT_WORDS]) -> (Self, Terms) {
        let [t0, t1, t2, t3, h0, h1, s0, s1, ends, expires_at_s, made_at_s, epoch_links, min_epoch, key_set] =
            *words;
        let mut chain = Self::NONE.chain;
        for (bytes, word) in chain.tag.as_chunks_mut::<8>().0.iter_mut().zip([t0, t1, t2, t3]) {
            *bytes = word.to_ne_bytes();
        }
        for (name, words, rest) in
            [(&mut chain.holder, [h0, h1], (ends >> 32) as u32), (&mut chain.scope, [s0, s1], ends as u32)]
        {
            name[..8].copy_from_slice(&words[0].to_ne_bytes());
            name[8..16].copy_from_slice(&words[1].to_ne_bytes());
            name[16..].copy_from_slice(&rest.to_ne_bytes());
        }
        chain.expires_at_s = expires_at_s;
        chain.epoch = (epoch_links >> 32) as u32;
        chain.links = epoch_links as u8;
        (Self::new(chain, made_at_s), Terms { key_set, min_epoch: min_epoch as u32 })
    }
}

/// Compares in the same time wherever the difference is.
#[inline]
pub(crate) fn same_tag(one: &[u8; TAG], other: &[u8; TAG]) -> bool {
    let (one, _) = one.as_chunks::<8>();
    let (other, _) = other.as_chunks::<8>();
    let difference =
        one.iter().zip(other).fold(0, |sum, (a, b)| sum | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
    // Opaque, or the compiler might leave early.
    std::hint::black_box(difference) == 0
}
