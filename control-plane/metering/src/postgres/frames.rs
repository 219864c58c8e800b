//! Frames of producers: events, rollups, the mark and the account in one transaction.

use std::sync::Arc;

use sqlx::{PgConnection, Postgres, Transaction};

use super::accounts::{Account, Holder};
use super::events;
use super::fault::Fault;
use super::namespaces::Shared;
use super::rollups::reduce;
use super::series::Numbers;
use super::store::PostgresEventStore;
use crate::{Event, Frame, FrameOutcome, RejectedEvent, Rejection, StoreError};

/// The first number of a block: nobody else gets one of it.
const NEXT_ORDER: &str = "SELECT nextval('creto_events.orders')";

/// A frame taken in, but for the commit.
pub(super) struct Taken {
    pub(super) outcome: FrameOutcome,
    /// What to remember after the commit.
    pub(super) numbers: Numbers,
}

impl PostgresEventStore {
    /// Takes a frame in. The caller commits.
    pub(super) async fn take_frame(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        name: &str,
        frame: &Frame,
        now_us: i64,
    ) -> Result<Option<Taken>, Fault> {
        let connection: &mut PgConnection = &mut *transaction;
        let Some(shared) = self.namespaces().share(connection, name).await? else { return Ok(None) };
        let holder =
            Holder { namespace: name, named: false, producer: frame.producer(), epoch: frame.epoch() };
        let found = Account::find(connection, holder).await?;
        let mark = found.as_ref().map_or(0, |account| account.mark);
        if frame.first_sequence() > mark + 1 {
            let (producer, epoch) = (Arc::clone(frame.producer()), frame.epoch());
            let first = frame.first_sequence();
            return Err(StoreError::Gap { producer, epoch, mark, first }.into());
        }
        let known = frame.events_up_to(mark);
        if known < frame.len() {
            // What is sent again takes no room.
            self.space().check(connection, name, self.most_bytes()).await?;
        }
        let mut account = match found {
            Some(account) => account,
            None => self.begin_epoch(connection, holder, now_us).await?,
        };
        // It may have been begun by another replica in between.
        let known = known.max(frame.events_up_to(account.mark));
        let mut outcome = FrameOutcome { duplicate: known as u64, ..FrameOutcome::default() };
        let mut rejected = vec![false; frame.len()];
        if known < frame.len() {
            let judged = shared.namespace.catalog.judge_frame(frame, now_us, self.acceptance());
            for (index, why) in judged.into_iter().filter(|(index, _)| *index >= known) {
                rejected[index] = true;
                account.reject(why.code);
                let sequence = frame.first_sequence() + index as u64;
                outcome.rejected.push(RejectedEvent { sequence, code: why.code, detail: why.detail });
            }
            let late = (known..frame.len()).filter(|index| frame.at_us(*index) <= account.from_us);
            for index in late.filter(|index| !rejected[*index]).collect::<Vec<usize>>() {
                let why = Rejection::epoch_retired(account.from_us);
                rejected[index] = true;
                account.reject(why.code);
                let sequence = frame.first_sequence() + index as u64;
                outcome.rejected.push(RejectedEvent { sequence, code: why.code, detail: why.detail });
            }
            outcome.rejected.sort_unstable_by_key(|event| event.sequence);
        }
        let accepted: Vec<Event> =
            frame.events(|index| index >= known && !rejected[index]).map(|(_, event)| event).collect();
        outcome.accepted = accepted.len() as u64;
        let numbers = self.add(connection, name, &shared, &accepted).await?;
        account.mark = account.mark.max(frame.last_sequence());
        account.sent += frame.len() as u64;
        account.accepted += outcome.accepted;
        account.duplicate += outcome.duplicate;
        account.last_seen_us = now_us;
        account.save(connection, holder).await?;
        outcome.mark = account.mark;
        Ok(Some(Taken { outcome, numbers }))
    }

    /// Adds events that were judged, under the next numbers of the order of ingestion, to the events and to the
    /// rollups.
    pub(super) async fn add(
        &self,
        connection: &mut PgConnection,
        name: &str,
        shared: &Shared,
        accepted: &[Event],
    ) -> Result<Numbers, Fault> {
        if accepted.is_empty() {
            return Ok(Numbers::default());
        }
        let first: i64 = sqlx::query_scalar(NEXT_ORDER).fetch_one(&mut *connection).await?;
        let numbered = || accepted.iter().zip(first.cast_unsigned()..);
        let added = events::copy(connection, name, numbered()).await?;
        self.space().add(connection, name, &added).await?;
        let reduced = reduce(&shared.namespace, numbered())?;
        reduced.merge(connection, self.known_series(), shared.server).await
    }
}
