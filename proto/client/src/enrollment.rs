//! How a sidecar becomes known.

use creto_proto::v1::enrollment_client::EnrollmentClient;
use creto_proto::v1::{EnrollRequest, EnrollResponse};
use thiserror::Error;

use crate::{ConnectError, PlaneEndpoint};

/// Why enrolment failed.
#[derive(Debug, Error)]
pub enum EnrollError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The control plane refused; its message says what to do.
    #[error("the control plane refused to enrol this sidecar: {}", .0.message())]
    Refused(Box<tonic::Status>),
}

/// Trades an enrolment token and the sidecar's Ed25519 public key for a certificate.
///
/// The token is used up by the first answer; ask the operator for another after a failure that came later.
///
/// # Errors
/// [`EnrollError`].
pub async fn enroll(
    endpoint: &PlaneEndpoint,
    token: &str,
    public_key: [u8; 32],
) -> Result<EnrollResponse, EnrollError> {
    let mut client = EnrollmentClient::new(endpoint.open().await?);
    let request = EnrollRequest { token: token.trim().to_owned(), public_key: public_key.to_vec() };
    let answer = client.enroll(request).await.map_err(|status| EnrollError::Refused(Box::new(status)))?;
    Ok(answer.into_inner())
}
