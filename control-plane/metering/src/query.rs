//! Questions to meters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use creto_rating::Exact;
use thiserror::Error;

use crate::Meter;
use crate::bounds::{MAX_ANSWER_MEMBERS, MAX_ANSWER_VALUES, MAX_GROUP_BY};
use crate::time::MINUTE_US;

/// A window of rollups, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month of the calendar.
    Month,
}

impl Window {
    /// All there are, the shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// Its name on the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Window {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::ALL
            .into_iter()
            .find(|window| window.as_str() == text)
            .ok_or_else(|| QueryError::Window(text.chars().take(40).collect()))
    }
}

/// What to know of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterQuery {
    /// Its name.
    pub meter: Arc<str>,
    /// From when, in microseconds since 1970; a whole minute.
    pub from_us: i64,
    /// Up to and without when, in microseconds since 1970; a whole minute.
    pub to_us: i64,
    /// A value for each of these; none: one for the whole span. The first and the last may be cut by `from_us` and
    /// `to_us`.
    pub window: Option<Window>,
    /// A value for each of their values: `agent`, `customer`, `subscription`, or dimensions of the meter.
    pub group_by: Vec<Arc<str>>,
    /// Only events where these are equal; names as in `group_by`, the empty text for events without.
    pub filter: BTreeMap<Arc<str>, Arc<str>>,
}

/// Why a question is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// No such window.
    #[error("`{0}` is no window: minute, hour, day or month, or empty for the whole span")]
    Window(String),
    /// No time at all, or beyond what calendars hold.
    #[error(
        "from {from_us} to {to_us} (microseconds since 1970) is no span of time between the years 1970 and 9998"
    )]
    Span {
        /// From.
        from_us: i64,
        /// To.
        to_us: i64,
    },
    /// Not a whole minute.
    #[error("{0} (microseconds since 1970) is not a whole minute; rollups are by the minute")]
    NotAMinute(i64),
    /// Not something rollups are kept apart by.
    #[error("meter {meter} is not kept apart by `{name}`; by {known}")]
    Dimension {
        /// Which meter.
        meter: Arc<str>,
        /// What was asked for.
        name: Arc<str>,
        /// What there is.
        known: String,
    },
    /// The same name twice, or too many.
    #[error("group by {0}: at most {MAX_GROUP_BY}, each once")]
    GroupBy(usize),
    /// More than an answer holds.
    #[error(
        "the answer would have more than {MAX_ANSWER_VALUES} values: ask for a shorter time, longer windows or fewer groups"
    )]
    TooLarge,
    /// More distinct values than an answer counts.
    #[error(
        "the answer would count more than {MAX_ANSWER_MEMBERS} distinct values in all its windows and groups: ask for a shorter time, fewer windows or fewer groups"
    )]
    TooManyMembers,
}

/// The number a meter comes to, in a window and a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterValue {
    /// Where the window starts, in microseconds since 1970: by the calendar, even when `from_us` cuts it; `from_us` when
    /// no windows were asked for.
    pub window_starts_us: i64,
    /// Name and value of what was grouped by, in the order that was asked for.
    pub group: Vec<(Arc<str>, Arc<str>)>,
    /// The number.
    pub value: Exact,
    /// Events it is made of: those the meter counted.
    pub events: u64,
}

impl MeterQuery {
    /// The whole of a meter in a span of time.
    #[must_use]
    pub fn new(meter: &str, from_us: i64, to_us: i64) -> Self {
        Self {
            meter: meter.into(),
            from_us,
            to_us,
            window: None,
            group_by: Vec::new(),
            filter: BTreeMap::new(),
        }
    }

    /// By window.
    #[must_use]
    pub const fn every(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// By the values of these.
    #[must_use]
    pub fn by(mut self, names: &[&str]) -> Self {
        self.group_by = names.iter().map(|name| Arc::from(*name)).collect();
        self
    }

    /// Only where this is equal.
    #[must_use]
    pub fn only(mut self, name: &str, value: &str) -> Self {
        self.filter.insert(name.into(), value.into());
        self
    }

    /// Whether the meter can answer it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, meter: &Meter) -> Result<(), QueryError> {
        if self.from_us < 0 || self.from_us >= self.to_us || self.to_us > crate::time::LAST_US {
            return Err(QueryError::Span { from_us: self.from_us, to_us: self.to_us });
        }
        for at in [self.from_us, self.to_us] {
            if at % MINUTE_US != 0 {
                return Err(QueryError::NotAMinute(at));
            }
        }
        if self.group_by.iter().collect::<BTreeSet<_>>().len() != self.group_by.len()
            || self.group_by.len() > MAX_GROUP_BY
        {
            return Err(QueryError::GroupBy(self.group_by.len()));
        }
        for name in self.group_by.iter().chain(self.filter.keys()) {
            if !matches!(&**name, "agent" | "customer" | "subscription") && !meter.dimensions.contains(name) {
                let mut known = String::from("agent, customer, subscription");
                for dimension in &meter.dimensions {
                    known.push_str(", ");
                    known.push_str(dimension);
                }
                return Err(QueryError::Dimension {
                    meter: Arc::clone(&meter.name),
                    name: Arc::clone(name),
                    known,
                });
            }
        }
        Ok(())
    }
}
