//! Events counted once: the same id is the same event.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::UsageEvent;

/// Two events with one id that say different things.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event `{id}` was sent twice with different contents: send a correction under a new id")]
pub struct Conflict {
    /// The id.
    pub id: String,
}

/// The events without repeats. Which copy is kept does not matter except for its sequence number: the lowest stays.
///
/// # Errors
///
/// [`Conflict`] when two events with the same id differ in anything but the sequence number.
pub fn without_repeats(events: impl IntoIterator<Item = UsageEvent>) -> Result<Vec<UsageEvent>, Conflict> {
    let mut kept: Vec<UsageEvent> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for event in events {
        match places.entry(event.id.clone()) {
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(event);
            }
            Entry::Occupied(place) => {
                let first = &mut kept[*place.get()];
                let sequence = first.order.sequence.min(event.order.sequence);
                first.order.sequence = event.order.sequence;
                if *first != event {
                    return Err(Conflict { id: event.id });
                }
                first.order.sequence = sequence;
            }
        }
    }
    Ok(kept)
}
