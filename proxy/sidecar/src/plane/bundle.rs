//! Bundles: verified when they come and again when they are read from disk, then compiled.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use creto_authz::{AgentId, ChainKey, ChainVerifier, Scope};
use creto_credentials::{Placeholders, PlaceholdersError};
use creto_policy::{AgentFacts, Document, PolicySet, Tier, Trust};
use creto_proto::v1::{self, Bundle, MintedChain, SignedBundle};
use ed25519_dalek::{Signature, VerifyingKey};
use prost::Message as _;
use thiserror::Error;

use crate::credentials::from_policy;
use crate::enforcement::{AgentStanding, Enforcement, HeldChain, MintedScope};
use crate::path::judge::now_s;
use crate::state::{Identity, Secrets, StateError, StateFolder};

const SIGNED: &[u8] = b"creto-bundle-v1";
const SCHEMA: u32 = 1;

/// Why a bundle is not enforced.
#[derive(Debug, Error)]
pub enum BundleError {
    /// The pinned key cannot be used.
    #[error("the pinned bundle key cannot be used: enrol this sidecar again with a fresh state folder")]
    Key,
    /// Not signed by the pinned key.
    #[error("the bundle is not signed by the key pinned at enrolment")]
    Signature,
    /// Not a bundle.
    #[error("the bundle cannot be read: {0}")]
    Content(String),
    /// A newer format.
    #[error("the bundle has schema {0}, this sidecar knows {SCHEMA}: upgrade the sidecar")]
    Schema(u32),
    /// Someone else's.
    #[error("the bundle is for sidecar {0}")]
    Addressee(String),
    /// Older than what is enforced.
    #[error("the bundle has epoch {offered}, older than the {current} in force")]
    Rollback {
        /// Of the bundle.
        offered: u64,
        /// In force.
        current: u64,
    },
    /// A policy does not compile.
    #[error("policy {name} does not compile:\n{problems}")]
    Policy {
        /// Its name.
        name: String,
        /// The rendered problems.
        problems: String,
    },
    /// Its placeholders cannot be told apart.
    #[error("the placeholders of the credentials cannot be used: {0}")]
    Placeholders(#[from] PlaceholdersError),
    /// The chain does not hold.
    #[error("the delegation chain does not hold: {0}")]
    Chain(String),
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Reads bundles meant for this sidecar.
#[derive(Debug)]
pub(crate) struct BundleReader {
    sidecar_id: String,
    key: VerifyingKey,
    verifier: ChainVerifier,
    /// Finds those with the built-in prefix.
    no_placeholders: Arc<Placeholders>,
}

impl BundleReader {
    pub(crate) fn new(identity: &Identity, secrets: &Secrets) -> Result<Self, BundleError> {
        let bytes = hex::decode(&identity.bundle_key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()).ok_or(BundleError::Key)?;
        let chain_key = ChainKey::from_bytes(&secrets.chain_key, identity.chain_key_id);
        Ok(Self {
            sidecar_id: identity.sidecar_id.clone(),
            key,
            verifier: ChainVerifier::new(chain_key),
            no_placeholders: Arc::new(Placeholders::new([])?),
        })
    }

    /// The last good bundle on disk, or one that refuses everything.
    pub(crate) fn last_good(&self, state: &StateFolder) -> Result<Enforcement, BundleError> {
        if state.is_cut_off()? {
            tracing::warn!(
                "the control plane cut this sidecar off before; all calls are refused until it says otherwise"
            );
            return Ok(self.revoked(0, ""));
        }
        if let Some(bytes) = state.bundle()? {
            let read = SignedBundle::decode(bytes.as_slice())
                .map_err(|error| BundleError::Content(error.to_string()))
                .and_then(|signed| self.read(&signed, 0));
            match read {
                Ok(enforcement) => {
                    tracing::info!(epoch = enforcement.epoch, "last good policy loaded from disk");
                    return Ok(enforcement);
                }
                Err(error) => {
                    tracing::error!(%error, "the policy on disk is not used; all calls are refused until one comes");
                }
            }
        }
        Ok(self.empty(0, "", AgentStanding::Active))
    }

    /// Verifies and compiles. `current` is the epoch in force.
    pub(crate) fn read(&self, signed: &SignedBundle, current: u64) -> Result<Enforcement, BundleError> {
        let signature = Signature::from_slice(&signed.signature).map_err(|_| BundleError::Signature)?;
        let mut message = Vec::with_capacity(SIGNED.len() + signed.bundle.len());
        message.extend_from_slice(SIGNED);
        message.extend_from_slice(&signed.bundle);
        self.key.verify_strict(&message, &signature).map_err(|_| BundleError::Signature)?;
        let bundle = Bundle::decode(signed.bundle.as_ref())
            .map_err(|error| BundleError::Content(error.to_string()))?;
        if bundle.schema != SCHEMA {
            return Err(BundleError::Schema(bundle.schema));
        }
        if bundle.sidecar_id != self.sidecar_id {
            return Err(BundleError::Addressee(bundle.sidecar_id));
        }
        if bundle.epoch < current || bundle.epoch == 0 {
            return Err(BundleError::Rollback { offered: bundle.epoch, current });
        }
        self.compile(bundle)
    }

    /// What is enforced once the control plane knows this sidecar no more.
    pub(crate) fn revoked(&self, epoch: u64, version: &str) -> Enforcement {
        self.empty(epoch, version, AgentStanding::Revoked)
    }

    fn empty(&self, epoch: u64, version: &str, standing: AgentStanding) -> Enforcement {
        Enforcement {
            epoch,
            version: version.to_owned(),
            standing,
            holder: AgentId([0; 32]),
            policy: None,
            credentials: Vec::new(),
            placeholders: Arc::clone(&self.no_placeholders),
            chain: None,
            scopes: HashMap::new(),
            verifier: self.verifier.clone(),
            revocation_epoch: 0,
        }
    }

    fn compile(&self, bundle: Bundle) -> Result<Enforcement, BundleError> {
        let agent = bundle.agent.ok_or_else(|| BundleError::Content("it names no agent".into()))?;
        let holder = <[u8; 32]>::try_from(agent.agent_id.as_slice())
            .map(AgentId)
            .map_err(|_| BundleError::Content("the agent id is not 32 bytes".into()))?;
        let standing = match agent.state() {
            v1::AgentState::Active if agent.trust_level() == v1::TrustLevel::Suspended => {
                AgentStanding::Suspended
            }
            v1::AgentState::Active => AgentStanding::Active,
            v1::AgentState::Suspended => AgentStanding::Suspended,
            // A state that this version does not know is not one that calls are made in.
            v1::AgentState::Revoked | v1::AgentState::Unspecified => AgentStanding::Revoked,
        };
        let facts = agent_facts(&agent);
        let mut documents = Vec::with_capacity(bundle.policies.len());
        for policy in &bundle.policies {
            let document = Document::parse(&policy.name, &policy.document).map_err(|problems| {
                BundleError::Policy { name: policy.name.clone(), problems: problems.render(false) }
            })?;
            // The control plane selects too; a document for others must not widen what this agent may do.
            if document.selector().matches(&facts) {
                documents.push(document);
            }
        }
        let policy = (!documents.is_empty()).then(|| Arc::new(PolicySet::for_agent(&documents, &facts)));
        let bound = policy.iter().flat_map(|policy| policy.credentials());
        let credentials: Vec<_> = bound.map(from_policy).collect();
        let placeholders = Placeholders::new(credentials.iter().map(|one| one.placeholder.as_str()))?;
        let mut scopes = HashMap::new();
        let chain = match &bundle.chain {
            None => None,
            Some(minted) => {
                let (held, scope) = self.hold(minted, &holder, bundle.revocation_epoch)?;
                scopes.insert(*scope.scope.digest(), scope);
                Some(held)
            }
        };
        Ok(Enforcement {
            epoch: bundle.epoch,
            version: bundle.version,
            standing,
            holder,
            policy,
            credentials,
            placeholders: Arc::new(placeholders),
            chain,
            scopes,
            verifier: self.verifier.clone(),
            revocation_epoch: bundle.revocation_epoch,
        })
    }

    /// Checks a minted chain and that its permissions are those its digest stands for.
    fn hold(
        &self,
        minted: &MintedChain,
        holder: &AgentId,
        min_epoch: u32,
    ) -> Result<(HeldChain, MintedScope), BundleError> {
        let failed = |reason: String| BundleError::Chain(reason);
        // An expired chain is held all the same: calls are then refused as expired, which says more than "none".
        let checked_at = now_s().min(minted.expires_at_s.saturating_sub(1));
        let verified = self
            .verifier
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
