//! `PolicyStore`.

use std::sync::Arc;

use creto_policy_store::{Changes, PolicyDocuments, PolicySync};
use creto_proto::v1::policy_store_server::PolicyStore;
use creto_proto::v1::{
    ApplyPolicyRequest, DeletePolicyRequest, DeletePolicyResponse, GetPolicyRequest, ListPoliciesRequest,
    ListPoliciesResponse, ListSidecarEventsRequest, ListSidecarEventsResponse, ListSidecarsRequest,
    ListSidecarsResponse, Policy,
};
use tonic::{Request, Response, Status, async_trait};

use crate::confine::confined;
use crate::credential_names::CredentialNames;
use crate::finish::finished;
use crate::quotas::QuotaDesk;
use crate::status::{of_identity, of_policy, of_quota};

/// Serves policy documents; what changes one is pushed.
pub(crate) struct Policies {
    pub(crate) documents: PolicyDocuments,
    pub(crate) changes: Changes,
    pub(crate) sync: PolicySync,
    pub(crate) names: Arc<CredentialNames>,
    pub(crate) quotas: QuotaDesk,
}

impl Policies {
    fn parts(&self) -> (PolicyDocuments, Arc<CredentialNames>, Changes) {
        (self.documents.clone(), Arc::clone(&self.names), self.changes.clone())
    }
}

#[async_trait]
impl PolicyStore for Policies {
    async fn apply_policy(&self, request: Request<ApplyPolicyRequest>) -> Result<Response<Policy>, Status> {
        let (_, message) = confined(request)?;
        let (documents, names, changes) = self.parts();
        let quotas = self.quotas.clone();
        finished(async move {
            quotas.check_change(&message.namespace, &message.document).await.map_err(of_quota)?;
            let policy = documents.apply(message).await.map_err(of_policy)?;
            names.note(&policy.namespace);
            quotas.note(&policy.namespace);
            changes.note_documents(&policy.namespace);
            let (namespace, name, revision) = (&policy.namespace, &policy.name, policy.revision);
            tracing::info!(namespace, policy = name, revision, "policy applied");
            Ok(Response::new(policy))
        })
        .await
    }

    async fn get_policy(&self, request: Request<GetPolicyRequest>) -> Result<Response<Policy>, Status> {
        let (_, message) = confined(request)?;
        self.documents.get(&message.namespace, &message.name).await.map(Response::new).map_err(of_policy)
    }

    async fn list_policies(
        &self,
        request: Request<ListPoliciesRequest>,
    ) -> Result<Response<ListPoliciesResponse>, Status> {
        let (_, message) = confined(request)?;
        self.documents.list(&message).await.map(Response::new).map_err(of_policy)
    }

    async fn delete_policy(
        &self,
        request: Request<DeletePolicyRequest>,
    ) -> Result<Response<DeletePolicyResponse>, Status> {
        let (_, message) = confined(request)?;
        let (documents, names, changes) = self.parts();
        let quotas = self.quotas.clone();
        finished(async move {
            documents.delete(&message.namespace, &message.name).await.map_err(of_policy)?;
            names.note(&message.namespace);
            quotas.note(&message.namespace);
            changes.note_documents(&message.namespace);
            Ok(Response::new(DeletePolicyResponse {}))
        })
        .await
    }

    async fn list_sidecars(
        &self,
        request: Request<ListSidecarsRequest>,
    ) -> Result<Response<ListSidecarsResponse>, Status> {
        let (_, message) = confined(request)?;
        self.sync.list(&message).await.map(Response::new).map_err(of_identity)
    }

    async fn list_sidecar_events(
        &self,
        request: Request<ListSidecarEventsRequest>,
    ) -> Result<Response<ListSidecarEventsResponse>, Status> {
        let (_, message) = confined(request)?;
        self.sync.events().list(&message).await.map(Response::new).map_err(of_identity)
    }
}
