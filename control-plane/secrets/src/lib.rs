//! Secrets for credentials: operators put them in, sidecars of the agents whose policies name them take them out.
//!
//! A [`Vault`] seals values with AES-256-GCM under the newest key of a [`KeyRing`] before the store gets them. What is
//! sealed is bound to its namespace, name and version, so a row that is copied elsewhere does not open. Who may fetch
//! what is asked of a [`NamedBy`].
#![forbid(unsafe_code)]

mod error;
mod keys;
mod name;
mod named;
mod seal;
mod value;
mod vault;

pub use error::SecretsError;
pub use keys::{KeyFileError, KeyRing, MAX_KEYS};
pub use name::check_secret_name;
pub use named::NamedBy;
pub use seal::SEAL_SCHEMA;
pub use value::{MAX_VALUE_BYTES, MIN_VALUE_BYTES, SecretValue};
pub use vault::{Fetched, MAX_SECRETS, Resealed, Vault};
