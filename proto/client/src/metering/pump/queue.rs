//! Frames that are not acknowledged, in the order they are sent.

use std::collections::VecDeque;

use creto_proto::v1::IngestFrame;

use crate::metering::spool::{Left, Place};

/// A frame that is kept until it is acknowledged.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) epoch: u64,
    pub(super) first_sequence: u64,
    pub(super) count: u64,
    pub(super) place: Option<Place>,
    /// In memory while it is on its way, and always without a spool.
    pub(super) frame: Option<IngestFrame>,
    was_sent: bool,
}

/// The frames: those left by an earlier process first, then this one's, then those not yet kept.
#[derive(Debug, Default)]
pub(super) struct Queue {
    kept: VecDeque<Held>,
    unkept: Vec<IngestFrame>,
    /// How many of `kept` are on their way.
    on_the_way: usize,
    pushed: u64,
    acknowledged: u64,
    /// How many of `kept` an earlier process left.
    left: usize,
}

impl Queue {
    /// With what an earlier process left.
    pub(super) fn of(left: Vec<Left>) -> Self {
        let kept: VecDeque<Held> = left
            .into_iter()
            .map(|left| Held {
                epoch: left.epoch,
                first_sequence: left.first_sequence,
                count: left.count,
                place: Some(left.place),
                frame: None,
                was_sent: false,
            })
            .collect();
        Self { pushed: kept.len() as u64, left: kept.len(), kept, ..Self::default() }
    }

    /// A new frame, not yet kept.
    pub(super) fn push(&mut self, frame: IngestFrame) {
        self.unkept.push(frame);
        self.pushed += 1;
    }

    /// The frames not yet kept, to keep them.
    pub(super) fn unkept(&mut self) -> Vec<IngestFrame> {
        std::mem::take(&mut self.unkept)
    }

    /// They could not be kept.
    pub(super) fn put_back(&mut self, frames: Vec<IngestFrame>) {
        self.unkept = frames;
    }

    /// They are kept here.
    pub(super) fn keep_in_memory(&mut self) {
        for frame in self.unkept() {
            self.kept.push_back(held(frame, None));
        }
    }

    /// They are kept in the spool; those that will be sent soon stay here too.
    pub(super) fn keep_on_disk(&mut self, frames: Vec<IngestFrame>, places: Vec<Place>) {
        for (frame, place) in frames.into_iter().zip(places) {
            let mut held = held(frame, Some(place));
            if self.kept.len() >= super::MAX_WINDOW_FRAMES {
                held.frame = None;
            }
            self.kept.push_back(held);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len() + self.unkept.len()
    }

    /// Frames of this process.
    pub(super) fn fresh(&self) -> usize {
        self.len() - self.left
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.unkept.is_empty()
    }

    /// How many there ever were.
    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// How many of them were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Frames on their way.
    pub(super) fn unanswered(&self) -> usize {
        self.on_the_way
    }

    /// A new stream: everything is sent again.
    pub(super) fn rewind(&mut self) {
        self.on_the_way = 0;
    }

    /// Where the next frame of the window is, if it is not in memory.
    pub(super) fn next_to_load(&self, window: usize) -> Option<Place> {
        if self.on_the_way >= window {
            return None;
        }
        let next = self.kept.get(self.on_the_way)?;
        if next.frame.is_some() { None } else { next.place }
    }

    /// The next frame was read.
    pub(super) fn load(&mut self, mut frame: IngestFrame) {
        if let Some(next) = self.kept.get_mut(self.on_the_way) {
            // It may have been numbered anew since it was written.
            (frame.epoch, frame.first_sequence) = (next.epoch, next.first_sequence);
            next.frame = Some(frame);
        }
    }

    /// The next frame of the window, and whether it was never sent before.
    pub(super) fn next_to_send(&self, window: usize) -> Option<(IngestFrame, bool)> {
        if self.on_the_way >= window {
            return None;
        }
        let next = self.kept.get(self.on_the_way)?;
        Some((next.frame.clone()?, !next.was_sent))
    }

    /// It is on its way.
    pub(super) fn sent(&mut self) {
        if let Some(next) = self.kept.get_mut(self.on_the_way) {
            next.was_sent = true;
            self.on_the_way += 1;
        }
    }

    /// The frames that a mark covers, which are done.
    pub(super) fn acknowledge(&mut self, epoch: u64, sequence: u64) -> Vec<Held> {
        let covered = |held: &Held| {
            held.was_sent && held.epoch == epoch && held.first_sequence + held.count - 1 <= sequence
        };
        let mut done = Vec::new();
        while self.kept.front().is_some_and(covered) {
            done.extend(self.kept.pop_front());
            self.on_the_way = self.on_the_way.saturating_sub(1);
            self.acknowledged += 1;
            self.left = self.left.saturating_sub(1);
        }
        done
    }

    /// The sequence before the first that is not acknowledged, if the control plane, whose mark this is, lacks that one too.
    pub(super) fn lacks(&self, epoch: u64, mark: u64) -> Option<u64> {
        let first = self.kept.front().filter(|held| held.epoch == epoch)?;
        let before = first.first_sequence.checked_sub(1)?;
        (before > mark).then_some(before)
    }

    /// Numbers what comes after a sequence of an epoch anew, from 1, in another.
    pub(super) fn renumber(&mut self, epoch: u64, after: u64, new: u64) {
        for held in self.kept.iter_mut().filter(|held| held.epoch == epoch && held.first_sequence > after) {
            (held.epoch, held.first_sequence) = (new, held.first_sequence - after);
            if let Some(frame) = &mut held.frame {
                (frame.epoch, frame.first_sequence) = (held.epoch, held.first_sequence);
            }
        }
        for frame in &mut self.unkept {
            if frame.epoch == epoch && frame.first_sequence > after {
                (frame.epoch, frame.first_sequence) = (new, frame.first_sequence - after);
            }
        }
    }

    /// Events not acknowledged.
    pub(super) fn events(&self) -> u64 {
        let kept: u64 = self.kept.iter().map(|held| held.count).sum();
        kept + self.unkept.iter().map(|frame| u64::from(frame.count)).sum::<u64>()
    }

    /// Of those, the ones that no spool has.
    pub(super) fn events_in_memory_only(&self) -> u64 {
        let kept: u64 = self.kept.iter().filter(|held| held.place.is_none()).map(|held| held.count).sum();
        kept + self.unkept.iter().map(|frame| u64::from(frame.count)).sum::<u64>()
    }
}

fn held(frame: IngestFrame, place: Option<Place>) -> Held {
    Held {
        epoch: frame.epoch,
        first_sequence: frame.first_sequence,
        count: u64::from(frame.count),
        place,
        frame: Some(frame),
        was_sent: false,
    }
}
