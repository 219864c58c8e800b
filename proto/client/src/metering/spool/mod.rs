//! Frames on disk until they are acknowledged: append-only segments of records with length and CRC-32C.

mod read;
mod record;

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use creto_proto::v1::IngestFrame;

use super::SpoolError;
pub use record::MAX_RECORD_BYTES;

/// A segment ends once it has this many bytes.
pub const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// Name of the file whose lock says that the folder is in use.
const LOCK: &str = "lock";
/// How names of segments end.
const SUFFIX: &str = "frames";
/// What a segment is renamed to when records that may still be needed cannot be read.
const SET_ASIDE: &str = "damaged";

/// What an earlier process left in the spool folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Frames, which are sent again.
    pub frames: u64,
    /// Events in them; those that were acknowledged before count as duplicates at the control plane.
    pub events: u64,
    /// Bytes of a last record that was being written when the process ended; nobody was told that it was kept.
    pub torn_bytes: u64,
    /// Segments with damage in the middle, renamed to end in `.damaged`: what comes after the damage is not sent.
    pub set_aside: u64,
}

/// Where a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    segment: u64,
    offset: u64,
}

/// A frame that an earlier process left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    pub(crate) epoch: u64,
    pub(crate) first_sequence: u64,
    pub(crate) count: u64,
    pub(crate) place: Place,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    bytes: u64,
    /// Frames in it that are not acknowledged.
    open: u64,
}

/// The spool of one process.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    epoch: u64,
    most_bytes: u64,
    /// Keeps the folder to this process.
    _lock: File,
    segments: BTreeMap<u64, Segment>,
    /// The number of the segment that is written to, and its file.
    current: Option<(u64, File)>,
    /// When it was opened, in milliseconds since 1970: what the names of its segments begin with. Once, since the clock may be
    /// set back meanwhile and the order of a run's segments is that of their numbers.
    opened_ms: u128,
    next: u64,
}

impl Spool {
    /// Takes the folder, and reads what is left in it.
    pub(crate) fn open(
        folder: &Path,
        epoch: u64,
        most_bytes: u64,
    ) -> Result<(Self, Vec<Left>, Recovered), SpoolError> {
        let about = |path: &Path| {
            let path = path.to_owned();
            move |source| SpoolError::File { path, source }
        };
        std::fs::create_dir_all(folder).map_err(about(folder))?;
        let lock_path = folder.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(about(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::InUse(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(about(&lock_path)(source)),
        }
        let mut spool = Self {
            folder: folder.to_owned(),
            epoch,
            most_bytes,
            _lock: lock,
            segments: BTreeMap::new(),
            current: None,
            next: 1,
            opened_ms: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_millis()),
        };
        let mut left = Vec::new();
        let mut recovered = Recovered::default();
        let mut following: HashMap<u64, u64> = HashMap::new();
        for path in spool.left_segments()? {
            let number = spool.next;
            spool.next += 1;
            let mut found = read::segment(&path).map_err(about(&path))?;
            recovered.torn_bytes += found.torn_bytes;
            let mut open = 0;
            for frame in found.frames {
                let next = following.entry(frame.epoch).or_insert(frame.first_sequence);
                if frame.first_sequence < *next {
                    // Written twice: the first writing was not known to be on disk.
                    continue;
                }
                if frame.first_sequence > *next {
                    found.damaged = true;
                    break;
                }
                *next += frame.count;
                open += 1;
                recovered.frames += 1;
                recovered.events += frame.count;
                left.push(Left {
                    epoch: frame.epoch,
                    first_sequence: frame.first_sequence,
                    count: frame.count,
                    place: Place { segment: number, offset: frame.offset },
                });
            }
            let mut path = path;
            if found.damaged {
                recovered.set_aside += 1;
                let aside = path.with_extension(SET_ASIDE);
                std::fs::rename(&path, &aside).map_err(about(&path))?;
                path = aside;
                spool.segments.insert(number, Segment { path, bytes: found.bytes, open: open + 1 });
            } else if open == 0 {
                std::fs::remove_file(&path).map_err(about(&path))?;
            } else {
                spool.segments.insert(number, Segment { path, bytes: found.bytes, open });
            }
        }
        Ok((spool, left, recovered))
    }

    /// Segments in the order they were written: their names begin with when.
    fn left_segments(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let failed = |source| SpoolError::File { path: self.folder.clone(), source };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|suffix| suffix == SUFFIX) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    /// Whether it may hold more.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes() < self.most_bytes
    }

    /// Appends frames; they are on disk when this returns. Either all of them are, or none counts.
    pub(crate) fn append(&mut self, frames: &[IngestFrame]) -> Result<Vec<Place>, SpoolError> {
        let bytes = self.bytes();
        if bytes >= self.most_bytes {
            return Err(SpoolError::Full { bytes });
        }
        let mut written = Vec::new();
        let mut offsets = Vec::with_capacity(frames.len());
        for frame in frames {
            offsets.push(written.len() as u64);
            record::write(&mut written, frame)?;
        }
        let number = self.begin_segment()?;
        let (Some((_, file)), Some(segment)) = (&mut self.current, self.segments.get_mut(&number)) else {
            return Ok(Vec::new());
        };
        let start = segment.bytes;
        if let Err(source) = file.write_all(&written).and_then(|()| file.sync_data()) {
            // What was half written must not stand before what comes next; whether the disk has it is unknown after a
            // failed sync, so the segment ends here either way.
            let path = segment.path.clone();
            let _ = file.set_len(start).and_then(|()| file.seek(SeekFrom::Start(start)));
            self.current = None;
            self.forget_if_done(number);
            return Err(SpoolError::File { path, source });
        }
        segment.bytes += written.len() as u64;
        segment.open += frames.len() as u64;
        Ok(offsets.into_iter().map(|offset| Place { segment: number, offset: start + offset }).collect())
    }

    /// The number of a segment with room, made if there is none.
    fn begin_segment(&mut self) -> Result<u64, SpoolError> {
        if let Some((number, _)) = &self.current {
            let number = *number;
            if self.segments.get(&number).is_some_and(|segment| segment.bytes < SEGMENT_BYTES) {
                return Ok(number);
            }
            self.current = None;
            self.forget_if_done(number);
        }
        let number = self.next;
        self.next += 1;
        let name = format!("{:014}-{:016x}-{number:010}.{SUFFIX}", self.opened_ms, self.epoch);
        let path = self.folder.join(name);
        let failed = |source| SpoolError::File { path: path.clone(), source };
        let file = OpenOptions::new().create_new(true).write(true).open(&path).map_err(failed)?;
        // The name must survive as well as what stands under it.
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        self.segments.insert(number, Segment { path, bytes: 0, open: 0 });
        self.current = Some((number, file));
        Ok(number)
    }

    /// Reads a frame back.
    pub(crate) fn read(&self, place: Place) -> Result<IngestFrame, SpoolError> {
        let missing = || SpoolError::File {
            path: self.folder.clone(),
            source: std::io::Error::new(std::io::ErrorKind::NotFound, "a segment of the spool is gone"),
        };
        let segment = self.segments.get(&place.segment).ok_or_else(missing)?;
        read::frame(&segment.path, place.offset)
            .map_err(|source| SpoolError::File { path: segment.path.clone(), source })
    }

    /// A frame is acknowledged: its segment goes with the last one.
    pub(crate) fn done(&mut self, place: Place) {
        if let Some(segment) = self.segments.get_mut(&place.segment) {
            segment.open = segment.open.saturating_sub(1);
        }
        self.forget_if_done(place.segment);
    }

    fn forget_if_done(&mut self, number: u64) {
        let current = self.current.as_ref().is_some_and(|(current, _)| *current == number);
        if current || self.segments.get(&number).is_none_or(|segment| segment.open > 0) {
            return;
        }
        if let Some(segment) = self.segments.remove(&number) {
            // A segment that stays is sent again by the next process, and counted once.
            let _ = std::fs::remove_file(segment.path);
        }
    }

    /// Ends the current segment; if all of it is acknowledged, nothing stays.
    pub(crate) fn end(&mut self) {
        if let Some((number, _)) = self.current.take() {
            self.forget_if_done(number);
        }
    }
}

#[cfg(test)]
mod tests;
