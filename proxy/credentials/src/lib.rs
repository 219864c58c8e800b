//! Credentials: the real secret is put in where the agent has only a placeholder.
//!
//! The policy says which [`Credential`] applies to a call. [`Injector::prepare`] loads its secret (a file, the
//! environment, the control plane's store) and, for OAuth, gets an access token; [`Injection::apply`] puts it into the
//! request; [`Injection::scrubber`] takes it out of an answer that echoes it. [`Placeholders::find_foreign`] finds
//! placeholders that are on their way to a host they are not for.
//!
//! No secret is ever in a `Debug` output, an error or a log line of this crate, and every buffer of this crate that
//! holds one is wiped when it is dropped. Copies that leave it (header values, targets, forms on their way) are the
//! sender's, and what a JSON parser needs in between is its own.
#![forbid(unsafe_code)]

mod credential;
mod fault;
mod inject;
mod oauth;
mod placeholder;
mod put;
mod scrub;
mod secret;
mod sigv4;
mod source;
mod sources;
mod stored;
mod target;
mod value;

pub use credential::{
    Credential, CredentialError, CredentialKind, MAX_PLACEHOLDER_BYTES, MIN_PLACEHOLDER_BYTES,
};
pub use fault::{InjectFault, SecretFault, ValueFault};
pub use inject::{Injection, Injector, MAX_CREDENTIALS, MAX_PLACES};
pub use oauth::{
    MAX_TOKEN_ANSWER_BYTES, OAuthFault, RotatedToken, RotatedTokens, TokenAnswer, TokenEndpoint, encode_form,
};
pub use placeholder::{
    ForeignPlaceholder, MAX_PLACEHOLDERS, PLACEHOLDER_PREFIX, Place, Placeholders, PlaceholdersError,
};
pub use scrub::Scrubber;
pub use secret::Secret;
pub use sigv4::SigningFault;
pub use source::{MAX_SECRET_BYTES, SecretSource};
pub use stored::{StoredSecret, StoredSecrets};
pub use value::{MAX_VALUE_BYTES, MIN_SECRET_BYTES};
