//! Locks on files of the home, so that invocations of `creto` that run at once do not get in each other's way. A lock
//! ends with the process that holds it, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Outcome};
use crate::home::make_private_folder;

/// How long a lock is waited for: longer than a control plane may take to start or to end.
const WAIT: Duration = Duration::from_secs(45);

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(20);

/// Who else may hold the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    /// Nobody.
    Nobody,
    /// Any number that share it.
    Others,
}

/// Opens the file of a lock, makes it where it is missing, and leaves its content alone.
///
/// # Errors
/// When the system refuses.
pub(crate) fn open(path: &Path) -> Outcome<File> {
    if let Some(folder) = path.parent() {
        make_private_folder(folder)?;
    }
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(|error| unusable(path, error))
}

/// Takes the lock without waiting; false when another holds it.
///
/// # Errors
/// When the system refuses.
pub(crate) fn try_take(file: &File, path: &Path, with: With) -> Outcome<bool> {
    let taken = match with {
        With::Nobody => file.try_lock(),
        With::Others => file.try_lock_shared(),
    };
    match taken {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(unusable(path, error)),
    }
}

/// Takes the lock; it is held until the file is dropped.
///
/// # Errors
/// When others hold it for 45 seconds, or the system refuses.
pub(crate) async fn take(path: &Path, with: With) -> Outcome<File> {
    let file = open(path)?;
    let end = Instant::now() + WAIT;
    while !try_take(&file, path, with)? {
        if Instant::now() > end {
            return Err(Failure::new("Another creto of this home is in the way.")
                .why(format!("it has held {} for {} s", path.display(), WAIT.as_secs()))
                .next("End it, or give another home with --home."));
        }
        sleep(AGAIN).await;
    }
    Ok(file)
}

fn unusable(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(format!("The lock {} cannot be taken.", path.display()))
        .why(error)
        .next("Choose a home on a local file system with --home.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shared_lock_keeps_out_only_those_who_want_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = take(&path, With::Others).await.unwrap();
        let second = take(&path, With::Others).await.unwrap();
        let third = open(&path).unwrap();
        assert!(!try_take(&third, &path, With::Nobody).unwrap());
        drop((first, second));
        assert!(try_take(&third, &path, With::Nobody).unwrap());
    }
}
