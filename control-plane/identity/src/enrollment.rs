//! How a sidecar becomes known: a single-use token for a certificate.

use std::sync::Arc;

use creto_proto::v1::{CreateEnrollmentTokenRequest, EnrollRequest, EnrollResponse, EnrollmentToken};
use creto_store::{KeptEnrollmentToken, NewSidecar, Store};

use crate::registry::public_key;
use crate::{CertificateAuthority, Delegations, IdentityError, SecretToken, fingerprint, now_ms, random_id};

/// Seconds a token waits when the operator does not say.
pub const DEFAULT_TOKEN_TTL_S: u32 = 600;
/// Most seconds a token may wait.
pub const MAX_TOKEN_TTL_S: u32 = 86_400;
/// Most unexpired tokens of a namespace.
pub const MAX_ENROLLMENT_TOKENS: u64 = 20_000;

/// Hands out enrolment tokens and takes them.
#[derive(Clone)]
pub struct EnrollmentDesk {
    store: Arc<dyn Store>,
    authority: Arc<CertificateAuthority>,
    delegations: Delegations,
    bundle_key: [u8; 32],
}

impl EnrollmentDesk {
    /// `bundle_key` is the public key that sidecars pin for their bundles.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        authority: Arc<CertificateAuthority>,
        delegations: Delegations,
        bundle_key: [u8; 32],
    ) -> Self {
        Self { store, authority, delegations, bundle_key }
    }

    /// A token that lets one sidecar enrol for one agent. Only its digest is kept.
    ///
    /// # Errors
    /// [`IdentityError::NoAgent`] also for a revoked one, [`IdentityError::Invalid`] for a lifetime out of range.
    pub async fn create_token(
        &self,
        request: CreateEnrollmentTokenRequest,
    ) -> Result<EnrollmentToken, IdentityError> {
        let ttl_s = match request.ttl_s {
            0 => DEFAULT_TOKEN_TTL_S,
            1..=MAX_TOKEN_TTL_S => request.ttl_s,
            _ => {
                let problem = format!("give 1 to {MAX_TOKEN_TTL_S} seconds, or 0 for {DEFAULT_TOKEN_TTL_S}");
                return Err(IdentityError::invalid("ttl_s", problem));
            }
        };
        let token = SecretToken::random()?;
        let now = now_ms();
        let kept = KeptEnrollmentToken {
            namespace: request.namespace,
            digest: SecretToken::digest_of(token.text()),
            agent_name: request.agent_name,
            expires_at_ms: now.saturating_add(i64::from(ttl_s) * 1000),
        };
        self.store
            .add_enrollment_token(&kept, now, MAX_ENROLLMENT_TOKENS)
            .await
            .map_err(|error| IdentityError::about_agent(&kept.agent_name, error))?;
        Ok(EnrollmentToken { token: token.text().to_owned(), expires_at_ms: kept.expires_at_ms })
    }

    /// Takes a token and gives the sidecar its certificate and keys.
    ///
    /// # Errors
    /// [`IdentityError::TokenSpent`] for every token that does not work, whatever the reason.
    pub async fn enroll(&self, request: &EnrollRequest) -> Result<EnrollResponse, IdentityError> {
        let about = |error| IdentityError::about_agent("", error);
        let digest = SecretToken::digest_of(&request.token);
        let token = self.store.enrollment_token(&digest, now_ms()).await.map_err(about)?;
        let public_key = public_key("public_key", &request.public_key)?;
        let sidecar_id = random_id()?;
        let certificate = self.authority.issue_sidecar(&sidecar_id, &public_key)?;
        let sidecar =
            NewSidecar { sidecar_id: sidecar_id.clone(), public_key, fingerprint: fingerprint(&certificate) };
        match self.store.redeem_enrollment_token(&token, &sidecar, now_ms()).await.map_err(about) {
            Ok(()) => {}
            Err(IdentityError::Revoked(_)) => return Err(IdentityError::TokenSpent),
            Err(error) => return Err(error),
        }
        let key = self.delegations.chain_key(&token.namespace, &sidecar_id).await?;
        Ok(EnrollResponse {
            chain_key: key.secret_bytes().to_vec(),
            chain_key_id: key.id(),
            sidecar_id,
            namespace: token.namespace,
            agent_name: token.agent_name,
            certificate,
            bundle_key: self.bundle_key.to_vec(),
        })
    }
}
