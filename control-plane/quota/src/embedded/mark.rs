//! Whether the file is the newest there was.
//!
//! A backup put in place of the file does not know the leases that were granted after it was made, and would grant the
//! same units again. A small file beside it (`quota.mark`) is ahead of the count of transactions in it by a few, so a
//! file that is behind the mark by more went back: then the windows under way are closed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Transactions between two writes of the mark: as many a backup may lack without being noticed.
const STEP: u64 = 64;

/// The mark beside a file.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    /// Transactions up to which the mark need not be written again.
    promised: u64,
}

impl Mark {
    /// The mark of a file; one that is not there, or not a number, says nothing.
    pub(super) fn read(file: &Path) -> std::io::Result<Self> {
        let path = file.with_extension("mark");
        let promised = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { path, promised })
    }

    /// The count that a file went back from, if it did.
    pub(super) fn went_back(&self, count: u64) -> Option<u64> {
        // The mark is written before the transaction that it is for.
        (count + 1 + STEP < self.promised).then_some(self.promised)
    }

    /// Makes sure that the mark covers a transaction of this count, before it is committed.
    pub(super) fn cover(&mut self, count: u64) -> std::io::Result<()> {
        if count <= self.promised {
            return Ok(());
        }
        let promised = count + STEP;
        let beside = self.path.with_extension("mark.new");
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(format!("{promised}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        self.promised = promised;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_behind_its_mark_went_back_and_one_that_was_killed_did_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quota.db");
        let mut mark = Mark::read(&file).unwrap();
        assert_eq!(mark.went_back(0), None);
        for count in 1..=1_000 {
            mark.cover(count).unwrap();
            let read = Mark::read(&file).unwrap();
            // Killed before the commit, and after it.
            assert_eq!((read.went_back(count - 1), read.went_back(count)), (None, None), "{count}");
            assert!(count <= 2 * STEP || read.went_back(count - 2 * STEP - 1).is_some(), "{count}");
        }
    }
}
