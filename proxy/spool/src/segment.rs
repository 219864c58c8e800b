//! One segment file: a header, then frames.
//!
//! Header: magic `CRSP`, version u16, two bytes zero, spool epoch u64, sequence of the first frame u64.

use std::path::{Path, PathBuf};

use creto_mapped::MappedFile;

use crate::SpoolError;
use crate::frame::{self, Frame};

const MAGIC: &[u8; 4] = b"CRSP";
const VERSION: u16 = 1;

/// Bytes before the first frame.
pub(crate) const HEADER: usize = 24;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) epoch: u64,
    pub(crate) first: u64,
}

impl SegmentHeader {
    pub(crate) fn encode(self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..4].copy_from_slice(MAGIC);
        out[4..6].copy_from_slice(&VERSION.to_le_bytes());
        out[8..16].copy_from_slice(&self.epoch.to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        if &bytes[..4] != MAGIC || bytes[4..6] != VERSION.to_le_bytes() {
            return None;
        }
        Some(Self {
            epoch: u64::from_le_bytes(bytes[8..16].try_into().ok()?),
            first: u64::from_le_bytes(bytes[16..24].try_into().ok()?),
        })
    }
}

/// Name of the segment that begins with this sequence; names sort as the sequences do.
pub(crate) fn file_name(first: u64) -> String {
    format!("{first:020}.seg")
}

/// The segments of a folder, oldest first. The spare (`spare.seg`) is not one of them.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| SpoolError::io(folder, e))? {
        let path = entry.map_err(|e| SpoolError::io(folder, e))?.path();
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
            name.len() == 24 && name.ends_with(".seg") && name[..20].bytes().all(|b| b.is_ascii_digit())
        });
        if named {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The frames of a segment's bytes, in order, to where the log ends.
pub(crate) fn frames(bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut at = HEADER;
    std::iter::from_fn(move || {
        let frame = frame::decode(bytes.get(at..)?)?;
        at += frame.size;
        Some(frame)
    })
}

/// The segment being written.
#[derive(Debug)]
pub(crate) struct ActiveSegment {
    pub(crate) map: MappedFile,
    pub(crate) path: PathBuf,
    pub(crate) header: SegmentHeader,
    /// Where the next frame goes.
    pub(crate) end: usize,
}

impl ActiveSegment {
    pub(crate) fn room(&self) -> usize {
        self.map.len() - self.end
    }

    pub(crate) fn append(&mut self, frame: &[u8]) -> bool {
        let fits = self.map.write(self.end, frame);
        if fits {
            self.end += frame.len();
        }
        fits
    }
}
