//! Why a secret cannot be had or put in. Texts are for the operator: they name places, never contents.

use std::{io, path::PathBuf};

use thiserror::Error;

use crate::{
    CredentialError,
    inject::MAX_PLACES,
    oauth::OAuthFault,
    sigv4::SigningFault,
    source::MAX_SECRET_BYTES,
    value::{MAX_VALUE_BYTES, MIN_SECRET_BYTES},
};

/// Why a source has no secret for us.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SecretFault {
    /// The file cannot be read.
    #[error(
        "the secret file {path} cannot be read ({reason}): check that it is there and that the sidecar's user may read it"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::ErrorKind,
    },
    /// A folder, a pipe, a device.
    #[error("{path} is not a regular file: name the file that holds the secret")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Longer than a secret may be.
    #[error("{place} is longer than {MAX_SECRET_BYTES} bytes: it is not a secret")]
    TooLong {
        /// The file or variable.
        place: String,
    },
    /// Nothing in it.
    #[error("{place} is empty: write the secret into it")]
    Empty {
        /// The file, variable or stored secret.
        place: String,
    },
    /// No such variable.
    #[error("the environment variable {name} is not set: start the sidecar with it")]
    NoVariable {
        /// The variable.
        name: String,
    },
    /// The control plane has no such secret.
    #[error(
        "the control plane has no secret {name} for this agent: store it with `creto secrets put {name}`"
    )]
    NotStored {
        /// The secret's name.
        name: String,
    },
    /// The control plane does not give it to this sidecar.
    #[error(
        "the control plane does not give the secret {name} to this agent: look at the credential's binding"
    )]
    NotGiven {
        /// The secret's name.
        name: String,
    },
    /// The control plane cannot be asked now.
    #[error("the secret {name} cannot be fetched from the control plane: {reason}")]
    Away {
        /// The secret's name.
        name: String,
        /// What went wrong; whoever fetches says it, without contents.
        reason: String,
    },
    /// This sidecar was started without a store.
    #[error("the secret {name} is in the control plane's store, and this sidecar has no control plane")]
    NoStore {
        /// The secret's name.
        name: String,
    },
}

/// Why a secret that was read cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ValueFault {
    /// Too short to be scrubbed from answers.
    #[error(
        "the secret is shorter than {MIN_SECRET_BYTES} bytes: so short a text cannot be told from others in an answer, use a longer secret"
    )]
    TooShort,
    /// Too long for a header.
    #[error("the secret is longer than {MAX_VALUE_BYTES} bytes: no server takes a header that long")]
    TooLong,
    /// Control characters or line breaks inside.
    #[error("the secret has control characters or line breaks inside: it cannot stand in a header")]
    NotAHeader,
    /// No colon in a Basic secret.
    #[error("a basic credential's secret is `user:password`, and it has no colon")]
    NoColon,
    /// A password too short to be scrubbed.
    #[error(
        "the password is shorter than {MIN_SECRET_BYTES} bytes: so short a text cannot be told from others in an answer, use a longer password"
    )]
    PasswordTooShort,
    /// Somebody put the placeholder where the secret belongs.
    #[error("the secret is itself a placeholder: put the real secret there")]
    IsPlaceholder,
    /// Neither JSON nor a credentials file, or keys are missing.
    #[error(
        "the secret is neither JSON with access_key_id and secret_access_key nor an AWS credentials file with that profile"
    )]
    NotAwsKeys,
    /// JSON without a refresh token.
    #[error(
        "the secret is JSON without a refresh_token: write {{\"refresh_token\": ..., \"client_secret\": ...}}"
    )]
    NoRefreshToken,
}

/// Why a credential could not be put into a request.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InjectFault {
    /// The credential is written wrongly.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The secret cannot be had.
    #[error("credential {credential}: {fault}")]
    Secret {
        /// The credential.
        credential: String,
        /// Why.
        fault: SecretFault,
    },
    /// The secret cannot be used.
    #[error("credential {credential}: {fault}")]
    Value {
        /// The credential.
        credential: String,
        /// Why.
        fault: ValueFault,
    },
    /// No access token.
    #[error("credential {credential}: {fault}")]
    OAuth {
        /// The credential.
        credential: String,
        /// Why.
        fault: OAuthFault,
    },
    /// The request cannot be signed.
    #[error("credential {credential}: {fault}")]
    Signing {
        /// The credential.
        credential: String,
        /// Why.
        fault: SigningFault,
    },
    /// It would go over the network in the clear.
    #[error(
        "credential {credential}: it is sent over https only, and this call is http; use https, or set plain_http = true"
    )]
    PlainHttp {
        /// The credential.
        credential: String,
    },
    /// The agent wrote the placeholder too often.
    #[error(
        "credential {credential}: its placeholder stands in more than {MAX_PLACES} places of the request; send it once"
    )]
    TooManyPlaces {
        /// The credential.
        credential: String,
    },
    /// The request's target would no longer be one.
    #[error(
        "credential {credential}: the request's target is too long or malformed with the secret in it; send the placeholder in a header"
    )]
    Target {
        /// The credential.
        credential: String,
    },
    /// More credentials than one sidecar keeps.
    #[error(
        "credential {credential}: this sidecar already keeps {max} credentials; remove some from the policy"
    )]
    TooMany {
        /// The credential.
        credential: String,
        /// How many it keeps.
        max: usize,
    },
}

impl InjectFault {
    /// Whether the same call can go well later without anybody changing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Secret { fault, .. } => matches!(
                fault,
                SecretFault::Away { .. } | SecretFault::File { reason: io::ErrorKind::TimedOut, .. }
            ),
            Self::OAuth { fault, .. } => fault.is_passing(),
            _ => false,
        }
    }
}
