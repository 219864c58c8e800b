//! What the credentials crate asks of the sidecar: secrets of the control plane, forms to token endpoints, files for
//! rotated tokens.

mod desk;
mod rotated;
mod token_endpoint;

use std::sync::Arc;

use creto_credentials::{Credential, CredentialKind, SecretSource};
use creto_policy::{CredentialKind as Written, SecretFrom};
use http::HeaderName;

pub(crate) use desk::{SecretAsk, SecretDesk, answer_asks};
pub(crate) use rotated::RotatedFiles;
pub(crate) use token_endpoint::UpstreamTokens;

/// A credential of a policy as it is put in.
pub(crate) fn from_policy(written: &creto_policy::Credential) -> Arc<Credential> {
    let kind = match written.kind() {
        Written::Bearer => CredentialKind::Bearer,
        // A policy's header names are valid; another would never be put in, and its credential then refuses.
        Written::Header(name) => CredentialKind::Header {
            name: HeaderName::try_from(name.as_str()).unwrap_or(http::header::AUTHORIZATION),
        },
        Written::Basic => CredentialKind::Basic,
        Written::AwsSigV4 { region, service } => {
            CredentialKind::AwsSigV4 { region: region.clone(), service: service.clone(), profile: None }
        }
        Written::OAuth2Refresh { token_url, client_id, scope } => CredentialKind::OAuth2Refresh {
            token_url: token_url.clone(),
            client_id: client_id.clone(),
            scope: scope.clone(),
        },
    };
    let source = match written.from() {
        SecretFrom::File(path) => SecretSource::File(path.into()),
        SecretFrom::Env(name) => SecretSource::Env(name.clone()),
        SecretFrom::Stored(name) => SecretSource::Stored(name.clone()),
    };
    let mut credential = Credential::new(written.name(), kind, source);
    credential.placeholder = written.placeholder().to_owned();
    credential.plain_http = written.plain_http();
    Arc::new(credential)
}
