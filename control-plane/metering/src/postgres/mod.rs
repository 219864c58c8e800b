//! The event store on PostgreSQL 15 or later.
//!
//! Frames that wait for a connection are one transaction: it holds their producers' marks, copies the events in binary
//! straight into their months' partitions, merges what they come to into the rollups of their minutes through a staging
//! table, and raises the marks. A frame that nobody else waits with is one of its own.
//! Named events are made known by a row of their own in the same transaction. A commit that is lost on the way back is
//! found by the mark or the row when the same is sent again, so everything counts once, through whichever replica.
//!
//! Tables are in the schema `creto_events`. Numbers are `numeric`; nothing is rounded. Hours, days and months are worked
//! out of minutes, and [`crate::EventStore::recompute`] out of the events, by the server.
//!
//! Poolers in between must keep a connection for a session: each has temporary tables.

mod accounts;
mod answers;
mod counts;
mod decimal;
mod epochs;
mod events;
mod expiry;
mod fault;
mod frames;
mod groups;
mod months;
mod named;
mod namespaces;
mod options;
mod reading;
mod rollups;
mod rows;
mod schema;
mod series;
mod space;
mod store;
mod text;
mod turns;
mod whole;

use std::ops::ControlFlow;

use async_trait::async_trait;

pub use options::{
    DEFAULT_CONNECTIONS, MAX_CONNECTIONS, MAX_GROUP_BYTES, MAX_GROUP_EVENTS, MAX_GROUP_FRAMES,
    MAX_KNOWN_NAMESPACES, MAX_KNOWN_SERIES, MAX_REQUESTS, PostgresOptions,
};
pub use schema::Partitioning;
pub use store::PostgresEventStore;

use crate::{
    Event, EventStore, Frame, FrameOutcome, Meter, MeterQuery, MeterValue, NamedEvent, NamedOutcome,
    ProducerAccount, StoreError,
};

#[async_trait]
impl EventStore for PostgresEventStore {
    async fn put_meter(&self, namespace: &str, meter: &Meter) -> Result<(), StoreError> {
        self.put(namespace, Some(meter)).await
    }

    async fn meters(&self, namespace: &str) -> Result<Vec<Meter>, StoreError> {
        self.read_meters(namespace).await
    }

    async fn ingest_frame(
        &self,
        namespace: &str,
        frame: Frame,
        now_us: i64,
    ) -> Result<FrameOutcome, StoreError> {
        self.frame(namespace, frame, now_us).await
    }

    async fn ingest_named(
        &self,
        namespace: &str,
        events: Vec<NamedEvent>,
        now_us: i64,
    ) -> Result<Vec<NamedOutcome>, StoreError> {
        self.named(namespace, &events, now_us).await
    }

    async fn query(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        self.answer(namespace, query, false).await
    }

    async fn recompute(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        self.answer(namespace, query, true).await
    }

    async fn scan(
        &self,
        namespace: &str,
        from_us: i64,
        to_us: i64,
        each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        self.read_events(namespace, from_us, to_us, each).await
    }

    async fn producers(&self, namespace: &str) -> Result<Vec<ProducerAccount>, StoreError> {
        self.read_accounts(namespace).await
    }
}
