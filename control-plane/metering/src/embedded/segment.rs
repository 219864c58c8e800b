//! One segment file of the log: a header, then records, then zeros up to its size until it is sealed.
//!
//! Header: magic `CREV`, version u16, two bytes zero, number of the segment u64, first record u64, crc32c of these u32,
//! four bytes zero.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::record::{self, Record};
use crate::StoreError;

const MAGIC: &[u8; 4] = b"CREV";
/// Version of the format of segments and records.
const VERSION: u16 = 1;
/// Bytes before the first record.
pub(super) const HEADER: usize = 32;

/// A place in the log: all before it, in this segment and the earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// What is known of a segment nothing is written into any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    /// Bytes of it, its header included.
    pub(super) length: u64,
    /// CRC-32C of them.
    pub(super) checksum: u32,
}

/// What the file system said, in words that tell what to do.
pub(super) fn io_error(path: &Path, error: &io::Error) -> StoreError {
    let cause = format!("{}: {error}", path.display());
    match error.raw_os_error() {
        // ENOSPC, EDQUOT
        Some(28 | 122) => StoreError::DiskFull(cause),
        _ => StoreError::Away(cause),
    }
}

/// Where a segment lies; names sort as numbers do.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.events"))
}

/// The numbers of the segments of a folder, rising.
pub(super) fn list(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| io_error(folder, &e))? {
        let name = entry.map_err(|e| io_error(folder, &e))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".events"));
        found
            .extend(number.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Copies of one segment that are set aside.
const MAX_ASIDE: u32 = 100;

/// Where a segment goes that cannot be read: it is left to whoever may know how to mend it, and never written over.
pub(super) fn aside(path: &Path) -> Result<PathBuf, StoreError> {
    for copy in 0..MAX_ASIDE {
        let suffix = if copy == 0 { "events.damaged".into() } else { format!("events.damaged.{copy}") };
        let aside = path.with_extension(suffix);
        if !aside.try_exists().map_err(|error| io_error(&aside, &error))? {
            return Ok(aside);
        }
    }
    let cause = format!("{}: {MAX_ASIDE} copies of it are set aside already: move them away", path.display());
    Err(StoreError::Away(cause))
}

/// CRC-32C of the first bytes of a segment.
pub(super) fn checksum(path: &Path, length: u64) -> io::Result<u32> {
    let file = File::open(path)?;
    let mut chunk = vec![0; 1 << 20];
    let (mut at, mut checksum) = (0, 0);
    while at < length {
        let size = chunk.len().min((length - at) as usize);
        file.read_exact_at(&mut chunk[..size], at)?;
        checksum = crc32c::crc32c_append(checksum, &chunk[..size]);
        at += size as u64;
    }
    Ok(checksum)
}

/// Makes a segment of `bytes` bytes, which are on disk with its name when this returns; and the checksum of its header.
pub(super) fn create(
    folder: &Path,
    number: u64,
    first_record: u64,
    bytes: u64,
) -> Result<(File, u32), StoreError> {
    let path = path(folder, number);
    let failed = |error: io::Error| {
        // Whatever is there of it holds nothing that was acknowledged.
        let _ = std::fs::remove_file(&path);
        io_error(&path, &error)
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(MAGIC);
    header[4..6].copy_from_slice(&VERSION.to_le_bytes());
    header[8..16].copy_from_slice(&number.to_le_bytes());
    header[16..24].copy_from_slice(&first_record.to_le_bytes());
    let checksum = crc32c::crc32c(&header[..24]);
    header[24..28].copy_from_slice(&checksum.to_le_bytes());
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)
        .map_err(io::Error::from)
        .and_then(|()| file.write_all_at(&header, 0))
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(failed)?;
    Ok((file, crc32c::crc32c(&header)))
}

/// What was found where a record should be.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// A record, and where the next one begins.
    Record(Record, u64),
    /// Nothing but zeros, or the end of the file.
    End,
    /// Something that is no record.
    Wrong(&'static str),
}

/// Reads the records of a segment.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    pub(super) path: PathBuf,
    /// Nothing is read beyond this.
    pub(super) end: u64,
    pub(super) first_record: u64,
}

impl Reader {
    /// Opens a segment to be read up to `end`, or to its end. None for a segment whose header was never written: nothing
    /// in it was acknowledged, when it is the last.
    pub(super) fn open(folder: &Path, number: u64, end: Option<u64>) -> Result<Option<Self>, StoreError> {
        let path = path(folder, number);
        let file = File::open(&path).map_err(|e| io_error(&path, &e))?;
        let size = file.metadata().map_err(|e| io_error(&path, &e))?.len();
        let mut header = [0; HEADER];
        if size < HEADER as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0).map_err(|e| io_error(&path, &e))?;
        if header == [0; HEADER] {
            return Ok(None);
        }
        let damaged = |what: String| StoreError::Damaged { segment: path.clone(), offset: 0, what };
        let mut word = [0; 4];
        word.copy_from_slice(&header[24..28]);
        let mut long = [[0; 8]; 2];
        long[0].copy_from_slice(&header[8..16]);
        long[1].copy_from_slice(&header[16..24]);
        if crc32c::crc32c(&header[..24]) != u32::from_le_bytes(word)
            || header[28..] != [0; 4]
            || &header[..4] != MAGIC
            || u64::from_le_bytes(long[0]) != number
        {
            return Err(damaged("the header of the segment is wrong".into()));
        }
        let version = u16::from_le_bytes([header[4], header[5]]);
        if version > VERSION {
            let (found, known) = (i64::from(version), i64::from(VERSION));
            return Err(StoreError::NewerSchema { path, found, known });
        }
        let end = end.unwrap_or(size).min(size);
        Ok(Some(Self { file, path, end, first_record: u64::from_le_bytes(long[1]) }))
    }

    fn error(&self, error: &io::Error) -> StoreError {
        io_error(&self.path, error)
    }

    /// What lies at `offset`.
    pub(super) fn at(&self, offset: u64) -> Result<Found, StoreError> {
        let left = self.end.saturating_sub(offset);
        if left == 0 {
            return Ok(Found::End);
        }
        if left < record::HEADER as u64 {
            let rest = self.bytes(offset, left as usize)?;
            let zeros = rest.iter().all(|byte| *byte == 0);
            return Ok(if zeros { Found::End } else { Found::Wrong("a record is cut off") });
        }
        let head = self.bytes(offset, record::HEADER)?;
        let Some(header) = record::header(&head, offset as usize) else {
            return self.nothing(offset);
        };
        let size = record::size(header.length);
        if size as u64 > left {
            return Ok(Found::Wrong("a record is cut off"));
        }
        let whole = Bytes::from(self.bytes(offset, size)?);
        let Some(header) = record::check(&whole, offset as usize) else {
            return Ok(Found::Wrong("the checksum of a record is wrong"));
        };
        let payload = whole.slice(record::HEADER..record::HEADER + header.length);
        Ok(Found::Record(Record { header, payload }, offset + size as u64))
    }

    /// Whether there are only zeros from `offset` on.
    fn nothing(&self, offset: u64) -> Result<Found, StoreError> {
        const CHUNK: u64 = 1 << 20;
        let mut at = offset;
        while at < self.end {
            let size = CHUNK.min(self.end - at);
            if self.bytes(at, size as usize)?.iter().any(|byte| *byte != 0) {
                return Ok(Found::Wrong("the header of a record is wrong"));
            }
            at += size;
        }
        Ok(Found::End)
    }

    /// The next place after `offset` where there is a whole record, where the write it belongs to began, and the number
    /// of that write.
    pub(super) fn next_whole(&self, offset: u64) -> Result<Option<(u64, u64, u64)>, StoreError> {
        if offset >= self.end {
            return Ok(None);
        }
        // One segment at most.
        let rest = self.bytes(offset, (self.end - offset) as usize)?;
        let first = (offset.next_multiple_of(8) - offset) as usize;
        for from in (first..rest.len()).step_by(8) {
            let at = offset as usize + from;
            if at as u64 > offset
                && let Some(header) = record::check(&rest[from..], at)
            {
                return Ok(Some((at as u64, u64::from(header.batch_start), header.batch)));
            }
        }
        Ok(None)
    }

    fn bytes(&self, offset: u64, size: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, offset).map_err(|e| self.error(&e))?;
        Ok(bytes)
    }
}
