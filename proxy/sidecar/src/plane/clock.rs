//! The two clocks that age is told by.

use std::time::{Duration, Instant, SystemTime};

/// Monotonic time does not jump but stands still while the machine sleeps; wall time goes on but can be set.
pub(crate) trait Clock {
    /// Since some moment in the past.
    fn monotonic(&self) -> Duration;
    /// Milliseconds since the Unix epoch; negative before it.
    fn wall_ms(&self) -> i64;
}

/// Those of the system.
#[derive(Debug)]
pub(crate) struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall_ms(&self) -> i64 {
        wall_ms()
    }
}

/// Milliseconds since the Unix epoch; negative before it.
pub(crate) fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}
