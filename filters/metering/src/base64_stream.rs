//! Base64 (RFC 4648, section 4) in pieces of any size.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Whole quads, with or without padding.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Characters decoded at once.
const BLOCK: usize = 512;

/// The decoder.
#[derive(Debug, Clone)]
pub(crate) struct Base64Stream {
    carry: [u8; 4],
    have: usize,
    /// Padding was read: nothing may follow.
    padded: bool,
    wrong: bool,
}

impl Base64Stream {
    pub(crate) const fn new() -> Self {
        Self { carry: [0; 4], have: 0, padded: false, wrong: false }
    }

    pub(crate) fn restart(&mut self) {
        *self = Self::new();
    }

    /// Decodes on.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut pass: impl FnMut(&[u8])) {
        while self.have > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            self.carry(byte, &mut pass);
        }
        while bytes.len() >= 4 && !self.wrong {
            let (block, rest) = bytes.split_at(bytes.len().min(BLOCK) / 4 * 4);
            bytes = rest;
            self.block(block, &mut pass);
        }
        for &byte in bytes {
            self.carry(byte, &mut pass);
        }
    }

    /// No characters follow. False if what came was not base64.
    pub(crate) fn end(&mut self, mut pass: impl FnMut(&[u8])) -> bool {
        if self.have > 0 {
            let (carry, have) = (self.carry, self.have);
            self.have = 0;
            self.quads::<3>(carry.get(..have).unwrap_or_default(), &mut pass);
        }
        !self.wrong
    }

    fn carry(&mut self, byte: u8, pass: &mut impl FnMut(&[u8])) {
        if let Some(slot) = self.carry.get_mut(self.have) {
            *slot = byte;
        }
        self.have += 1;
        if self.have == 4 {
            self.have = 0;
            let carry = self.carry;
            self.quads::<3>(&carry, pass);
        }
    }

    /// Decodes many quads; where one is wrong, those before it still count, whatever the pieces were.
    fn block(&mut self, block: &[u8], pass: &mut impl FnMut(&[u8])) {
        if !self.quads::<{ BLOCK / 4 * 3 }>(block, pass) {
            self.wrong = false;
            for quad in block.chunks(4) {
                if !self.quads::<3>(quad, pass) {
                    return;
                }
            }
        }
    }

    fn quads<const DECODED: usize>(&mut self, quads: &[u8], pass: &mut impl FnMut(&[u8])) -> bool {
        let mut decoded = [0; DECODED];
        if self.padded || self.wrong {
            self.wrong = true;
            return false;
        }
        match ENGINE.decode_slice(quads, &mut decoded) {
            Ok(len) => {
                self.padded = quads.last() == Some(&b'=');
                pass(decoded.get(..len).unwrap_or_default());
            }
            Err(_) => self.wrong = true,
        }
        !self.wrong
    }
}
