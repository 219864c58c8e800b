//! Skips over bytes at which no secret can begin (Wu and Manber, "A fast algorithm for multi-pattern searching").

use zeroize::Zeroize;

/// Entries of the table: 4 KiB stay in the nearest cache.
const TABLE: usize = 4096;
/// Bytes looked at in one place.
const BLOCK: usize = 3;
/// Longest part of the texts that is looked at: further ones skip no faster than memory is read.
const MAX_WINDOW: usize = 64;

/// For the last three bytes of a window: how far the window can move without passing over a beginning.
pub(super) struct Skips {
    table: Box<[u8; TABLE]>,
    window: usize,
}

impl Skips {
    /// To the beginnings of these texts, each at least [`BLOCK`] bytes long.
    pub(super) fn to<'a>(texts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let window = texts.clone().map(<[u8]>::len).min().unwrap_or(MAX_WINDOW).min(MAX_WINDOW);
        // At most 64, so it fits.
        let mut table = Box::new([(window + 1).saturating_sub(BLOCK) as u8; TABLE]);
        for text in texts {
            for (at, block) in text[..window].windows(BLOCK).enumerate() {
                let entry = &mut table[slot(block[0], block[1], block[2])];
                *entry = (*entry).min((window - BLOCK - at) as u8);
            }
        }
        Self { table, window }
    }

    /// The first place from `from` on at which a text can begin, or from which on fewer bytes are left than the
    /// window has. At most the length of `bytes`.
    #[inline]
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> usize {
        let mut end = from + self.window;
        while let Some(&[first, second, third]) =
            end.checked_sub(BLOCK).and_then(|start| bytes.get(start..end)?.first_chunk())
        {
            match self.table[slot(first, second, third)] {
                0 => break,
                skip => end += usize::from(skip),
            }
        }
        (end - self.window).min(bytes.len())
    }
}

impl Drop for Skips {
    fn drop(&mut self) {
        self.table.zeroize();
    }
}

#[inline]
fn slot(first: u8, second: u8, third: u8) -> usize {
    let block = u32::from_le_bytes([first, second, third, 0]);
    // The upper bits of a product depend on all bytes (Knuth's multiplicative hash).
    (block.wrapping_mul(0x9E37_79B1) >> 20) as usize
}
