//! A file of fixed size that is written through memory.
//!
//! Stores into a shared mapping belong to the kernel's page cache the moment they are made: a `kill -9` of the
//! process loses none of them, and none costs a system call. The blocks are allocated before the mapping is made,
//! so a full disk is an error of [`MappedFile::create`], never a `SIGBUS` later.
//!
//! This is the only crate of the workspace that contains `unsafe`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use memmap2::{MmapMut, MmapOptions};
use rustix::fs::{FallocateFlags, FlockOperation};

/// A preallocated, exclusively locked file mapped for writing.
#[derive(Debug)]
pub struct MappedFile {
    map: MmapMut,
    // Holds the lock for as long as the mapping lives.
    file: File,
}

impl MappedFile {
    /// Makes a new file of `len` bytes, all zero, its blocks allocated; mode 0600.
    ///
    /// # Errors
    /// `AlreadyExists`, `StorageFull`, or whatever the file system says.
    pub fn create(path: &Path, len: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len as u64) {
            Ok(()) => Self::map(file, len),
            Err(error) => {
                // An empty segment left behind would look like a damaged one at the next start.
                let _ = std::fs::remove_file(path);
                Err(error.into())
            }
        }
    }

    /// Opens a file made by [`Self::create`].
    ///
    /// # Errors
    /// `WouldBlock` when another process has it open, `InvalidData` when it is not `len` bytes long or has holes.
    pub fn open(path: &Path, len: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() != len as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file has not the size it was made with",
            ));
        }
        // Blocks may have been punched out by a copy: without them a store could fault.
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len as u64)?;
        Self::map(file, len)
    }

    fn map(file: File, len: usize) -> io::Result<Self> {
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // SAFETY: the mapping is valid while nobody truncates the file. It is mode 0600 in a folder that only this
        // process writes to, locked exclusively above, and its blocks are allocated, so stores cannot fault for
        // want of space. Readers use `read` system calls on their own descriptors, never this memory.
        let map = unsafe { MmapOptions::new().len(len).map_mut(&file)? };
        Ok(Self { map, file })
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether the size is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The whole content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Copies `bytes` to `at`; false, with nothing written, when they do not fit.
    #[must_use]
    pub fn write(&mut self, at: usize, bytes: &[u8]) -> bool {
        let Some(target) = at.checked_add(bytes.len()).and_then(|end| self.map.get_mut(at..end)) else {
            return false;
        };
        target.copy_from_slice(bytes);
        true
    }

    /// Waits until what was written before is on stable storage: what outlives a power loss.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn sync(&self) -> io::Result<()> {
        self.map.flush()?;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_another_descriptor_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut mapped = MappedFile::create(&path, 4096).unwrap();
        assert!(mapped.write(10, b"hello"));
        assert_eq!(&std::fs::read(&path).unwrap()[10..15], b"hello");
    }

    #[test]
    fn a_write_past_the_end_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut mapped = MappedFile::create(&folder.path().join("a"), 4096).unwrap();
        assert!(!mapped.write(4094, b"abc"));
        assert!(!mapped.write(usize::MAX, b"abc"));
        assert!(mapped.bytes().iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_second_opener_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let _first = MappedFile::create(&path, 4096).unwrap();
        assert_eq!(MappedFile::open(&path, 4096).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn more_than_the_disk_has_is_refused_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let error = MappedFile::create(&path, 1 << 60).unwrap_err();
        assert!(
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge),
            "{error:?}"
        );
        assert!(!path.try_exists().unwrap());
    }
}
