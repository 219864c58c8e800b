//! The writer's side.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use creto_mapped::MappedFile;
use parking_lot::Mutex;

use crate::frame::{self, Kind, MAX_ENTRY, OVERHEAD};
use crate::segment::{self, ActiveSegment, HEADER, SegmentHeader};
use crate::{SpoolError, SpoolReader};

const SPARE: &str = "spare.seg";

/// Room kept for the end of each call under way, bytes, frame included.
const END_RESERVE: usize = 416;

/// Bounds of a spool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Size of one segment file, bytes.
    pub segment_bytes: usize,
    /// Most segments on disk; at the bound beginnings are refused.
    pub segments: usize,
}

impl Default for Limits {
    /// 1 MiB segments, 256 of them.
    fn default() -> Self {
        Self { segment_bytes: 1 << 20, segments: 256 }
    }
}

/// A call that an earlier run began and never ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// Sequence of its beginning.
    pub begun: u64,
    /// The beginning's payload.
    pub payload: Vec<u8>,
}

/// An open spool. Shared by all workers; an append holds the lock for one copy.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    epoch: u64,
    limits: Limits,
    writer: Mutex<Writer>,
    // Readers look here without the lock.
    appended: AtomicU64,
    _lock: std::fs::File,
}

#[derive(Debug)]
struct Writer {
    active: ActiveSegment,
    spare: Option<MappedFile>,
    next: u64,
    /// Calls under way, by the sequence of their beginning; the value is their segment's first sequence.
    open: HashMap<u64, u64>,
    /// Segments on disk by first sequence, the active one included, with the number of calls under way in each.
    segments: BTreeMap<u64, Segment>,
    /// Segments that were gone on from since the last [`Spool::sync`].
    unsynced: Vec<PathBuf>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    open: usize,
}

impl Spool {
    /// Opens or makes the spool in `folder`. Gives the calls an earlier run left open: end them.
    ///
    /// # Errors
    /// [`SpoolError`]: in use, not readable, no space.
    pub fn open(folder: &Path, limits: Limits) -> Result<(Self, Vec<OpenCall>), SpoolError> {
        std::fs::create_dir_all(folder).map_err(|e| SpoolError::io(folder, e))?;
        let lock_path = folder.join("lock");
        let lock = std::fs::File::create(&lock_path).map_err(|e| SpoolError::io(&lock_path, e))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| SpoolError::InUse(folder.to_owned()))?;

        let found = Found::read(folder)?;
        let epoch = match found.epoch {
            Some(epoch) => epoch,
            None => getrandom::u64().map_err(|e| SpoolError::io(folder, io::Error::other(e.to_string())))?,
        };
        let mut segments = found.segments;
        for first in found.open.values() {
            if let Some(segment) = segments.get_mut(first) {
                segment.open += 1;
            }
        }
        let mut spare = left_spare(folder, limits.segment_bytes)?;
        let next = found.next;
        // The last segment is gone on with: a sidecar that restarts often, or on a full disk, needs no new one.
        let active = match found.last {
            Some((header, end)) if let Some(segment) = segments.get(&header.first) => {
                let path = segment.path.clone();
                let mut map =
                    MappedFile::open(&path, limits.segment_bytes).map_err(|e| SpoolError::io(&path, e))?;
                // Bytes of an entry that was cut off must not be taken for one later.
                let torn = vec![0; map.len() - end];
                let _ = map.write(end, &torn);
                ActiveSegment { map, path, header, end }
            }
            _ => {
                let fresh = match spare.take() {
                    Some(fresh) => fresh,
                    None => new_spare(folder, limits.segment_bytes)?,
                };
                let active = activate(folder, fresh, SegmentHeader { epoch, first: next })?;
                segments.insert(next, Segment { path: active.path.clone(), open: 0 });
                active
            }
        };
        if spare.is_none() && segments.len() < limits.segments {
            // Without one the spool still opens: beginnings say what is wrong when room runs out.
            spare = new_spare(folder, limits.segment_bytes).ok();
        }
        let (open, payloads) = (found.open, found.payloads);
        let left = payloads.into_iter().map(|(begun, payload)| OpenCall { begun, payload }).collect();
        let writer = Writer {
            active,
            spare,
            next,
            open,
            segments,
            unsynced: Vec::new(),
            scratch: Vec::with_capacity(MAX_ENTRY),
        };
        let spool = Self {
            folder: folder.to_owned(),
            epoch,
            limits,
            writer: Mutex::new(writer),
            appended: AtomicU64::new(next - 1),
            _lock: lock,
        };
        Ok((spool, left))
    }

    /// Random number made with this spool: sequences are of one epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Sequence of the last entry; 0 before the first.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    /// Records that a call begins and gives its sequence. Room for its end is set aside.
    ///
    /// # Errors
    /// [`SpoolError`] when it cannot be kept: then the call must not leave.
    pub fn begin(&self, payload: &[u8]) -> Result<u64, SpoolError> {
        if payload.len() > MAX_ENTRY {
            return Err(SpoolError::TooLarge(payload.len()));
        }
        let mut writer = self.writer.lock();
        let size = OVERHEAD + payload.len();
        let reserved = (writer.open.len() + 1) * END_RESERVE;
        if writer.active.room() < size + reserved {
            self.grow(&mut writer)?;
            // The spare counts too: an end may go there.
            let spare = writer.spare.as_ref().map_or(0, |map| map.len() - HEADER);
            if writer.active.room() + spare < size + reserved {
                return Err(SpoolError::Full { segments: writer.segments.len() });
            }
        }
        let sequence = writer.next;
        if !self.append(&mut writer, Kind::Begun, sequence, payload) {
            self.turn(&mut writer)?;
            if !self.append(&mut writer, Kind::Begun, sequence, payload) {
                return Err(SpoolError::TooLarge(payload.len()));
            }
        }
        let first = writer.active.header.first;
        writer.open.insert(sequence, first);
        if let Some(segment) = writer.segments.get_mut(&first) {
            segment.open += 1;
        }
        Ok(sequence)
    }

    /// Records that the call begun at `begun` has ended. At most 384 bytes of payload: its room was set aside.
    ///
    /// # Errors
    /// [`SpoolError`]; for a payload within the bound only when the file system fails under us.
    pub fn end(&self, begun: u64, payload: &[u8]) -> Result<u64, SpoolError> {
        if OVERHEAD + payload.len() > END_RESERVE {
            return Err(SpoolError::TooLarge(payload.len()));
        }
        let mut writer = self.writer.lock();
        let sequence = writer.next;
        if !self.append(&mut writer, Kind::Ended, begun, payload) {
            self.turn(&mut writer)?;
            if !self.append(&mut writer, Kind::Ended, begun, payload) {
                return Err(SpoolError::TooLarge(payload.len()));
            }
        }
        if let Some(first) = writer.open.remove(&begun)
            && let Some(segment) = writer.segments.get_mut(&first)
        {
            segment.open -= 1;
        }
        Ok(sequence)
    }

    /// Deletes the segments whose entries are all at or below `mark` and hold no call under way.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn release(&self, mark: u64) -> Result<(), SpoolError> {
        let mut writer = self.writer.lock();
        let firsts: Vec<u64> = writer.segments.keys().copied().collect();
        for pair in firsts.windows(2) {
            let (first, following) = (pair[0], pair[1]);
            let done = following - 1 <= mark && writer.segments.get(&first).is_some_and(|s| s.open == 0);
            if done && let Some(segment) = writer.segments.remove(&first) {
                std::fs::remove_file(&segment.path).map_err(|e| SpoolError::io(segment.path, e))?;
            }
        }
        Ok(())
    }

    /// Puts everything appended so far on stable storage.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn sync(&self) -> Result<(), SpoolError> {
        let paths = {
            let mut writer = self.writer.lock();
            let mut paths = std::mem::take(&mut writer.unsynced);
            paths.push(writer.active.path.clone());
            paths
        };
        for path in paths {
            // Through a descriptor of its own: the lock is not held while the disk works.
            match std::fs::File::open(&path).and_then(|file| file.sync_data()) {
                // Delivered and deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done.map_err(|e| SpoolError::io(path, e))?,
            }
        }
        Ok(())
    }

    /// Reads from the oldest entry kept.
    #[must_use]
    pub fn reader(&self) -> SpoolReader {
        SpoolReader::new(self.folder.clone())
    }

    fn append(&self, writer: &mut Writer, kind: Kind, begun: u64, payload: &[u8]) -> bool {
        let mut scratch = std::mem::take(&mut writer.scratch);
        frame::encode(kind, begun, payload, &mut scratch);
        let fits = writer.active.append(&scratch);
        writer.scratch = scratch;
        if fits {
            self.appended.store(writer.next, Ordering::Release);
            writer.next += 1;
        }
        fits
    }

    /// Makes sure that there is a spare, so that ends have somewhere to go.
    fn grow(&self, writer: &mut Writer) -> Result<(), SpoolError> {
        if writer.spare.is_some() {
            return Ok(());
        }
        if writer.segments.len() >= self.limits.segments {
            return Err(SpoolError::Full { segments: writer.segments.len() });
        }
        writer.spare = Some(new_spare(&self.folder, self.limits.segment_bytes)?);
        Ok(())
    }

    /// Goes on in the spare.
    fn turn(&self, writer: &mut Writer) -> Result<(), SpoolError> {
        let Some(spare) = writer.spare.take() else {
            return Err(SpoolError::Full { segments: writer.segments.len() });
        };
        let header = SegmentHeader { epoch: self.epoch, first: writer.next };
        let next = activate(&self.folder, spare, header)?;
        let filled = std::mem::replace(&mut writer.active, next);
        writer.unsynced.push(filled.path);
        let path = writer.active.path.clone();
        writer.segments.insert(writer.next, Segment { path, open: 0 });
        Ok(())
    }
}

/// What an earlier run left in the folder.
#[derive(Default)]
struct Found {
    segments: BTreeMap<u64, Segment>,
    open: HashMap<u64, u64>,
    payloads: BTreeMap<u64, Vec<u8>>,
    epoch: Option<u64>,
    next: u64,
    /// Header of the newest segment, and where its entries end.
    last: Option<(SegmentHeader, usize)>,
}

impl Found {
    fn read(folder: &Path) -> Result<Self, SpoolError> {
        let mut found = Self { next: 1, ..Self::default() };
        for path in segment::list(folder)? {
            let bytes = std::fs::read(&path).map_err(|e| SpoolError::io(&path, e))?;
            // A segment without a header was being made when the process died: nothing was ever in it.
            let Some(header) = SegmentHeader::decode(&bytes) else {
                std::fs::remove_file(&path).map_err(|e| SpoolError::io(&path, e))?;
                continue;
            };
            found.epoch = Some(header.epoch);
            found.segments.insert(header.first, Segment { path, open: 0 });
            let mut sequence = header.first;
            let mut end = HEADER;
            for frame in segment::frames(&bytes) {
                match frame.kind {
                    Kind::Begun => {
                        found.open.insert(sequence, header.first);
                        found.payloads.insert(sequence, frame.payload.to_vec());
                    }
                    Kind::Ended => {
                        found.open.remove(&frame.begun);
                        found.payloads.remove(&frame.begun);
                    }
                }
                sequence += 1;
                end += frame.size;
            }
            found.next = found.next.max(sequence);
            found.last = Some((header, end));
        }
        Ok(found)
    }
}

/// The spare of an earlier run, if there is one that nothing was written to.
fn left_spare(folder: &Path, len: usize) -> Result<Option<MappedFile>, SpoolError> {
    let path = folder.join(SPARE);
    match MappedFile::open(&path, len) {
        Ok(map) if map.bytes().iter().all(|byte| *byte == 0) => return Ok(Some(map)),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) => {}
    }
    std::fs::remove_file(&path).map_err(|e| SpoolError::io(path, e))?;
    Ok(None)
}

fn new_spare(folder: &Path, len: usize) -> Result<MappedFile, SpoolError> {
    let path = folder.join(SPARE);
    MappedFile::create(&path, len).map_err(|e| SpoolError::io(path, e))
}

/// Gives the spare its header and its name.
fn activate(folder: &Path, mut map: MappedFile, header: SegmentHeader) -> Result<ActiveSegment, SpoolError> {
    let path = folder.join(segment::file_name(header.first));
    if !map.write(0, &header.encode()) {
        return Err(SpoolError::TooLarge(HEADER));
    }
    std::fs::rename(folder.join(SPARE), &path).map_err(|e| SpoolError::io(&path, e))?;
    Ok(ActiveSegment { map, path, header, end: HEADER })
}
