//! The first start: an enrolment token and a key of our own become an identity.

use std::time::Duration;

use creto_client::PlaneEndpoint;
use ed25519_dalek::SigningKey;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::options::Options;
use crate::state::{Identity, Secrets};

/// Tries while the control plane is not there yet, and the wait between them.
const TRIES: u32 = 30;
const WAIT: Duration = Duration::from_secs(1);

/// Why there is no identity.
#[derive(Debug, Error)]
pub enum EnrollError {
    /// No token was given.
    #[error("this sidecar is not enrolled; give it a token with --enrollment-token-file")]
    NoToken,
    /// The token file cannot be read.
    #[error("the enrolment token file: {0}")]
    TokenFile(std::io::Error),
    /// Randomness failed.
    #[error("no randomness from the system: {0}")]
    Random(String),
    /// The control plane cannot be reached, or refuses the token.
    #[error(transparent)]
    Plane(#[from] creto_client::EnrollError),
    /// Its answer cannot be used.
    #[error("the control plane's answer cannot be used: {0}")]
    Answer(&'static str),
}

/// Enrols.
pub(crate) async fn enroll(options: &Options, ca_pem: &str) -> Result<(Identity, Secrets), EnrollError> {
    let path = options.enrollment_token_file.as_ref().ok_or(EnrollError::NoToken)?;
    let token = Zeroizing::new(std::fs::read_to_string(path).map_err(EnrollError::TokenFile)?);
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|error| EnrollError::Random(error.to_string()))?;
    let public_key = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    let endpoint = PlaneEndpoint { address: options.control_plane.clone(), ca_pem: ca_pem.to_owned() };
    let mut tries = 0;
    let answer = loop {
        tries += 1;
        match creto_client::enroll(&endpoint, &token, public_key).await {
            Ok(answer) => break answer,
            // Not there yet: nothing was sent, so the token is unused.
            Err(creto_client::EnrollError::Connect(creto_client::ConnectError::Unreachable { .. }))
                if tries < TRIES =>
            {
                tokio::time::sleep(WAIT).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    let chain_key: [u8; 32] = answer
        .chain_key
        .as_slice()
        .try_into()
        .map_err(|_| EnrollError::Answer("the chain key is not 32 bytes"))?;
    if answer.bundle_key.len() != 32 {
        return Err(EnrollError::Answer("the bundle key is not 32 bytes"));
    }
    let identity = Identity {
        schema: 1,
        sidecar_id: answer.sidecar_id,
        namespace: answer.namespace,
        agent_name: answer.agent_name,
        certificate: hex::encode(&answer.certificate),
        bundle_key: hex::encode(&answer.bundle_key),
        chain_key_id: answer.chain_key_id,
    };
    tracing::info!(sidecar = identity.sidecar_id, agent = identity.agent_name, "enrolled");
    Ok((identity, Secrets { seed, chain_key: Zeroizing::new(chain_key) }))
}
