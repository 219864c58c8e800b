//! Credentials: which secret goes where. The secrets themselves are never part of a document.

use crate::place::Place;

/// A secret that belongs to a destination: `[[credential]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) kind: CredentialKind,
    pub(crate) from: SecretFrom,
    pub(crate) placeholder: String,
    pub(crate) plain_http: bool,
}

/// How a secret is shown to the destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// `authorization: Bearer <secret>` (RFC 6750).
    Bearer,
    /// The secret as the value of this header, its name in lower case.
    Header(String),
    /// `authorization: Basic` over `user:password` (RFC 7617).
    Basic,
    /// Signature version 4 of Amazon Web Services.
    AwsSigV4 {
        /// Region of the service, `us-east-1`.
        region: String,
        /// Name of the service as signed, `bedrock`.
        service: String,
    },
    /// A bearer token got with a refresh token (RFC 6749 section 6).
    OAuth2Refresh {
        /// Where tokens are got: an absolute https URL.
        token_url: String,
        /// The client that the refresh token was given to.
        client_id: String,
        /// Scopes asked for; none for those of the refresh token.
        scope: Option<String>,
    },
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretFrom {
    /// A file of the sidecar's machine: an absolute path.
    File(String),
    /// A variable of the sidecar's environment.
    Env(String),
    /// The control plane's encrypted store, by name.
    Stored(String),
}

impl Credential {
    /// Its name, unique in its document.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the secret may go.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How it is shown to the destination.
    #[must_use]
    pub fn kind(&self) -> &CredentialKind {
        &self.kind
    }

    /// Where the secret is kept.
    #[must_use]
    pub fn from(&self) -> &SecretFrom {
        &self.from
    }

    /// What the agent sends in its place: 12 to 128 visible ASCII characters without spaces.
    #[must_use]
    pub fn placeholder(&self) -> &str {
        &self.placeholder
    }

    /// Whether it may be sent over a connection in plain text.
    #[must_use]
    pub fn plain_http(&self) -> bool {
        self.plain_http
    }
}
