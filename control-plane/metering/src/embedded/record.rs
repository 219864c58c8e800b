//! One record of the log.
//!
//! `length u32 | crc32c u32 | at u32 | batch_start u32 | batch u64 | record u64 | first_order u64 | now_us i64 |
//! events u32 | kind u8 | three bytes zero | payload`, little endian, filled up to a multiple of 8 with zeros. The length
//! is the payload's; the checksum covers all after it. What tells a record that was acknowledged from the remains of
//! a write that failed: where it lies (`at`), the write it belongs to (`batch`, never used twice, rising) and where that
//! write began (`batch_start`: all before it was on disk).

use bytes::Bytes;

/// Bytes before a payload.
pub(super) const HEADER: usize = 56;
/// Largest payload: a frame or named events, and what is said of them.
pub(super) const MAX_PAYLOAD: usize = 6 << 20;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A frame as it was sent, and which of its events are not taken in.
    Frame = 1,
    /// Named events.
    Named = 2,
    /// A meter.
    Meter = 3,
    /// A frame all of whose events were known: only its count.
    Repeated = 4,
    /// A frame none of whose events was taken in: its mark and counts.
    Refused = 5,
    /// An epoch that is not held any more.
    Retired = 6,
}

/// What is said of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: usize,
    /// Its own offset in the segment.
    pub(super) at: u32,
    /// Where the write it belongs to begins in the segment.
    pub(super) batch_start: u32,
    pub(super) batch: u64,
    /// From 1 over all segments, without gaps.
    pub(super) record: u64,
    /// The number of its first event in the order of ingestion.
    pub(super) first_order: u64,
    /// When it came in, in microseconds since 1970.
    pub(super) now_us: i64,
    /// How many of those numbers it takes.
    pub(super) events: u32,
    pub(super) kind: Kind,
}

/// A record that was read.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) header: Header,
    pub(super) payload: Bytes,
}

/// Bytes a record takes.
pub(super) const fn size(payload: usize) -> usize {
    (HEADER + payload).next_multiple_of(8)
}

/// Writes a record behind what is there; `payload` fills the payload in.
pub(super) fn encode(out: &mut Vec<u8>, header: &Header, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.resize(start + HEADER, 0);
    payload(out);
    let length = out.len() - start - HEADER;
    let head = &mut out[start..start + HEADER];
    head[0..4].copy_from_slice(&(length as u32).to_le_bytes());
    head[8..12].copy_from_slice(&header.at.to_le_bytes());
    head[12..16].copy_from_slice(&header.batch_start.to_le_bytes());
    head[16..24].copy_from_slice(&header.batch.to_le_bytes());
    head[24..32].copy_from_slice(&header.record.to_le_bytes());
    head[32..40].copy_from_slice(&header.first_order.to_le_bytes());
    head[40..48].copy_from_slice(&header.now_us.to_le_bytes());
    head[48..52].copy_from_slice(&header.events.to_le_bytes());
    head[52] = header.kind as u8;
    let checksum = crc32c::crc32c(&out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    out.resize(start + size(length), 0);
}

/// Reads a header that lies at `at`; none when it cannot be one. The checksum is not looked at.
pub(super) fn header(bytes: &[u8], at: usize) -> Option<Header> {
    let bytes = bytes.get(..HEADER)?;
    let word =
        |from: usize| u32::from_le_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]]);
    let long = |from: usize| u64::from(word(from)) | u64::from(word(from + 4)) << 32;
    let length = word(0) as usize;
    if word(8) as usize != at || length > MAX_PAYLOAD || word(12) > word(8) || bytes[53..] != [0; 3] {
        return None;
    }
    let kind = match bytes[52] {
        1 => Kind::Frame,
        2 => Kind::Named,
        3 => Kind::Meter,
        4 => Kind::Repeated,
        5 => Kind::Refused,
        6 => Kind::Retired,
        _ => return None,
    };
    Some(Header {
        length,
        at: word(8),
        batch_start: word(12),
        batch: long(16),
        record: long(24),
        first_order: long(32),
        now_us: long(40).cast_signed(),
        events: word(48),
        kind,
    })
}

/// The record at the front of `bytes`, which lie at `at`; none when there is none whose checksum is right.
pub(super) fn check(bytes: &[u8], at: usize) -> Option<Header> {
    let header = header(bytes, at)?;
    let whole = bytes.get(..size(header.length))?;
    let checksum = u32::from_le_bytes([whole[4], whole[5], whole[6], whole[7]]);
    let end = HEADER + header.length;
    let filled = whole[end..].iter().all(|byte| *byte == 0);
    (filled && crc32c::crc32c(&whole[8..end]) == checksum).then_some(header)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(at: u32, events: u32) -> Header {
        Header {
            length: 0,
            at,
            batch_start: at / 2,
            batch: 7,
            record: 9,
            first_order: 1_000,
            now_us: 1_791_973_200_000_000,
            events,
            kind: Kind::Named,
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_and_a_flipped_bit_is_seen(
            at in 0_u32..1 << 26,
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            flip: proptest::sample::Index,
        ) {
            let mut out = Vec::new();
            encode(&mut out, &head(at, 3), |out| out.extend_from_slice(&payload));
            prop_assert_eq!(out.len(), size(payload.len()));
            let read = check(&out, at as usize).unwrap();
            prop_assert_eq!(read, Header { length: payload.len(), ..head(at, 3) });
            prop_assert_eq!(check(&out, at as usize + 8), None);
            let bit = flip.index(out.len() * 8);
            out[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(check(&out, at as usize), None);
        }
    }
}
