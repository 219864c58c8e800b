//! What becomes of a frame.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message as _;

use super::{AccountKey, FrameRequest, Mark, Of, Undo, Waiting, Writer};
use crate::embedded::applied::{Applied, What};
use crate::embedded::epochs::Room;
use crate::embedded::payload::{Left, StoredRefusal, StoredRepeat, StoredRetirement};
use crate::embedded::record::Kind;
use crate::{Frame, FrameOutcome, RejectedEvent, Rejection, StoreError};

/// Bytes the record of an epoch that is retired takes at most, header included.
const RETIREMENT_BYTES: usize = 512;

impl Writer {
    pub(super) fn frame(&mut self, request: FrameRequest) {
        let FrameRequest { namespace, frame, catalog, mut rejections, now_us, answer } = request;
        if let Some(trouble) = self.trouble() {
            let _ = answer.send(Err(trouble));
            return;
        }
        let current = self.shared.catalog(&namespace);
        if !Arc::ptr_eq(&current, &catalog) {
            rejections = current.judge_frame(&frame, now_us, &self.options.acceptance);
        }
        let payload = Left::size(&namespace, rejections.len(), frame.encoded().len());
        let within = self.room_of(&namespace, payload);
        // What was written may be taken back by this: it comes before the mark is looked at.
        if within.is_ok()
            && let Err(error) = self.make_room(payload + RETIREMENT_BYTES)
        {
            let _ = answer.send(Err(error));
            return;
        }
        let producer = Arc::clone(frame.producer());
        let key = AccountKey { namespace, of: Of::Epoch, producer, epoch: frame.epoch() };
        let known = self.epochs.get(&key);
        let mark = known.map_or(0, |mark| mark.sequence);
        if frame.first_sequence() > mark + 1 {
            let (producer, first) = (key.producer, frame.first_sequence());
            let _ = answer.send(Err(StoreError::Gap { producer, epoch: key.epoch, mark, first }));
            return;
        }
        let duplicates = frame.events_up_to(mark);
        if let Err(full) = within {
            // Whoever sends again what is there may let go of it, and leaves no trace: there is no room for one.
            let duplicate = frame.len() as u64;
            let outcome = FrameOutcome { mark, duplicate, ..FrameOutcome::default() };
            if duplicates == frame.len() {
                // What it repeats may wait to be written itself.
                self.waiting.push(Waiting::Frame(answer, outcome));
            } else {
                let _ = answer.send(Err(full));
            }
            return;
        }
        if known.is_none()
            && let Err(error) = self.room_for_epoch(&key, now_us)
        {
            let _ = answer.send(Err(error));
            return;
        }
        self.newest_us = self.newest_us.max(now_us);
        let begun = Mark { sequence: 0, seen_us: now_us, from_us: self.epochs.retired_us(&key) };
        let before = known.unwrap_or(begun);
        let seen_us = before.seen_us.max(now_us);
        self.undo.push(Undo::Mark(key.clone(), known));
        let sequence = mark.max(frame.last_sequence());
        self.epochs.set(&key, Mark { sequence, seen_us, from_us: before.from_us });
        let (applied, outcome) = if duplicates == frame.len() {
            self.repeated(&key, &frame, mark, now_us)
        } else {
            rejections.retain(|(event, _)| *event >= duplicates);
            refuse_retired(&frame, duplicates, before.from_us, &mut rejections);
            self.taken(&key, frame, duplicates, rejections, now_us)
        };
        self.applied.push(Applied { from_us: before.from_us, ..applied });
        self.waiting.push(Waiting::Frame(answer, outcome));
    }

    /// All of it was known.
    fn repeated(
        &mut self,
        key: &AccountKey,
        frame: &Frame,
        mark: u64,
        now_us: i64,
    ) -> (Applied, FrameOutcome) {
        let events = frame.len() as u64;
        let repeat = StoredRepeat {
            namespace: key.namespace.to_string(),
            producer: key.producer.to_string(),
            epoch: key.epoch,
            events,
        };
        let (header, end) = self.add(&key.namespace, Kind::Repeated, now_us, 0, |out| {
            out.extend_from_slice(&repeat.encode_to_vec());
        });
        let (producer, epoch) = (Arc::clone(&key.producer), key.epoch);
        let what = What::Repeated { producer, epoch, events };
        let outcome = FrameOutcome { mark, duplicate: events, ..FrameOutcome::default() };
        (Applied::new(&header, end, Arc::clone(&key.namespace), what), outcome)
    }

    /// Some of it is new.
    fn taken(
        &mut self,
        key: &AccountKey,
        frame: Box<Frame>,
        duplicates: usize,
        rejections: Vec<(usize, Rejection)>,
        now_us: i64,
    ) -> (Applied, FrameOutcome) {
        let namespace = &key.namespace;
        let events = frame.len();
        let accepted = events - duplicates - rejections.len();
        let (first, last) = (frame.first_sequence(), frame.last_sequence());
        let (header, end, what) = if accepted == 0 {
            // Nobody asks for what was not counted: only how much it was is kept.
            let mut codes: BTreeMap<u8, u64> = BTreeMap::new();
            rejections.iter().for_each(|(_, why)| *codes.entry(why.code.number()).or_default() += 1);
            let (epoch, mark, known) = (key.epoch, last, duplicates as u64);
            let refusal = StoredRefusal {
                namespace: namespace.to_string(),
                producer: key.producer.to_string(),
                epoch,
                mark,
                known,
                codes: codes.keys().map(|code| u32::from(*code)).collect(),
                counts: codes.values().copied().collect(),
            };
            let (header, end) = self.add(namespace, Kind::Refused, now_us, 0, |out| {
                out.extend_from_slice(&refusal.encode_to_vec());
            });
            let producer = Arc::clone(&key.producer);
            let codes = codes.into_iter().collect();
            (header, end, What::Refused { producer, epoch, mark, known, codes })
        } else {
            let rejected = rejections.iter().map(|(event, why)| (*event as u32, why.code)).collect();
            let left = Left { known: duplicates as u32, rejected };
            let (header, end) = self.add(namespace, Kind::Frame, now_us, events as u32, |out| {
                left.encode(namespace, frame.encoded(), out);
            });
            (header, end, What::Frame { frame, left })
        };
        let outcome = FrameOutcome {
            mark: last,
            accepted: accepted as u64,
            duplicate: duplicates as u64,
            rejected: rejections
                .into_iter()
                .map(|(event, Rejection { code, detail })| RejectedEvent {
                    sequence: first + event as u64,
                    code,
                    detail,
                })
                .collect(),
        };
        (Applied::new(&header, end, Arc::clone(namespace), what), outcome)
    }

    /// Makes room for an epoch that is not held: the oldest of the same producer goes, when there are too many.
    fn room_for_epoch(&mut self, key: &AccountKey, now_us: i64) -> Result<(), StoreError> {
        let room = self.epochs.room(key, now_us, &self.options.epochs, &self.options.acceptance)?;
        let Room::Retire(oldest, until_us) = room else { return Ok(()) };
        let (producer, epoch) = (Arc::clone(&oldest.producer), oldest.epoch);
        let retirement = StoredRetirement {
            namespace: oldest.namespace.to_string(),
            producer: producer.to_string(),
            epoch,
            until_us,
        };
        let (header, end) = self.add(&oldest.namespace, Kind::Retired, now_us, 0, |out| {
            out.extend_from_slice(&retirement.encode_to_vec());
        });
        self.undo.push(Undo::Retired(oldest.clone(), self.epochs.retired_us(&oldest)));
        self.undo.push(Undo::Mark(oldest.clone(), self.epochs.get(&oldest)));
        self.epochs.retire(&oldest, until_us);
        let what = What::Retired { producer, epoch, until_us };
        self.applied.push(Applied::new(&header, end, oldest.namespace, what));
        Ok(())
    }
}

/// Rejects events that may have been counted in an epoch that was retired.
fn refuse_retired(frame: &Frame, duplicates: usize, from_us: i64, rejections: &mut Vec<(usize, Rejection)>) {
    let late = (duplicates..frame.len()).filter(|event| frame.at_us(*event) <= from_us);
    let late: Vec<usize> =
        late.filter(|event| rejections.binary_search_by_key(event, |(index, _)| *index).is_err()).collect();
    rejections.extend(late.into_iter().map(|event| (event, Rejection::epoch_retired(from_us))));
    rejections.sort_unstable_by_key(|(event, _)| *event);
}
