//! What can go wrong before a handshake begins.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why TLS could not be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate cannot be made for this name.
    #[error("no certificate can be made for {name}: {reason}")]
    Mint {
        /// The name asked for.
        name: String,
        /// What the certificate library said.
        reason: String,
    },
    /// Not a PEM file with what it should hold.
    #[error("{path} does not hold {wanted}: {reason}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The library refuses the configuration.
    #[error("TLS configuration: {0}")]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
