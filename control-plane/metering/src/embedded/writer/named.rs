//! What becomes of named events.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use prost::Message as _;

use super::{Candidate, NamedAnswer, NamedRequest, Undo, Waiting, Writer};
use crate::bounds::MAX_ID_BYTES;
use crate::embedded::applied::{ACCEPTED, Applied, DUPLICATE, NamedCount, NamedEntry, What};
use crate::embedded::options::MAX_SOURCES;
use crate::embedded::payload::{StoredBatch, StoredEvent, StoredOthers};
use crate::embedded::record::{Kind, MAX_PAYLOAD};
use crate::{EventId, NamedOutcome, RejectCode, Rejection};

/// Sources beyond [`MAX_SOURCES`] share this account.
const OTHER_SOURCES: &str = "(other sources)";

impl Writer {
    pub(super) fn named(&mut self, request: NamedRequest) {
        let NamedRequest { namespace, candidates, catalog, looked_up, now_us, answer } = request;
        if let Some(trouble) = self.trouble() {
            let _ = answer.send(Err(trouble));
            return;
        }
        if looked_up < self.pruned || !Arc::ptr_eq(&self.shared.catalog(&namespace), &catalog) {
            let _ = answer.send(Ok(NamedAnswer::Stale(candidates)));
            return;
        }
        if let Err(error) = self.room_of(&namespace, 0) {
            let _ = answer.send(Err(error));
            return;
        }
        // Stored events are smaller than what was allowed in, and counts are few.
        if let Err(error) = self.make_room(MAX_PAYLOAD) {
            let _ = answer.send(Err(error));
            return;
        }
        self.newest_us = self.newest_us.max(now_us);
        let record = self.log.next_record();
        let mut outcomes = Vec::with_capacity(candidates.len());
        let mut counts: Vec<NamedCount> = Vec::new();
        // Where the count of an account and a code stands.
        let mut counted: HashMap<(Arc<str>, u32), usize, RandomState> = HashMap::default();
        let mut events = Vec::new();
        for candidate in candidates {
            let Candidate { event, key, digest, known, rejection } = candidate;
            let source = match &event.id {
                EventId::Named { source, .. } | EventId::Sequenced { producer: source, .. } => source,
            };
            let account = self.source_account(&namespace, source);
            let known = self.recent.get(&key).map(|(digest, _)| *digest).or(known);
            let (code, outcome) = match (rejection, known) {
                (Some(Rejection { code, detail }), _) => {
                    (u32::from(code.number()), NamedOutcome::Rejected { code, detail })
                }
                (None, Some(before)) if before == digest => (DUPLICATE, NamedOutcome::Duplicate),
                (None, Some(_)) => (u32::from(RejectCode::Conflict.number()), NamedOutcome::Conflict),
                (None, None) => {
                    self.recent.insert(key, (digest, record));
                    self.undo.push(Undo::Recent(key));
                    events.push(NamedEntry { event, key, digest });
                    (ACCEPTED, NamedOutcome::Accepted)
                }
            };
            outcomes.push(outcome);
            let place = *counted.entry((Arc::clone(&account), code)).or_insert(counts.len());
            match counts.get_mut(place) {
                Some(count) => count.events += 1,
                None => counts.push(NamedCount { account, code, events: 1 }),
            }
        }
        let batch = StoredBatch {
            namespace: namespace.to_string(),
            events: events
                .iter()
                .filter_map(|entry| StoredEvent::of(&entry.event, &entry.key, &entry.digest))
                .collect(),
            others: counts
                .iter()
                .map(|count| StoredOthers {
                    source: count.account.to_string(),
                    code: count.code,
                    events: count.events,
                })
                .collect(),
        };
        let (header, end) = self.add(&namespace, Kind::Named, now_us, events.len() as u32, |out| {
            out.reserve(batch.encoded_len());
            // A vector grows as needed: this does not fail.
            let _ = batch.encode(out);
        });
        self.applied.push(Applied::new(&header, end, namespace, What::Named { events, counts }));
        self.waiting.push(Waiting::Named(answer, outcomes));
    }

    /// The account events of a source count under.
    fn source_account(&mut self, namespace: &Arc<str>, source: &Arc<str>) -> Arc<str> {
        // Whatever a rejected event calls its source.
        let fits =
            !source.is_empty() && source.len() <= MAX_ID_BYTES && !source.chars().any(char::is_control);
        let key = (Arc::clone(namespace), Arc::clone(source));
        if fits && self.sources.contains(&key) {
            return key.1;
        }
        if !fits || self.sources.len() >= MAX_SOURCES {
            return OTHER_SOURCES.into();
        }
        self.undo.push(Undo::Source(Arc::clone(&key.0), Arc::clone(&key.1)));
        self.sources.insert(key);
        Arc::clone(source)
    }
}
