//! The client's clock: wall time that never goes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bits of the counter within a microsecond; the rest are microseconds since 1970, enough until the year 2112.
const COUNTER_BITS: u32 = 12;

/// A hybrid logical clock in one word. Every reading is above every earlier one of the same client, whatever the wall
/// clock does; 4,096 readings fit a microsecond, and the next one is of the microsecond after.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

/// A reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// Microseconds since 1970.
    pub(crate) at_us: i64,
    /// Counts within the microsecond.
    pub(crate) logical: u32,
}

impl Clock {
    /// Now.
    pub(crate) fn now(&self) -> Stamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        self.at(u64::try_from(wall).unwrap_or(0))
    }

    fn at(&self, wall_us: u64) -> Stamp {
        let wall = wall_us << COUNTER_BITS;
        let next = |before: u64| wall.max(before + 1);
        // The update never refuses.
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| Some(next(before)));
        let word = next(before.unwrap_or_else(|before| before));
        let logical = u32::try_from(word & ((1 << COUNTER_BITS) - 1)).unwrap_or(0);
        Stamp { at_us: (word >> COUNTER_BITS).cast_signed(), logical }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_is_above_the_one_before_though_the_wall_clock_goes_back() {
        let clock = Clock::default();
        let mut last = clock.at(1_000_000);
        assert_eq!(last, Stamp { at_us: 1_000_000, logical: 0 });
        for wall in [1_000_000, 999_999, 5, 1_000_000, 1_000_001, 1_000_001] {
            let next = clock.at(wall);
            assert!(next > last, "{next:?} after {last:?}");
            last = next;
        }
        assert_eq!(last, Stamp { at_us: 1_000_001, logical: 1 });
    }

    #[test]
    fn a_microsecond_with_too_many_readings_runs_into_the_next() {
        let clock = Clock::default();
        let mut last = clock.at(7);
        for _ in 0..4_096 {
            last = clock.at(7);
        }
        assert_eq!(last, Stamp { at_us: 8, logical: 0 });
    }
}
