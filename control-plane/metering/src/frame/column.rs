//! Columns of a frame, checked and spread out: one cell an event.

use creto_proto::v1::PropertyColumn;
use creto_rating::Quantity;

use crate::FrameError;
use crate::bounds::MAX_NAME_BYTES;

/// Digits a number may have behind the point.
const MAX_SCALE: u32 = 18;

/// A property of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The event does not have it.
    Absent,
    /// A text: index into the strings, from 1; 0 is the empty one.
    Text(u32),
    /// A number divided by ten to this.
    Whole(i64, u8),
    /// A decimal: index into the frame's.
    Decimal(u32),
    /// No number, though sent as one: index into the strings.
    NoNumber(u32),
    /// True or false.
    Flag(bool),
}

/// A property of the frame's events.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Index into the strings.
    pub(crate) name: u32,
    cells: Vec<Cell>,
}

impl Column {
    pub(crate) fn cell(&self, event: usize) -> Cell {
        self.cells.get(event).copied().unwrap_or(Cell::Absent)
    }
}

/// What columns are checked against.
pub(super) struct Checker<'f> {
    pub(super) events: usize,
    pub(super) strings: &'f [String],
}

impl Checker<'_> {
    /// A column with an entry an event, or none at all.
    pub(super) fn whole<T>(&self, column: &str, entries: Vec<T>) -> Result<Vec<T>, FrameError> {
        if entries.is_empty() || entries.len() == self.events {
            return Ok(entries);
        }
        Err(FrameError::Length { column: column.into(), found: entries.len(), expected: self.events })
    }

    /// A column of indices into the strings.
    pub(super) fn indices(&self, column: &str, entries: Vec<u32>) -> Result<Vec<u32>, FrameError> {
        let entries = self.whole(column, entries)?;
        self.all_lead_somewhere(column, &entries)?;
        Ok(entries)
    }

    fn all_lead_somewhere(&self, column: &str, entries: &[u32]) -> Result<(), FrameError> {
        match entries.iter().max() {
            Some(index) if *index as usize > self.strings.len() => {
                let strings = self.strings.len();
                Err(FrameError::Index { column: column.into(), index: *index, strings })
            }
            _ => Ok(()),
        }
    }

    /// Differences into times.
    pub(super) fn times(&self, entries: Vec<i64>) -> Result<Vec<i64>, FrameError> {
        let mut times = self.whole("at_us", entries)?;
        let mut last = 0_i64;
        for time in &mut times {
            last = last.checked_add(*time).ok_or(FrameError::Times)?;
            *time = last;
        }
        Ok(times)
    }

    /// Property columns; those of one name become one.
    pub(super) fn properties(
        &self,
        columns: Vec<PropertyColumn>,
    ) -> Result<(Vec<Column>, Vec<Quantity>), FrameError> {
        let mut spread: Vec<Column> = Vec::with_capacity(columns.len());
        let mut decimals = Vec::new();
        // What each string reads as, so that a decimal that is sent often is parsed once.
        let mut read: Vec<Option<Cell>> = Vec::new();
        for column in columns {
            let name = (column.name as usize).checked_sub(1).and_then(|at| self.strings.get(at));
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                let (index, strings) = (column.name, self.strings.len());
                return Err(FrameError::Index { column: "properties".into(), index, strings });
            };
            let wrong =
                |problem| FrameError::Column { column: name.chars().take(MAX_NAME_BYTES).collect(), problem };
            let kinds = [
                &column.texts.is_empty(),
                &column.numbers.is_empty(),
                &column.decimals.is_empty(),
                &column.flags.is_empty(),
            ];
            if kinds.iter().filter(|empty| !***empty).count() != 1 {
                return Err(wrong("must have one of texts, numbers, decimals and flags"));
            }
            if column.scale > MAX_SCALE {
                return Err(wrong("has a scale above 18"));
            }
            let values =
                column.texts.len() + column.numbers.len() + column.decimals.len() + column.flags.len();
            let holders = if column.events.is_empty() { self.events } else { column.events.len() };
            if values != holders {
                return Err(FrameError::Length { column: name.clone(), found: values, expected: holders });
            }
            self.all_lead_somewhere(name, &column.texts)?;
            self.all_lead_somewhere(name, &column.decimals)?;
            let known = spread.iter().position(|other| {
                other.name == column.name || self.strings.get(other.name as usize - 1) == Some(name)
            });
            let at = known.unwrap_or_else(|| {
                spread.push(Column { name: column.name, cells: vec![Cell::Absent; self.events] });
                spread.len() - 1
            });
            let cells = &mut spread[at].cells;
            let mut next = 0_usize;
            for entry in 0..values {
                let event = if column.events.is_empty() {
                    entry
                } else {
                    let step = column.events[entry] as usize;
                    if entry > 0 && step == 0 {
                        return Err(wrong("has events that do not rise"));
                    }
                    next = next.saturating_add(step);
                    next
                };
                let Some(cell) = cells.get_mut(event) else {
                    return Err(wrong("has an event beyond the frame's"));
                };
                if *cell != Cell::Absent {
                    return Err(wrong("gives an event the same property twice"));
                }
                *cell = if let Some(text) = column.texts.get(entry) {
                    Cell::Text(*text)
                } else if let Some(number) = column.numbers.get(entry) {
                    // Checked above to be at most 18.
                    Cell::Whole(*number, column.scale as u8)
                } else if let Some(flag) = column.flags.get(entry) {
                    Cell::Flag(*flag)
                } else {
                    read.resize(self.strings.len() + 1, None);
                    let index = column.decimals[entry];
                    *read[index as usize].get_or_insert_with(|| {
                        let text = (index as usize).checked_sub(1).and_then(|at| self.strings.get(at));
                        match text.map_or("", String::as_str).parse() {
                            Ok(quantity) => {
                                decimals.push(quantity);
                                Cell::Decimal(decimals.len() as u32 - 1)
                            }
                            Err(_) => Cell::NoNumber(index),
                        }
                    })
                };
            }
        }
        Ok((spread, decimals))
    }
}
