//! Billing inside the control plane: its store and key, the runs that operators ask for, and the work in the background.

mod answers;
mod apart;
mod documents;
mod export;
mod runs;
mod stripe;
mod triggers;
mod unknown_types;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use creto_billing::{BillingStore, InvoiceKey, MeteredUsage, SqlStore, StripeClient};
use creto_event_store::EventStore;
use creto_rating::Moment;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::Status;

pub(crate) use answers::{draft_json, summary};
pub(crate) use documents::{listed, put};
pub(crate) use runs::{Asked, Found, Runs};
pub use stripe::StripeOptions;
pub(crate) use stripe::client;
use unknown_types::{UnknownTypes, Watched};

use crate::data_folder::DataFolder;
use crate::quotas::QuotaDesk;
use crate::services::now_us;
use crate::{Options, StartError};

/// How long work in the background may take to notice that the control plane stops.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// All of billing. Clones share everything.
#[derive(Clone)]
pub(crate) struct Billing {
    pub(crate) store: Arc<dyn BillingStore>,
    pub(crate) key: Arc<InvoiceKey>,
    pub(crate) usage: MeteredUsage,
    pub(crate) runs: Runs,
    pub(crate) stripe: Option<Arc<StripeClient>>,
    unknown: Arc<UnknownTypes>,
    events: Arc<dyn EventStore>,
}

impl Billing {
    /// Opens the store (PostgreSQL where the events are there, else a file of the data folder) and the key of invoices.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub(crate) async fn open(
        folder: &DataFolder,
        options: &Options,
        events: Arc<dyn EventStore>,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, StartError> {
        let stripe = options.stripe.as_ref().map(client).transpose()?.map(Arc::new);
        let key = InvoiceKey::open(&folder.invoice_key(options.database_url.is_none())?)?;
        let store = match options.database_url.as_deref() {
            Some(url) => SqlStore::postgres(url).await?,
            None => SqlStore::sqlite(&folder.bills()).await?,
        };
        let unknown = Arc::new(UnknownTypes::default());
        Ok(Self {
            store: Arc::new(store),
            key: Arc::new(key),
            usage: MeteredUsage::new(Arc::clone(&events)),
            runs: Runs::new(stopping),
            stripe,
            events: Arc::new(Watched { inner: events, unknown: Arc::clone(&unknown) }),
            unknown,
        })
    }

    /// The store of events, watched for types that nothing counts.
    pub(crate) fn events(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.events)
    }

    /// Starts the work in the background.
    pub(crate) fn keep_going(&self, quotas: QuotaDesk, stopping: &watch::Receiver<bool>) -> Working {
        let cursor = triggers::cursor_of(&quotas, &self.key);
        let mut working = vec![
            tokio::spawn(upkeep::keep(Arc::clone(&self.store), stopping.clone())),
            tokio::spawn(triggers::watch(
                Arc::clone(&self.store),
                (quotas, cursor),
                Arc::clone(&self.unknown),
                stopping.clone(),
            )),
        ];
        if let Some(client) = &self.stripe {
            let work = export::Export::new(Arc::clone(&self.store), self.usage.clone(), Arc::clone(client));
            working.push(tokio::spawn(work.keep(stopping.clone())));
        }
        Working { working, store: Arc::clone(&self.store) }
    }
}

/// The work in the background, and what is closed after it.
pub(crate) struct Working {
    working: Vec<JoinHandle<()>>,
    store: Arc<dyn BillingStore>,
}

impl Working {
    /// Waits for it, after it was told to stop, and closes the store. What was committed is on disk without.
    pub(crate) async fn close(&mut self) {
        for work in &mut self.working {
            if tokio::time::timeout(STOP_WITHIN, &mut *work).await.is_err() {
                // It may be in a call to Stripe: what is not noted is sent again under the same identifier.
                work.abort();
            }
        }
        self.store.close().await;
    }
}

/// Now.
///
/// # Errors
/// A clock beyond the year 9998.
pub(crate) fn now() -> Result<Moment, Status> {
    moment(now_us())
}

/// An instant that an operator named.
///
/// # Errors
/// Out of range.
pub(crate) fn moment(us: i64) -> Result<Moment, Status> {
    Moment::from_micros(us).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// Waits until the control plane stops.
async fn stops(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone is a control plane that is gone.
    let _ = stopping.wait_for(|stops| *stops).await;
}
