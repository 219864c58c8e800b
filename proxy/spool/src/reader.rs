//! The sender's side: entries in order, read through the file system, never through the writer's memory.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::segment::{self, HEADER, SegmentHeader};
use crate::{SpoolError, frame};

/// An entry as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 1, without gaps.
    pub sequence: u64,
    /// What the caller brought.
    pub payload: Vec<u8>,
}

/// A place in the spool.
#[derive(Debug)]
pub struct SpoolReader {
    folder: PathBuf,
    /// Sequence of the next entry; 0 means the oldest there is.
    next: u64,
    at: Option<Position>,
}

#[derive(Debug)]
struct Position {
    file: std::fs::File,
    first: u64,
    offset: u64,
}

impl SpoolReader {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, next: 0, at: None }
    }

    /// Goes back (or on) to the entry with this sequence, or to the oldest kept after it.
    pub fn seek(&mut self, sequence: u64) {
        self.next = sequence;
        self.at = None;
    }

    /// Up to `entries` entries of together about `bytes` bytes; empty at the end of what is written.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn read(&mut self, entries: usize, bytes: usize) -> Result<Vec<Entry>, SpoolError> {
        let mut out = Vec::new();
        let mut taken = 0;
        let mut seen_end = false;
        let mut buffer = vec![0; 64 * 1024];
        while out.len() < entries && taken < bytes {
            if self.at.is_none() && !self.find()? {
                break;
            }
            let Some(position) = &mut self.at else { break };
            let got = position
                .file
                .read_at(&mut buffer, position.offset)
                .map_err(|e| SpoolError::io(self.folder.clone(), e))?;
            let mut used = 0;
            while out.len() < entries
                && taken < bytes
                && let Some(found) = frame::decode(&buffer[used..got])
            {
                taken += found.payload.len();
                out.push(Entry { sequence: self.next, payload: found.payload.to_vec() });
                self.next += 1;
                used += found.size;
            }
            position.offset += used as u64;
            if used > 0 {
                seen_end = false;
            } else if !self.advance(seen_end)? {
                break;
            } else {
                seen_end = self.at.as_ref().is_some_and(|now| now.offset > HEADER as u64);
            }
        }
        Ok(out)
    }

    /// Opens the segment that holds `next`, or the oldest one after it.
    fn find(&mut self) -> Result<bool, SpoolError> {
        let mut best = None;
        for (file, first) in self.segments()? {
            if first > self.next && best.is_some() {
                break;
            }
            best = Some((file, first));
        }
        let Some((file, first)) = best else { return Ok(false) };
        let mut position = Position { file, first, offset: HEADER as u64 };
        let mut sequence = first;
        if self.next > first {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut &position.file, &mut bytes)
                .map_err(|e| SpoolError::io(self.folder.clone(), e))?;
            for found in segment::frames(&bytes) {
                if sequence == self.next {
                    break;
                }
                position.offset += found.size as u64;
                sequence += 1;
            }
        }
        self.next = sequence.max(self.next);
        self.at = Some(position);
        Ok(true)
    }

    /// Goes to the segment after this one; false when there is none. A writer may have added entries to this segment
    /// before it made the next, so unless the sequences join, this one is read again first (`again` was that).
    fn advance(&mut self, again: bool) -> Result<bool, SpoolError> {
        let Some(position) = &self.at else { return Ok(false) };
        let current = position.first;
        let Some((file, first)) = self.segments()?.find(|(_, first)| *first > current) else {
            return Ok(false);
        };
        if first == self.next || again {
            self.next = first;
            self.at = Some(Position { file, first, offset: HEADER as u64 });
        }
        Ok(true)
    }

    /// The segments there are, oldest first, each with the sequence of its first entry. One that is being made or was
    /// just released is passed over.
    fn segments(&self) -> Result<impl Iterator<Item = (std::fs::File, u64)> + use<>, SpoolError> {
        Ok(segment::list(&self.folder)?.into_iter().filter_map(|path| {
            let file = std::fs::File::open(path).ok()?;
            let mut head = [0; HEADER];
            file.read_exact_at(&mut head, 0).ok()?;
            Some((file, SegmentHeader::decode(&head)?.first))
        }))
    }
}
