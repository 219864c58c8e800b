//! What a secret is once it is read: ready to be put in.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use memchr::memmem;
use zeroize::Zeroizing;

use crate::{
    CredentialKind, Secret, ValueFault, placeholder::PLACEHOLDER_PREFIX, scrub::Patterns, sigv4::AwsKeys,
};

/// Shortest secret, in bytes: a shorter one cannot be told from other texts in an answer.
pub const MIN_SECRET_BYTES: usize = 8;
/// Longest secret that is put into a request, in bytes: 16 KiB.
pub const MAX_VALUE_BYTES: usize = 16 << 10;

/// A secret, ready to be put in.
pub(crate) enum Value {
    /// Stands as it is, behind `Bearer` in the authorization header if so said.
    Text { text: Secret, header: Secret },
    /// `user:password` and the value of the authorization header.
    Basic { pair: Secret, header: Secret },
    /// Signs.
    Aws(AwsKeys),
}

impl Value {
    /// Reads the secret of a credential; for OAuth, the access token.
    pub(crate) fn read(kind: &CredentialKind, secret: &Secret) -> Result<Self, ValueFault> {
        match kind {
            CredentialKind::Bearer | CredentialKind::OAuth2Refresh { .. } => {
                check(secret.expose())?;
                let header = Zeroizing::new([b"Bearer ", secret.expose()].concat());
                Ok(Self::Text { text: secret.clone(), header: Secret::new(header) })
            }
            CredentialKind::Header { .. } => {
                check(secret.expose())?;
                Ok(Self::Text { text: secret.clone(), header: secret.clone() })
            }
            CredentialKind::Basic => {
                check(secret.expose())?;
                let colon = memchr::memchr(b':', secret.expose()).ok_or(ValueFault::NoColon)?;
                // An empty password means that the user is the key, as some providers have it.
                if (1..MIN_SECRET_BYTES).contains(&(secret.len() - colon - 1)) {
                    return Err(ValueFault::PasswordTooShort);
                }
                Ok(Self::Basic { pair: secret.clone(), header: Secret::new(basic_header(secret.expose())) })
            }
            CredentialKind::AwsSigV4 { profile, .. } => {
                let keys = AwsKeys::read(secret.expose(), profile.as_deref())?;
                check(keys.secret_access_key())?;
                keys.session_token().map_or(Ok(()), check)?;
                Ok(Self::Aws(keys))
            }
        }
    }

    /// What is to be found in an answer that echoes it.
    pub(crate) fn patterns(&self, more: &[&[u8]]) -> Patterns {
        let mut secrets = more.to_vec();
        match self {
            Self::Text { text, .. } => secrets.push(text.expose()),
            Self::Basic { pair, .. } => {
                let (user, password) = split_pair(pair.expose());
                secrets.push(pair.expose());
                secrets.push(if password.is_empty() { user } else { password });
            }
            Self::Aws(keys) => {
                secrets.push(keys.secret_access_key());
                secrets.extend(keys.session_token());
            }
        }
        Patterns::of(&secrets)
    }
}

/// The user and the password of `user:password`.
pub(crate) fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', pair) {
        Some(colon) => (&pair[..colon], &pair[colon + 1..]),
        None => (pair, b""),
    }
}

/// Whether a value can be put into a header and found in an answer.
pub(crate) fn check(value: &[u8]) -> Result<(), ValueFault> {
    if value.len() < MIN_SECRET_BYTES {
        return Err(ValueFault::TooShort);
    }
    if value.len() > MAX_VALUE_BYTES {
        return Err(ValueFault::TooLong);
    }
    if value.iter().any(u8::is_ascii_control) {
        return Err(ValueFault::NotAHeader);
    }
    if memmem::find(value, PLACEHOLDER_PREFIX.as_bytes()).is_some() {
        return Err(ValueFault::IsPlaceholder);
    }
    Ok(())
}

/// A header value that no log shows.
pub(crate) fn sensitive(value: &[u8]) -> Result<HeaderValue, ValueFault> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_| ValueFault::NotAHeader)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Basic <base64>` of a pair.
pub(crate) fn basic_header(pair: &[u8]) -> Zeroizing<Vec<u8>> {
    let encoded = Zeroizing::new(STANDARD.encode(pair));
    Zeroizing::new([b"Basic ", encoded.as_bytes()].concat())
}
