//! Revocation notices.

use creto_bundle::{BundleError, BundleSigner, Notice};
use creto_proto::v1::AgentState;

use crate::scene::{ID, key, signer};

fn notice(epoch: u64) -> Notice {
    Notice { epoch, agent_state: AgentState::Suspended, chain_revoked: true }
}

#[test]
fn a_notice_is_read_as_it_was_signed() {
    for agent_state in [AgentState::Active, AgentState::Suspended, AgentState::Revoked] {
        for chain_revoked in [true, false] {
            for in_force in [0, 8, 9] {
                let notice = Notice { epoch: 9, agent_state, chain_revoked };
                let sent = signer().revocation(&notice.message(ID, 1));
                assert_eq!(Notice::read(&key(), ID, &sent, in_force), Ok(notice));
            }
        }
    }
}

#[test]
fn a_notice_about_what_is_not_in_force_any_more_is_old() {
    let sent = signer().revocation(&notice(9).message(ID, 1));
    let refused = Notice::read(&key(), ID, &sent, 10);
    assert_eq!(refused, Err(BundleError::Rollback { offered: 9, seen: 10 }));
}

#[test]
fn a_state_that_is_not_known_is_no_state_to_call_in() {
    for state in [0, 77, -1] {
        let mut message = notice(9).message(ID, 1);
        message.agent_state = state;
        let read = Notice::read(&key(), ID, &signer().revocation(&message), 9).unwrap();
        assert_eq!(read.agent_state, AgentState::Revoked, "{state}");
    }
}

#[test]
fn every_flipped_bit_of_a_notice_is_refused() {
    let sent = signer().revocation(&notice(9).message(ID, 1));
    for at in 0..sent.notice.len() * 8 {
        let mut changed = sent.clone();
        changed.notice[at / 8] ^= 1 << (at % 8);
        assert_eq!(Notice::read(&key(), ID, &changed, 9), Err(BundleError::Signature), "bit {at}");
    }
    for at in 0..sent.signature.len() * 8 {
        let mut changed = sent.clone();
        changed.signature[at / 8] ^= 1 << (at % 8);
        assert_eq!(Notice::read(&key(), ID, &changed, 9), Err(BundleError::Signature), "bit {at}");
    }
}

#[test]
fn notices_of_another_key_for_another_sidecar_or_of_another_schema_are_refused() {
    let message = notice(9).message(ID, 1);
    let forged = BundleSigner::from_seed(&[8; 32]).revocation(&message);
    assert_eq!(Notice::read(&key(), ID, &forged, 9), Err(BundleError::Signature));
    let sent = signer().revocation(&notice(9).message("other", 1));
    assert_eq!(Notice::read(&key(), ID, &sent, 9), Err(BundleError::Addressee("other".into())));
    let mut later = message;
    later.schema = 2;
    assert_eq!(Notice::read(&key(), ID, &signer().revocation(&later), 9), Err(BundleError::Schema(2)));
}
