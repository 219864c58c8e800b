//! The end of the log: where records are written.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::record::{self, Header, Kind};
use super::segment::{self, Position, Sealed, io_error};
use crate::StoreError;

/// Writes records, whole batches at a time.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    segment_bytes: u64,
    file: File,
    number: u64,
    /// Where the next write goes.
    end: u64,
    batch: u64,
    /// The last record that is on disk.
    record: u64,
    next_order: u64,
    buffer: Vec<u8>,
    /// Of all bytes of the segment that are on disk.
    checksum: u32,
    /// Records and orders in the buffer.
    waiting: (u64, u64),
    /// A write may or may not be on disk: only reading the log again tells.
    broken: Option<StoreError>,
}

impl Log {
    /// Goes on in a new segment.
    pub(super) fn begin(
        folder: PathBuf,
        segment_bytes: u64,
        number: u64,
        (record, next_order): (u64, u64),
    ) -> Result<Self, StoreError> {
        let (file, checksum) = segment::create(&folder, number, record + 1, segment_bytes)?;
        Ok(Self {
            folder,
            segment_bytes,
            file,
            number,
            end: segment::HEADER as u64,
            batch: 1,
            record,
            next_order,
            buffer: Vec::new(),
            checksum,
            waiting: (0, 0),
            broken: None,
        })
    }

    /// Whether a payload fits behind what waits.
    pub(super) fn fits(&self, payload: usize) -> bool {
        self.end + (self.buffer.len() + record::size(payload)) as u64 <= self.segment_bytes
    }

    /// Bytes that wait to be written.
    pub(super) const fn waiting_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The number the next event gets in the order of ingestion.
    pub(super) const fn next_order(&self) -> u64 {
        self.next_order + self.waiting.1
    }

    /// The number the next record gets.
    pub(super) const fn next_record(&self) -> u64 {
        self.record + self.waiting.0 + 1
    }

    /// Adds a record to what waits. Its header, and where it will end.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        now_us: i64,
        events: u32,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> (Header, Position) {
        let header = Header {
            length: 0,
            at: (self.end as usize + self.buffer.len()) as u32,
            batch_start: self.end as u32,
            batch: self.batch,
            record: self.next_record(),
            first_order: self.next_order(),
            now_us,
            events,
            kind,
        };
        record::encode(&mut self.buffer, &header, payload);
        self.waiting.0 += 1;
        self.waiting.1 += u64::from(events);
        (header, Position { segment: self.number, offset: self.end + self.buffer.len() as u64 })
    }

    /// Writes what waits and has it on disk. After an error none of it counts as written.
    pub(super) fn commit(&mut self) -> Result<Position, StoreError> {
        let waiting = std::mem::take(&mut self.waiting);
        let written = self.write();
        if written.is_ok() {
            self.checksum = crc32c::crc32c_append(self.checksum, &self.buffer);
        }
        self.buffer.clear();
        // Never used again: what is left of a failed write is told from the next one by it.
        self.batch += 1;
        let bytes = written?;
        self.end += bytes;
        self.record += waiting.0;
        self.next_order += waiting.1;
        Ok(Position { segment: self.number, offset: self.end })
    }

    fn write(&mut self) -> Result<u64, StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let path = segment::path(&self.folder, self.number);
        self.file.write_all_at(&self.buffer, self.end).map_err(|e| io_error(&path, &e))?;
        self.file.sync_data().map_err(|error| {
            // The kernel may have dropped what it could not write, and a second call would say that all is well.
            let error = StoreError::Away(format!(
                "{}: {error}; what of it is on disk is found out when the control plane starts again",
                path.display()
            ));
            self.broken = Some(error.clone());
            error
        })?;
        Ok(self.buffer.len() as u64)
    }

    /// Goes on in the next segment; its number, and what is left in the one before. Nothing may wait. There is a next one
    /// only when all of this one is on disk: start relies on it.
    pub(super) fn rotate(&mut self) -> Result<(u64, Sealed), StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let (file, checksum) =
            segment::create(&self.folder, self.number + 1, self.record + 1, self.segment_bytes)?;
        let sealed = std::mem::replace(&mut self.file, file);
        let path = segment::path(&self.folder, self.number);
        // What it does not need is given back; zeros at its end do no harm.
        if let Err(error) = sealed.set_len(self.end).and_then(|()| sealed.sync_all()) {
            tracing::warn!(segment = %path.display(), %error, "a segment could not be cut to its size");
        }
        let before = Sealed { length: self.end, checksum: self.checksum };
        self.number += 1;
        self.end = segment::HEADER as u64;
        self.checksum = checksum;
        Ok((self.number, before))
    }

    /// The segment that is written, and its end.
    pub(super) const fn position(&self) -> Position {
        Position { segment: self.number, offset: self.end }
    }
}
