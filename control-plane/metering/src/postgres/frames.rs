//! Frames of producers: events, rollups, marks and accounts in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::{PgConnection, Postgres, Transaction};

use super::accounts::{Account, Holder};
use super::events;
use super::fault::Fault;
use super::groups::Waiting;
use super::namespaces::Shared;
use super::rollups::reduce;
use super::series::Numbers;
use super::store::PostgresEventStore;
use crate::{Acceptance, Catalog, Event, FrameOutcome, RejectedEvent, Rejection, StoreError};

/// The first number of a block: nobody else gets one of it.
const NEXT_ORDER: &str = "SELECT nextval('creto_events.orders')";

/// Frames taken in, but for the commit.
pub(super) struct Taken {
    /// Of each frame: one that cannot be taken in leaves nothing behind.
    pub(super) outcomes: Vec<Result<FrameOutcome, StoreError>>,
    /// What to remember after the commit.
    pub(super) numbers: Numbers,
}

/// A producer and its epoch.
type Key<'f> = (&'f str, u64);

fn key(waiting: &Waiting) -> Key<'_> {
    (waiting.frame.producer(), waiting.frame.epoch())
}

impl PostgresEventStore {
    /// Takes frames of one namespace in, in their order. The caller commits.
    pub(super) async fn take_frames(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        name: &str,
        group: &[Waiting],
    ) -> Result<Option<Taken>, Fault> {
        let connection: &mut PgConnection = &mut *transaction;
        let Some(shared) = self.namespaces().share(connection, name).await? else { return Ok(None) };
        let keys: BTreeSet<Key<'_>> = group.iter().map(key).collect();
        let mut accounts = Account::find_all(connection, name, &keys).await?;
        let full = self.make_room(connection, name, group, &mut accounts).await?;
        let mut outcomes = Vec::with_capacity(group.len());
        let mut accepted = Vec::new();
        for waiting in group {
            let account = accounts.get_mut(&key(waiting));
            let catalog = &shared.namespace.catalog;
            outcomes.push(take(waiting, account, full.as_ref(), (catalog, self.acceptance()), &mut accepted));
        }
        let numbers = self.add(connection, name, &shared, &accepted).await?;
        Account::save_all(connection, name, &accounts).await?;
        Ok(Some(Taken { outcomes, numbers }))
    }

    /// Begins the epochs that are new. Why there is no room, if there is none: then what is sent again is taken in, and no
    /// more.
    async fn make_room<'f>(
        &self,
        connection: &mut PgConnection,
        name: &str,
        group: &'f [Waiting],
        accounts: &mut BTreeMap<Key<'f>, Account>,
    ) -> Result<Option<StoreError>, Fault> {
        let mark = |waiting: &Waiting| accounts.get(&key(waiting)).map_or(0, |account| account.mark);
        let mut is_any_new = false;
        let mut begin: BTreeMap<Key<'f>, i64> = BTreeMap::new();
        for waiting in group {
            let (frame, mark) = (&waiting.frame, mark(waiting));
            // A gap is refused, and begins nothing.
            let goes_on = frame.first_sequence() <= mark + 1;
            is_any_new |= goes_on && frame.events_up_to(mark) < frame.len();
            if goes_on && !accounts.contains_key(&key(waiting)) {
                begin.entry(key(waiting)).or_insert(waiting.now_us);
            }
        }
        if is_any_new {
            match self.space().check(connection, name, self.most_bytes()).await {
                Err(Fault::Store(full)) => return Ok(Some(full)),
                checked => checked?,
            }
        }
        // In one order, as whoever else begins some.
        for ((producer, epoch), now_us) in begin {
            let holder = Holder { namespace: name, named: false, producer, epoch };
            let account = self.begin_epoch(connection, holder, now_us).await?;
            accounts.insert((producer, epoch), account);
        }
        Ok(None)
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
        let known = self.known_series();
        reduced.merge(connection, known, (name, shared.server, self.most_series())).await
    }
}

/// Takes one frame in: its events to the others, the rest to the account.
fn take(
    waiting: &Waiting,
    account: Option<&mut Account>,
    full: Option<&StoreError>,
    (catalog, acceptance): (&Catalog, &Acceptance),
    all: &mut Vec<Event>,
) -> Result<FrameOutcome, StoreError> {
    let Waiting { frame, now_us, .. } = waiting;
    let mark = account.as_ref().map_or(0, |account| account.mark);
    if frame.first_sequence() > mark + 1 {
        let (producer, epoch) = (Arc::clone(frame.producer()), frame.epoch());
        return Err(StoreError::Gap { producer, epoch, mark, first: frame.first_sequence() });
    }
    let known = frame.events_up_to(mark);
    if known < frame.len()
        && let Some(full) = full
    {
        return Err(full.clone());
    }
    let Some(account) = account else {
        return Err(StoreError::Away("PostgreSQL: the producer's account is gone".into()));
    };
    let mut outcome = FrameOutcome { duplicate: known as u64, ..FrameOutcome::default() };
    let mut rejected = vec![false; frame.len()];
    if known < frame.len() {
        let judged = catalog.judge_frame(frame, *now_us, acceptance);
        let from_us = account.from_us;
        let mut reject = |index: usize, why: Rejection| {
            rejected[index] = true;
            account.reject(why.code);
            let sequence = frame.first_sequence() + index as u64;
            outcome.rejected.push(RejectedEvent { sequence, code: why.code, detail: why.detail });
        };
        let mut wrong: BTreeSet<usize> = BTreeSet::new();
        for (index, why) in judged.into_iter().filter(|(index, _)| *index >= known) {
            wrong.insert(index);
            reject(index, why);
        }
        for index in (known..frame.len()).filter(|index| frame.at_us(*index) <= from_us) {
            if wrong.insert(index) {
                reject(index, Rejection::epoch_retired(from_us));
            }
        }
        outcome.rejected.sort_unstable_by_key(|event| event.sequence);
    }
    let before = all.len();
    all.extend(frame.events(|index| index >= known && !rejected[index]).map(|(_, event)| event));
    outcome.accepted = (all.len() - before) as u64;
    account.mark = account.mark.max(frame.last_sequence());
    account.sent += frame.len() as u64;
    account.accepted += outcome.accepted;
    account.duplicate += outcome.duplicate;
    account.last_seen_us = *now_us;
    outcome.mark = account.mark;
    Ok(outcome)
}
