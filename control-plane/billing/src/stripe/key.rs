//! The API key: used, never shown.

use zeroize::Zeroizing;

/// A secret key of Stripe's API. Wiped from memory when dropped; no way to print it.
pub struct ApiKey(Zeroizing<String>);

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a Stripe API key has 8 to 255 letters, digits and underscores, such as rk_live_...")]
pub struct ApiKeyError;

impl ApiKey {
    /// A key.
    ///
    /// # Errors
    /// [`ApiKeyError`], which does not repeat the text.
    pub fn new(text: Zeroizing<String>) -> Result<Self, ApiKeyError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if plain && (8..=255).contains(&text.len()) { Ok(Self(text)) } else { Err(ApiKeyError) }
    }

    pub(super) fn bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", self.0.as_str()))
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey(..)")
    }
}
