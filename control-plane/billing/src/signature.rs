//! Signatures of issued documents: Ed25519 (RFC 8032) over canonical JSON.
//!
//! The signed text is the document with the field `signing_key` (the id of the key) and without `signature`; the text that
//! is handed out has both and is canonical too, so that no byte of it can change unnoticed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::canonical::{CanonicalError, canonical};

/// Bytes a signed document may have when it is verified.
pub const MAX_SIGNED_BYTES: usize = 256 << 20;
/// Bytes of a key's seed, in hexadecimal.
const SEED_HEX_BYTES: usize = 64;
/// Characters of a key id.
const KEY_ID_CHARS: usize = 16;

const KEY_FIELD: &str = "signing_key";
const SIGNATURE_FIELD: &str = "signature";

/// Why there is no signature, or why one does not hold.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The key file.
    #[error("the signing key {} {cause}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The machine gives no random bytes.
    #[error("no random bytes for a new signing key: {0}")]
    Random(String),
    /// A document that cannot be written canonically.
    #[error("a document cannot be signed: {0}")]
    Canonical(#[from] CanonicalError),
    /// A document that does not become JSON, or not the expected one.
    #[error("this is no signed document: {0}")]
    Malformed(String),
    /// Signed by another key.
    #[error("the document names signing key `{found}`, the public key given is `{wanted}`")]
    OtherKey {
        /// What it names.
        found: String,
        /// What was given.
        wanted: String,
    },
    /// The text is not as it was signed.
    #[error("the signature does not hold: the document is not as it was issued")]
    Broken,
}

/// The key that signs invoices and credit notes. The seed never leaves it.
pub struct InvoiceKey {
    key: SigningKey,
    id: String,
}

impl std::fmt::Debug for InvoiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InvoiceKey({})", self.id)
    }
}

impl InvoiceKey {
    /// The key of a file; makes the file (mode 0600) at first use.
    ///
    /// # Errors
    /// [`SignatureError::KeyFile`] for a file that cannot be read or made, that others may read, or that holds no key.
    pub fn open(path: &Path) -> Result<Self, SignatureError> {
        let failed = |cause: String| SignatureError::KeyFile { path: path.into(), cause };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => {
                let made = Self::write_new(file);
                if made.is_err() {
                    // Half a key must not be taken for one at the next start.
                    let _ = std::fs::remove_file(path);
                }
                made.map_err(|cause| failed(format!("cannot be made: {cause}")))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::read(path, &failed),
            Err(error) => Err(failed(format!("cannot be made: {error}"))),
        }
    }

    fn write_new(mut file: File) -> Result<Self, String> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|error| error.to_string())?;
        let text = Zeroizing::new(hex::encode(seed.as_slice()));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| error.to_string())?;
        Ok(Self::of_seed(&seed))
    }

    fn read(path: &Path, failed: &dyn Fn(String) -> SignatureError) -> Result<Self, SignatureError> {
        let cannot = |error: std::io::Error| failed(format!("cannot be read: {error}"));
        let file = File::open(path).map_err(cannot)?;
        let mode = file.metadata().map_err(cannot)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(failed(format!("has mode {mode:o}, so others may read it: set it to 600")));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(SEED_HEX_BYTES as u64 + 2).read_to_string(&mut text).map_err(cannot)?;
        let mut seed = Zeroizing::new([0_u8; 32]);
        hex::decode_to_slice(text.trim_end(), seed.as_mut_slice()).map_err(|_| {
            failed("holds no key of 64 hexadecimal digits: restore it from a copy".to_owned())
        })?;
        Ok(Self::of_seed(&seed))
    }

    fn of_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let id = key_id(key.verifying_key().as_bytes());
        Self { key, id }
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// What documents call the key: the first hexadecimal digits of the SHA-256 of the public key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The canonical text of a document, signed.
    ///
    /// # Errors
    /// [`SignatureError`] for a document that is no JSON object of whole numbers.
    pub fn sign<T: Serialize>(&self, document: &T) -> Result<String, SignatureError> {
        let value = serde_json::to_value(document).map_err(|error| malformed(&error))?;
        let Value::Object(mut fields) = value else {
            return Err(SignatureError::Malformed("it is no object".to_owned()));
        };
        fields.insert(KEY_FIELD.to_owned(), self.id.clone().into());
        let signed = canonical(&Value::Object(fields.clone()))?;
        let signature = STANDARD.encode(self.key.sign(signed.as_bytes()).to_bytes());
        fields.insert(SIGNATURE_FIELD.to_owned(), signature.into());
        Ok(canonical(&Value::Object(fields))?)
    }
}

/// What documents call a public key.
#[must_use]
pub fn key_id(public: &[u8; 32]) -> String {
    let mut id = hex::encode(Sha256::digest(public));
    id.truncate(KEY_ID_CHARS);
    id
}

fn malformed(error: &serde_json::Error) -> SignatureError {
    SignatureError::Malformed(error.to_string())
}

/// Checks a signed document with nothing but its text and the public key, and reads it.
///
/// # Errors
/// [`SignatureError`] when any byte is not as it was issued, or the key is another.
pub fn verify<T: DeserializeOwned>(json: &[u8], public: &[u8; 32]) -> Result<T, SignatureError> {
    if json.len() > MAX_SIGNED_BYTES {
        return Err(SignatureError::Malformed(format!("{} bytes; at most {MAX_SIGNED_BYTES}", json.len())));
    }
    let value: Value = serde_json::from_slice(json).map_err(|error| malformed(&error))?;
    if canonical(&value)?.as_bytes() != json {
        return Err(SignatureError::Broken);
    }
    let Value::Object(mut fields) = value else {
        return Err(SignatureError::Malformed("it is no object".to_owned()));
    };
    let signature = text(&mut fields, SIGNATURE_FIELD)?;
    let wanted = key_id(public);
    let found = fields.get(KEY_FIELD).and_then(Value::as_str).unwrap_or_default();
    if found != wanted {
        return Err(SignatureError::OtherKey { found: found.chars().take(64).collect(), wanted });
    }
    let signed = canonical(&Value::Object(fields.clone()))?;
    let bytes: [u8; 64] = STANDARD
        .decode(signature)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(SignatureError::Broken)?;
    let key = VerifyingKey::from_bytes(public).map_err(|_| SignatureError::Broken)?;
    key.verify_strict(signed.as_bytes(), &Signature::from_bytes(&bytes))
        .map_err(|_| SignatureError::Broken)?;
    fields.remove(KEY_FIELD);
    serde_json::from_value(Value::Object(fields)).map_err(|error| malformed(&error))
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String, SignatureError> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(SignatureError::Malformed(format!("field `{name}` is missing"))),
    }
}

/// The document of a text that was signed here and kept: it is read without the public key.
pub(crate) fn read_signed<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
    let mut fields: Map<String, Value> = serde_json::from_str(json)?;
    fields.remove(KEY_FIELD);
    fields.remove(SIGNATURE_FIELD);
    serde_json::from_value(Value::Object(fields))
}
