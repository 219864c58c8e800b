//! The journal of calls.

use std::sync::Arc;

use creto_identity::{page_limit, page_of};
use creto_proto::v1::{
    CallRecord, FollowCallsRequest, ListCallsRequest, ListCallsResponse, ReportCallsRequest,
    ReportCallsResponse,
};
use creto_store::{ReportOutcome, Store};

use crate::follow::Followers;
use crate::message::{entry, most_costs, page_token, position, record, selection};
use crate::metered::CallMeter;
use crate::{CallsError, Follower};

/// Most entries of a report.
pub const MAX_ENTRIES: usize = 1_000;

/// Who reports, as its certificate says.
#[derive(Clone, Copy, Debug)]
pub struct Reporter<'a> {
    /// The sidecar's namespace.
    pub namespace: &'a str,
    /// The sidecar.
    pub sidecar_id: &'a str,
    /// The agent it serves.
    pub agent_name: &'a str,
}

/// Takes reports, lists and follows.
#[derive(Clone)]
pub struct CallJournal {
    store: Arc<dyn Store>,
    followers: Followers,
    meter: Option<CallMeter>,
}

impl CallJournal {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, followers: Followers::default(), meter: None }
    }

    /// The same, with every call that ended taken in as an event before it is committed.
    #[must_use]
    pub fn metered(self, meter: CallMeter) -> Self {
        Self { meter: Some(meter), ..self }
    }

    /// Commits a report. What is sent again changes nothing; what leaves a gap is refused whole.
    ///
    /// # Errors
    /// [`CallsError::Gap`] with the mark, [`CallsError::Invalid`] for entries that say nothing, or
    /// [`CallsError::Events`] when what the calls used cannot be kept; sending the same again is safe.
    pub async fn report(
        &self,
        reporter: Reporter<'_>,
        request: ReportCallsRequest,
    ) -> Result<ReportCallsResponse, CallsError> {
        if request.entries.len() > MAX_ENTRIES {
            return Err(CallsError::invalid("entries", format!("send at most {MAX_ENTRIES} at once")));
        }
        let most_costs = most_costs(&request.entries);
        let entries = request.entries.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        if !entries.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return Err(CallsError::invalid(
                "entries.sequence",
                "send entries in the order of their sequence",
            ));
        }
        if let Some(meter) = &self.meter {
            meter.take_in(reporter, request.spool_epoch, &entries, &most_costs).await?;
        }
        let spool = (reporter.namespace, reporter.sidecar_id, request.spool_epoch);
        let outcome = self.store.report_calls(spool, reporter.agent_name, &entries).await;
        match outcome.map_err(CallsError::Store)? {
            ReportOutcome::Committed { mark, changed } => {
                self.followers.publish(reporter.namespace, changed);
                Ok(ReportCallsResponse { mark })
            }
            ReportOutcome::Gap { mark } => Err(CallsError::Gap { mark }),
        }
    }

    /// A page of calls, newest first.
    ///
    /// # Errors
    /// [`CallsError::Invalid`] for a page size, token or filter that is none.
    pub async fn list(&self, request: ListCallsRequest) -> Result<ListCallsResponse, CallsError> {
        let limit = page_limit(request.page_size)?;
        let before = position(&request.page_token)?;
        let selection = selection(request.filter.unwrap_or_default())?;
        let page = self
            .store
            .calls(&request.namespace, &selection, before.as_ref(), limit)
            .await
            .map_err(CallsError::Store)?;
        let calls = page.into_iter().map(record).collect();
        let (calls, next_page_token) = page_of(calls, limit, |call: &CallRecord| page_token(call));
        Ok(ListCallsResponse { calls, next_page_token })
    }

    /// Calls as they begin and end, from now on.
    ///
    /// # Errors
    /// [`CallsError::TooManyFollowers`], or [`CallsError::Invalid`] for a filter that is none.
    pub fn follow(&self, request: FollowCallsRequest) -> Result<Follower, CallsError> {
        let selection = selection(request.filter.unwrap_or_default())?;
        self.followers.follow(&request.namespace, selection)
    }
}

#[cfg(test)]
mod tests;
