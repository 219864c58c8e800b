//! What becomes of a frame.

use std::sync::Arc;

use prost::Message as _;

use super::{FrameRequest, Undo, Waiting, Writer};
use crate::embedded::account::AccountKey;
use crate::embedded::applied::{Applied, What};
use crate::embedded::load::Mark;
use crate::embedded::options::MAX_EPOCHS;
use crate::embedded::payload::{Left, StoredRepeat};
use crate::embedded::record::Kind;
use crate::{FrameOutcome, RejectedEvent, Rejection, StoreError};

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
        if let Err(error) = self.make_room(payload) {
            let _ = answer.send(Err(error));
            return;
        }
        let producer = Arc::clone(frame.producer());
        let key = AccountKey { namespace, named: false, producer, epoch: frame.epoch() };
        let known = self.marks.get(&key).copied();
        let mark = known.map_or(0, |mark| mark.sequence);
        if frame.first_sequence() > mark + 1 {
            let (producer, first) = (key.producer, frame.first_sequence());
            let _ = answer.send(Err(StoreError::Gap { producer, epoch: key.epoch, mark, first }));
            return;
        }
        if known.is_none()
            && let Err(error) = self.room_for_epoch(now_us)
        {
            let _ = answer.send(Err(error));
            return;
        }
        self.newest_us = self.newest_us.max(now_us);
        let duplicates = frame.events_up_to(mark);
        let events = frame.len();
        let namespace = Arc::clone(&key.namespace);
        if duplicates == events {
            let repeat = StoredRepeat {
                namespace: namespace.to_string(),
                producer: key.producer.to_string(),
                epoch: key.epoch,
                events: events as u64,
            };
            let (header, end) =
                self.log.add(Kind::Repeated, now_us, 0, |out| out.extend_from_slice(&repeat.encode_to_vec()));
            let (producer, epoch) = (Arc::clone(&key.producer), key.epoch);
            let what = What::Repeated { producer, epoch, events: events as u64 };
            self.applied.push(Applied::new(&header, end, namespace, what));
            let outcome = FrameOutcome { mark, duplicate: events as u64, ..FrameOutcome::default() };
            self.waiting.push(Waiting::Frame(answer, outcome));
            return;
        }
        rejections.retain(|(event, _)| *event >= duplicates);
        let rejected = rejections.iter().map(|(event, rejection)| (*event as u32, rejection.code)).collect();
        let left = Left { known: duplicates as u32, rejected };
        let (header, end) = self.log.add(Kind::Frame, now_us, events as u32, |out| {
            left.encode(&namespace, frame.encoded(), out);
        });
        let mark = frame.last_sequence();
        let outcome = FrameOutcome {
            mark,
            accepted: (events - duplicates - rejections.len()) as u64,
            duplicate: duplicates as u64,
            rejected: rejections
                .into_iter()
                .map(|(event, Rejection { code, detail })| RejectedEvent {
                    sequence: frame.first_sequence() + event as u64,
                    code,
                    detail,
                })
                .collect(),
        };
        let seen_us = known.map_or(now_us, |known| known.seen_us.max(now_us));
        self.undo.push(Undo::Mark(key.clone(), known));
        self.marks.insert(key, Mark { sequence: mark, seen_us });
        self.applied.push(Applied::new(&header, end, namespace, What::Frame { frame, left }));
        self.waiting.push(Waiting::Frame(answer, outcome));
    }

    /// Forgets epochs whose events would be too old to come in again, when there are too many.
    fn room_for_epoch(&mut self, now_us: i64) -> Result<(), StoreError> {
        if self.marks.len() < MAX_EPOCHS {
            return Ok(());
        }
        let oldest = now_us.saturating_sub(self.options.retention_us);
        self.marks.retain(|_, mark| mark.seen_us >= oldest);
        if self.marks.len() < MAX_EPOCHS {
            return Ok(());
        }
        Err(StoreError::Full {
            what: "epochs of producers",
            most: MAX_EPOCHS as u64,
            next_step: "have producers keep their epoch while they run; epochs nobody sends in any more are forgotten after the time of retention",
        })
    }
}
