//! Speaking as an operator.

use creto_proto::v1::agent_registry_client::AgentRegistryClient;
use creto_proto::v1::approval_inbox_client::ApprovalInboxClient;
use creto_proto::v1::billing_client::BillingClient;
use creto_proto::v1::call_log_client::CallLogClient;
use creto_proto::v1::delegation_authority_client::DelegationAuthorityClient;
use creto_proto::v1::enrollment_client::EnrollmentClient;
use creto_proto::v1::meter_view_client::MeterViewClient;
use creto_proto::v1::operator_tokens_client::OperatorTokensClient;
use creto_proto::v1::policy_store_client::PolicyStoreClient;
use creto_proto::v1::quota_view_client::QuotaViewClient;
use creto_proto::v1::secret_store_client::SecretStoreClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::{ConnectError, MAX_MESSAGE_BYTES, PlaneEndpoint};

/// Largest answer of a meter: as many values as one may have.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A channel that sends the operator's token with every call.
pub type OperatorChannel = InterceptedService<Channel, BearerToken>;

/// Puts `authorization: Bearer …` on every call (RFC 6750 section 2.1).
#[derive(Clone)]
pub struct BearerToken(MetadataValue<Ascii>);

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

impl Interceptor for BearerToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// All that an operator may ask of the control plane. Clones share one connection.
#[derive(Clone, Debug)]
pub struct OperatorClient {
    channel: OperatorChannel,
}

impl OperatorClient {
    /// Connects with an operator token.
    ///
    /// # Errors
    /// [`ConnectError`]; a wrong token shows at the first call, as `UNAUTHENTICATED`.
    pub async fn connect(endpoint: &PlaneEndpoint, token: &str) -> Result<Self, ConnectError> {
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {}", token.trim()).parse().map_err(|_| ConnectError::Token)?;
        value.set_sensitive(true);
        let channel = InterceptedService::new(endpoint.open().await?, BearerToken(value));
        Ok(Self { channel })
    }

    /// Agents.
    #[must_use]
    pub fn agents(&self) -> AgentRegistryClient<OperatorChannel> {
        AgentRegistryClient::new(self.channel.clone())
    }

    /// Delegations.
    #[must_use]
    pub fn delegations(&self) -> DelegationAuthorityClient<OperatorChannel> {
        DelegationAuthorityClient::new(self.channel.clone())
    }

    /// Enrolment tokens.
    #[must_use]
    pub fn enrollment(&self) -> EnrollmentClient<OperatorChannel> {
        EnrollmentClient::new(self.channel.clone())
    }

    /// Operator tokens; admin only.
    #[must_use]
    pub fn operator_tokens(&self) -> OperatorTokensClient<OperatorChannel> {
        OperatorTokensClient::new(self.channel.clone())
    }

    /// Policy documents and the state of the sidecars.
    #[must_use]
    pub fn policies(&self) -> PolicyStoreClient<OperatorChannel> {
        PolicyStoreClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Secrets: they go in and are listed; no call gives a value back.
    #[must_use]
    pub fn secrets(&self) -> SecretStoreClient<OperatorChannel> {
        SecretStoreClient::new(self.channel.clone())
    }

    /// What people are asked, and what they say.
    #[must_use]
    pub fn approvals(&self) -> ApprovalInboxClient<OperatorChannel> {
        ApprovalInboxClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Plans, subscriptions and invoices.
    #[must_use]
    pub fn billing(&self) -> BillingClient<OperatorChannel> {
        BillingClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Meters, what they come to, and the accounts of producers.
    #[must_use]
    pub fn meters(&self) -> MeterViewClient<OperatorChannel> {
        MeterViewClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// What quotas have used, and what happened to them.
    #[must_use]
    pub fn quotas(&self) -> QuotaViewClient<OperatorChannel> {
        QuotaViewClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Records of calls.
    #[must_use]
    pub fn calls(&self) -> CallLogClient<OperatorChannel> {
        CallLogClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }
}
