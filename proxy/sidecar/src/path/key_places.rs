//! Where a placeholder may stand: where services take keys. Anywhere else the secret would become part of something that
//! is kept and shown to others: a note, the name of a file, an object's metadata.

use creto_credentials::{Credential, CredentialKind, ForeignPlaceholder, Placeholders};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, Request, Uri};

/// Headers that take keys, beside `Authorization` and the credential's own.
const HEADERS: [&str; 12] = [
    "api-key",
    "apikey",
    "dd-api-key",
    "ocp-apim-subscription-key",
    "private-token",
    "x-access-token",
    "x-api-key",
    "x-auth-token",
    "x-goog-api-key",
    "x-rapidapi-key",
    "x-subscription-token",
    "x-token",
];
/// Parameters of the query that take keys.
const PARAMETERS: [&str; 14] = [
    "access_key",
    "access_token",
    "api-key",
    "api_key",
    "api_token",
    "apikey",
    "appid",
    "auth",
    "auth_token",
    "key",
    "private_token",
    "subscription-key",
    "token",
    "x-api-key",
];

/// The placeholder of this credential, or another, in a place that takes no keys.
pub(super) fn stray_placeholder<B>(
    placeholders: &Placeholders,
    request: &Request<B>,
    bound: &Credential,
) -> Option<ForeignPlaceholder> {
    // A signature is made anew, and its key ID stands in many places; nothing is put where it stood.
    if matches!(bound.kind, CredentialKind::AwsSigV4 { .. }) {
        return None;
    }
    // Most requests have none at all.
    placeholders.find_foreign(request.headers(), request.uri(), None)?;
    let other_headers: HeaderMap = request
        .headers()
        .iter()
        .filter(|(name, _)| !takes_keys(name, bound))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let query = request.uri().query().unwrap_or_default();
    let other_parameters: Vec<_> = query.split('&').filter(|pair| !is_key(pair)).collect();
    let uri = Uri::try_from(format!("/?{}", other_parameters.join("&"))).unwrap_or_default();
    placeholders.find_foreign(&other_headers, &uri, None)
}

fn takes_keys(name: &HeaderName, bound: &Credential) -> bool {
    let is_own = matches!(&bound.kind, CredentialKind::Header { name: own } if own == name);
    is_own || name == AUTHORIZATION || HEADERS.contains(&name.as_str())
}

fn is_key(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name))
}
