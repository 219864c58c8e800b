//! Why there is no access token. Nothing of what a provider writes is repeated: it may echo tokens.

use thiserror::Error;

/// Why there is no access token.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OAuthFault {
    /// `invalid_grant`: revoked, expired or used up.
    #[error(
        "the token endpoint no longer takes the refresh token: log in again and store the new refresh token"
    )]
    LogInAgain,
    /// `invalid_client`, `unauthorized_client`.
    #[error(
        "the token endpoint does not take this client: check client_id and the client_secret in the secret"
    )]
    Client,
    /// `invalid_scope`.
    #[error(
        "the token endpoint does not grant this scope: ask for no more than was granted at login, or leave scope out"
    )]
    Scope,
    /// Another error.
    #[error(
        "the token endpoint refused the refresh with status {status}{code}: check token_url and client_id"
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error of RFC 6749 in brackets, or nothing.
        code: &'static str,
    },
    /// Status 429 or 5xx.
    #[error("the token endpoint cannot answer now (status {status}); it is tried again in {retry_in_s} s")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// The wait.
        retry_in_s: u64,
    },
    /// No answer.
    #[error("the token endpoint cannot be reached ({reason}); it is tried again in {retry_in_s} s")]
    Unreachable {
        /// What went wrong, with secrets scrubbed, at most 200 characters.
        reason: String,
        /// The wait.
        retry_in_s: u64,
    },
    /// The refresh goes on, but a call does not wait longer.
    #[error("the token endpoint did not answer in 10 s; the refresh goes on, try again")]
    Slow,
    /// Not what RFC 6749 says.
    #[error("the token endpoint's answer is unusable: {0}")]
    Answer(&'static str),
    /// This sidecar was built or started without one.
    #[error("this sidecar cannot ask token endpoints")]
    NoEndpoint,
}

impl OAuthFault {
    /// Whether it can go away without anybody changing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. } | Self::Slow)
    }
}
