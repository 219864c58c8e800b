//! Start: the database, then what of the log is not in it yet.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::account::{AccountKey, Of};
use super::anew::write_anew;
use super::applied::{Applied, What};
use super::counter::count;
use super::epochs::Mark;
use super::generation::{Generation, Times};
use super::load::Loaded;
use super::options::{Damage, Recovery};
use super::record::Record;
use super::segment::{self, Found, Position, Reader, Sealed};
use crate::{Catalog, StoreError};

/// What the log held behind the database.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) generation: Generation,
    pub(super) recovery: Recovery,
    /// The number the next segment gets.
    pub(super) next_segment: u64,
    /// The segments that are there.
    pub(super) segments: Vec<u64>,
    /// How those that were read ended.
    pub(super) sealed: BTreeMap<u64, Sealed>,
}

/// Reads the log from where the database is on.
pub(super) struct Replay<'l, S> {
    pub(super) folder: &'l Path,
    pub(super) loaded: &'l mut Loaded,
    pub(super) built_in: &'l Arc<Catalog>,
    pub(super) skip_damaged: bool,
    pub(super) live_bytes: usize,
    /// Called with what was counted when that takes more than `live_bytes`.
    pub(super) spill: S,
    pub(super) generation: Generation,
    pub(super) recovery: Recovery,
    /// Damage was reported, and no whole record has come since: that numbers are missing is no news.
    pub(super) in_damage: bool,
    /// The last record that was read.
    pub(super) last_record: u64,
    /// Events counted since the memory they take was measured.
    pub(super) unmeasured: u64,
}

/// Events, each record as a few more, after which the memory they take is measured: one full frame at most.
const MEASURE_EVENTS: u64 = 4_096;
/// Records that are decoded while others are counted.
const AHEAD: usize = 32;

/// A thread that decodes records, in their order.
struct Decoder {
    records: SyncSender<(Record, Position)>,
    decoded: Receiver<(u64, Option<Applied>)>,
    /// Given to it and not taken back.
    under_way: usize,
}

/// How the records of a segment ended.
enum Ended {
    /// At zeros, or the end of the file.
    Cleanly(u64),
    /// At something that is no record and may never have been acknowledged.
    Torn(Damage),
}

impl<'l, S: FnMut(Generation) -> Result<(), StoreError>> Replay<'l, S> {
    /// Reads it.
    pub(super) fn run(mut self) -> Result<Replayed, StoreError> {
        let start = self.loaded.progress.position;
        let listed = segment::list(self.folder)?;
        let mut segments = Vec::new();
        for number in &listed {
            if *number < start.segment && !self.loaded.segments.contains_key(number) {
                // A crash came between forgetting a segment and removing it.
                let path = segment::path(self.folder, *number);
                tracing::info!(segment = %path.display(), "removed: all in it is past the time of retention");
                std::fs::remove_file(&path).map_err(|e| segment::io_error(&path, &e))?;
            } else {
                segments.push(*number);
            }
        }
        self.earlier(&listed)?;
        let numbers: Vec<u64> = segments.iter().copied().filter(|number| *number >= start.segment).collect();
        if let Some(last) = numbers.last() {
            let known = if *last == start.segment { start.offset } else { 0 };
            if write_anew(self.folder, *last, known)? {
                tracing::info!(segment = %segment::path(self.folder, *last).display(), "the end of the log was written anew");
            }
        }
        let mut sealed = BTreeMap::new();
        if start.segment > 0 && numbers.first() != Some(&start.segment) {
            let segment = segment::path(self.folder, start.segment);
            self.damage(Damage { segment, offset: start.offset, what: "the segment is missing".into() })?;
        }
        // Where the segment before ended, when it did not end cleanly.
        let mut torn: Option<Damage> = None;
        for (index, number) in numbers.iter().enumerate() {
            let is_last = index + 1 == numbers.len();
            let path = segment::path(self.folder, *number);
            if let Some(before) = index.checked_sub(1).and_then(|before| numbers.get(before)) {
                for missing in before + 1..*number {
                    let segment = segment::path(self.folder, missing);
                    self.damage(Damage { segment, offset: 0, what: "the segment is missing".into() })?;
                }
            }
            let reader = match Reader::open(self.folder, *number, None) {
                Ok(Some(reader)) => reader,
                Ok(None) if is_last && *number > start.segment => {
                    // It was being made: nothing was written into it.
                    std::fs::remove_file(&path).map_err(|e| segment::io_error(&path, &e))?;
                    segments.pop();
                    continue;
                }
                Ok(None) => {
                    self.damage(Damage { segment: path, offset: 0, what: "the segment is empty".into() })?;
                    self.set_aside(*number, &mut segments)?;
                    continue;
                }
                Err(StoreError::Damaged { segment, offset, what }) => {
                    self.damage(Damage { segment, offset, what })?;
                    self.set_aside(*number, &mut segments)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut at = segment::HEADER as u64;
            if *number == start.segment {
                at = start.offset;
                if reader.end < at {
                    let what =
                        format!("the file ends at {}, and {at} bytes of it were acknowledged", reader.end);
                    self.damage(Damage { segment: path.clone(), offset: reader.end, what })?;
                    continue;
                }
            } else if reader.first_record != self.last_record + 1 && !self.in_damage {
                // What is missing stood at the end of the segment before.
                let what = format!(
                    "it begins with record {}, and the last one before it is {}",
                    reader.first_record, self.last_record
                );
                let found = torn.take().unwrap_or_else(|| Damage { segment: path.clone(), offset: 0, what });
                self.damage(found)?;
            }
            torn = None;
            let end = match self.segment(&reader, *number, at)? {
                Ended::Cleanly(end) => end,
                Ended::Torn(found) => {
                    let end = found.offset;
                    torn = Some(found);
                    end
                }
            };
            if is_last && end == segment::HEADER as u64 && *number > start.segment {
                std::fs::remove_file(&path).map_err(|e| segment::io_error(&path, &e))?;
                segments.pop();
                continue;
            }
            if end < reader.end {
                cut(&path, end, torn.as_ref().filter(|_| is_last))?;
            }
            let checksum = segment::checksum(&path, end).map_err(|e| segment::io_error(&path, &e))?;
            sealed.insert(*number, Sealed { length: end, checksum });
        }
        self.recovery.torn = torn;
        let next_segment = segments.last().copied().unwrap_or(0).max(start.segment) + 1;
        let (generation, recovery) = (self.generation, self.recovery);
        Ok(Replayed { generation, recovery, next_segment, segments, sealed })
    }

    /// Looks whether the segments before the one the database is in are there, as long as they were.
    fn earlier(&mut self, listed: &[u64]) -> Result<(), StoreError> {
        let start = self.loaded.progress.position.segment;
        let earlier: Vec<u64> = self.loaded.segments.range(..start).map(|(number, _)| *number).collect();
        for number in earlier {
            let segment = segment::path(self.folder, number);
            let missing = listed.binary_search(&number).is_err();
            let size = if missing {
                0
            } else {
                std::fs::metadata(&segment).map_err(|e| segment::io_error(&segment, &e))?.len()
            };
            let length = self.loaded.sealed.get(&number).map_or(0, |sealed| sealed.length);
            let what = match missing {
                true => "the segment is missing".to_owned(),
                false if size < length => {
                    format!("the file ends at {size}, and {length} bytes were acknowledged")
                }
                false => continue,
            };
            self.lost(Damage { segment, offset: size, what })?;
        }
        Ok(())
    }

    /// Keeps a segment nothing can be read from for whoever may know how to mend it.
    fn set_aside(&self, number: u64, segments: &mut Vec<u64>) -> Result<(), StoreError> {
        let path = segment::path(self.folder, number);
        let aside = segment::aside(&path)?;
        std::fs::rename(&path, &aside).map_err(|e| segment::io_error(&path, &e))?;
        tracing::warn!(kept = %aside.display(), "a segment that cannot be read is kept under another name");
        segments.retain(|kept| *kept != number);
        Ok(())
    }

    /// Damage in what is read.
    fn damage(&mut self, found: Damage) -> Result<(), StoreError> {
        self.lost(found)?;
        self.in_damage = true;
        Ok(())
    }

    /// Damage anywhere.
    fn lost(&mut self, found: Damage) -> Result<(), StoreError> {
        let Damage { segment, offset, what } = found;
        if !self.skip_damaged {
            return Err(StoreError::Damaged { segment, offset, what });
        }
        tracing::error!(segment = %segment.display(), offset, what, "events are lost: gone over, as told");
        self.recovery.damage.push(Damage { segment, offset, what });
        Ok(())
    }

    /// Counts the records of a segment from `at` on.
    fn segment(&mut self, reader: &Reader, number: u64, at: u64) -> Result<Ended, StoreError> {
        std::thread::scope(|scope| {
            let (records, received) = sync_channel::<(Record, Position)>(AHEAD);
            let (sender, decoded) = sync_channel(AHEAD);
            scope.spawn(move || {
                for (record, end) in received {
                    let at = u64::from(record.header.at);
                    if sender.send((at, Applied::read(&record, end))).is_err() {
                        break;
                    }
                }
            });
            let mut decoder = Decoder { records, decoded, under_way: 0 };
            let ended = self.read(reader, number, at, &mut decoder)?;
            while decoder.under_way > 0 {
                self.count_next(reader, &mut decoder)?;
            }
            Ok(ended)
        })
    }

    fn read(
        &mut self,
        reader: &Reader,
        number: u64,
        mut at: u64,
        decoder: &mut Decoder,
    ) -> Result<Ended, StoreError> {
        let damaged = |offset: u64, what: String| Damage { segment: reader.path.clone(), offset, what };
        // Of the last write that was seen: one with a lower number is what a failed write left behind.
        let mut batch = 0;
        loop {
            let wrong = match reader.at(at)? {
                Found::Record(record, _) if record.header.batch < batch => "the remains of an older write",
                Found::Record(record, next) => {
                    let expected = self.last_record + 1;
                    if record.header.record != expected && !self.in_damage {
                        let what = format!("record {} where {expected} belongs", record.header.record);
                        self.damage(damaged(at, what))?;
                    }
                    self.in_damage = false;
                    self.last_record = record.header.record;
                    batch = record.header.batch;
                    if decoder.under_way == AHEAD {
                        self.count_next(reader, decoder)?;
                    }
                    // It listens as long as the decoder is there.
                    let _ = decoder.records.send((record, Position { segment: number, offset: next }));
                    decoder.under_way += 1;
                    at = next;
                    continue;
                }
                Found::End => "",
                Found::Wrong(what) => what,
            };
            // Whole records of a write that began when this was on disk: it was acknowledged.
            let mut later = reader.next_whole(at)?;
            while let Some((offset, batch_start, other)) = later {
                if batch_start > at && other >= batch {
                    break;
                }
                later = reader.next_whole(offset)?;
            }
            match later {
                Some((offset, ..)) => {
                    let what = if wrong.is_empty() { "zeros where a record belongs" } else { wrong };
                    self.damage(damaged(at, what.into()))?;
                    at = offset;
                }
                None if wrong.is_empty() => return Ok(Ended::Cleanly(at)),
                None => return Ok(Ended::Torn(damaged(at, wrong.into()))),
            }
        }
    }

    /// Counts the next record that was decoded.
    fn count_next(&mut self, reader: &Reader, decoder: &mut Decoder) -> Result<(), StoreError> {
        decoder.under_way -= 1;
        match decoder.decoded.recv() {
            Ok((_, Some(applied))) => self.count(applied),
            Ok((offset, None)) => {
                let what = "a record cannot be read".to_owned();
                self.damage(Damage { segment: reader.path.clone(), offset, what })
            }
            Err(_) => Err(StoreError::Away("the thread that decodes the log ended".into())),
        }
    }

    fn count(&mut self, mut applied: Applied) -> Result<(), StoreError> {
        remember(self.loaded, &mut applied);
        count(&mut self.generation, &mut self.loaded.catalogs, self.built_in, &applied);
        self.recovery.replayed_records += 1;
        self.recovery.replayed_events += u64::from(applied.events);
        // Of every record would take long where there are many namespaces.
        self.unmeasured += MEASURE_EVENTS / 64 + u64::from(applied.events);
        if self.unmeasured < MEASURE_EVENTS {
            return Ok(());
        }
        self.unmeasured = 0;
        if self.generation.bytes() >= self.live_bytes {
            let next = Generation::after(self.generation.progress);
            (self.spill)(std::mem::replace(&mut self.generation, next))?;
        }
        Ok(())
    }
}

/// Cuts a segment to what is whole in it; new records go into a new one.
fn cut(path: &Path, end: u64, torn: Option<&Damage>) -> Result<(), StoreError> {
    if let Some(torn) = torn {
        tracing::warn!(
            segment = %path.display(), offset = torn.offset, found = torn.what,
            "a write that was not finished is cut off; nothing in it was acknowledged"
        );
    }
    let file = std::fs::OpenOptions::new().write(true).open(path).map_err(|e| segment::io_error(path, &e))?;
    file.set_len(end).and_then(|()| file.sync_all()).map_err(|e| segment::io_error(path, &e))
}

/// Brings marks, accounts and usage that are held in memory up to date.
fn remember(loaded: &mut Loaded, applied: &mut Applied) {
    let namespace = Arc::clone(&applied.namespace);
    loaded.usage.add(applied.end.segment, &namespace, applied.bytes);
    let key = |producer: &Arc<str>, epoch| {
        let (namespace, producer) = (Arc::clone(&namespace), Arc::clone(producer));
        AccountKey { namespace, of: Of::Epoch, producer, epoch }
    };
    let mark = match &applied.what {
        What::Frame { frame, .. } => Some((key(frame.producer(), frame.epoch()), frame.last_sequence())),
        What::Refused { producer, epoch, mark, .. } => Some((key(producer, *epoch), *mark)),
        What::Repeated { producer, epoch, .. } => Some((key(producer, *epoch), 0)),
        What::Retired { producer, epoch, until_us } => {
            loaded.epochs.retire(&key(producer, *epoch), *until_us);
            None
        }
        What::Named { counts, .. } => {
            for count in counts {
                loaded.sources.insert((Arc::clone(&namespace), Arc::clone(&count.account)));
            }
            None
        }
        What::Meter(_) => None,
    };
    if let Some((key, sequence)) = mark {
        let begun = || Mark { sequence: 0, seen_us: 0, from_us: loaded.epochs.retired_us(&key) };
        let before = loaded.epochs.get(&key).unwrap_or_else(begun);
        applied.from_us = before.from_us;
        let (sequence, seen_us) = (before.sequence.max(sequence), before.seen_us.max(applied.now_us));
        loaded.epochs.set(&key, Mark { sequence, seen_us, ..before });
    }
    if let Some((from_us, to_us)) = applied.times() {
        let times = Times { from_us, to_us, newest_us: applied.now_us };
        loaded.segments.entry(applied.end.segment).or_insert(Times::NONE).widen(&times);
    }
}
