//! The suite, on the embedded store: as it is, and with a checkpoint after everything that comes in.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::ops::ControlFlow;

use async_trait::async_trait;
use creto_event_store::conformance::{EPOCHS, SERIES};
use creto_event_store::{
    EmbeddedEventStore, EmbeddedOptions, Event, EventStore, Frame, FrameOutcome, Meter, MeterQuery,
    MeterValue, NamedEvent, NamedOutcome, ProducerAccount, StoreError,
};

/// Moves everything into the database at once.
struct Checkpointing(EmbeddedEventStore);

#[async_trait]
impl EventStore for Checkpointing {
    async fn put_meter(&self, namespace: &str, meter: &Meter) -> Result<(), StoreError> {
        self.0.put_meter(namespace, meter).await?;
        self.0.checkpoint().await
    }

    async fn meters(&self, namespace: &str) -> Result<Vec<Meter>, StoreError> {
        self.0.meters(namespace).await
    }

    async fn ingest_frame(
        &self,
        namespace: &str,
        frame: Frame,
        now_us: i64,
    ) -> Result<FrameOutcome, StoreError> {
        let outcome = self.0.ingest_frame(namespace, frame, now_us).await?;
        self.0.checkpoint().await?;
        Ok(outcome)
    }

    async fn ingest_named(
        &self,
        namespace: &str,
        events: Vec<NamedEvent>,
        now_us: i64,
    ) -> Result<Vec<NamedOutcome>, StoreError> {
        let outcomes = self.0.ingest_named(namespace, events, now_us).await?;
        self.0.checkpoint().await?;
        Ok(outcomes)
    }

    async fn query(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        self.0.query(namespace, query).await
    }

    async fn recompute(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError> {
        self.0.recompute(namespace, query).await
    }

    async fn scan(
        &self,
        namespace: &str,
        from_us: i64,
        to_us: i64,
        each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError> {
        self.0.scan(namespace, from_us, to_us, each).await
    }

    async fn producers(&self, namespace: &str) -> Result<Vec<ProducerAccount>, StoreError> {
        self.0.producers(namespace).await
    }
}

fn options() -> EmbeddedOptions {
    EmbeddedOptions { epochs: EPOCHS, series: SERIES, ..EmbeddedOptions::default() }
}

macro_rules! both_ways {
    ($($scenario:ident)+) => {
        mod as_it_is {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::EmbeddedEventStore::open(folder.path(), super::options()).await.unwrap();
                creto_event_store::conformance::$scenario(&store).await;
                store.close().await.unwrap();
            })+
        }
        mod with_checkpoints {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::EmbeddedEventStore::open(folder.path(), super::options()).await.unwrap();
                creto_event_store::conformance::$scenario(&super::Checkpointing(store.clone())).await;
                store.close().await.unwrap();
            })+
        }
    };
}

creto_event_store::every_scenario!(both_ways);
