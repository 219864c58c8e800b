//! Refresh tokens that came in place of others go back to the file that they were read from.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use async_trait::async_trait;
use creto_credentials::{RotatedToken, RotatedTokens, SecretSource};

/// Writes them back where that can be done.
#[derive(Debug)]
pub(crate) struct RotatedFiles;

#[async_trait]
impl RotatedTokens for RotatedFiles {
    async fn keep(&self, token: &RotatedToken) -> Result<(), String> {
        match &token.source {
            SecretSource::File(path) => write(path, token.secret.expose())
                .map_err(|error| format!("{} cannot be written: {error}", path.display())),
            SecretSource::Env(_) | SecretSource::Stored(_) => {
                tracing::warn!(
                    credential = token.credential,
                    "the token endpoint gave a new refresh token, which is kept in memory only: name a file in `from` so that it is kept over restarts"
                );
                Ok(())
            }
        }
    }
}

/// Whole or not at all; mode 0600.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}
