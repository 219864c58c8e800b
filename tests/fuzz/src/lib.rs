//! What the fuzz targets share: one form of input, and the ways to cut a body into chunks.
//!
//! An input is a head of six bytes and a body. The head picks among the cases of a target and says where the body is
//! cut; `seeds.py` writes the same head before what it takes from the tests.
#![forbid(unsafe_code)]

pub mod usage;

/// Bodies up to so many bytes are also given a byte at a time.
const BYTEWISE: usize = 2048;

/// The first bytes of an input.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Picks a case.
    pub first: u8,
    /// Picks another.
    pub second: u8,
    cuts: [usize; 2],
}

impl Head {
    /// Takes the head off; nothing for an input that is too short.
    #[must_use]
    pub fn split(input: &[u8]) -> Option<(Self, &[u8])> {
        let (&[first, second, a, b, c, d], body) = input.split_first_chunk()?;
        let cuts = [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])].map(usize::from);
        Some((Self { first, second, cuts }, body))
    }

    /// The case that `first` picks.
    #[must_use]
    pub fn pick<'c, T>(&self, cases: &'c [T]) -> &'c T {
        &cases[usize::from(self.first) % cases.len()]
    }

    /// The ways in which the body is to be cut: in up to three at the places of the head, and a byte at a time.
    #[must_use]
    pub fn chunkings<'b>(&self, body: &'b [u8]) -> Vec<Vec<&'b [u8]>> {
        let [one, other] = self.cuts.map(|cut| cut % (body.len() + 1));
        let (first, last) = (one.min(other), one.max(other));
        let mut found = vec![vec![&body[..first], &body[first..last], &body[last..]]];
        if body.len() <= BYTEWISE {
            found.push(body.chunks(1).collect());
        }
        found
    }
}
