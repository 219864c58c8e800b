//! Revocation notices: what takes away at once, ahead of the generation that will say the same.

use creto_proto::v1::{AgentState, Revocation, RevocationNotice};
use prost::Message as _;

use crate::{BundleError, PinnedKey};

const SCHEMA: u32 = 1;

/// A notice that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Generations up to this epoch are under it; a later one replaces it.
    pub epoch: u64,
    /// Of the agent, from now on.
    pub agent_state: AgentState,
    /// The chain in force is void.
    pub chain_revoked: bool,
}

impl Notice {
    /// Verifies a notice. `in_force` is the epoch of the generation in force: a notice about an earlier one is old.
    ///
    /// # Errors
    /// [`BundleError`]; what is in force stays as it is.
    pub fn read(
        key: &PinnedKey,
        sidecar_id: &str,
        sent: &Revocation,
        in_force: u64,
    ) -> Result<Self, BundleError> {
        key.verify_notice(&sent.notice, &sent.signature)?;
        let notice = RevocationNotice::decode(sent.notice.as_slice())
            .map_err(|error| BundleError::Content(error.to_string()))?;
        if notice.schema != SCHEMA {
            return Err(BundleError::Schema(notice.schema));
        }
        if notice.sidecar_id != sidecar_id {
            return Err(BundleError::Addressee(notice.sidecar_id));
        }
        if notice.epoch < in_force {
            return Err(BundleError::Rollback { offered: notice.epoch, seen: in_force });
        }
        Ok(Self {
            epoch: notice.epoch,
            // A state that this version does not know is not one that calls are made in.
            agent_state: match notice.agent_state() {
                AgentState::Unspecified => AgentState::Revoked,
                known => known,
            },
            chain_revoked: notice.chain_revoked,
        })
    }

    /// As it is signed.
    #[must_use]
    pub fn message(&self, sidecar_id: &str, issued_at_ms: i64) -> RevocationNotice {
        RevocationNotice {
            schema: SCHEMA,
            sidecar_id: sidecar_id.to_owned(),
            epoch: self.epoch,
            agent_state: self.agent_state.into(),
            chain_revoked: self.chain_revoked,
            issued_at_ms,
        }
    }
}
