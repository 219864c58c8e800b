//! The texts that are looked for, made ready once for a secret.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::{forms::forms, search::Skips};

/// One text and where to go on in it after a byte that differs (Knuth, Morris, Pratt).
struct Pattern {
    bytes: Zeroizing<Vec<u8>>,
    /// For each prefix, the length of its longest border.
    borders: Vec<u32>,
}

/// All texts of one credential.
pub(crate) struct Patterns {
    all: Vec<Pattern>,
    skips: Skips,
    longest: usize,
}

/// How far the patterns have matched in one text.
pub(super) struct Progress {
    /// How much of each pattern ends at the last byte seen; never all of it.
    matched: Vec<usize>,
    at_rest: bool,
}

/// Places that are covered by secrets: in order, apart from each other.
pub(super) type Spans = Vec<(usize, usize)>;

impl Patterns {
    /// Every form of these secrets.
    pub(crate) fn of(secrets: &[&[u8]]) -> Self {
        Self::exactly(secrets.iter().flat_map(|secret| forms(secret)).collect())
    }

    /// These texts and no forms of them.
    pub(super) fn exactly(mut texts: Vec<Zeroizing<Vec<u8>>>) -> Self {
        texts.sort_unstable_by(|one, other| one.as_slice().cmp(other));
        texts.dedup();
        let skips = Skips::to(texts.iter().map(|text| text.as_slice()));
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        Self { all: texts.into_iter().map(Pattern::new).collect(), skips, longest }
    }

    /// Length of the longest text.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { matched: vec![0; self.all.len()], at_rest: true }
    }

    /// Goes on with `bytes`, whose first one is number `base`; places before number 0 are cut off.
    pub(super) fn search(&self, progress: &mut Progress, bytes: &[u8], base: usize) -> Spans {
        let mut spans = Spans::new();
        let mut at = 0;
        while at < bytes.len() {
            if progress.at_rest {
                at = self.skips.next(bytes, at);
            }
            let Some(&byte) = bytes.get(at) else { break };
            at += 1;
            progress.at_rest = true;
            for (pattern, matched) in self.all.iter().zip(&mut progress.matched) {
                *matched = pattern.step(*matched, byte);
                if *matched == pattern.bytes.len() {
                    cover(&mut spans, (base + at).saturating_sub(*matched), base + at);
                    *matched = pattern.border();
                }
                progress.at_rest &= *matched == 0;
            }
        }
        spans
    }
}

impl Progress {
    /// How many of the last bytes can be the beginning of a secret.
    pub(super) fn open(&self) -> usize {
        self.matched.iter().copied().max().unwrap_or(0)
    }

    pub(super) fn reset(&mut self) {
        self.matched.fill(0);
        self.at_rest = true;
    }
}

/// Adds a place that ends at or behind all others.
fn cover(spans: &mut Spans, mut start: usize, end: usize) {
    while let Some(&(last_start, last_end)) = spans.last()
        && start <= last_end
    {
        start = start.min(last_start);
        spans.pop();
    }
    spans.push((start, end));
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patterns(..)")
    }
}

impl Pattern {
    fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        let mut borders = vec![0_u32; bytes.len()];
        let mut matched = 0;
        for at in 1..bytes.len() {
            while matched > 0 && bytes[matched] != bytes[at] {
                matched = borders[matched - 1] as usize;
            }
            if bytes[matched] == bytes[at] {
                matched += 1;
            }
            // A text is far shorter than 4 GiB.
            borders[at] = matched as u32;
        }
        Self { bytes, borders }
    }

    /// How much of it ends at this byte, when `matched` of it (never all) ended at the byte before.
    #[inline]
    fn step(&self, mut matched: usize, byte: u8) -> usize {
        while self.bytes[matched] != byte {
            if matched == 0 {
                return 0;
            }
            matched = self.borders[matched - 1] as usize;
        }
        matched + 1
    }

    /// How much of it still ends where all of it ended.
    fn border(&self) -> usize {
        self.borders.last().map_or(0, |border| *border as usize)
    }
}

impl Drop for Pattern {
    fn drop(&mut self) {
        // They say which parts of the secret repeat.
        self.borders.zeroize();
    }
}
