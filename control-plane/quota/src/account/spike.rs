//! Use by the hour, and hours that stand out.

use super::{Account, Turn, add};
use crate::bounds::MAX_UNITS;
use crate::{Level, QuotaEvent, Window};

/// An hour in milliseconds.
pub(super) const HOUR_MS: u64 = 3_600_000;

impl Account {
    /// Counts use in the hour it is reported in, and tells people once when that hour has become a spike.
    pub(super) fn count_hour(&mut self, turn: &Turn<'_>, used: u64) {
        let hour = turn.now_ms / HOUR_MS;
        if used == 0 {
            return;
        }
        if self.head.first_hour == 0 {
            self.head.first_hour = hour;
            self.changed.head = true;
        }
        let so_far = self.hours.entry(hour).or_insert(0);
        add(so_far, used);
        let so_far = *so_far;
        self.changed.hours.insert(hour);
        let Some(spike) = turn.limit.spike.filter(|_| hour > self.head.spike_hour) else { return };
        let hours = u64::from(spike.hours).min(hour.saturating_sub(self.head.first_hour));
        if hours < u64::from(spike.minimum_hours) || so_far < spike.floor {
            return;
        }
        let before = self.hours.range(hour - hours..hour).map(|(_, used)| *used);
        let sum = before.fold(0, |mut sum, used| {
            add(&mut sum, used);
            sum
        });
        // Above the mean in whole numbers: used / (sum / hours) > percent / 100.
        let left = u128::from(so_far) * u128::from(hours) * 100;
        if left <= u128::from(sum) * u128::from(spike.percent) {
            return;
        }
        self.head.spike_hour = hour;
        self.changed.head = true;
        self.changed.events.push(QuotaEvent {
            sequence: 0,
            limit: turn.limit.name.clone(),
            level: Level::Spike,
            window: Window { start_ms: hour * HOUR_MS, end_ms: (hour + 1) * HOUR_MS },
            at_ms: turn.now_ms,
            used: so_far.min(MAX_UNITS),
            measure: sum,
            hours: u32::try_from(hours).unwrap_or(u32::MAX),
        });
    }
}
