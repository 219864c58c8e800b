//! Revocation notices in force: what takes away until a later generation says the same.

use creto_bundle::{BundleError, Notice, PinnedKey};
use creto_proto::v1::Revocation;
use prost::Message as _;

use crate::enforcement::{AgentStanding, Enforcement};

/// The notices that a later generation has not replaced. There is at most one for each standing with and without a
/// revoked chain: of two that take the same the one with the higher epoch stays.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    held: Vec<(Notice, Revocation)>,
    /// There were some on disk that cannot be read. Whatever they said is taken away.
    lost: bool,
}

impl Notices {
    /// Those that were kept, as they were signed: they are verified again.
    pub(crate) fn from_bytes(
        key: &PinnedKey,
        sidecar_id: &str,
        mut bytes: &[u8],
        in_force: u64,
    ) -> (Self, Option<BundleError>) {
        let mut notices = Self::default();
        let mut problem = None;
        while !bytes.is_empty() {
            let read = Revocation::decode_length_delimited(&mut bytes)
                .map_err(|error| BundleError::Content(error.to_string()))
                .and_then(|sent| Ok((Notice::read(key, sidecar_id, &sent, in_force)?, sent)));
            match read {
                Ok((notice, sent)) => {
                    notices.add(notice, sent);
                }
                // A later generation came in, and this was not removed any more.
                Err(BundleError::Rollback { .. }) => {}
                Err(error) => {
                    notices.lost = true;
                    problem = Some(error);
                    break;
                }
            }
        }
        (notices, problem)
    }

    /// For the disk; none if there are none.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        let signed = self.held.iter().flat_map(|(_, sent)| sent.encode_length_delimited_to_vec());
        (!self.held.is_empty()).then(|| signed.collect())
    }

    /// Takes in a notice; false if those there are take all of it already.
    pub(crate) fn add(&mut self, notice: Notice, sent: Revocation) -> bool {
        if self.held.iter().any(|(held, _)| takes_all_of(held, &notice)) {
            return false;
        }
        self.held.retain(|(held, _)| !takes_all_of(&notice, held));
        self.held.push((notice, sent));
        true
    }

    /// A generation came in: notices up to an earlier epoch are over. True if there were any.
    pub(crate) fn settle(&mut self, epoch: u64) -> bool {
        let before = (self.held.len(), self.lost);
        self.held.retain(|(notice, _)| notice.epoch >= epoch);
        self.lost = false;
        before != (self.held.len(), false)
    }

    /// Whether none is in force, not even one of which it is not known any more what it said.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.lost
    }

    /// Takes away what they say.
    pub(crate) fn apply(&self, enforcement: &mut Enforcement) {
        let epoch = enforcement.epoch;
        for (notice, _) in self.held.iter().filter(|(notice, _)| notice.epoch >= epoch) {
            enforcement.standing = enforcement.standing.max(AgentStanding::from(notice.agent_state));
            if notice.chain_revoked {
                enforcement.revoke_chain();
            }
        }
        if self.lost {
            enforcement.standing = enforcement.standing.max(AgentStanding::Suspended);
            enforcement.revoke_chain();
        }
    }
}

/// Whether one notice takes all that another does, for at least as long.
fn takes_all_of(one: &Notice, other: &Notice) -> bool {
    one.epoch >= other.epoch
        && AgentStanding::from(one.agent_state) >= AgentStanding::from(other.agent_state)
        && one.chain_revoked >= other.chain_revoked
}

#[cfg(test)]
mod tests {
    use creto_bundle::BundleSigner;
    use creto_proto::v1::AgentState;

    use super::*;

    const ID: &str = "sidecar";

    fn signer() -> BundleSigner {
        BundleSigner::from_seed(&[7; 32])
    }

    fn key() -> PinnedKey {
        PinnedKey::from_bytes(&signer().public_key()).unwrap()
    }

    fn add(notices: &mut Notices, epoch: u64, agent_state: AgentState, chain_revoked: bool) -> bool {
        let notice = Notice { epoch, agent_state, chain_revoked };
        notices.add(notice, signer().revocation(&notice.message(ID, 1)))
    }

    #[test]
    fn notices_add_up_until_a_later_generation() {
        let mut notices = Notices::default();
        assert!(add(&mut notices, 5, AgentState::Suspended, false));
        assert!(!add(&mut notices, 5, AgentState::Suspended, false), "sent again");
        assert!(add(&mut notices, 7, AgentState::Active, true));
        assert!(!add(&mut notices, 4, AgentState::Active, true), "less than what is held");
        assert_eq!(notices.held.len(), 2);
        let (read, problem) = Notices::from_bytes(&key(), ID, &notices.to_bytes().unwrap(), 5);
        assert_eq!((read.held.len(), problem), (2, None));
        assert!(notices.settle(6));
        assert_eq!(notices.held.len(), 1);
        assert!(!notices.settle(7), "a generation up to the notice's epoch is under it");
        assert!(notices.settle(8));
        assert!(notices.to_bytes().is_none());
    }

    #[test]
    fn there_are_never_more_than_a_few() {
        let mut notices = Notices::default();
        for round in 0..200 {
            let state = [AgentState::Active, AgentState::Suspended, AgentState::Revoked][round % 3];
            add(&mut notices, (round * 37 % 101) as u64, state, round % 2 == 0);
        }
        assert!(notices.held.len() <= 6, "{}", notices.held.len());
    }

    #[test]
    fn a_notice_on_disk_that_was_changed_takes_everything_away() {
        let mut notices = Notices::default();
        add(&mut notices, 5, AgentState::Active, true);
        let bytes = notices.to_bytes().unwrap();
        for at in 0..bytes.len() {
            for change in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                let (read, problem) = Notices::from_bytes(&key(), ID, &changed, 5);
                assert!(read.lost && problem.is_some(), "byte {at}");
            }
            let (read, _) = Notices::from_bytes(&key(), ID, &bytes[..at], 5);
            assert_eq!(read.lost, at > 0, "cut at {at}");
        }
        let (mut read, _) = Notices::from_bytes(&key(), "other", &bytes, 5);
        assert!(read.lost);
        assert!(read.settle(5), "whatever comes says everything again");
        assert!(!read.lost);
    }

    #[test]
    fn what_a_later_generation_replaced_is_over_when_it_is_read() {
        let mut notices = Notices::default();
        add(&mut notices, 5, AgentState::Revoked, true);
        let (read, problem) = Notices::from_bytes(&key(), ID, &notices.to_bytes().unwrap(), 6);
        assert_eq!((read.held.len(), read.lost, problem), (0, false, None));
    }
}
