//! Speaking as a sidecar.

use creto_proto::v1::FetchSecretRequest;
use creto_proto::v1::approvals_client::ApprovalsClient;
use creto_proto::v1::call_log_client::CallLogClient;
use creto_proto::v1::delegation_authority_client::DelegationAuthorityClient;
use creto_proto::v1::policy_sync_client::PolicySyncClient;
use creto_proto::v1::quota_leases_client::QuotaLeasesClient;
use creto_proto::v1::secret_store_client::SecretStoreClient;
use tonic::Status;
use tonic::transport::{Channel, Identity};

use crate::key::{certificate_pem, ed25519_pkcs8_pem};
use crate::{ConnectError, FetchedSecret, MAX_MESSAGE_BYTES, PlaneEndpoint};

/// All that a sidecar may ask of the control plane. Clones share one connection.
#[derive(Clone, Debug)]
pub struct SidecarClient {
    channel: Channel,
}

impl SidecarClient {
    /// Connects with the certificate got at enrolment (DER) and the seed of the key it was issued for.
    ///
    /// # Errors
    /// [`ConnectError`]; a certificate no longer known shows at the first call, as `UNAUTHENTICATED`.
    pub async fn connect(
        endpoint: &PlaneEndpoint,
        certificate_der: &[u8],
        seed: &[u8; 32],
    ) -> Result<Self, ConnectError> {
        Ok(Self { channel: endpoint.dial(Some(identity(certificate_der, seed))).await? })
    }

    /// As [`Self::connect`], but connects when it is first used, and again whenever the connection broke.
    ///
    /// # Errors
    /// [`ConnectError`] for settings that do not load.
    pub fn connect_when_used(
        endpoint: &PlaneEndpoint,
        certificate_der: &[u8],
        seed: &[u8; 32],
    ) -> Result<Self, ConnectError> {
        Ok(Self { channel: endpoint.dial_when_used(Some(identity(certificate_der, seed)))? })
    }

    /// The connection itself, for calls that bring their own encoding.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The push stream.
    #[must_use]
    pub fn policy_sync(&self) -> PolicySyncClient<Channel> {
        PolicySyncClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Reporting of calls.
    #[must_use]
    pub fn calls(&self) -> CallLogClient<Channel> {
        CallLogClient::new(self.channel.clone()).max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Leases of quotas.
    #[must_use]
    pub fn leases(&self) -> QuotaLeasesClient<Channel> {
        QuotaLeasesClient::new(self.channel.clone())
    }

    /// Asking people.
    #[must_use]
    pub fn approvals(&self) -> ApprovalsClient<Channel> {
        ApprovalsClient::new(self.channel.clone()).max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Minting of narrower chains.
    #[must_use]
    pub fn delegations(&self) -> DelegationAuthorityClient<Channel> {
        DelegationAuthorityClient::new(self.channel.clone())
    }

    /// The value of a secret that a credential of the agent's policies names.
    ///
    /// # Errors
    /// `NOT_FOUND` for every other name, whether there is such a secret or not; `FAILED_PRECONDITION` while the agent
    /// is suspended, and once it is revoked; `DATA_LOSS` when the control plane cannot decrypt it.
    pub async fn fetch_secret(&self, name: &str) -> Result<FetchedSecret, Status> {
        let mut client = SecretStoreClient::new(self.channel.clone());
        let mut answer = client.fetch_secret(FetchSecretRequest { name: name.into() }).await?.into_inner();
        Ok(FetchedSecret { value: std::mem::take(&mut answer.value).into(), version: answer.version })
    }
}

fn identity(certificate_der: &[u8], seed: &[u8; 32]) -> Identity {
    Identity::from_pem(certificate_pem(certificate_der), ed25519_pkcs8_pem(seed).as_bytes())
}
