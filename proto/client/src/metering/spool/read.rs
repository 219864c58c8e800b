//! Reading segments back.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Seek as _, SeekFrom};
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
    /// The end of the file is the beginning of a record, which was being written.
    pub(super) torn_bytes: u64,
    /// A record that was whole does not read: what follows is left alone, for a sequence has no holes.
    pub(super) damaged: bool,
}

/// Reads the records of a segment, up to the first that does not read.
pub(super) fn segment(path: &Path) -> std::io::Result<Segment> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut from = BufReader::new(file);
    let mut found = Segment { frames: Vec::new(), bytes, torn_bytes: 0, damaged: false };
    let mut offset = 0;
    while offset < bytes {
        let left = bytes - offset;
        match one(&mut from, left)? {
            Record::Frame(frame, length) => {
                found.frames.push(Found {
                    epoch: frame.epoch,
                    first_sequence: frame.first_sequence,
                    count: u64::from(frame.count),
                    offset,
                });
                offset += length;
            }
            Record::Torn => {
                found.torn_bytes = left;
                break;
            }
            Record::Damaged => {
                found.damaged = true;
                break;
            }
        }
    }
    Ok(found)
}

/// Reads the frame at an offset.
pub(super) fn frame(path: &Path, offset: u64) -> std::io::Result<IngestFrame> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    match one(&mut file, bytes.saturating_sub(offset))? {
        Record::Frame(frame, _) => Ok(*frame),
        Record::Torn | Record::Damaged => Err(Error::new(
            ErrorKind::InvalidData,
            "a frame that was written does not read back: the disk lost it",
        )),
    }
}

enum Record {
    Frame(Box<IngestFrame>, u64),
    Torn,
    Damaged,
}

fn one(from: &mut impl Read, left: u64) -> std::io::Result<Record> {
    if left < HEAD as u64 {
        return Ok(Record::Torn);
    }
    let mut bytes = [0; HEAD];
    from.read_exact(&mut bytes)?;
    let Some((length, checksum)) = head(bytes) else {
        // The file grew and its data did not come: as torn as one that is short.
        return Ok(if bytes == [0; HEAD] { Record::Torn } else { Record::Damaged });
    };
    let whole = (HEAD + length) as u64;
    if left < whole {
        return Ok(Record::Torn);
    }
    let mut read = vec![0; length];
    from.read_exact(&mut read)?;
    Ok(match body(&read, checksum) {
        Some(frame) => Record::Frame(Box::new(frame), whole),
        None if left == whole => Record::Torn,
        None => Record::Damaged,
    })
}
