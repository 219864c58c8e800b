//! Who calls: an operator by bearer token, a sidecar by client certificate.

use creto_identity::{SecretToken, fingerprint};
use creto_policy_store::SidecarIdentity;
use creto_store::{Store, StoreError};
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap};
use tonic::Status;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use crate::shares::Holder;

/// Whoever passed the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An operator.
    Operator(Operator),
    /// A sidecar.
    Sidecar(SidecarIdentity),
}

impl Caller {
    /// Who holds what this caller takes: the token itself, or the sidecar.
    pub(crate) fn holder(&self) -> Holder {
        match self {
            Self::Operator(operator) => operator.holder(),
            Self::Sidecar(sidecar) => Holder {
                namespace: sidecar.namespace.as_str().into(),
                caller: format!("sidecar/{}", sidecar.sidecar_id).into(),
            },
        }
    }
}

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// Its token's name, for the log.
    pub(crate) name: String,
    /// Its own namespace.
    pub(crate) namespace: String,
    /// All namespaces.
    pub(crate) admin: bool,
    /// Sends metering events, and may do nothing else.
    pub(crate) producer: bool,
    /// SHA-256 of its token, by which long streams look again whether it still holds.
    pub(crate) digest: [u8; 32],
}

impl Operator {
    /// Its name as noted in a namespace: with its own namespace where that is another, for names are of one namespace.
    pub(crate) fn named_in(&self, namespace: &str) -> String {
        if self.namespace == namespace {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }

    /// Who holds what is taken with this token.
    pub(crate) fn holder(&self) -> Holder {
        Holder { namespace: self.namespace.as_str().into(), caller: hex::encode(self.digest).into() }
    }
}

/// Whoever sends events.
#[derive(Clone, Debug)]
pub(crate) enum Ingester {
    /// A sidecar, and the fingerprint of its certificate, by which long streams look again whether it still holds.
    Sidecar {
        /// Who.
        identity: SidecarIdentity,
        /// SHA-256 of its certificate.
        fingerprint: [u8; 32],
    },
    /// Whoever has a token.
    Token(Operator),
}

impl Ingester {
    /// Whoever passed the guard.
    pub(crate) fn of(extensions: &Extensions) -> Result<Self, Status> {
        match extensions.get::<Caller>() {
            Some(Caller::Operator(operator)) => Ok(Self::Token(operator.clone())),
            Some(Caller::Sidecar(identity)) => {
                let certificates = peer_certificate(extensions);
                let fingerprint = certificates.as_deref().map(fingerprint).unwrap_or_default();
                Ok(Self::Sidecar { identity: identity.clone(), fingerprint })
            }
            None => Err(Status::unauthenticated("only sidecars and producers may call this")),
        }
    }

    /// Who holds what it takes.
    pub(crate) fn holder(&self) -> Holder {
        match self {
            Self::Sidecar { identity, .. } => Caller::Sidecar(identity.clone()).holder(),
            Self::Token(operator) => operator.holder(),
        }
    }

    /// Its own namespace.
    pub(crate) fn namespace(&self) -> &str {
        match self {
            Self::Sidecar { identity, .. } => &identity.namespace,
            Self::Token(operator) => &operator.namespace,
        }
    }
}

/// The certificate that the connection presented, in DER.
pub(crate) fn peer_certificate(extensions: &Extensions) -> Option<Vec<u8>> {
    let info = extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?;
    info.peer_certs()?.first().map(|der| der.to_vec())
}

/// The operator whose token the call carries.
pub(crate) async fn operator(store: &dyn Store, headers: &HeaderMap) -> Result<Option<Operator>, StoreError> {
    let Some(token) = bearer(headers) else { return Ok(None) };
    // The lookup is by digest: how long it takes says nothing of the token.
    let found = store.operator_token(&SecretToken::digest_of(token)).await?;
    Ok(found.map(|kept| Operator {
        name: kept.name,
        namespace: kept.namespace,
        admin: kept.admin,
        producer: kept.producer,
        digest: kept.digest,
    }))
}

/// RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// The sidecar whose certificate the connection presented.
pub(crate) async fn sidecar(
    store: &dyn Store,
    certificate_der: Option<&[u8]>,
) -> Result<Option<SidecarIdentity>, StoreError> {
    let Some(der) = certificate_der else { return Ok(None) };
    let found = store.sidecar_by_fingerprint(&fingerprint(der)).await?;
    Ok(found.map(|kept| SidecarIdentity {
        namespace: kept.namespace,
        sidecar_id: kept.sidecar_id,
        agent_name: kept.agent_name,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            headers
        };
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc"])), Some("abc"));
        for none in [&[][..], &["abc"], &["Basic abc"], &["Bearer "], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(none)), None, "{none:?}");
        }
    }
}
