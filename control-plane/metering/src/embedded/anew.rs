//! The last segment, written anew before anything of it is believed.
//!
//! After a sync that failed the kernel may call what it could not write clean: it is read from memory as if it were on
//! disk, another sync says that all is well, and the next power cut takes it. Only bytes that are written again, into
//! another file, and synced there are known to be on disk. That is needed for the end of the last segment alone: a write
//! begins only after the sync of the one before was good, and so does the next segment.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::segment::{io_error, path};
use crate::StoreError;

/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// Writes a segment anew when anything but zeros lies behind `known`, up to which it is on disk for sure. What a reader
/// finds afterwards is on disk, whatever happened before.
///
/// # Errors
/// Why it cannot be: then nothing of it may be believed.
pub(super) fn write_anew(folder: &Path, number: u64, known: u64) -> Result<bool, StoreError> {
    let old_path = path(folder, number);
    let old = File::open(&old_path).map_err(|error| io_error(&old_path, &error))?;
    let size = old.metadata().map_err(|error| io_error(&old_path, &error))?.len();
    if !holds_more(&old, known, size).map_err(|error| io_error(&old_path, &error))? {
        return Ok(false);
    }
    let new_path = old_path.with_extension("events.new");
    copy(&old, &new_path, size).map_err(|error| {
        let _ = std::fs::remove_file(&new_path);
        io_error(&new_path, &error)
    })?;
    std::fs::rename(&new_path, &old_path)
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|error| io_error(&old_path, &error))?;
    Ok(true)
}

fn holds_more(file: &File, from: u64, size: u64) -> io::Result<bool> {
    let mut chunk = vec![0; CHUNK];
    let mut at = from;
    while at < size {
        let bytes = &mut chunk[..CHUNK.min((size - at) as usize)];
        file.read_exact_at(bytes, at)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
        at += bytes.len() as u64;
    }
    Ok(false)
}

fn copy(old: &File, path: &Path, size: u64) -> io::Result<()> {
    let new = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while at < size {
        let bytes = &mut chunk[..CHUNK.min((size - at) as usize)];
        old.read_exact_at(bytes, at)?;
        // Zeros behind the end take no room.
        if bytes.iter().any(|byte| *byte != 0) {
            new.write_all_at(bytes, at)?;
        }
        at += bytes.len() as u64;
    }
    new.set_len(size)?;
    new.sync_all()
}
