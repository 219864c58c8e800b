//! What is asked of events before the store is: that their types and sources are not the control plane's own, and that a
//! signature is that of the agent it says.

use std::collections::HashMap;

use creto_event_store::NamedEvent;
use creto_store::{KeptState, Store, StoreError};
use ed25519_dalek::{Signature, VerifyingKey};

use super::answer::Item;
use crate::reserved::{
    RESERVED_SOURCE, RESERVED_TYPE, SOURCE_SAID, TYPE_SAID, is_reserved_name, is_reserved_type,
};

/// What is signed begins with it.
const DOMAIN: &[u8] = b"creto.event.v1\n";
/// Machine code of a signature that does not hold.
const BAD_SIGNATURE: &str = "bad_signature";

/// Takes out the events that are refused, and says why.
pub(super) async fn vet(
    store: &dyn Store,
    namespace: &str,
    events: Vec<(usize, NamedEvent)>,
) -> Result<(Vec<(usize, NamedEvent)>, Vec<Item>), StoreError> {
    let mut keys = HashMap::new();
    let mut refused = Vec::new();
    let mut kept = Vec::with_capacity(events.len());
    for (index, event) in events {
        let problem = if is_reserved_type(&event.event_type) {
            Some((RESERVED_TYPE, TYPE_SAID))
        } else if is_reserved_name(&event.source) {
            Some((RESERVED_SOURCE, SOURCE_SAID))
        } else if let Some(signature) = &event.signature {
            let key = match keys.get(&event.agent) {
                Some(key) => *key,
                None => {
                    let key = key_of(store, namespace, &event.agent).await?;
                    keys.insert(event.agent.clone(), key);
                    key
                }
            };
            let problem = match key {
                None => Some(
                    "there is no agent of that name here that may sign: sign as an agent that is registered",
                ),
                Some(key) if holds(&key, namespace, &event, signature) => None,
                Some(_) => Some("the signature is not that of the agent's key over this event"),
            };
            problem.map(|said| (BAD_SIGNATURE, said))
        } else {
            None
        };
        match problem {
            Some((code, said)) => {
                let (source, id) = (event.source.to_string(), event.id.to_string());
                refused.push(Item { source, id, ..Item::refused(index, code, said.to_owned()) });
            }
            None => kept.push((index, event)),
        }
    }
    Ok((kept, refused))
}

/// The key of an agent that was not revoked.
async fn key_of(store: &dyn Store, namespace: &str, agent: &str) -> Result<Option<VerifyingKey>, StoreError> {
    match store.agent(namespace, agent).await {
        Ok(kept) if kept.state == KeptState::Revoked => Ok(None),
        Ok(kept) => Ok(VerifyingKey::from_bytes(&kept.public_key).ok()),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is the signature of that key (Ed25519, RFC 8032) over who and what the event is.
fn holds(key: &VerifyingKey, namespace: &str, event: &NamedEvent, signature: &[u8]) -> bool {
    let signed = [DOMAIN, &event.key(namespace), &event.digest()].concat();
    Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(&signed, &signature).is_ok())
}
