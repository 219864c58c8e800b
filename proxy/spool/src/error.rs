//! What can go wrong with the spool.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why an entry was not kept, or the spool not opened.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// The bound on undelivered entries is reached.
    #[error(
        "the spool holds {segments} segments that the control plane has not taken: no more calls can be recorded"
    )]
    Full {
        /// Segments on disk.
        segments: usize,
    },
    /// The file system refused.
    #[error("spool {path}: {source}; free space there or give the sidecar another --state folder")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Over [`crate::MAX_ENTRY`].
    #[error("an entry of {0} bytes is over the bound")]
    TooLarge(usize),
    /// Another process writes this spool.
    #[error("spool {0} is in use by another sidecar; give each its own --state folder")]
    InUse(PathBuf),
}

impl SpoolError {
    pub(crate) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}
