//! Approvals inside the control plane: where requests are kept, the key of grants, and the clock that ends waiting.

mod holds;
mod shown;
mod told;
mod watch;

use std::time::Duration;

use creto_approvals::{ApprovalDesk, MAX_DUE, RequestStore};
use creto_identity::now_ms;
use creto_oversight::ApprovalSigner;
use tokio::sync::watch as stopping;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

pub(crate) use holds::Holds;
pub(crate) use shown::{denial, listed, whole};
pub(crate) use told::context_of;
pub(crate) use watch::Watches;

use crate::data_folder::DataFolder;
use crate::{Options, StartError};

/// How often the clock is looked at for every request that time changes.
const TICK: Duration = Duration::from_secs(1);
/// How long the work in the background may take to notice that the control plane stops.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// Now, milliseconds since 1970.
pub(crate) fn now() -> u64 {
    now_ms().unsigned_abs()
}

/// Opens the store (PostgreSQL where a URL is given, else a file of the data folder) and the key of grants.
///
/// # Errors
/// [`StartError`], which says what to do.
pub(crate) async fn open(folder: &DataFolder, options: &Options) -> Result<ApprovalDesk, StartError> {
    let signer = ApprovalSigner::from_seed(&*folder.approval_seed()?);
    let store = match options.database_url.as_deref() {
        Some(url) => RequestStore::postgres(url).await?,
        None => RequestStore::sqlite(&folder.approvals()).await?,
    };
    Ok(ApprovalDesk::new(store, signer))
}

/// The work in the background, and what is closed after it.
pub(crate) struct Approving {
    desk: ApprovalDesk,
    work: JoinHandle<()>,
}

impl Approving {
    /// Starts it; it ends when the control plane stops.
    pub(crate) fn start(desk: ApprovalDesk, stops: stopping::Receiver<bool>) -> Self {
        let work = tokio::spawn(keep_time(desk.clone(), stops));
        Self { desk, work }
    }

    /// Waits for it and closes the store; what was committed is on disk without.
    pub(crate) async fn close(&mut self) {
        if tokio::time::timeout(STOP_WITHIN, &mut self.work).await.is_err() {
            self.work.abort();
        }
        self.desk.close().await;
    }
}

async fn keep_time(desk: ApprovalDesk, mut stops: stopping::Receiver<bool>) {
    let mut due = interval(TICK);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    loop {
        tokio::select! {
            biased;
            // A sender that is gone is a control plane that is gone.
            _ = stops.wait_for(|stops| *stops) => return,
            _ = due.tick() => {}
        }
        loop {
            match desk.tick(now()).await {
                Ok(changed) => {
                    failed = false;
                    if changed < MAX_DUE as usize || *stops.borrow() {
                        break;
                    }
                }
                Err(error) => {
                    // Once, not each second for as long as a database is away.
                    if !std::mem::replace(&mut failed, true) {
                        tracing::error!(%error, "time passes and requests stay as they are: it is tried again");
                    }
                    break;
                }
            }
        }
    }
}
