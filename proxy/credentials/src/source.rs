//! Where secrets are, and reading them from files and the environment.

use std::{
    fs,
    io::{ErrorKind, Read},
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::Mutex,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, timeout},
};
use zeroize::Zeroizing;

use crate::{Secret, SecretFault};

/// Longest secret as it is stored, in bytes: 64 KiB (a credentials file with many profiles).
pub const MAX_SECRET_BYTES: usize = 64 << 10;
/// A file is looked at no more often than this.
const FILE_CHECK: Duration = Duration::from_secs(1);
/// A file changed so lately can change again without its time of change showing it.
const UNSETTLED: Duration = Duration::from_secs(2);
/// Longest wait for a file: a network file system can hang.
const FILE_WAIT: Duration = Duration::from_secs(5);

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// A file; one newline at its end is not part of the secret.
    File(PathBuf),
    /// An environment variable of the sidecar.
    Env(String),
    /// The control plane's store, by name.
    Stored(String),
}

/// What the system says about a file: another value means that the file must be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A secret file, read again when it changes.
pub(crate) struct SecretFile {
    path: PathBuf,
    state: Mutex<FileState>,
}

#[derive(Default)]
struct FileState {
    checked: Option<Instant>,
    /// None while nothing is known that a look at the file could confirm.
    stamp: Option<Stamp>,
    outcome: Option<Result<Secret, SecretFault>>,
    /// Under way: a file system that hangs keeps one thread, not one for each call.
    reading: Option<JoinHandle<Result<Option<Reading>, SecretFault>>>,
    warned: bool,
}

struct Reading {
    bytes: Zeroizing<Vec<u8>>,
    /// None if the file was changed so lately that its stamp proves nothing.
    stamp: Option<Stamp>,
    world_readable: bool,
}

impl SecretFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::default() }
    }

    /// The secret as the file has it now, at most a second late. A file that is gone is a fault at once: taking the
    /// file away is how an operator takes the secret away.
    pub(crate) async fn load(&self) -> Result<Secret, SecretFault> {
        let mut state = self.state.lock().await;
        let state = &mut *state;
        if let (Some(checked), Some(outcome)) = (state.checked, &state.outcome)
            && checked.elapsed() < FILE_CHECK
        {
            return outcome.clone();
        }
        let reading = state.reading.get_or_insert_with(|| {
            let known = state.stamp.filter(|_| matches!(state.outcome, Some(Ok(_))));
            let path = self.path.clone();
            spawn_blocking(move || read_if_changed(&path, known))
        });
        let reading = match timeout(FILE_WAIT, reading).await {
            Err(_) => Err(self.fault(ErrorKind::TimedOut)),
            Ok(done) => {
                state.reading = None;
                done.unwrap_or_else(|_| Err(self.fault(ErrorKind::Other)))
            }
        };
        state.checked = Some(Instant::now());
        let outcome = match reading {
            Ok(None) => match state.outcome.clone() {
                Some(outcome) => outcome,
                None => Err(self.fault(ErrorKind::Other)),
            },
            Ok(Some(reading)) => {
                if reading.world_readable && !state.warned {
                    state.warned = true;
                    tracing::warn!(path = %self.path.display(), "every user of this machine can read the secret file: chmod 600 it");
                }
                state.stamp = reading.stamp;
                match &state.outcome {
                    // The same bytes stay the same load, so nothing that was made from them is made again.
                    Some(Ok(kept)) if kept.expose() == reading.bytes.as_slice() => Ok(kept.clone()),
                    // A copy of its own length: the room for reading is large.
                    _ => Ok(Secret::copied_from(&reading.bytes)),
                }
            }
            Err(fault) => {
                state.stamp = None;
                Err(fault)
            }
        };
        state.outcome = Some(outcome.clone());
        outcome
    }

    fn fault(&self, reason: ErrorKind) -> SecretFault {
        SecretFault::File { path: self.path.clone(), reason }
    }
}

/// Reads a file unless it still is what `known` says.
fn read_if_changed(path: &Path, known: Option<Stamp>) -> Result<Option<Reading>, SecretFault> {
    let fault = |error: std::io::Error| SecretFault::File { path: path.to_owned(), reason: error.kind() };
    let metadata = fs::metadata(path).map_err(fault)?;
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(SecretFault::NotAFile { path: path.to_owned() });
    }
    if known == Some(Stamp::of(&metadata)) {
        return Ok(None);
    }
    let file = fs::File::open(path).map_err(fault)?;
    // Of the opened file: the name may lead to another one by now.
    let metadata = file.metadata().map_err(fault)?;
    // All room at once: a buffer that grows leaves unwiped copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES + 2));
    file.take(MAX_SECRET_BYTES as u64 + 2).read_to_end(&mut bytes).map_err(fault)?;
    let place = || format!("the secret file {}", path.display());
    let bytes = trimmed(bytes, place)?;
    let settled = metadata
        .modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok())
        .is_some_and(|age| age >= UNSETTLED);
    Ok(Some(Reading {
        bytes,
        stamp: settled.then(|| Stamp::of(&metadata)),
        world_readable: metadata.mode() & 0o004 != 0,
    }))
}

/// An environment variable, read at each use.
pub(crate) struct SecretVariable {
    name: String,
    kept: parking_lot::Mutex<Option<Secret>>,
}

impl SecretVariable {
    pub(crate) fn new(name: String) -> Self {
        Self { name, kept: parking_lot::Mutex::default() }
    }

    pub(crate) fn load(&self) -> Result<Secret, SecretFault> {
        // A name with `=` or NUL in it makes `var_os` answer none, never panic.
        let value = std::env::var_os(&self.name)
            .ok_or_else(|| SecretFault::NoVariable { name: self.name.clone() })?;
        let place = || format!("the environment variable {}", self.name);
        let bytes = trimmed(Zeroizing::new(value.into_vec()), place)?;
        let mut kept = self.kept.lock();
        match &*kept {
            Some(secret) if secret.expose() == bytes.as_slice() => Ok(secret.clone()),
            _ => Ok(kept.insert(Secret::new(bytes)).clone()),
        }
    }
}

/// Cuts one newline at the end; checks that something is left and that it is not too much.
pub(crate) fn trimmed(
    mut bytes: Zeroizing<Vec<u8>>,
    place: impl Fn() -> String,
) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    match bytes.len() {
        0 => Err(SecretFault::Empty { place: place() }),
        1..=MAX_SECRET_BYTES => Ok(bytes),
        _ => Err(SecretFault::TooLong { place: place() }),
    }
}
