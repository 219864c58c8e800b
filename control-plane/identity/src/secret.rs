//! Random secrets, of which only digests are kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::IdentityError;

/// Random bytes of the operating system.
///
/// # Errors
/// [`IdentityError::Random`] when it gives none.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], IdentityError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| IdentityError::Random)?;
    Ok(bytes)
}

/// A random id of 32 hexadecimal digits.
///
/// # Errors
/// [`IdentityError::Random`].
pub fn random_id() -> Result<String, IdentityError> {
    Ok(hex::encode(random_bytes::<16>()?))
}

/// A bearer token: 32 random bytes as text.
///
/// It is looked up by its digest, so how long a comparison takes tells nothing of the token.
pub struct SecretToken(Zeroizing<String>);

impl SecretToken {
    /// A new one.
    ///
    /// # Errors
    /// [`IdentityError::Random`].
    pub fn random() -> Result<Self, IdentityError> {
        let bytes = Zeroizing::new(random_bytes::<32>()?);
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// SHA-256 of a token's text: what is kept of it.
    #[must_use]
    pub fn digest_of(text: &str) -> [u8; 32] {
        Sha256::digest(text.as_bytes()).into()
    }
}
