//! What the policy says about one credential.

use http::HeaderName;
use thiserror::Error;

use crate::{SecretSource, placeholder::PLACEHOLDER_PREFIX};

/// Longest placeholder, in bytes.
pub const MAX_PLACEHOLDER_BYTES: usize = 128;
/// Shortest placeholder, in bytes: a shorter one would be found in texts that mean something else.
pub const MIN_PLACEHOLDER_BYTES: usize = 8;

/// One credential. To which host, port, path and agent it is bound is matched by the policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credential {
    /// Its name in the policy; errors use it.
    pub name: String,
    /// How it goes into a request.
    pub kind: CredentialKind,
    /// Where the secret is.
    pub source: SecretSource,
    /// What the agent has in the secret's place.
    pub placeholder: String,
    /// Whether it may be sent over `http://`.
    pub plain_http: bool,
}

/// How a credential goes into a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// `authorization: Bearer <secret>` (RFC 6750).
    Bearer,
    /// The secret as the value of a header.
    Header {
        /// The header's name.
        name: HeaderName,
    },
    /// `authorization: Basic <base64>` (RFC 7617); the secret is `user:password`.
    Basic,
    /// The request is signed with AWS Signature Version 4; the secret is JSON or an AWS credentials file.
    AwsSigV4 {
        /// For example `us-east-1`.
        region: String,
        /// The name the service signs with, for example `bedrock`.
        service: String,
        /// The section of a credentials file; `default` if none is named.
        profile: Option<String>,
    },
    /// `authorization: Bearer <access token>`, the token got with a refresh token (RFC 6749 section 6); the secret is
    /// the refresh token, or JSON `{"refresh_token", "client_secret"?}`.
    OAuth2Refresh {
        /// Where tokens are got.
        token_url: String,
        /// Who asks.
        client_id: String,
        /// What is asked for; left out, it is what was granted at first.
        scope: Option<String>,
    },
}

/// Why a credential cannot be used as it is written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CredentialError {
    /// Its placeholder is too short, too long or has other characters.
    #[error(
        "credential {name}: a placeholder is {MIN_PLACEHOLDER_BYTES} to {MAX_PLACEHOLDER_BYTES} letters, digits, `-`, `_`, `.` or `~`"
    )]
    Placeholder {
        /// The credential.
        name: String,
    },
    /// Its token URL would send the refresh token in the clear, or is no URL.
    #[error("credential {name}: token_url is an absolute https:// URL (http:// needs plain_http = true)")]
    TokenUrl {
        /// The credential.
        name: String,
    },
    /// A header of HTTP's own.
    #[error(
        "credential {name}: `{header}` belongs to the connection and cannot carry a credential; name another header"
    )]
    Header {
        /// The credential.
        name: String,
        /// The header.
        header: HeaderName,
    },
    /// No region or no service, or with characters that a scope has no room for.
    #[error(
        "credential {name}: region and service are lower-case letters, digits and `-`, for example us-east-1 and bedrock"
    )]
    Scope {
        /// The credential.
        name: String,
    },
}

impl Credential {
    /// A credential with the default placeholder `creto-placeholder-<name>`, for https only.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: CredentialKind, source: SecretSource) -> Self {
        let name = name.into();
        Self { placeholder: format!("{PLACEHOLDER_PREFIX}{name}"), name, kind, source, plain_http: false }
    }

    /// Whether it can be used as it is written; the secret is not looked at.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), CredentialError> {
        let name = || self.name.clone();
        let allowed = (MIN_PLACEHOLDER_BYTES..=MAX_PLACEHOLDER_BYTES).contains(&self.placeholder.len());
        if !allowed || !self.placeholder.bytes().all(is_unreserved) {
            return Err(CredentialError::Placeholder { name: name() });
        }
        match &self.kind {
            CredentialKind::Header { name: header } if OF_THE_CONNECTION.contains(&header.as_str()) => {
                Err(CredentialError::Header { name: name(), header: header.clone() })
            }
            CredentialKind::AwsSigV4 { region, service, .. } if !is_scope(region) || !is_scope(service) => {
                Err(CredentialError::Scope { name: name() })
            }
            CredentialKind::OAuth2Refresh { token_url, .. } if !self.may_ask(token_url) => {
                Err(CredentialError::TokenUrl { name: name() })
            }
            _ => Ok(()),
        }
    }

    fn may_ask(&self, token_url: &str) -> bool {
        let Ok(uri) = token_url.parse::<http::Uri>() else { return false };
        uri.host().is_some_and(|host| !host.is_empty())
            && match uri.scheme_str() {
                Some("https") => true,
                Some("http") => self.plain_http,
                _ => false,
            }
    }
}

/// Headers that say where a message begins, ends and goes: a secret there would break the request, not enter it.
const OF_THE_CONNECTION: [&str; 10] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// RFC 3986 section 2.3: these are written as they are everywhere in a URI.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(kind: CredentialKind) -> Credential {
        Credential::new("openai", kind, SecretSource::Env("KEY".into()))
    }

    #[test]
    fn the_default_placeholder_has_the_name() {
        let credential = credential(CredentialKind::Bearer);
        assert_eq!(credential.placeholder, "creto-placeholder-openai");
        assert_eq!(credential.check(), Ok(()));
    }

    #[test]
    fn a_placeholder_that_is_found_everywhere_is_refused() {
        for placeholder in ["", "short", "with space in it", "percent%41percent", &"x".repeat(129)] {
            let mut credential = credential(CredentialKind::Bearer);
            credential.placeholder = placeholder.into();
            assert!(matches!(credential.check(), Err(CredentialError::Placeholder { .. })), "{placeholder}");
        }
    }

    #[test]
    fn a_refresh_token_is_not_sent_in_the_clear() {
        let kind = |token_url: &str| CredentialKind::OAuth2Refresh {
            token_url: token_url.into(),
            client_id: "id".into(),
            scope: None,
        };
        assert_eq!(credential(kind("https://login.example.com/token")).check(), Ok(()));
        for url in ["http://login.example.com/token", "login.example.com", "/token", "ftp://a/b", ""] {
            assert!(matches!(credential(kind(url)).check(), Err(CredentialError::TokenUrl { .. })), "{url}");
        }
        let mut plain = credential(kind("http://login.example.com/token"));
        plain.plain_http = true;
        assert_eq!(plain.check(), Ok(()));
    }

    #[test]
    fn a_header_of_the_connection_carries_no_credential() {
        let kind = CredentialKind::Header { name: http::header::HOST };
        assert!(matches!(credential(kind).check(), Err(CredentialError::Header { .. })));
    }
}
