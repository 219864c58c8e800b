//! Counts strings and property columns of an `IngestFrame` while its bytes come in.
//!
//! Either takes many times its two smallest bytes once it is decoded, so a message with more of them than a frame may
//! have is refused before it is.

use creto_event_store::{MAX_FRAME_COLUMNS, MAX_FRAME_STRINGS};

/// Fields of `IngestFrame`.
const STRINGS: u64 = 6;
const PROPERTIES: u64 = 14;

/// Where in the message it is (protobuf's wire format).
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In a tag: what there is of it, and how many bits.
    Tag(u64, u32),
    /// In a number that nobody here reads.
    Number,
    /// In the length of a field: what there is of it, and how many bits.
    Length(u64, u32),
    /// In bytes that nobody here reads.
    Skipped(u64),
    /// It is no protobuf: whoever decodes it says so.
    Lost,
}

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    place: Place,
    strings: usize,
    columns: usize,
}

impl Scan {
    pub(super) fn new() -> Self {
        Self { place: Place::Tag(0, 0), strings: 0, columns: 0 }
    }

    /// Reads on; `false` once there is more than a frame may have.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let Place::Skipped(left) = self.place {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                bytes = &bytes[here..];
                self.place = skip(left - here as u64);
                continue;
            }
            bytes = rest;
            self.place = match self.place {
                Place::Tag(read, bits) => match varint(read, bits, byte) {
                    Varint::Whole(tag) => self.field(tag),
                    Varint::Part(read, bits) => Place::Tag(read, bits),
                    Varint::TooLong => Place::Lost,
                },
                Place::Number if byte < 0x80 => Place::Tag(0, 0),
                Place::Number => Place::Number,
                Place::Length(read, bits) => match varint(read, bits, byte) {
                    Varint::Whole(length) => skip(length),
                    Varint::Part(read, bits) => Place::Length(read, bits),
                    Varint::TooLong => Place::Lost,
                },
                Place::Skipped(_) | Place::Lost => return true,
            };
            if self.strings > MAX_FRAME_STRINGS || self.columns > MAX_FRAME_COLUMNS {
                return false;
            }
        }
        true
    }

    fn field(&mut self, tag: u64) -> Place {
        match tag & 7 {
            0 => Place::Number,
            1 => Place::Skipped(8),
            2 => {
                match tag >> 3 {
                    STRINGS => self.strings += 1,
                    PROPERTIES => self.columns += 1,
                    _ => {}
                }
                Place::Length(0, 0)
            }
            5 => Place::Skipped(4),
            // Groups: what is in them is read like the rest, which counts too much rather than too little.
            3 | 4 => Place::Tag(0, 0),
            _ => Place::Lost,
        }
    }
}

fn skip(bytes: u64) -> Place {
    if bytes == 0 { Place::Tag(0, 0) } else { Place::Skipped(bytes) }
}

enum Varint {
    Whole(u64),
    Part(u64, u32),
    TooLong,
}

fn varint(read: u64, bits: u32, byte: u8) -> Varint {
    if bits > 63 {
        return Varint::TooLong;
    }
    let read = read | u64::from(byte & 0x7f) << bits;
    if byte < 0x80 { Varint::Whole(read) } else { Varint::Part(read, bits + 7) }
}

#[cfg(test)]
mod tests {
    use creto_proto::v1::{IngestFrame, PropertyColumn};
    use prost::Message as _;

    use super::*;

    fn counted(message: &IngestFrame, piece: usize) -> (bool, usize, usize) {
        let mut scan = Scan::new();
        let within = message.encode_to_vec().chunks(piece).all(|piece| scan.feed(piece));
        (within, scan.strings, scan.columns)
    }

    #[test]
    fn strings_and_columns_are_counted_however_the_bytes_are_cut() {
        let message = IngestFrame {
            namespace: "a".repeat(300),
            producer: "p".into(),
            epoch: u64::MAX,
            first_sequence: u64::MAX,
            count: 3,
            strings: vec!["one".into(), String::new(), "x".repeat(200)],
            event_type: vec![1, 2, 3],
            at_us: vec![i64::MIN, i64::MAX, 0],
            properties: vec![
                PropertyColumn { name: 1, texts: vec![1, 2, 3], ..PropertyColumn::default() };
                4
            ],
            ..IngestFrame::default()
        };
        for piece in [1, 2, 3, 7, 1_000] {
            assert_eq!(counted(&message, piece), (true, 3, 4), "in pieces of {piece}");
        }
    }

    #[test]
    fn more_than_a_frame_may_have_is_noticed_and_as_much_is_not() {
        let columns = |count| IngestFrame {
            properties: vec![PropertyColumn::default(); count],
            ..IngestFrame::default()
        };
        let strings = |count| IngestFrame { strings: vec![String::new(); count], ..IngestFrame::default() };
        assert!(counted(&columns(MAX_FRAME_COLUMNS), 1_000).0);
        assert!(!counted(&columns(MAX_FRAME_COLUMNS + 1), 1_000).0);
        assert!(counted(&strings(MAX_FRAME_STRINGS), 1_000).0);
        assert!(!counted(&strings(MAX_FRAME_STRINGS + 1), 1_000).0);
    }

    #[test]
    fn what_is_no_protobuf_is_left_to_whoever_decodes_it() {
        for bytes in
            [&[0xff; 40][..], &[0x07; 9], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]
        {
            assert!(Scan::new().feed(bytes));
        }
    }
}
