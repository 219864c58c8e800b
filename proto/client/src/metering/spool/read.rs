//! Reading segments back.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek as _, SeekFrom};
use std::path::Path;

use creto_proto::v1::IngestFrame;

use super::record::{HEAD, body, head};

/// A frame found in a segment.
pub(super) struct Found {
    pub(super) epoch: u64,
    pub(super) first_sequence: u64,
    pub(super) count: u64,
    pub(super) offset: u64,
}

/// What a segment holds.
pub(super) struct Segment {
    pub(super) frames: Vec<Found>,
    pub(super) bytes: u64,
    /// The end of the file, of which nothing reads: a record that was being written.
    pub(super) torn_bytes: u64,
    /// What does not read though a record that does comes after it.
    pub(super) damaged_bytes: u64,
}

/// Reads the records of a segment, those behind damage too. There, only frames of epochs that are `known` are believed:
/// what looks like a record may be a text within one.
pub(super) fn segment(path: &Path, known: impl Fn(u64) -> bool) -> std::io::Result<Segment> {
    let all = std::fs::read(path)?;
    let mut found = Segment { frames: Vec::new(), bytes: all.len() as u64, torn_bytes: 0, damaged_bytes: 0 };
    let mut offset = 0;
    while offset < all.len() {
        let Some((frame, length)) = whole(&all[offset..]) else {
            let Some(next) = next_record(&all, offset, &known) else {
                found.torn_bytes = (all.len() - offset) as u64;
                break;
            };
            found.damaged_bytes += (next - offset) as u64;
            offset = next;
            continue;
        };
        found.frames.push(Found {
            epoch: frame.epoch,
            first_sequence: frame.first_sequence,
            count: u64::from(frame.count),
            offset: offset as u64,
        });
        offset += length;
    }
    Ok(found)
}

/// The record that bytes begin with, if it is whole, and its length.
fn whole(bytes: &[u8]) -> Option<(IngestFrame, usize)> {
    let (length, checksum) = head(*bytes.first_chunk()?)?;
    let frame = body(bytes.get(HEAD..HEAD + length)?, checksum)?;
    // Sequences of a frame that somebody else wrote may be anything: they are added up.
    frame.first_sequence.checked_add(u64::from(frame.count))?;
    Some((frame, HEAD + length))
}

/// What every body begins with: the namespace, which is never empty.
const FIRST_TAG: u8 = 0x0a;

/// Where the first record after a damaged one is: where that one's length says, or wherever one is found.
fn next_record(all: &[u8], damaged: usize, known: &impl Fn(u64) -> bool) -> Option<usize> {
    let reads = |at: &usize| {
        all.get(at + HEAD) == Some(&FIRST_TAG)
            && whole(&all[*at..]).is_some_and(|(frame, _)| known(frame.epoch))
    };
    let stated = all[damaged..].first_chunk().and_then(|bytes| head(*bytes));
    let stated = stated.map(|(length, _)| damaged + HEAD + length);
    stated.filter(&reads).or_else(|| (damaged + 1..all.len()).find(reads))
}

/// Reads the frame at an offset.
pub(super) fn frame(path: &Path, offset: u64) -> std::io::Result<IngestFrame> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    let mut first = [0; HEAD];
    file.read_exact(&mut first)?;
    let length = head(first).filter(|(length, _)| (HEAD + length) as u64 <= bytes.saturating_sub(offset));
    let Some((length, checksum)) = length else { return Err(lost()) };
    let mut read = vec![0; length];
    file.read_exact(&mut read)?;
    body(&read, checksum).ok_or_else(lost)
}

fn lost() -> Error {
    Error::new(ErrorKind::InvalidData, "a frame that was written does not read back: the disk lost it")
}
