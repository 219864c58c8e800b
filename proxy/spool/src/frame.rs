//! One entry as it lies in a segment.
//!
//! `length u32 | crc32c u32 | kind u8 | begun sequence u64 | payload`, little endian; the length counts kind,
//! sequence and payload, the checksum covers them. A length of zero ends the segment: files start out all zero.

/// Largest payload of an entry, bytes.
pub const MAX_ENTRY: usize = 16 * 1024;

const PREFIX: usize = 8;
const FIXED: usize = 9;

/// Bytes around a payload.
pub(crate) const OVERHEAD: usize = PREFIX + FIXED;

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Begun = 1,
    Ended = 2,
}

/// A decoded frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    /// Sequence of the beginning this ends; its own for a beginning.
    pub(crate) begun: u64,
    pub(crate) payload: &'a [u8],
    /// Bytes it takes in the segment.
    pub(crate) size: usize,
}

/// Writes the frame into `out`, which is cleared first.
pub(crate) fn encode(kind: Kind, begun: u64, payload: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&((FIXED + payload.len()) as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(kind as u8);
    out.extend_from_slice(&begun.to_le_bytes());
    out.extend_from_slice(payload);
    let checksum = crc32c::crc32c(&out[PREFIX..]);
    out[4..8].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the frame at the front of `bytes`; none where the log ends: zero, cut off or damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<Frame<'_>> {
    let length = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let checksum = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    if !(FIXED..=FIXED + MAX_ENTRY).contains(&length) {
        return None;
    }
    let body = bytes.get(PREFIX..PREFIX + length)?;
    if crc32c::crc32c(body) != checksum {
        return None;
    }
    let kind = match body[0] {
        1 => Kind::Begun,
        2 => Kind::Ended,
        _ => return None,
    };
    let begun = u64::from_le_bytes(body[1..9].try_into().ok()?);
    Some(Frame { kind, begun, payload: &body[9..], size: PREFIX + length })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(begun: u64, payload in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut out = Vec::new();
            encode(Kind::Ended, begun, &payload, &mut out);
            let frame = decode(&out).unwrap();
            prop_assert_eq!(frame, Frame { kind: Kind::Ended, begun, payload: &payload, size: out.len() });
        }

        #[test]
        fn a_flipped_bit_ends_the_log(at in 0usize..40, bit in 0u8..8) {
            let mut out = Vec::new();
            encode(Kind::Begun, 7, b"0123456789012345678901234", &mut out);
            prop_assume!(at < out.len());
            out[at] ^= 1 << bit;
            prop_assert_eq!(decode(&out), None);
        }

        #[test]
        fn a_cut_ends_the_log(cut in 0usize..41) {
            let mut out = Vec::new();
            encode(Kind::Begun, 7, b"012345678901234567890123", &mut out);
            prop_assert_eq!(decode(&out[..cut.min(out.len() - 1)]), None);
        }
    }
}
