//! `DelegationAuthority`.

use creto_identity::Delegations;
use creto_policy_store::Changes;
use creto_proto::v1::delegation_authority_server::DelegationAuthority;
use creto_proto::v1::{
    Delegation, ListDelegationsRequest, ListDelegationsResponse, MintChainRequest, MintedChain,
    RevokeDelegationRequest, RotateChainKeysRequest, RotateChainKeysResponse, SubmitDelegationRequest,
};
use tonic::{Request, Response, Status, async_trait};

use crate::confine::{confined, own};
use crate::finish::finished;
use crate::status::of_identity;

/// Serves delegations; what changes one is pushed at once.
pub(crate) struct DelegationDesk {
    pub(crate) delegations: Delegations,
    pub(crate) changes: Changes,
}

#[async_trait]
impl DelegationAuthority for DelegationDesk {
    async fn submit_delegation(
        &self,
        request: Request<SubmitDelegationRequest>,
    ) -> Result<Response<Delegation>, Status> {
        let (_, message) = confined(request)?;
        let (delegations, changes) = (self.delegations.clone(), self.changes.clone());
        finished(async move {
            let namespace = message.namespace.clone();
            let (delegation, holder) = delegations.submit(message).await.map_err(of_identity)?;
            // Nobody else's chain stands on it before it is delegated on, and that is another change.
            changes.note_agents(&namespace, &[&holder], false);
            Ok(Response::new(delegation))
        })
        .await
    }

    async fn list_delegations(
        &self,
        request: Request<ListDelegationsRequest>,
    ) -> Result<Response<ListDelegationsResponse>, Status> {
        let (_, message) = confined(request)?;
        self.delegations.list(&message).await.map(Response::new).map_err(of_identity)
    }

    async fn revoke_delegation(
        &self,
        request: Request<RevokeDelegationRequest>,
    ) -> Result<Response<Delegation>, Status> {
        let (_, message) = confined(request)?;
        let (delegations, changes) = (self.delegations.clone(), self.changes.clone());
        finished(async move {
            let ended = delegations.revoke(&message.namespace, &message.delegation_id).await;
            let (delegation, holders) = ended.map_err(of_identity)?;
            // Chains that are kept nowhere may stand on it too: of anybody.
            let holders: Vec<&str> = holders.iter().map(String::as_str).collect();
            changes.note_agents(&message.namespace, &holders, true);
            Ok(Response::new(delegation))
        })
        .await
    }

    async fn rotate_chain_keys(
        &self,
        request: Request<RotateChainKeysRequest>,
    ) -> Result<Response<RotateChainKeysResponse>, Status> {
        let (_, message) = confined(request)?;
        let (delegations, changes) = (self.delegations.clone(), self.changes.clone());
        finished(async move {
            let RotateChainKeysRequest { namespace, void_earlier } = message;
            let key_id = delegations.rotate_keys(&namespace, void_earlier).await.map_err(of_identity)?;
            changes.note_principals(&namespace);
            tracing::info!(namespace, key_id, voided = void_earlier, "chain keys rotated");
            Ok(Response::new(RotateChainKeysResponse { key_id }))
        })
        .await
    }

    async fn mint_chain(&self, request: Request<MintChainRequest>) -> Result<Response<MintedChain>, Status> {
        let (sidecar, message) = own(request)?;
        let whose = (sidecar.namespace.as_str(), sidecar.agent_name.as_str(), sidecar.sidecar_id.as_str());
        self.delegations.mint(whose, message.links).await.map(Response::new).map_err(of_identity)
    }
}
