//! What still fits a frame.

use std::collections::HashSet;

use super::EventDraft;
use super::event::{Text, Value};

/// A frame takes events until their texts have this many bytes.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;
/// Strings of a frame, counted as if none were the same; the control plane takes 65,536 different ones.
pub const MAX_FRAME_STRINGS: usize = 60_000;
/// Property columns of a frame; the control plane takes 256.
pub const MAX_FRAME_COLUMNS: usize = 240;
/// Columns times events of a frame: what the control plane takes.
pub const MAX_FRAME_CELLS: usize = 524_288;

/// Columns that one property can need, by kind of value: numbers may need one more for those that are long.
fn kind(value: &Value) -> (u8, usize) {
    match value {
        Value::Text(_) => (0, 1),
        Value::Number(_) => (1, 2),
        Value::Flag(_) => (2, 1),
    }
}

/// What still fits the frame that is being filled.
#[derive(Debug)]
pub(crate) struct Budget {
    events: usize,
    bytes: usize,
    strings: usize,
    columns: usize,
    /// Events and columns that it has.
    taken: (usize, usize),
    known: HashSet<(Text, u8)>,
    empty: bool,
}

impl Budget {
    /// Of an empty frame that takes so many events.
    pub(crate) fn new(events: usize) -> Self {
        let known = HashSet::new();
        Self {
            events,
            bytes: MAX_FRAME_BYTES,
            strings: MAX_FRAME_STRINGS,
            columns: MAX_FRAME_COLUMNS,
            taken: (0, 0),
            known,
            empty: true,
        }
    }

    /// Takes an event's share, if it fits. The first one always does: an event is bounded itself.
    pub(crate) fn take(&mut self, draft: &EventDraft) -> bool {
        let bytes = draft.bytes();
        let strings = 5 + 2 * draft.properties.len();
        let mut columns = 0;
        for (name, value) in &draft.properties {
            let (kind, needs) = kind(value);
            // A name that is borrowed is looked up without a copy.
            if !self.known.contains(&(name.clone(), kind)) {
                columns += needs;
            }
        }
        let cells = (self.taken.0 + 1).saturating_mul(self.taken.1 + columns);
        let fits = self.events > 0
            && bytes <= self.bytes
            && strings <= self.strings
            && columns <= self.columns
            && cells <= MAX_FRAME_CELLS;
        if !fits && !self.empty {
            // Whatever comes after keeps its order: the frame is full.
            self.events = 0;
            return false;
        }
        self.empty = false;
        self.events = self.events.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.strings = self.strings.saturating_sub(strings);
        self.columns = self.columns.saturating_sub(columns);
        self.taken = (self.taken.0 + 1, self.taken.1 + columns);
        if columns > 0 {
            self.known.extend(draft.properties.iter().map(|(name, value)| (name.clone(), kind(value).0)));
        }
        true
    }

    /// Whether nothing more fits.
    pub(crate) fn is_spent(&self) -> bool {
        self.events == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_properties(first: usize, count: usize) -> EventDraft {
        (first..first + count).fold(EventDraft::new("e"), |draft, at| draft.number(format!("p{at}"), 1))
    }

    #[test]
    fn a_frame_is_full_before_it_has_more_columns_than_are_taken() {
        let mut budget = Budget::new(8_192);
        assert!(budget.take(&with_properties(0, 60)));
        assert!(budget.take(&with_properties(60, 60)), "120 properties of numbers need 240 columns at most");
        assert!(budget.take(&with_properties(30, 60)), "the same again need none");
        assert!(!budget.take(&with_properties(120, 1)));
        assert!(budget.is_spent());
    }

    #[test]
    fn a_frame_is_full_before_it_has_more_strings_or_bytes_than_are_taken() {
        let mut budget = Budget::new(8_192);
        let taken = (0..8_192).take_while(|_| budget.take(&with_properties(0, 64))).count();
        assert!(taken * (5 + 128) <= MAX_FRAME_STRINGS && taken > 300, "{taken}");
        let mut budget = Budget::new(8_192);
        let large = EventDraft::new("e").text("p", "x".repeat(1_000));
        let taken = (0..8_192).take_while(|_| budget.take(&large)).count();
        assert!(taken * large.bytes() <= MAX_FRAME_BYTES && taken > 500, "{taken}");
    }
}
