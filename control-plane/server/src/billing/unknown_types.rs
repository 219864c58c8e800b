//! Types of events that came in and that no meter counts.
//!
//! The store rejects such events, and tells their producers. Operators are told by a trigger, once a day and type: what
//! comes in uncounted is work that nobody is billed for.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use creto_event_store::{
    Event, EventStore, Frame, FrameOutcome, Meter, MeterQuery, MeterValue, NamedEvent, NamedOutcome,
    ProducerAccount, RejectCode, StoreError,
};
use parking_lot::Mutex;
use tonic::async_trait;

/// Types of one namespace that are told of in a day; more are not.
pub(super) const MAX_UNKNOWN_TYPES: usize = 100;
/// Namespaces whose types are told of in a day.
pub(super) const MAX_UNKNOWN_NAMESPACES: usize = 10_000;
const DAY_US: i64 = 86_400_000_000;

/// A type that nothing counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnknownType {
    pub(super) namespace: String,
    pub(super) event_type: String,
    /// The first event that showed it.
    pub(super) event: String,
    /// The first instant of the day, UTC.
    pub(super) day_us: i64,
}

#[derive(Default)]
struct Seen {
    day_us: i64,
    types: HashMap<String, HashSet<String>>,
    waiting: Vec<UnknownType>,
}

/// Those of today, and those that wait to be raised.
#[derive(Default)]
pub(super) struct UnknownTypes(Mutex<Seen>);

impl UnknownTypes {
    fn note(&self, namespace: &str, event_type: &str, now_us: i64, event: impl FnOnce() -> String) {
        let mut seen = self.0.lock();
        let day_us = now_us - now_us.rem_euclid(DAY_US);
        if seen.day_us != day_us {
            seen.types.clear();
            seen.day_us = day_us;
        }
        if !seen.types.contains_key(namespace) {
            if seen.types.len() >= MAX_UNKNOWN_NAMESPACES {
                return;
            }
            seen.types.insert(namespace.to_owned(), HashSet::new());
        }
        let Some(types) = seen.types.get_mut(namespace) else { return };
        if types.len() >= MAX_UNKNOWN_TYPES || types.contains(event_type) {
            return;
        }
        types.insert(event_type.to_owned());
        if types.len() == MAX_UNKNOWN_TYPES {
            tracing::warn!(namespace, "no more types of events that no meter counts are told of today");
        }
        seen.waiting.push(UnknownType {
            namespace: namespace.to_owned(),
            event_type: event_type.to_owned(),
            event: event(),
            day_us,
        });
    }

    /// Those that wait to be raised; what is not raised is put back.
    pub(super) fn take(&self) -> Vec<UnknownType> {
        std::mem::take(&mut self.0.lock().waiting)
    }

    /// Puts back what could not be raised. Each was counted against the bounds when it was first seen.
    pub(super) fn put_back(&self, mut left: Vec<UnknownType>) {
        self.0.lock().waiting.append(&mut left);
    }
}

/// The type that a rejection names: the store tells it in words, between backticks, cut short where it is long.
fn named_type(detail: &str) -> Option<&str> {
    let (_, rest) = detail.split_once('`')?;
    let (named, _) = rest.rsplit_once('`')?;
    Some(named).filter(|named| !named.is_empty())
}

/// A store of events whose rejections are watched.
pub(super) struct Watched {
    pub(super) inner: Arc<dyn EventStore>,
    pub(super) unknown: Arc<UnknownTypes>,
}

#[async_trait]
impl EventStore for Watched {
    async fn put_meter(&self, namespace: &str, meter: &Meter) -> Result<(), StoreError> {
        self.inner.put_meter(namespace, meter).await
    }

    async fn meters(&self, namespace: &str) -> Result<Vec<Meter>, StoreError> {
        self.inner.meters(namespace).await
    }

    async fn ingest_frame(
        &self,
        namespace: &str,
        frame: Frame,
        now_us: i64,
    ) -> Result<FrameOutcome, StoreError> {
        let epoch = frame.epoch();
        let outcome = self.inner.ingest_frame(namespace, frame, now_us).await?;
        for rejected in outcome.rejected.iter().filter(|one| one.code == RejectCode::UnknownEventType) {
            if let Some(event_type) = named_type(&rejected.detail) {
                let event = || format!("sequence {} of epoch {epoch:x}", rejected.sequence);
                self.unknown.note(namespace, event_type, now_us, event);
            }
        }
        Ok(outcome)
    }

    async fn ingest_named(
        &self,
        namespace: &str,
        events: Vec<NamedEvent>,
        now_us: i64,
    ) -> Result<Vec<NamedOutcome>, StoreError> {
        let ids: Vec<_> =
            events.iter().map(|event| (Arc::clone(&event.source), Arc::clone(&event.id))).collect();
        let outcomes = self.inner.ingest_named(namespace, events, now_us).await?;
        for (outcome, (source, id)) in outcomes.iter().zip(ids) {
            if let NamedOutcome::Rejected { code: RejectCode::UnknownEventType, detail } = outcome
                && let Some(event_type) = named_type(detail)
            {
                self.unknown.note(namespace, event_type, now_us, || format!("{source} {id}"));
            }
        }
        Ok(outcomes)
    }

    async fn query(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        self.inner.query(namespace, query).await
    }

    async fn recompute(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        self.inner.recompute(namespace, query).await
    }

    async fn scan(
        &self,
        namespace: &str,
        from_us: i64,
        to_us: i64,
        each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        self.inner.scan(namespace, from_us, to_us, each).await
    }

    async fn producers(&self, namespace: &str) -> Result<Vec<ProducerAccount>, StoreError> {
        self.inner.producers(namespace).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_waits_once_a_day_and_no_more_than_the_bound() {
        let unknown = UnknownTypes::default();
        let note = |namespace: &str, kind: &str, now| unknown.note(namespace, kind, now, || "e".into());
        note("a", "x", 5);
        note("a", "x", 6);
        note("b", "x", 7);
        let taken = unknown.take();
        assert_eq!(taken.iter().map(|one| one.namespace.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(unknown.take().is_empty());
        unknown.put_back(taken.clone());
        assert_eq!(unknown.take(), taken);
        note("a", "x", DAY_US);
        assert_eq!(unknown.take()[0].day_us, DAY_US, "the next day it is told of again");
        for place in 0..3 * MAX_UNKNOWN_TYPES {
            note("a", &place.to_string(), DAY_US + 1);
        }
        assert_eq!(unknown.take().len(), MAX_UNKNOWN_TYPES - 1);
    }

    #[test]
    fn the_type_is_what_stands_between_the_outer_backticks() {
        let told = "no meter counts events of type `a`b`: define one, or correct the type";
        assert_eq!(named_type(told), Some("a`b"));
        assert_eq!(named_type("nothing named"), None);
    }
}
