//! Access tokens got with a refresh token (RFC 6749 section 6).

mod answer;
mod fault;
mod form;
mod grant;
mod keeper;

use std::fmt;

use async_trait::async_trait;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::{Secret, SecretSource};

pub use fault::OAuthFault;
pub use form::encode_form;
pub(crate) use grant::Fields;
pub(crate) use keeper::{TokenClient, TokenFault, TokenKeeper};

/// Longest answer of a token endpoint, in bytes: 64 KiB.
pub const MAX_TOKEN_ANSWER_BYTES: usize = 64 << 10;

/// What a token endpoint answered.
pub struct TokenAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body, at most [`MAX_TOKEN_ANSWER_BYTES`]; a longer one is refused, so reading one byte more is enough.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Sends forms to token endpoints.
#[async_trait]
pub trait TokenEndpoint: Send + Sync + 'static {
    /// Sends `form` (see [`encode_form`]) as `application/x-www-form-urlencoded` with `accept: application/json`, and
    /// `basic` as the authorization header if there is one. Redirects are not followed. Given up after 30 s.
    ///
    /// # Errors
    /// Why there was no answer, without contents.
    async fn post_form(
        &self,
        url: &str,
        form: &[(&str, &str)],
        basic: Option<&HeaderValue>,
    ) -> Result<TokenAnswer, String>;
}

/// A refresh token that came in the place of the last one.
#[derive(Clone, Debug)]
pub struct RotatedToken {
    /// The credential that got it.
    pub credential: String,
    /// Where the last one came from.
    pub source: SecretSource,
    /// What belongs there now: the new token in the old one's form (with the client secret, if that was there).
    pub secret: Secret,
}

/// Keeps rotated refresh tokens where they outlive this process.
#[async_trait]
pub trait RotatedTokens: Send + Sync + 'static {
    /// Writes one durably. Tried up to 6 times with a growing wait, unless a newer one comes meanwhile; calls go on
    /// with the new token in memory.
    ///
    /// # Errors
    /// Why it was not written, without contents.
    async fn keep(&self, token: &RotatedToken) -> Result<(), String>;
}
