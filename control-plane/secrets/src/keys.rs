//! The keys that seal secrets: the newest seals, all open.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

/// Most keys of a key file. One is the rule; a few while secrets move to a newer one.
pub const MAX_KEYS: usize = 16;

/// Put before a key when its id is made, so that the id is of no use elsewhere.
const ID_DOMAIN: &[u8] = b"creto-secrets-key-id-v1";

/// Why a key file is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// No line holds a key.
    #[error("it holds no key")]
    Empty,
    /// A line is something else.
    #[error("line {0} is not a key of 64 hexadecimal digits")]
    Malformed(usize),
    /// More keys than there may be.
    #[error("it holds more than {MAX_KEYS} keys: keep the newest and those still in use")]
    TooMany,
    /// The cipher does not take a key.
    #[error("the cipher does not take a key: the system gave no memory")]
    Cipher,
}

/// One key.
pub(crate) struct Key {
    /// Stored beside what it sealed.
    pub(crate) id: [u8; 8],
    /// The cipher under this key. Its nonces are random, 96 bits, made by the cipher itself: fit for 2^32 values
    /// under one key (NIST SP 800-38D section 8.3), far more than are ever put.
    pub(crate) cipher: RandomizedNonceKey,
}

/// All keys, the newest first.
pub struct KeyRing {
    newest: Key,
    older: Vec<Key>,
}

impl KeyRing {
    /// Reads a key file: a key a line as 64 hexadecimal digits, the newest first.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut keys = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if keys.len() == MAX_KEYS {
                return Err(KeyFileError::TooMany);
            }
            let mut bytes = Zeroizing::new([0; 32]);
            hex::decode_to_slice(line, bytes.as_mut_slice()).map_err(|_| KeyFileError::Malformed(at + 1))?;
            keys.push(Key::new(&bytes)?);
        }
        let mut keys = keys.into_iter();
        let newest = keys.next().ok_or(KeyFileError::Empty)?;
        Ok(Self { newest, older: keys.collect() })
    }

    /// The one that seals.
    pub(crate) fn newest(&self) -> &Key {
        &self.newest
    }

    /// The one of this id.
    pub(crate) fn of(&self, id: &[u8; 8]) -> Option<&Key> {
        std::iter::once(&self.newest).chain(&self.older).find(|key| key.id == *id)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} and {} older)", hex::encode(self.newest.id), self.older.len())
    }
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Result<Self, KeyFileError> {
        let mut id = [0; 8];
        id.copy_from_slice(&Sha256::new().chain_update(ID_DOMAIN).chain_update(bytes).finalize()[..8]);
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| KeyFileError::Cipher)?;
        Ok(Self { id, cipher })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(byte: u8) -> String {
        hex::encode([byte; 32])
    }

    #[test]
    fn the_first_line_seals_and_all_open() {
        let ring = KeyRing::parse(&format!("{}\n\n {} \n", line(2), line(1))).unwrap();
        let older = KeyRing::parse(&line(1)).unwrap();
        assert_eq!(ring.newest().id, KeyRing::parse(&line(2)).unwrap().newest().id);
        assert!(ring.of(&older.newest().id).is_some());
        assert!(ring.of(&[0; 8]).is_none());
        let shown = format!("{ring:?}");
        assert!(shown.contains("1 older") && !shown.contains("0202"), "{shown}");
    }

    #[test]
    fn a_file_that_holds_something_else_is_refused_by_its_line() {
        let many = vec![line(1); MAX_KEYS + 1].join("\n");
        for (text, expected) in [
            (String::new(), KeyFileError::Empty),
            (" \n".to_owned(), KeyFileError::Empty),
            (format!("{}\nzz", line(1)), KeyFileError::Malformed(2)),
            (line(1)[..62].to_owned(), KeyFileError::Malformed(1)),
            (format!("{}00", line(1)), KeyFileError::Malformed(1)),
            (many, KeyFileError::TooMany),
        ] {
            assert_eq!(KeyRing::parse(&text).unwrap_err(), expected);
        }
    }
}
