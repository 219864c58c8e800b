//! Ended calls as events of metering: one each, whatever is sent again.
//!
//! The producer is `calls/<sidecar id>`, a name that nobody else may send under, and the epoch that of the spool. The
//! sequence is the event's place among those of the spool: the nth entry that ended a call is event n, so that it follows
//! from the entries alone and a report that comes again makes the same events. They are on disk before the calls are: a
//! report that was half taken in when the control plane died comes again, and the event store knows how far it was.
//!
//! A store of events that never had the earlier ones (it was moved to PostgreSQL, or lost) is noticed by its mark: the
//! count begins anew under an epoch of its own, so that calls go on and none is counted twice in either store.

mod event;
mod who;

use std::collections::HashMap;
use std::sync::Arc;

use creto_client::metering::{FramePlace, MAX_FRAME_BYTES, Recorded, pack_frame};
use creto_event_store::{EventStore, Frame, StoreError};
use creto_identity::now_us;
use creto_prices::PriceList;
use creto_store::{Begun, ReportEntry, Reported, Store};

use crate::message::MostCosts;
use crate::{CallsError, Reporter};
use event::event;
use who::Who;

const HOUR_US: i64 = 3_600_000_000;
/// How long ago, and how far ahead, a call counts: an hour and a minute within what the event store takes.
const OLDEST_US: i64 = 35 * 24 * HOUR_US - HOUR_US;
const NEWEST_US: i64 = 4 * 60_000_000;

/// What names of producers of calls begin with: `calls/<sidecar id>`. The control plane alone sends under them.
pub const CALLS_PRODUCER: &str = "calls/";

/// Turns ended calls into events.
#[derive(Clone)]
pub struct CallMeter {
    store: Arc<dyn Store>,
    events: Arc<dyn EventStore>,
    prices: Arc<PriceList>,
}

impl CallMeter {
    /// Over the store of calls, into a store of events, with these prices.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, events: Arc<dyn EventStore>, prices: Arc<PriceList>) -> Self {
        Self { store, events, prices }
    }

    /// Takes in the events of those entries that are not committed yet. On disk when it returns.
    ///
    /// # Errors
    /// [`CallsError::Gap`] when entries are missing before these, [`CallsError::Events`] when events cannot be kept.
    pub(crate) async fn take_in(
        &self,
        reporter: Reporter<'_>,
        epoch: u64,
        entries: &[(u64, ReportEntry)],
        most_costs: &MostCosts,
    ) -> Result<(), CallsError> {
        let spool = (reporter.namespace, reporter.sidecar_id, epoch);
        let before = self.store.reported(spool).await.map_err(CallsError::Store)?;
        let new = new_entries(before, entries)?;
        if !new.iter().any(|(_, entry)| matches!(entry, ReportEntry::Ended(_))) {
            return Ok(());
        }
        let mut begun: HashMap<u64, &Begun> = HashMap::new();
        let mut who = Who::of(self.store.as_ref(), reporter).await?;
        let mut recorded = Vec::new();
        for (sequence, entry) in new {
            match entry {
                ReportEntry::Begun(one) => {
                    begun.insert(*sequence, one);
                }
                ReportEntry::Ended(ended) => {
                    let earlier;
                    let one = match begun.get(&ended.begun_sequence) {
                        Some(one) => Some(*one),
                        None => {
                            let found = self.store.call_begun_by(spool, ended.begun_sequence).await;
                            earlier = found.map_err(CallsError::Store)?;
                            earlier.as_ref().map(|call| &call.begun)
                        }
                    };
                    let delegation = match one {
                        Some(one) => who.delegation(self.store.as_ref(), &one.delegation_id).await?,
                        None => String::new(),
                    };
                    let most = most_costs.get(sequence).copied();
                    let draft = who.sign(event(one, ended, most, &self.prices)).delegation(delegation);
                    recorded.push(Recorded { draft, at_us: countable(ended.at_us, now_us()), logical: 0 });
                }
            }
        }
        match self.ingest(reporter, (epoch, before.event_base), before.ended, &recorded).await {
            Err(StoreError::Gap { mark, .. }) => {
                tracing::warn!(
                    namespace = reporter.namespace,
                    sidecar = reporter.sidecar_id,
                    calls = before.ended,
                    events = before.event_base + mark,
                    "the store of events lacks events of earlier calls: it counts on from here"
                );
                self.store.set_event_base(spool, before.ended).await.map_err(CallsError::Store)?;
                self.ingest(reporter, (epoch, before.ended), before.ended, &recorded).await
            }
            taken => taken,
        }
        .map_err(CallsError::Events)
    }

    /// Sends events in frames that are not too large.
    async fn ingest(
        &self,
        reporter: Reporter<'_>,
        (spool_epoch, base): (u64, u64),
        ended: u64,
        events: &[Recorded],
    ) -> Result<(), StoreError> {
        let producer = format!("{CALLS_PRODUCER}{}", reporter.sidecar_id);
        let epoch = spool_epoch.wrapping_add(base);
        let mut first_sequence = ended - base + 1;
        let mut rest = events;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|one| {
                bytes += one.draft.bytes();
                bytes <= MAX_FRAME_BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            let place =
                FramePlace { namespace: reporter.namespace, producer: &producer, epoch, first_sequence };
            let frame = Frame::new(pack_frame(place, now))?;
            let outcome = self.events.ingest_frame(reporter.namespace, frame, now_us()).await?;
            if let Some(rejected) = outcome.rejected.first() {
                tracing::error!(
                    sidecar = reporter.sidecar_id,
                    events = outcome.rejected.len(),
                    code = rejected.code.as_str(),
                    detail = %rejected.detail,
                    "calls are on record and not metered"
                );
            }
            first_sequence += now.len() as u64;
            rest = later;
        }
        Ok(())
    }
}

/// When a call counts: when it ended by the sidecar's clock, but never so early or so late that the event store would not have
/// it. A clock that is wrong, or a spool that was long away, moves a call's cost; it takes none away.
fn countable(at_us: i64, now_us: i64) -> i64 {
    at_us.clamp(now_us - OLDEST_US, now_us + NEWEST_US)
}

/// The entries above the mark, which must follow it without a hole.
fn new_entries(
    before: Reported,
    entries: &[(u64, ReportEntry)],
) -> Result<&[(u64, ReportEntry)], CallsError> {
    let known = entries.iter().take_while(|(sequence, _)| *sequence <= before.mark).count();
    let new = &entries[known..];
    let follows = (before.mark + 1..).zip(new).all(|(expected, (sequence, _))| *sequence == expected);
    if follows { Ok(new) } else { Err(CallsError::Gap { mark: before.mark }) }
}

#[cfg(test)]
mod tests;
