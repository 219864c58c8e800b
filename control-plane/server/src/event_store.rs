//! Where events of metering are kept: a folder beside the database, or PostgreSQL.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_event_store::{EmbeddedEventStore, EmbeddedOptions, EventStore, StoreError};
use creto_identity::now_ms;
use tokio::sync::watch;

/// How often what is too old is given up.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// The store, and what closes it.
#[derive(Clone)]
pub(crate) enum Events {
    /// In the data folder.
    Embedded(EmbeddedEventStore),
    /// In a database that several control planes may share.
    Postgres(PostgresEventStore),
}

impl Events {
    /// Opens PostgreSQL where a URL is given, else the folder.
    pub(crate) async fn open(folder: &Path, database_url: Option<&str>) -> Result<Self, StoreError> {
        match database_url {
            Some(url) => Ok(Self::Postgres(PostgresEventStore::open(PostgresOptions::new(url)).await?)),
            None => Ok(Self::Embedded(EmbeddedEventStore::open(folder, EmbeddedOptions::default()).await?)),
        }
    }

    /// The store.
    pub(crate) fn store(&self) -> Arc<dyn EventStore> {
        match self {
            Self::Embedded(store) => Arc::new(store.clone()),
            Self::Postgres(store) => Arc::new(store.clone()),
        }
    }

    /// Gives up what is too old, each hour, until the control plane stops. The folder's store does so by itself.
    pub(crate) async fn keep_within_retention(self, mut stopping: watch::Receiver<bool>) {
        let Self::Postgres(store) = self else { return };
        loop {
            tokio::select! {
                biased;
                // A sender that is gone is a control plane that is gone.
                _ = stopping.wait_for(|stops| *stops) => return,
                () = tokio::time::sleep(EXPIRE_EVERY) => {}
            }
            match store.expire(now_ms().saturating_mul(1_000)).await {
                Ok(0) => {}
                Ok(months) => tracing::info!(months, "events older than the retention are given up"),
                Err(error) => tracing::warn!(%error, "events older than the retention are still kept"),
            }
        }
    }

    /// Closes it; what was acknowledged is kept without.
    pub(crate) async fn close(&self) {
        match self {
            Self::Embedded(store) => {
                if let Err(error) = store.close().await {
                    tracing::warn!(%error, "the store of events did not close; what was acknowledged is kept");
                }
            }
            Self::Postgres(store) => store.close().await,
        }
    }
}
