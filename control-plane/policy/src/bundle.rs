//! What one sidecar enforces, put together.

use std::collections::BTreeMap;

use creto_identity::{Delegations, IdentityError, agent_message};
use creto_policy::{AgentFacts, Tier, Trust};
use creto_proto::v1::{Agent, Bundle, Policy};
use creto_store::{KeptAgent, KeptState, Store, StoreError};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::SidecarIdentity;
use crate::changes::Snapshot;

/// `Bundle.schema` as written here.
pub const BUNDLE_SCHEMA: u32 = 1;

/// A bundle without epoch and time.
pub(crate) struct Draft {
    /// The bundle; its version is set.
    pub(crate) bundle: Bundle,
    /// The agent is revoked: nothing comes after this one.
    pub(crate) last: bool,
    /// When the chain in it ends, seconds since the Unix epoch.
    pub(crate) chain_ends_s: Option<u64>,
}

/// Puts a sidecar's bundle together.
pub(crate) async fn draft(
    store: &dyn Store,
    delegations: &Delegations,
    snapshot: &Snapshot,
    sidecar: &SidecarIdentity,
) -> Result<Draft, StoreError> {
    let kept = store.agent(&sidecar.namespace, &sidecar.agent_name).await?;
    let current = delegations.current_chain(&kept, &sidecar.sidecar_id, snapshot.revocation_epoch).await;
    let chain = match current {
        Ok(current) => current.chain,
        Err(IdentityError::Store(error)) => return Err(error),
        Err(error) => return Err(StoreError::Damaged(error.to_string())),
    };
    let facts = facts(&kept);
    let policies = snapshot
        .policies
        .iter()
        .filter(|(selector, _)| selector.as_ref().is_none_or(|selector| selector.matches(&facts)))
        .map(|(_, policy)| policy.clone())
        .collect();
    let last = kept.state == KeptState::Revoked;
    let chain_ends_s = chain.as_ref().map(|chain| chain.expires_at_s);
    let mut bundle = Bundle {
        schema: BUNDLE_SCHEMA,
        sidecar_id: sidecar.sidecar_id.clone(),
        agent: Some(agent_message(kept)),
        policies,
        chain,
        revocation_epoch: snapshot.revocation_epoch,
        ..Bundle::default()
    };
    bundle.version = version(&bundle);
    Ok(Draft { bundle, last, chain_ends_s })
}

/// What selectors ask of an agent.
#[must_use]
pub fn facts(agent: &KeptAgent) -> AgentFacts {
    use creto_proto::v1;
    AgentFacts {
        name: agent.name.clone(),
        tier: match v1::Tier::try_from(agent.tier) {
            Ok(v1::Tier::Premium) => Tier::Premium,
            Ok(v1::Tier::Standard) => Tier::Standard,
            _ => Tier::Basic,
        },
        trust: match v1::TrustLevel::try_from(agent.trust_level) {
            Ok(v1::TrustLevel::Trusted) => Trust::Trusted,
            Ok(v1::TrustLevel::Suspended) => Trust::Suspended,
            _ => Trust::Untrusted,
        },
        labels: agent.labels.clone(),
    }
}

/// SHA-256 over what is enforced. Left out: epoch, times and revisions, so that applying the same document again
/// changes nothing; labels go in sorted, as the encoding of a map has no order.
fn version(bundle: &Bundle) -> String {
    let mut labels = BTreeMap::new();
    let agent = bundle.agent.clone().map(|mut agent: Agent| {
        labels.extend(agent.labels.drain());
        Agent { updated_at_ms: 0, ..agent }
    });
    let policies = bundle
        .policies
        .iter()
        .map(|policy| Policy { revision: 0, updated_at_ms: 0, ..policy.clone() })
        .collect();
    let content =
        Bundle { agent, policies, epoch: 0, issued_at_ms: 0, version: String::new(), ..bundle.clone() };
    let mut hash = Sha256::new();
    let encoded = content.encode_to_vec();
    hash.update(u64::try_from(encoded.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(encoded);
    for text in labels.iter().flat_map(|(key, value)| [key, value]) {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(labels: &[(&str, &str)], revision: u64) -> Bundle {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Bundle {
            agent: Some(Agent { labels, updated_at_ms: 5, ..Agent::default() }),
            policies: vec![Policy { document: "d".into(), revision, ..Policy::default() }],
            ..Bundle::default()
        }
    }

    #[test]
    fn the_version_is_that_of_the_content() {
        let first = version(&bundle(&[("a", "1"), ("b", "2"), ("c", "3")], 1));
        assert_eq!(first, version(&bundle(&[("c", "3"), ("b", "2"), ("a", "1")], 2)));
        assert_ne!(first, version(&bundle(&[("a", "1"), ("b", "2")], 1)));
        assert_ne!(version(&bundle(&[("ab", "c")], 1)), version(&bundle(&[("a", "bc")], 1)));
    }
}
