//! A token bucket: no more in any second than is allowed, however calls come.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Events a second. Stripe takes 1,000 a second; in any second at most this and the burst pass, together 1,000.
pub const EVENTS_PER_SECOND: u32 = 900;
/// Events that may pass at once.
pub const EVENT_BURST: u32 = 100;

const SECOND_NANOS: u64 = 1_000_000_000;

/// The bucket. Kept as the instant at which it is full again.
#[derive(Debug)]
pub(super) struct Bucket {
    full_at: Mutex<Instant>,
    cost: Duration,
    burst: Duration,
}

impl Bucket {
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let cost = Duration::from_nanos(SECOND_NANOS / u64::from(per_second.max(1)));
        Self { full_at: Mutex::new(Instant::now()), cost, burst: cost * burst }
    }

    /// Waits until so many may pass. Those that wait go one after the other.
    pub(super) async fn take(&self, count: u32) {
        let mut full_at = self.full_at.lock().await;
        let now = Instant::now();
        let full = (*full_at).max(now) + self.cost * count;
        *full_at = full;
        let ahead = full.duration_since(now);
        if let Some(wait) = ahead.checked_sub(self.burst) {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_second_has_more_than_the_rate_and_the_burst() {
        let bucket = Bucket::new(200, 20);
        let mut passed: Vec<Instant> = Vec::new();
        for _ in 0..150 {
            bucket.take(2).await;
            passed.push(Instant::now());
        }
        for (place, end) in passed.iter().enumerate() {
            let second =
                passed[..=place].iter().filter(|at| end.duration_since(**at) < Duration::from_secs(1));
            assert!(second.count() * 2 <= 222, "more than 220 in a second");
        }
        let whole = passed[149].duration_since(passed[0]);
        assert!(
            whole >= Duration::from_millis(1_300),
            "300 events at 200 a second after 20 at once: {whole:?}"
        );
    }
}
