//! `SecretStore`. Every change and every fetch stands in the log with who did it, never with a value.

use creto_proto::v1::secret_store_server::SecretStore;
use creto_proto::v1::{
    DeleteSecretRequest, DeleteSecretResponse, FetchSecretRequest, FetchSecretResponse, ListSecretsRequest,
    ListSecretsResponse, PutSecretRequest, SecretMetadata,
};
use creto_secrets::{SecretValue, SecretsError, Vault};
use tonic::{Request, Response, Status, async_trait};

use crate::confine::{confined, own};
use crate::status::of_secrets;

/// Target of the log lines that say who did what.
const AUDIT: &str = "creto_audit";

/// Serves secrets.
pub(crate) struct Secrets {
    pub(crate) vault: Vault,
}

#[async_trait]
impl SecretStore for Secrets {
    async fn put_secret(
        &self,
        request: Request<PutSecretRequest>,
    ) -> Result<Response<SecretMetadata>, Status> {
        let (operator, mut message) = confined(request)?;
        let value = SecretValue::new(std::mem::take(&mut message.value)).map_err(of_secrets)?;
        let kept = self.vault.put(&message.namespace, &message.name, &value).await.map_err(of_secrets)?;
        tracing::info!(
            target: AUDIT,
            operator = operator.name,
            operator_namespace = operator.namespace,
            namespace = kept.namespace,
            secret = kept.name,
            version = kept.version,
            "secret put"
        );
        Ok(Response::new(kept))
    }

    async fn list_secrets(
        &self,
        request: Request<ListSecretsRequest>,
    ) -> Result<Response<ListSecretsResponse>, Status> {
        let (_, message) = confined(request)?;
        self.vault.list(&message).await.map(Response::new).map_err(of_secrets)
    }

    async fn delete_secret(
        &self,
        request: Request<DeleteSecretRequest>,
    ) -> Result<Response<DeleteSecretResponse>, Status> {
        let (operator, message) = confined(request)?;
        self.vault.delete(&message.namespace, &message.name).await.map_err(of_secrets)?;
        tracing::info!(
            target: AUDIT,
            operator = operator.name,
            operator_namespace = operator.namespace,
            namespace = message.namespace,
            secret = message.name,
            "secret deleted"
        );
        Ok(Response::new(DeleteSecretResponse {}))
    }

    async fn fetch_secret(
        &self,
        request: Request<FetchSecretRequest>,
    ) -> Result<Response<FetchSecretResponse>, Status> {
        let (sidecar, message) = own(request)?;
        let (namespace, agent) = (sidecar.namespace.as_str(), sidecar.agent_name.as_str());
        match self.vault.fetch(namespace, agent, &message.name).await {
            Ok(fetched) => {
                let (secret, version) = (message.name.as_str(), fetched.version);
                tracing::info!(
                    target: AUDIT, sidecar = sidecar.sidecar_id, namespace, agent, secret, version, "secret fetched"
                );
                Ok(Response::new(FetchSecretResponse { value: fetched.value.into_bytes(), version }))
            }
            Err(error) => {
                // The name is left out of what is not the agent's: it may be any text.
                if matches!(error, SecretsError::NotForAgent) {
                    let sidecar = sidecar.sidecar_id;
                    tracing::info!(target: AUDIT, sidecar, namespace, agent, "secret not there for this agent");
                }
                Err(of_secrets(error))
            }
        }
    }
}
