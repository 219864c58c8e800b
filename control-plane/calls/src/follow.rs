//! Calls as they begin and end, for those who follow. A namespace's followers hear of that namespace only.

use std::collections::HashMap;
use std::sync::Arc;

use creto_proto::v1::CallRecord;
use creto_store::{CallSelection, KeptCall};
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::CallsError;
use crate::message::{record, selects};

/// Records that wait for a follower; one that falls behind further is told so and ends.
pub const FOLLOW_BUFFER: usize = 1_024;
/// Most followers of a namespace.
pub const MAX_FOLLOWERS: usize = 100;

/// Brings committed calls to followers.
#[derive(Clone, Default)]
pub(crate) struct Followers {
    namespaces: Arc<Mutex<HashMap<String, broadcast::Sender<Arc<KeptCall>>>>>,
}

impl Followers {
    /// Tells the namespace's followers; nothing waits for them.
    pub(crate) fn publish(&self, namespace: &str, changed: Vec<KeptCall>) {
        let mut namespaces = self.namespaces.lock();
        let Some(sender) = namespaces.get(namespace) else { return };
        if sender.receiver_count() == 0 {
            namespaces.remove(namespace);
            return;
        }
        for call in changed {
            // An error is a follower that has gone.
            let _ = sender.send(Arc::new(call));
        }
    }

    pub(crate) fn follow(&self, namespace: &str, selection: CallSelection) -> Result<Follower, CallsError> {
        let mut namespaces = self.namespaces.lock();
        let sender =
            namespaces.entry(namespace.to_owned()).or_insert_with(|| broadcast::Sender::new(FOLLOW_BUFFER));
        if sender.receiver_count() >= MAX_FOLLOWERS {
            return Err(CallsError::TooManyFollowers(MAX_FOLLOWERS));
        }
        Ok(Follower { receiver: sender.subscribe(), selection })
    }
}

/// One who follows.
pub struct Follower {
    receiver: broadcast::Receiver<Arc<KeptCall>>,
    selection: CallSelection,
}

impl Follower {
    /// The next record; none when there will be no more.
    ///
    /// # Errors
    /// [`CallsError::Lagged`] when records were missed: the stream must end there, or it would have a hole.
    pub async fn next(&mut self) -> Result<Option<CallRecord>, CallsError> {
        loop {
            match self.receiver.recv().await {
                Ok(call) if selects(&self.selection, &call) => return Ok(Some(record((*call).clone()))),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return Ok(None),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    return Err(CallsError::Lagged { missed });
                }
            }
        }
    }
}
