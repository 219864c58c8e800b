//! Delegations: verified once as signed links, minted into compact chains for the data path.

use std::collections::HashMap;
use std::sync::Arc;

use creto_authz::{
    AgentId, CompactChain, DelegatorKey, MasterKey, SignedLink, VerifiedDelegation, verify_links,
};
use creto_proto::v1::{
    ChainKey, ChainKeys, Delegation, DelegationLink, ListDelegationsRequest, ListDelegationsResponse,
    MintedChain, SubmitDelegationRequest,
};
use creto_store::{KeptAgent, KeptDelegation, KeptLink, KeptState, Store, StoreError};

use crate::page::{page_limit, page_of};
use crate::{IdentityError, links, now_ms, now_s};

/// Most delegations of a namespace, ended ones included.
pub const MAX_DELEGATIONS: u64 = 1_000_000;
/// How many of an agent's live delegations are tried for its bundle, newest first.
const MAX_TRIED: u32 = 32;

/// The chain a sidecar calls under.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurrentChain {
    /// None: the agent holds no delegation that stands now.
    pub chain: Option<MintedChain>,
    /// What the sidecar checks chains with.
    pub keys: ChainKeys,
}

/// Verifies, keeps and mints.
#[derive(Clone)]
pub struct Delegations {
    store: Arc<dyn Store>,
    master: Arc<MasterKey>,
}

impl Delegations {
    /// Over a store, minting under keys derived from `master`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, master: MasterKey) -> Self {
        Self { store, master: Arc::new(master) }
    }

    /// The HMAC key that a sidecar's chains are minted under now.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn chain_key(
        &self,
        namespace: &str,
        sidecar_id: &str,
    ) -> Result<creto_authz::ChainKey, IdentityError> {
        let id = self.store.chain_key_id(namespace).await.map_err(IdentityError::Store)?;
        Ok(self.master.derive(sidecar_id, id))
    }

    /// Gives all sidecars of a namespace a new key, which is derived when they are next sent what they enforce.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn rotate_keys(&self, namespace: &str, void_earlier: bool) -> Result<u32, IdentityError> {
        self.store.rotate_chain_keys(namespace, void_earlier).await.map_err(IdentityError::Store)
    }

    /// Verifies a signed chain whole and keeps it; the same one twice changes nothing. Gives the name of its holder too.
    ///
    /// # Errors
    /// [`IdentityError`] naming the link that does not hold, a revoked one, or a holder not registered here.
    pub async fn submit(
        &self,
        request: SubmitDelegationRequest,
    ) -> Result<(Delegation, String), IdentityError> {
        let namespace = request.namespace;
        let signed = links::read(request.links)?;
        let verified = self.verify(&namespace, &signed).await?;
        let holder = self
            .store
            .agent_by_id(&namespace, verified.holder().as_bytes())
            .await
            .map_err(IdentityError::Store)?
            .filter(|holder| holder.state != KeptState::Revoked)
            .ok_or(IdentityError::UnknownHolder)?;
        let kept = KeptDelegation {
            namespace: namespace.clone(),
            delegation_id: *verified.id(),
            holder_id: verified.holder().0,
            holder_name: holder.name,
            expires_at_s: verified.expires_at_s(),
            revoked: false,
            created_at_ms: now_ms(),
            encoded_links: links::encode(&signed),
            links: signed.iter().map(searchable).collect(),
        };
        self.store.add_delegation(&kept, MAX_DELEGATIONS).await.map_err(about_delegation)?;
        let stored =
            self.store.delegation(&namespace, &kept.delegation_id).await.map_err(about_delegation)?;
        let holder = stored.holder_name.clone();
        message(stored).map(|delegation| (delegation, holder))
    }

    /// A page of delegations, by id.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for a page size or token out of range.
    pub async fn list(
        &self,
        request: &ListDelegationsRequest,
    ) -> Result<ListDelegationsResponse, IdentityError> {
        let limit = page_limit(request.page_size)?;
        let after = hex::decode(&request.page_token)
            .map_err(|_| IdentityError::invalid("page_token", "send the last answer's next_page_token"))?;
        let holder = Some(request.agent_name.as_str()).filter(|name| !name.is_empty());
        let page = self
            .store
            .delegations(&request.namespace, holder, &after, limit)
            .await
            .map_err(IdentityError::Store)?;
        let delegations = page.into_iter().map(message).collect::<Result<_, _>>()?;
        let (delegations, next_page_token) =
            page_of(delegations, limit, |kept: &Delegation| hex::encode(&kept.delegation_id));
        Ok(ListDelegationsResponse { delegations, next_page_token })
    }

    /// Ends a delegation and everything delegated from it; gives the names of those who held any of that.
    ///
    /// # Errors
    /// [`IdentityError::NoDelegation`].
    pub async fn revoke(
        &self,
        namespace: &str,
        delegation_id: &[u8],
    ) -> Result<(Delegation, Vec<String>), IdentityError> {
        let id = links::sized("delegation_id", delegation_id)?;
        let ended = self.store.revoke_delegation(namespace, &id).await.map_err(about_delegation)?;
        message(ended.delegation).map(|delegation| (delegation, ended.holders))
    }

    /// Mints the compact form of a chain that a sidecar shows for its own agent.
    ///
    /// # Errors
    /// [`IdentityError`] when the chain does not hold, ends with another agent, or the agent does not act.
    pub async fn mint(
        &self,
        (namespace, agent_name, sidecar_id): (&str, &str, &str),
        shown: Vec<DelegationLink>,
    ) -> Result<MintedChain, IdentityError> {
        let about = |error| IdentityError::about_agent(agent_name, error);
        let agent = self.store.agent(namespace, agent_name).await.map_err(about)?;
        match agent.state {
            KeptState::Active => {}
            KeptState::Suspended => return Err(IdentityError::Suspended(agent.name)),
            KeptState::Revoked => return Err(IdentityError::Revoked(agent.name)),
        }
        // The epoch comes first: a revocation that happens meanwhile makes the chain void, never stale.
        let epoch = self.store.revocation_epoch(namespace).await.map_err(IdentityError::Store)?;
        let key = self.chain_key(namespace, sidecar_id).await?;
        let signed = links::read(shown)?;
        let verified = self.verify(namespace, &signed).await?;
        if verified.holder().as_bytes() != &agent.agent_id {
            return Err(IdentityError::NotHolder);
        }
        // This chain is kept nowhere: that it stands on these keys is, before it exists. Verified again after, or a
        // delegator suspended in between would be missed by both.
        let delegators: Vec<[u8; 32]> = signed.iter().map(|one| one.link.delegator_id.0).collect();
        self.store.note_delegators(namespace, &delegators).await.map_err(IdentityError::Store)?;
        let verified = self.verify(namespace, &signed).await?;
        Ok(compact(&verified, &key, epoch))
    }

    /// The chain for an agent's bundle: its newest delegation that stands now, minted for the sidecar.
    ///
    /// # Errors
    /// [`IdentityError::Store`] when the store fails.
    pub async fn current_chain(
        &self,
        agent: &KeptAgent,
        sidecar_id: &str,
        epoch: u32,
    ) -> Result<CurrentChain, IdentityError> {
        let key = self.chain_key(&agent.namespace, sidecar_id).await?;
        let before =
            key.id().checked_sub(1).filter(|id| *id > 0).map(|id| self.master.derive(sidecar_id, id));
        let keys = [Some(&key), before.as_ref()].into_iter().flatten();
        let keys = ChainKeys {
            keys: keys.map(|key| ChainKey { id: key.id(), key: key.secret_bytes().to_vec() }).collect(),
        };
        if agent.state != KeptState::Active {
            return Ok(CurrentChain { chain: None, keys });
        }
        let live = self
            .store
            .live_delegations(&agent.namespace, &agent.name, now_s(), MAX_TRIED)
            .await
            .map_err(IdentityError::Store)?;
        for kept in live {
            let signed = links::read(links::decode(&kept.encoded_links)?)?;
            match self.verify(&agent.namespace, &signed).await {
                Ok(verified) if verified.holder().as_bytes() == &agent.agent_id => {
                    return Ok(CurrentChain { chain: Some(compact(&verified, &key, epoch)), keys });
                }
                // A delegator is suspended, or the key is an earlier one: the next delegation may stand.
                Ok(_) | Err(IdentityError::Unverified(_) | IdentityError::LinkRevoked) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(CurrentChain { chain: None, keys })
    }

    /// Whether one of an agent's delegations stands now.
    ///
    /// # Errors
    /// [`IdentityError::Store`] when the store fails.
    pub async fn stands(&self, agent: &KeptAgent, delegation_id: &[u8]) -> Result<bool, IdentityError> {
        if agent.state != KeptState::Active {
            return Ok(false);
        }
        let live = self
            .store
            .live_delegations(&agent.namespace, &agent.name, now_s(), MAX_TRIED)
            .await
            .map_err(IdentityError::Store)?;
        let Some(kept) = live.iter().find(|kept| kept.delegation_id == delegation_id) else {
            return Ok(false);
        };
        let signed = links::read(links::decode(&kept.encoded_links)?)?;
        match self.verify(&agent.namespace, &signed).await {
            Ok(verified) => Ok(verified.holder().as_bytes() == &agent.agent_id),
            Err(IdentityError::Unverified(_) | IdentityError::LinkRevoked) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The names along one of an agent's delegations, from the root to the agent; none when it does not stand now.
    ///
    /// # Errors
    /// [`IdentityError::Store`] when the store fails.
    pub async fn names_along(
        &self,
        agent: &KeptAgent,
        delegation_id: &[u8; 32],
    ) -> Result<Option<Vec<String>>, IdentityError> {
        if !self.stands(agent, delegation_id).await? {
            return Ok(None);
        }
        let kept = self.store.delegation(&agent.namespace, delegation_id).await.map_err(about_delegation)?;
        let mut names = Vec::new();
        for signed in links::read(links::decode(&kept.encoded_links)?)? {
            let id = signed.link.delegator_id;
            let found = self.store.agent_by_id(&agent.namespace, id.as_bytes()).await;
            // A key that was rotated away in between: the delegation does not stand any more.
            let Some(delegator) = found.map_err(IdentityError::Store)? else { return Ok(None) };
            names.push(delegator.name);
        }
        names.push(agent.name.clone());
        Ok(Some(names))
    }

    async fn verify(
        &self,
        namespace: &str,
        signed: &[SignedLink],
    ) -> Result<VerifiedDelegation, IdentityError> {
        let mut keys: HashMap<AgentId, DelegatorKey> = HashMap::new();
        for id in signed.iter().map(|one| one.link.delegator_id) {
            let found =
                self.store.agent_by_id(namespace, id.as_bytes()).await.map_err(IdentityError::Store)?;
            if let Some(delegator) = found.filter(|found| found.state == KeptState::Active) {
                keys.insert(id, DelegatorKey { public_key: delegator.public_key, root: delegator.root });
            }
        }
        let key_of = |id: &AgentId| {
            keys.get(id).map(|key| DelegatorKey { public_key: key.public_key, root: key.root })
        };
        let verified = verify_links(signed, namespace, now_s(), key_of)?;
        let ids: Vec<[u8; 32]> = verified.links().iter().map(|link| link.id).collect();
        if self.store.any_link_revoked(namespace, &ids).await.map_err(IdentityError::Store)? {
            return Err(IdentityError::LinkRevoked);
        }
        Ok(verified)
    }
}

fn compact(verified: &VerifiedDelegation, key: &creto_authz::ChainKey, epoch: u32) -> MintedChain {
    let chain = CompactChain::mint(verified, key, epoch);
    MintedChain {
        chain: chain.as_bytes().to_vec(),
        permissions: verified.scope().permissions().iter().map(|one| one.as_str().to_owned()).collect(),
        expires_at_s: verified.expires_at_s(),
        delegation_id: verified.id().to_vec(),
    }
}

fn searchable(signed: &SignedLink) -> KeptLink {
    KeptLink {
        link_id: signed.id(),
        delegator_id: signed.link.delegator_id.0,
        agent_id: signed.link.agent_id.0,
    }
}

fn about_delegation(error: StoreError) -> IdentityError {
    match error {
        StoreError::NotFound => IdentityError::NoDelegation,
        StoreError::Changed => IdentityError::LinkRevoked,
        other => IdentityError::Store(other),
    }
}

fn message(kept: KeptDelegation) -> Result<Delegation, IdentityError> {
    Ok(Delegation {
        namespace: kept.namespace,
        delegation_id: kept.delegation_id.to_vec(),
        links: links::decode(&kept.encoded_links)?,
        revoked: kept.revoked,
        created_at_ms: kept.created_at_ms,
    })
}
