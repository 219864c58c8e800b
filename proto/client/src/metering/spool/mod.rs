//! Frames on disk until they are acknowledged: append-only segments of records with length and CRC-32C.

mod read;
mod record;
mod renumbered;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use creto_proto::v1::IngestFrame;

use super::SpoolError;
pub use record::MAX_RECORD_BYTES;
use renumbered::Renumbered;

/// A segment ends once it has this many bytes.
pub const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// Name of the file whose lock says that the folder is in use.
const LOCK: &str = "lock";
/// How names of segments end.
const SUFFIX: &str = "frames";
/// What a damaged segment is renamed to, once all that reads of it is acknowledged.
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
    /// Bytes in the middle of segments that do not read, though records that do come after them: the disk damaged them.
    pub damaged_bytes: u64,
    /// Segments with such damage. What reads is sent; then they are kept, renamed to end in `.damaged`.
    pub set_aside: u64,
    /// Events that are missing between those that were found. They are lost, unless they were acknowledged before.
    pub missing: u64,
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
    /// Some of it does not read: it is not deleted.
    damaged: bool,
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
    /// What was numbered anew since it was written.
    renumbered: Renumbered,
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
            renumbered: Renumbered::read(folder).map_err(about(folder))?,
            current: None,
            next: 1,
            opened_ms: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_millis()),
        };
        let mut left = Vec::new();
        let mut recovered = Recovered::default();
        let mut following: HashMap<u64, u64> = HashMap::new();
        let mut epochs = HashSet::new();
        for path in spool.left_segments()? {
            let number = spool.next;
            spool.next += 1;
            let wrote = written_by(&path);
            let known = |epoch: u64| wrote == Some(epoch) || spool.renumbered.names(epoch);
            let found = read::segment(&path, known).map_err(about(&path))?;
            recovered.torn_bytes += found.torn_bytes;
            recovered.damaged_bytes += found.damaged_bytes;
            let mut open = 0;
            for frame in found.frames {
                let next = following.entry(frame.epoch).or_insert(frame.first_sequence);
                if frame.first_sequence < *next {
                    // Written twice: the first writing was not known to be on disk.
                    continue;
                }
                // What is missing may have been acknowledged: only the control plane can tell whether it lacks it.
                recovered.missing += frame.first_sequence - *next;
                *next = frame.first_sequence + frame.count;
                open += 1;
                recovered.frames += 1;
                recovered.events += frame.count;
                epochs.insert(frame.epoch);
                let (epoch, first_sequence) = spool.renumbered.place(frame.epoch, frame.first_sequence);
                let place = Place { segment: number, offset: frame.offset };
                left.push(Left { epoch, first_sequence, count: frame.count, place });
            }
            let damaged = found.damaged_bytes > 0;
            recovered.set_aside += u64::from(damaged);
            spool.segments.insert(number, Segment { path, bytes: found.bytes, open, damaged });
            spool.forget_if_done(number);
        }
        spool.renumbered.keep(&epochs);
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
        self.segments.insert(number, Segment { path, bytes: 0, open: 0, damaged: false });
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

    /// Remembers, on disk, that what comes after a sequence of an epoch is numbered anew in another.
    pub(crate) fn renumber(&mut self, epoch: u64, after: u64, new: u64) -> Result<(), SpoolError> {
        let about = |source| SpoolError::File { path: self.folder.clone(), source };
        self.renumbered.add(&self.folder, epoch, after, new).map_err(about)
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
            let _ = if segment.damaged {
                std::fs::rename(&segment.path, segment.path.with_extension(SET_ASIDE))
            } else {
                std::fs::remove_file(&segment.path)
            };
        }
    }

    /// Ends the current segment; if all of it is acknowledged, nothing stays.
    pub(crate) fn end(&mut self) {
        if let Some((number, _)) = self.current.take() {
            self.forget_if_done(number);
        }
    }
}

/// The epoch of the process that wrote a segment, which its name says.
fn written_by(path: &Path) -> Option<u64> {
    let name = path.file_stem()?.to_str()?;
    u64::from_str_radix(name.split('-').nth(1)?, 16).ok()
}

#[cfg(test)]
mod tests;
