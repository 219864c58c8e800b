//! From a verified generation to what is enforced.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use creto_authz::{AgentId, ChainKey, ChainVerifier, Scope};
use creto_bundle::{
    AGENT, APPROVAL_KEY, CHAIN, CHAIN_KEYS, Digest, Floor, Generation, POLICY_PREFIX, PinnedKey,
    policy_resource,
};
use creto_credentials::Placeholders;
use creto_oversight::ApprovalKey;
use creto_policy::{AgentFacts, Document, PolicySet, Tier, Trust};
use creto_proto::v1::{self, Delta, MintedChain, PolicyBody, Rejection};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::credentials::from_policy;
use crate::enforcement::{AgentStanding, Enforcement, HeldChain, MintedScope};
use crate::path::judge::now_s;
use crate::plane::GenerationError;
use crate::quota::{LeaseDesk, QuotaBook};
use crate::state::{Identity, Secrets};

/// Documents that are compiled already, by the digest of their resource.
pub(crate) type Documents = HashMap<Digest, Arc<Document>>;

/// A generation and what it comes to.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) generation: Generation,
    pub(crate) enforcement: Enforcement,
    documents: Documents,
}

/// Reads generations meant for this sidecar.
#[derive(Debug)]
pub(crate) struct Compiler {
    sidecar_id: String,
    key: PinnedKey,
    verifier: ChainVerifier,
    /// Finds those with the built-in prefix.
    no_placeholders: Arc<Placeholders>,
    /// Quotas keep their leases from one policy to the next.
    leases: Arc<LeaseDesk>,
    /// Documents that were read, not taken over.
    read: AtomicU64,
    /// That there are resources of unknown kinds is in the log.
    told_of_unknown: AtomicBool,
}

impl Compiler {
    pub(crate) fn new(
        identity: &Identity,
        secrets: &Secrets,
        leases: &Arc<LeaseDesk>,
    ) -> Result<Self, GenerationError> {
        let bytes = hex::decode(&identity.bundle_key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = PinnedKey::from_bytes(&bytes.ok_or(creto_bundle::BundleError::Key)?)?;
        let chain_key = ChainKey::from_bytes(&secrets.chain_key, identity.chain_key_id);
        Ok(Self {
            sidecar_id: identity.sidecar_id.clone(),
            key,
            verifier: ChainVerifier::new(chain_key),
            no_placeholders: Arc::new(Placeholders::new([])?),
            leases: Arc::clone(leases),
            read: AtomicU64::new(0),
            told_of_unknown: AtomicBool::new(false),
        })
    }

    pub(crate) fn key(&self) -> &PinnedKey {
        &self.key
    }

    pub(crate) fn sidecar_id(&self) -> &str {
        &self.sidecar_id
    }

    /// How many documents were read so far.
    pub(crate) fn documents_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Verifies and compiles what was sent; what did not change is taken from `before`.
    pub(crate) fn open_delta(
        &self,
        delta: &Delta,
        before: Option<&Compiled>,
        floor: Floor<'_>,
    ) -> Result<Compiled, GenerationError> {
        let had = before.map(|before| &before.generation);
        let generation = Generation::assemble(&self.key, &self.sidecar_id, delta, had, floor)?;
        self.compile(generation, before.map(|before| &before.documents))
    }

    /// Verifies and compiles what was kept.
    pub(crate) fn open_stored(&self, bytes: &[u8], floor: u64) -> Result<Compiled, GenerationError> {
        let floor = Floor { epoch: floor, version: None };
        let generation = Generation::from_stored(&self.key, &self.sidecar_id, bytes, floor)?;
        self.compile(generation, None)
    }

    /// What refuses everything, for want of a policy or because the control plane knows this sidecar no more.
    pub(crate) fn empty(&self, epoch: u64, version: &str, standing: AgentStanding) -> Enforcement {
        Enforcement {
            epoch,
            version: version.to_owned(),
            standing,
            namespace: String::new(),
            agent_name: String::new(),
            holder: AgentId([0; 32]),
            policy: None,
            policy_digest: [0; 32],
            approval_key: None,
            credentials: Vec::new(),
            placeholders: Arc::clone(&self.no_placeholders),
            quotas: QuotaBook::empty(),
            chain: None,
            chain_revoked: false,
            scopes: HashMap::new(),
            verifier: self.verifier.clone(),
            revocation_epoch: 0,
            unknown_resources: 0,
        }
    }

    fn compile(
        &self,
        generation: Generation,
        before: Option<&Documents>,
    ) -> Result<Compiled, GenerationError> {
        let agent = generation.body(AGENT).ok_or_else(|| unreadable(AGENT, "it is missing"))?;
        let agent = v1::Agent::decode(agent.clone()).map_err(|error| unreadable(AGENT, error))?;
        let holder = <[u8; 32]>::try_from(agent.agent_id.as_slice())
            .map(AgentId)
            .map_err(|_| unreadable(AGENT, "the agent id is not 32 bytes"))?;
        let facts = agent_facts(&agent);
        let documents = self.documents(&generation, before)?;
        // By name of resource, so that the order does not depend on where a document was kept.
        let in_order = generation.policies().filter_map(|(_, digest, _)| documents.get(digest));
        // The control plane selects too; a document for others must not widen what this agent may do.
        let meant: Vec<&Document> =
            in_order.map(|document| &**document).filter(|one| one.selector().matches(&facts)).collect();
        let policy = (!meant.is_empty()).then(|| Arc::new(PolicySet::for_agent(meant, &facts)));
        let bound = policy.iter().flat_map(|policy| policy.credentials());
        let credentials: Vec<_> = bound.map(from_policy).collect();
        let placeholders = Placeholders::new(credentials.iter().map(|one| one.placeholder.as_str()))?;
        let quotas = match policy.as_deref() {
            Some(policy) => {
                self.leases.book(policy).map_err(|error| GenerationError::Quota(error.to_string()))?
            }
            None => QuotaBook::empty(),
        };
        let verifier = self.verifier_of(&generation)?;
        let approval_key = generation.body(APPROVAL_KEY).map(approval_key).transpose()?;
        let mut scopes = HashMap::new();
        let chain = match generation.body(CHAIN) {
            None => None,
            Some(body) => {
                let minted = MintedChain::decode(body.clone()).map_err(|error| unreadable(CHAIN, error))?;
                let (held, scope) = hold(&verifier, &minted, &holder, generation.revocation_epoch())?;
                scopes.insert(*scope.scope.digest(), scope);
                Some(held)
            }
        };
        let known = |name: &str| {
            [AGENT, APPROVAL_KEY, CHAIN, CHAIN_KEYS].contains(&name) || name.starts_with(POLICY_PREFIX)
        };
        let unknown = |name: &str| !known(name);
        let unknown = generation.resources().iter().filter(|one| unknown(&one.name)).count();
        if unknown > 0 && !self.told_of_unknown.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                unknown,
                "the control plane sends kinds of resources that this sidecar does not know; it goes by the others"
            );
        }
        let enforcement = Enforcement {
            epoch: generation.epoch(),
            version: generation.version().to_owned(),
            standing: standing_of(&agent),
            namespace: agent.namespace,
            agent_name: agent.name,
            holder,
            policy,
            policy_digest: policy_digest(&generation),
            approval_key,
            credentials,
            placeholders: Arc::new(placeholders),
            quotas,
            chain,
            chain_revoked: false,
            scopes,
            verifier,
            revocation_epoch: generation.revocation_epoch(),
            unknown_resources: unknown,
        };
        Ok(Compiled { generation, enforcement, documents })
    }

    /// Checks chains under the keys of the generation; under the one of enrolment where it has none.
    fn verifier_of(&self, generation: &Generation) -> Result<ChainVerifier, GenerationError> {
        let Some(body) = generation.body(CHAIN_KEYS) else { return Ok(self.verifier.clone()) };
        let sent = v1::ChainKeys::decode(body.clone()).map_err(|error| unreadable(CHAIN_KEYS, error))?;
        let mut keys = sent.keys.iter().map(|one| {
            let key = Zeroizing::new(<[u8; 32]>::try_from(one.key.as_slice()).map_err(|_| one.id)?);
            Ok(ChainKey::from_bytes(&key, one.id))
        });
        let wrong = |id: u32| unreadable(CHAIN_KEYS, format!("key {id} is not 32 bytes"));
        let current = keys.next().ok_or_else(|| unreadable(CHAIN_KEYS, "it holds no key"))?.map_err(wrong)?;
        keys.try_fold(ChainVerifier::new(current), |verifier, key| Ok(verifier.with_previous(key?)))
            .map_err(wrong)
    }

    /// Reads what changed. One document that cannot be read refuses all: it may hold a deny rule.
    fn documents(
        &self,
        generation: &Generation,
        before: Option<&Documents>,
    ) -> Result<Documents, GenerationError> {
        let mut documents = Documents::new();
        let mut rejections = Vec::new();
        for (resource, digest, body) in generation.policies() {
            let document = match before.and_then(|before| before.get(digest)) {
                Some(known) => Ok(Arc::clone(known)),
                None => self.document(resource, body).map(Arc::new),
            };
            match document {
                Ok(document) => {
                    documents.insert(*digest, document);
                }
                Err(reason) => rejections.push(Rejection { resource: resource.to_owned(), reason }),
            }
        }
        if rejections.is_empty() { Ok(documents) } else { Err(GenerationError::Policies(rejections)) }
    }

    fn document(&self, resource: &str, body: &Bytes) -> Result<Document, String> {
        self.read.fetch_add(1, Ordering::Relaxed);
        let body = PolicyBody::decode(body.clone()).map_err(|error| format!("it cannot be read: {error}"))?;
        if policy_resource(&body.name) != resource {
            return Err(format!("it holds the policy {:.80}", body.name));
        }
        Document::parse(&body.name, &body.document).map_err(|problems| problems.render(false))
    }
}

/// Checks a minted chain and that its permissions are those its digest stands for.
fn hold(
    verifier: &ChainVerifier,
    minted: &MintedChain,
    holder: &AgentId,
    min_epoch: u32,
) -> Result<(HeldChain, MintedScope), GenerationError> {
    let failed = |reason: String| GenerationError::Chain(reason);
    // An expired chain is held all the same: calls are then refused as expired, which says more than "none".
    let checked_at = now_s().min(minted.expires_at_s.saturating_sub(1));
    let verified = verifier
        .verify(&minted.chain, holder, checked_at, min_epoch)
        .map_err(|error| failed(error.to_string()))?;
    let scope = Scope::parse(&minted.permissions).map_err(|error| failed(error.to_string()))?;
    if scope.digest() != verified.scope_digest() {
        return Err(failed("its permissions are not those it was minted for".into()));
    }
    let held = HeldChain {
        scope: scope.clone(),
        expires_at_s: verified.expires_at_s(),
        delegation_id: minted.delegation_id.clone(),
    };
    Ok((held, MintedScope { scope, delegation_id: minted.delegation_id.clone() }))
}

/// What all documents of a generation come to, whoever they are for: one that is taken away or put in changes it too.
fn policy_digest(generation: &Generation) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (name, digest, _) in generation.policies() {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update(digest);
    }
    hash.finalize().into()
}

fn approval_key(body: &Bytes) -> Result<ApprovalKey, GenerationError> {
    let bytes =
        <[u8; 32]>::try_from(body.as_ref()).map_err(|_| unreadable(APPROVAL_KEY, "it is not 32 bytes"))?;
    ApprovalKey::from_bytes(&bytes).map_err(|error| unreadable(APPROVAL_KEY, error))
}

fn unreadable(resource: &str, reason: impl std::fmt::Display) -> GenerationError {
    GenerationError::Resource { resource: resource.to_owned(), reason: format!("{reason}") }
}

fn standing_of(agent: &v1::Agent) -> AgentStanding {
    match agent.state() {
        v1::AgentState::Active if agent.trust_level() == v1::TrustLevel::Suspended => {
            AgentStanding::Suspended
        }
        state => AgentStanding::from(state),
    }
}

impl From<v1::AgentState> for AgentStanding {
    fn from(state: v1::AgentState) -> Self {
        match state {
            v1::AgentState::Active => Self::Active,
            v1::AgentState::Suspended => Self::Suspended,
            // A state that this version does not know is not one that calls are made in.
            v1::AgentState::Revoked | v1::AgentState::Unspecified => Self::Revoked,
        }
    }
}

fn agent_facts(agent: &v1::Agent) -> AgentFacts {
    AgentFacts {
        name: agent.name.clone(),
        tier: match agent.tier() {
            v1::Tier::Premium => Tier::Premium,
            v1::Tier::Standard => Tier::Standard,
            v1::Tier::Basic | v1::Tier::Unspecified => Tier::Basic,
        },
        trust: match agent.trust_level() {
            v1::TrustLevel::Trusted => Trust::Trusted,
            v1::TrustLevel::Suspended => Trust::Suspended,
            v1::TrustLevel::Untrusted | v1::TrustLevel::Unspecified => Trust::Untrusted,
        },
        labels: agent.labels.clone().into_iter().collect::<BTreeMap<_, _>>(),
    }
}
