//! A meter's answer worked out from events, one by one: what rollups must equal.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use thiserror::Error;

use crate::accumulator::{Measure, Place};
use crate::bounds::{MAX_ANSWER_MEMBERS, MAX_ANSWER_VALUES};
use crate::{Accumulator, Aggregation, Event, Meter, MeterQuery, MeterValue, QueryError, StoreError, Value};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TallyError {
    /// The question is wrong, or its answer too large.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Distinct values beyond what is counted, of this meter.
    #[error("more distinct values of meter {0} than are counted")]
    TooManyMembers(Arc<str>),
}

impl From<TallyError> for StoreError {
    fn from(error: TallyError) -> Self {
        match error {
            TallyError::Query(error) => Self::Query(error),
            TallyError::TooManyMembers(meter) => Self::TooManyMembers { meter },
        }
    }
}

/// Where a window starts, and the values of what is grouped by.
type Key = (i64, Vec<Arc<str>>);

/// Events, or rollups of them, added up to the answer of one question.
#[derive(Debug)]
pub struct Tally {
    meter: Meter,
    query: MeterQuery,
    sums: HashMap<Key, Accumulator, foldhash::fast::FixedState>,
    /// Distinct values in them.
    members: usize,
}

impl Tally {
    /// Of nothing yet.
    ///
    /// # Errors
    /// What is wrong with the question.
    pub fn new(meter: &Meter, query: &MeterQuery) -> Result<Self, TallyError> {
        query.check(meter)?;
        Ok(Self { meter: meter.clone(), query: query.clone(), sums: HashMap::default(), members: 0 })
    }

    /// Takes in one event; those of other types, times and groups change nothing. `order` is its number in the order of
    /// ingestion.
    ///
    /// # Errors
    /// When the answer becomes too large.
    pub fn add(&mut self, event: &Event, order: u64) -> Result<(), TallyError> {
        if event.event_type != self.meter.event_type
            || event.at_us < self.query.from_us
            || event.at_us >= self.query.to_us
        {
            return Ok(());
        }
        let text;
        let measure = match (self.meter.aggregation, event.property(&self.meter.field)) {
            (Aggregation::Count, _) => Measure::One,
            (_, None) => return Ok(()),
            (Aggregation::UniqueCount, Some(value)) => {
                text = value.text();
                Measure::Member(&text)
            }
            (_, Some(Value::Number(number))) => Measure::Number(number.atto()),
            (_, Some(_)) => return Ok(()),
        };
        let value = |name: &str| match name {
            "agent" => Arc::clone(&event.agent),
            "customer" => Arc::clone(&event.customer),
            "subscription" => Arc::clone(&event.subscription),
            name => match event.property(name) {
                None => Arc::from(""),
                Some(Value::Text(text)) => Arc::clone(text),
                Some(other) => other.text().into(),
            },
        };
        if self.query.filter.iter().any(|(name, wanted)| value(name) != *wanted) {
            return Ok(());
        }
        let group = self.query.group_by.iter().map(|name| value(name)).collect();
        let place = Place { at_us: event.at_us, logical: event.logical, order };
        let aggregation = self.meter.aggregation;
        let sum = self.sum(event.at_us, group, aggregation)?;
        let before = sum.members();
        sum.add(measure, place);
        let more = sum.members() - before;
        self.count_members(more)
    }

    /// Takes in what a rollup came to, of a window that starts at `start_us` and is within one of the question's.
    ///
    /// # Errors
    /// When the answer becomes too large.
    pub fn merge(
        &mut self,
        start_us: i64,
        group: Vec<Arc<str>>,
        rollup: &Accumulator,
    ) -> Result<(), TallyError> {
        if rollup.events() == 0 {
            return Ok(());
        }
        let aggregation = self.meter.aggregation;
        let sum = self.sum(start_us, group, aggregation)?;
        let before = sum.members();
        sum.merge(rollup);
        let more = sum.members() - before;
        self.count_members(more)
    }

    /// Takes in what another came to, of the same question.
    pub(crate) fn merge_tally(&mut self, other: Self) -> Result<(), TallyError> {
        for ((start, group), sum) in other.sums {
            // Where a window starts is within it.
            self.merge(start, group, &sum)?;
        }
        Ok(())
    }

    /// Whether its distinct values are kept beside the rollups.
    pub(crate) fn counts_members(&self) -> bool {
        self.meter.aggregation == Aggregation::UniqueCount
    }

    /// Takes in one distinct value of a rollup whose events were taken in.
    pub(crate) fn member(
        &mut self,
        start_us: i64,
        group: Vec<Arc<str>>,
        member: &[u8],
    ) -> Result<(), TallyError> {
        let aggregation = self.meter.aggregation;
        let Accumulator::Unique(unique) = self.sum(start_us, group, aggregation)? else { return Ok(()) };
        let is_new = unique.insert_member(member.into()) > 0;
        self.count_members(usize::from(is_new))
    }

    fn count_members(&mut self, more: usize) -> Result<(), TallyError> {
        self.members += more;
        match self.members > MAX_ANSWER_MEMBERS {
            true => Err(QueryError::TooManyMembers.into()),
            false => Ok(()),
        }
    }

    fn sum(
        &mut self,
        at_us: i64,
        group: Vec<Arc<str>>,
        aggregation: Aggregation,
    ) -> Result<&mut Accumulator, TallyError> {
        let start = self.query.window.map_or(self.query.from_us, |window| window.start_us(at_us));
        let room = self.sums.len() < MAX_ANSWER_VALUES;
        match self.sums.entry((start, group)) {
            Entry::Occupied(sum) => Ok(sum.into_mut()),
            Entry::Vacant(place) if room => Ok(place.insert(Accumulator::new(aggregation))),
            Entry::Vacant(_) => Err(QueryError::TooLarge.into()),
        }
    }

    /// The answer.
    ///
    /// # Errors
    /// [`TallyError::TooManyMembers`] when distinct values are more than are counted.
    pub fn values(self) -> Result<Vec<MeterValue>, TallyError> {
        let Self { meter, query, sums, .. } = self;
        let mut values = Vec::with_capacity(sums.len());
        for ((start, group), sum) in sums {
            // What is weighted by time is so within the part of the window that was asked for.
            let end = query.window.map_or(query.to_us, |window| window.end_us(start).min(query.to_us));
            let value = sum
                .value(start.max(query.from_us), end)
                .ok_or_else(|| TallyError::TooManyMembers(Arc::clone(&meter.name)))?;
            values.push(MeterValue {
                window_starts_us: start,
                group: query.group_by.iter().map(Arc::clone).zip(group).collect(),
                value,
                events: sum.events(),
            });
        }
        values.sort_by(|a, b| (a.window_starts_us, &a.group).cmp(&(b.window_starts_us, &b.group)));
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_values_of_one_answer_are_bounded_over_all_windows_and_groups() {
        let meter = Meter::new("users", "use", Aggregation::UniqueCount, "user").by(&["model"]);
        let query = MeterQuery::new("users", 0, 60_000_000).by(&["model"]);
        let mut tally = Tally::new(&meter, &query).unwrap();
        let groups: Vec<Arc<str>> = (0..11).map(|group| group.to_string().into()).collect();
        for value in 0..MAX_ANSWER_MEMBERS as u32 {
            let group = vec![Arc::clone(&groups[value as usize % 11])];
            tally.member(0, group, &value.to_le_bytes()).unwrap();
        }
        // One that was there is no more.
        tally.member(0, vec![Arc::clone(&groups[0])], &0_u32.to_le_bytes()).unwrap();
        let refused = tally.member(0, vec![Arc::clone(&groups[0])], b"another");
        assert_eq!(refused, Err(TallyError::Query(QueryError::TooManyMembers)));
    }
}
