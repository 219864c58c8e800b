//! What the events of a namespace have come to since the last checkpoint: a cell for each series and minute.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::accumulator::{Measure, Place};
use crate::bounds::MAX_DIMENSIONS;
use crate::frame::Cell;
use crate::time::MINUTE_US;
use crate::{Accumulator, Aggregation, Catalog, Event, Frame, Layout, MeterQuery, Tally, TallyError, Value};

/// Agent, customer, subscription, and the values of dimensions; all by number of the name.
type Names = [u32; 3 + MAX_DIMENSIONS];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SeriesKey {
    layout: u32,
    names: Names,
}

#[derive(Clone, Debug)]
struct Series {
    key: SeriesKey,
    /// The cell that was last counted in: events come by time, mostly.
    last_minute: i64,
    last_cell: u32,
}

#[derive(Clone, Copy, Debug)]
struct CellHead {
    series: u32,
    /// Since 1970.
    minute: i64,
    first: u32,
    slots: u32,
}

/// A cell as it is shown.
pub(super) struct CellView<'s> {
    /// Number of the series within the space.
    pub(super) series: u32,
    /// Since 1970.
    pub(super) minute: i64,
    /// One for each meter of the layout; meters that were defined later have none.
    pub(super) accumulators: &'s [Accumulator],
}

/// A series as it is shown.
pub(super) struct SeriesView<'s> {
    /// Index of the layout in the catalog.
    pub(super) layout: usize,
    names: Names,
    space: &'s Space,
}

impl<'s> SeriesView<'s> {
    /// Agent, customer, subscription, then the dimensions of the layout.
    pub(super) fn name(&self, index: usize) -> &'s Arc<str> {
        &self.space.names[self.names[index] as usize]
    }
}

#[derive(Debug, Default)]
pub(super) struct Space {
    numbers: HashMap<Arc<str>, u32, RandomState>,
    names: Vec<Arc<str>>,
    numbered: HashMap<SeriesKey, u32, RandomState>,
    series: Vec<Series>,
    placed: HashMap<(u32, i64), u32, RandomState>,
    cells: Vec<CellHead>,
    accumulators: Vec<Accumulator>,
    /// Memory of distinct values, in bytes.
    member_bytes: usize,
}

/// How events of one type in one frame are counted by one layout.
struct FramePlan {
    layout: u32,
    dimensions: Vec<Option<usize>>,
    /// Of each meter: how, and the column it reads.
    reads: Vec<(Aggregation, Option<usize>)>,
}

impl FramePlan {
    fn of(index: usize, layout: &Layout, frame: &Frame) -> Self {
        Self {
            layout: index as u32,
            dimensions: layout.dimensions.iter().map(|name| frame.column(name)).collect(),
            reads: layout
                .meters
                .iter()
                .map(|meter| (meter.aggregation, frame.column(&meter.field)))
                .collect(),
        }
    }
}

impl Space {
    /// Memory it takes, about, in bytes.
    pub(super) fn bytes(&self) -> usize {
        // Names are short: the text, two pointers to it, and what maps hold beside.
        self.names.len() * 128
            + self.series.len() * 160
            + self.cells.len() * 80
            + self.accumulators.len() * size_of::<Accumulator>()
            + self.member_bytes
    }

    /// A meter came: cells made from now on have room for it.
    pub(super) fn forget_places(&mut self) {
        self.placed.clear();
        for series in &mut self.series {
            series.last_minute = i64::MIN;
        }
    }

    /// Counts the events of a frame that `keeps` says yes to.
    pub(super) fn count_frame(
        &mut self,
        catalog: &Catalog,
        frame: &Frame,
        keeps: impl Fn(usize) -> bool,
        first_order: u64,
    ) {
        let mut plans: Vec<Option<Vec<FramePlan>>> = (0..frame.string_count()).map(|_| None).collect();
        let mut numbers: Vec<u32> = vec![u32::MAX; frame.string_count()];
        for event in (0..frame.len()).filter(|event| keeps(*event)) {
            let kind = frame.type_index(event);
            let plans = plans[kind as usize].get_or_insert_with(|| {
                let layouts = catalog.layouts_of(frame.string(kind));
                layouts.map(|(index, layout)| FramePlan::of(index, layout, frame)).collect()
            });
            let at_us = frame.at_us(event);
            let minute = at_us.div_euclid(MINUTE_US);
            let place = Place { at_us, logical: frame.logical(event), order: first_order + event as u64 };
            let mut who = [0; 3];
            for (number, index) in who.iter_mut().zip(frame.who(event)) {
                *number = self.frame_number(frame, &mut numbers, index);
            }
            for plan in plans.iter() {
                let mut names: Names = [0; 3 + MAX_DIMENSIONS];
                names[..3].copy_from_slice(&who);
                for (name, column) in names[3..].iter_mut().zip(&plan.dimensions) {
                    let cell = column.map_or(Cell::Absent, |index| frame.columns()[index].cell(event));
                    *name = match cell {
                        Cell::Absent => self.number(""),
                        Cell::Text(index) => self.frame_number(frame, &mut numbers, index),
                        Cell::Flag(flag) => self.number(if flag { "true" } else { "false" }),
                        number => match frame.number(number) {
                            Some(quantity) => self.number(&quantity.to_string()),
                            None => self.number(""),
                        },
                    };
                }
                // Unused names stay zero; so many are used as the layout has dimensions.
                let key = SeriesKey { layout: plan.layout, names };
                let first = self.cell(key, minute, plan.reads.iter().map(|(aggregation, _)| *aggregation));
                for (slot, (aggregation, column)) in plan.reads.iter().enumerate() {
                    let accumulator = &mut self.accumulators[first as usize + slot];
                    if *aggregation == Aggregation::Count {
                        accumulator.add(Measure::One, place);
                        continue;
                    }
                    let Some(column) = column else { continue };
                    let cell = frame.columns()[*column].cell(event);
                    if *aggregation == Aggregation::UniqueCount {
                        let number;
                        let member = match cell {
                            Cell::Absent => continue,
                            Cell::Text(index) => frame.string(index),
                            Cell::Flag(flag) => {
                                if flag {
                                    "true"
                                } else {
                                    "false"
                                }
                            }
                            other => {
                                number = frame.number(other).map(|quantity| quantity.to_string());
                                number.as_deref().unwrap_or_default()
                            }
                        };
                        self.member_bytes += accumulator.add(Measure::Member(member), place);
                    } else if let Some(number) = frame.number(cell) {
                        accumulator.add(Measure::Number(number.atto()), place);
                    }
                }
            }
        }
    }

    /// Counts one event.
    pub(super) fn count_event(&mut self, catalog: &Catalog, event: &Event, order: u64) {
        let minute = event.at_us.div_euclid(MINUTE_US);
        let place = Place { at_us: event.at_us, logical: event.logical, order };
        for (index, layout) in catalog.layouts_of(&event.event_type) {
            let mut names: Names = [0; 3 + MAX_DIMENSIONS];
            for (name, text) in names.iter_mut().zip([&event.agent, &event.customer, &event.subscription]) {
                *name = self.number(text);
            }
            for (name, dimension) in names[3..].iter_mut().zip(layout.dimensions.iter()) {
                let text = event.property(dimension).map(Value::text).unwrap_or_default();
                *name = self.number(&text);
            }
            let key = SeriesKey { layout: index as u32, names };
            let first = self.cell(key, minute, layout.meters.iter().map(|meter| meter.aggregation));
            for (slot, meter) in layout.meters.iter().enumerate() {
                let accumulator = &mut self.accumulators[first as usize + slot];
                let added = match (meter.aggregation, event.property(&meter.field)) {
                    (Aggregation::Count, _) => accumulator.add(Measure::One, place),
                    (Aggregation::UniqueCount, Some(value)) => {
                        accumulator.add(Measure::Member(&value.text()), place)
                    }
                    (_, Some(Value::Number(number))) => {
                        accumulator.add(Measure::Number(number.atto()), place)
                    }
                    _ => 0,
                };
                self.member_bytes += added;
            }
        }
    }

    /// The number of a string of a frame, looked up once a frame.
    fn frame_number(&mut self, frame: &Frame, numbers: &mut [u32], index: u32) -> u32 {
        let known = numbers[index as usize];
        if known != u32::MAX {
            return known;
        }
        let number = self.number(frame.string(index));
        numbers[index as usize] = number;
        number
    }

    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    /// Where the accumulators of a cell begin.
    fn cell(
        &mut self,
        key: SeriesKey,
        minute: i64,
        aggregations: impl ExactSizeIterator<Item = Aggregation>,
    ) -> u32 {
        let next = self.series.len() as u32;
        let series = *self.numbered.entry(key).or_insert(next);
        if series == next {
            self.series.push(Series { key, last_minute: i64::MIN, last_cell: 0 });
        }
        let known = &mut self.series[series as usize];
        if known.last_minute == minute {
            return self.cells[known.last_cell as usize].first;
        }
        let next = self.cells.len() as u32;
        let cell = *self.placed.entry((series, minute)).or_insert(next);
        known.last_minute = minute;
        known.last_cell = cell;
        if cell == next {
            let first = self.accumulators.len() as u32;
            let slots = aggregations.len() as u32;
            self.cells.push(CellHead { series, minute, first, slots });
            self.accumulators.extend(aggregations.map(Accumulator::new));
        }
        self.cells[cell as usize].first
    }

    pub(super) fn series(&self) -> impl ExactSizeIterator<Item = SeriesView<'_>> {
        (0..self.series.len()).map(|index| self.series_at(index))
    }

    pub(super) fn series_at(&self, index: usize) -> SeriesView<'_> {
        let SeriesKey { layout, names } = self.series[index].key;
        SeriesView { layout: layout as usize, names, space: self }
    }

    /// All cells. One series and minute may have several, which add up.
    pub(super) fn cells(&self) -> impl Iterator<Item = CellView<'_>> {
        self.cells.iter().map(|cell| {
            let first = cell.first as usize;
            CellView {
                series: cell.series,
                minute: cell.minute,
                accumulators: &self.accumulators[first..first + cell.slots as usize],
            }
        })
    }

    /// Adds what is here to the answer of a question to the meter at `slot` of `layout`, whose index is `index`.
    pub(super) fn answer(
        &self,
        (index, layout, slot): (usize, &Layout, usize),
        query: &MeterQuery,
        tally: &mut Tally,
    ) -> Result<(), TallyError> {
        let (from, to) = (query.from_us / MINUTE_US, query.to_us / MINUTE_US);
        let position = |name: &str| name_position(layout, name);
        let filter: Vec<(usize, &str)> =
            query.filter.iter().filter_map(|(name, value)| Some((position(name)?, &**value))).collect();
        let group: Vec<usize> = query.group_by.iter().filter_map(|name| position(name)).collect();
        for cell in &self.cells {
            let names = &self.series[cell.series as usize].key;
            if names.layout as usize != index
                || cell.minute < from
                || cell.minute >= to
                || slot >= cell.slots as usize
            {
                continue;
            }
            let name = |at: usize| &self.names[names.names[at] as usize];
            if filter.iter().all(|(at, value)| &**name(*at) == *value) {
                let group = group.iter().map(|at| Arc::clone(name(*at))).collect();
                tally.merge(
                    cell.minute * MINUTE_US,
                    group,
                    &self.accumulators[cell.first as usize + slot],
                )?;
            }
        }
        Ok(())
    }
}

/// Where a name stands among agent, customer, subscription and the dimensions of a layout.
pub(super) fn name_position(layout: &Layout, name: &str) -> Option<usize> {
    match name {
        "agent" => Some(0),
        "customer" => Some(1),
        "subscription" => Some(2),
        _ => layout.dimensions.iter().position(|dimension| **dimension == *name).map(|at| at + 3),
    }
}
