//! The events themselves, read from the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::applied::{Applied, What};
use super::record::Kind;
use super::segment::{self, Found, Position, Reader};
use super::shared::{Segment, Shared};
use crate::{Event, StoreError};

/// Records that are read ahead.
const AHEAD: usize = 4;

/// Events of one record, with their numbers in the order of ingestion.
pub(super) type Events = Vec<(Event, u64)>;

/// Which events.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) namespace: Arc<str>,
    /// From when, in microseconds since 1970.
    pub(super) from_us: i64,
    /// Up to and without when, in microseconds since 1970.
    pub(super) to_us: i64,
}

/// Reads on a thread of its own, in the order of ingestion, everything that is counted by now.
pub(super) fn read(
    shared: &Arc<Shared>,
    wanted: Wanted,
) -> Result<mpsc::Receiver<Result<Events, StoreError>>, StoreError> {
    let gone = shared.gone_us.load(Ordering::Acquire);
    if gone > 0 && wanted.from_us < gone {
        return Err(StoreError::Gone { before_us: gone });
    }
    let segments: Vec<(u64, Segment)> = shared
        .segments
        .lock()
        .iter()
        .filter(|(_, segment)| segment.times.from_us < wanted.to_us && segment.times.to_us >= wanted.from_us)
        .map(|(number, segment)| (*number, *segment))
        .collect();
    let (events, receiver) = mpsc::channel(AHEAD);
    let shared = Arc::clone(shared);
    tokio::task::spawn_blocking(move || {
        for (number, segment) in segments {
            if let Err(error) = read_segment(&shared, number, &segment, &wanted, &events) {
                let error = match error {
                    // Retention came in between.
                    StoreError::Away(_) if !shared.segments.lock().contains_key(&number) => {
                        StoreError::Gone { before_us: shared.gone_us.load(Ordering::Acquire) }
                    }
                    error => error,
                };
                let _ = events.blocking_send(Err(error));
                return;
            }
            if events.is_closed() {
                return;
            }
        }
    });
    Ok(receiver)
}

fn read_segment(
    shared: &Shared,
    number: u64,
    segment: &Segment,
    wanted: &Wanted,
    events: &mpsc::Sender<Result<Events, StoreError>>,
) -> Result<(), StoreError> {
    let path = || segment::path(&shared.folder, number);
    let damaged =
        |offset: u64, what: &str| StoreError::Damaged { segment: path(), offset, what: what.into() };
    let reader = match Reader::open(&shared.folder, number, segment.end) {
        Ok(Some(reader)) => reader,
        Ok(None) if shared.skip_damaged => return Ok(()),
        Ok(None) => return Err(damaged(0, "the segment is empty")),
        Err(StoreError::Damaged { .. }) if shared.skip_damaged => return Ok(()),
        Err(error) => return Err(error),
    };
    if let Some(end) = segment.end
        && reader.end < end
        && !shared.skip_damaged
    {
        return Err(damaged(reader.end, "the file is shorter than what was acknowledged"));
    }
    let mut at = segment::HEADER as u64;
    loop {
        match reader.at(at)? {
            Found::End => {
                let whole = segment.end.is_none_or(|end| at >= end);
                return match whole || shared.skip_damaged {
                    true => check_seal(shared, number, segment),
                    false => Err(damaged(at, "zeros where a record belongs")),
                };
            }
            Found::Wrong(what) if !shared.skip_damaged => return Err(damaged(at, what)),
            Found::Wrong(_) => match reader.next_whole(at)? {
                Some((next, ..)) => at = next,
                None => return Ok(()),
            },
            Found::Record(record, next) => {
                at = next;
                if !matches!(record.header.kind, Kind::Frame | Kind::Named) {
                    continue;
                }
                let Some(applied) = Applied::read(&record, Position { segment: number, offset: next }) else {
                    if shared.skip_damaged {
                        continue;
                    }
                    return Err(damaged(at, "a record cannot be read"));
                };
                let found = of_record(applied, wanted);
                if !found.is_empty() && events.blocking_send(Ok(found)).is_err() {
                    // Nobody listens any more.
                    return Ok(());
                }
            }
        }
    }
}

/// Whether a segment nothing is written into any more is what it was then; looked at once.
fn check_seal(shared: &Shared, number: u64, segment: &Segment) -> Result<(), StoreError> {
    let Some(sealed) = segment.sealed.filter(|_| !segment.is_checked && !shared.skip_damaged) else {
        return Ok(());
    };
    let path = segment::path(&shared.folder, number);
    let found = segment::checksum(&path, sealed.length).map_err(|error| segment::io_error(&path, &error))?;
    if found != sealed.checksum {
        let what = "it is whole, and not what was written: its checksum is another".into();
        return Err(StoreError::Damaged { segment: path, offset: 0, what });
    }
    if let Some(segment) = shared.segments.lock().get_mut(&number) {
        segment.is_checked = true;
    }
    Ok(())
}

fn of_record(applied: Applied, wanted: &Wanted) -> Events {
    if applied.namespace != wanted.namespace {
        return Events::new();
    }
    let within = |at_us: i64| at_us >= wanted.from_us && at_us < wanted.to_us;
    let first = applied.first_order;
    match applied.what {
        What::Frame { frame, left } => {
            let keeps = left.keeps();
            let events = frame.events(|event| keeps(event) && within(frame.at_us(event)));
            events.map(|(index, event)| (event, first + index as u64)).collect()
        }
        What::Named { events, .. } => events
            .into_iter()
            .zip(first..)
            .filter(|(entry, _)| within(entry.event.at_us))
            .map(|(entry, order)| (entry.event, order))
            .collect(),
        What::Meter(_) | What::Repeated { .. } | What::Refused { .. } | What::Retired { .. } => Events::new(),
    }
}
