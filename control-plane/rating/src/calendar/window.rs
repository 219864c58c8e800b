//! The part of a period one plan is in force for.

use super::{Moment, Period, Zone};

/// A part of a period: usage in it is rated together, and what is prorated counts its days against the period's.
///
/// A day belongs to one part only: when a plan is changed at noon, the day is the new plan's. So the days of the parts
/// add up to the days of service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    from: Moment,
    to: Moment,
    first_day: i64,
    last_day: i64,
    period_days: i64,
    period_micros: i64,
    zone: Zone,
}

impl Window {
    /// A whole period.
    #[must_use]
    pub fn whole(period: &Period) -> Self {
        Self::cut(period, period.from(), period.to(), None)
    }

    /// An empty window: everything before `moment` lies before it, everything else after.
    pub(crate) fn just_from(moment: Moment) -> Self {
        let zone = Zone::utc();
        let day = zone.day(moment);
        let (period_days, period_micros) = (1, 1);
        Self { from: moment, to: moment, first_day: day, last_day: day, period_days, period_micros, zone }
    }

    /// The part `[from, to)` of `period`, which must lie within it; `next` is where the following part starts.
    pub(crate) fn cut(period: &Period, from: Moment, to: Moment, next: Option<Moment>) -> Self {
        let zone = period.zone().clone();
        let mut last_day = zone.day(to.just_before());
        if next.is_some_and(|next| zone.day(next) == last_day) {
            last_day -= 1;
        }
        Self {
            from,
            to,
            first_day: zone.day(from),
            last_day,
            period_days: period.days(),
            period_micros: period.micros(),
            zone,
        }
    }

    /// Its first instant.
    #[must_use]
    pub const fn from(&self) -> Moment {
        self.from
    }

    /// The first instant after it.
    #[must_use]
    pub const fn to(&self) -> Moment {
        self.to
    }

    /// The customer's days that are this part's.
    #[must_use]
    pub fn days(&self) -> i64 {
        (self.last_day - self.first_day + 1).max(0)
    }

    /// The customer's days of the whole period.
    #[must_use]
    pub const fn period_days(&self) -> i64 {
        self.period_days
    }

    /// Microseconds of the whole period.
    #[must_use]
    pub const fn period_micros(&self) -> i64 {
        self.period_micros
    }

    /// Days of this part from an instant on, its own day included; all of them for an instant before.
    #[must_use]
    pub fn days_from(&self, moment: Moment) -> i64 {
        self.days_from_day(self.day(moment))
    }

    /// The day of an instant, never before the first of this part.
    pub(crate) fn day(&self, moment: Moment) -> i64 {
        if moment <= self.from { self.first_day } else { self.zone.day(moment) }
    }

    pub(crate) fn days_from_day(&self, day: i64) -> i64 {
        (self.last_day - day.max(self.first_day) + 1).max(0)
    }

    /// Microseconds left of this part at an instant, all of it before, none after.
    pub(crate) fn micros_from(&self, moment: Moment) -> i64 {
        (self.to.micros() - moment.max(self.from).micros()).max(0)
    }
}
