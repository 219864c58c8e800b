//! How fast streams are opened: ten thousand sidecars that come back at once are let in at a pace that leaves the
//! control plane able to serve those it has.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Streams let in per second when nothing else is configured.
pub const DEFAULT_STREAM_RATE: u32 = 1_000;
/// Longest wait that is asked of a sidecar.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A token bucket: one second's worth at once, then at the rate.
pub(crate) struct Admission {
    rate: f64,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
    /// How many were sent away since tokens last were there: each is asked to come after those before it.
    waiting: f64,
}

impl Admission {
    /// Lets in `rate` a second; 0 is taken as 1.
    pub(crate) fn new(rate: u32) -> Self {
        let rate = f64::from(rate.max(1));
        Self { rate, bucket: Mutex::new(Bucket { tokens: rate, filled: Instant::now(), waiting: 0.0 }) }
    }

    /// Lets one in, or says how long it should wait before it asks again.
    pub(crate) fn admit(&self) -> Result<(), Duration> {
        let mut bucket = self.bucket.lock();
        let now = Instant::now();
        let gained = now.duration_since(bucket.filled).as_secs_f64() * self.rate;
        bucket.filled = now;
        bucket.waiting = (bucket.waiting - gained).max(0.0);
        bucket.tokens = (bucket.tokens + gained).min(self.rate);
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        bucket.waiting += 1.0;
        Err(Duration::from_secs_f64(bucket.waiting / self.rate).max(Duration::from_millis(1)).min(MAX_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_is_let_in_at_once_and_then_the_rate() {
        let admission = Admission::new(10);
        assert_eq!((0..50).filter(|_| admission.admit().is_ok()).count(), 10);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!((0..50).filter(|_| admission.admit().is_ok()).count(), 5);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((0..50).filter(|_| admission.admit().is_ok()).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn those_sent_away_are_asked_to_come_one_after_the_other() {
        let admission = Admission::new(10);
        let waits: Vec<Duration> = (0..30).filter_map(|_| admission.admit().err()).collect();
        assert_eq!(waits.len(), 20);
        assert!(waits.is_sorted() && waits[0] <= Duration::from_millis(100));
        assert!(
            waits[19] >= Duration::from_secs(1) && waits[19] <= Duration::from_secs(3),
            "{:?}",
            waits[19]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_sidecar_that_waits_as_asked_is_let_in_soon() {
        let admission = Admission::new(100);
        // 1,000 come at once; each that is sent away comes back when it was asked to.
        let mut due: Vec<Duration> = vec![Duration::ZERO; 1_000];
        let begun = Instant::now();
        let mut rounds = 0;
        while !due.is_empty() {
            due.sort_unstable();
            let next = due[0];
            tokio::time::advance(next.saturating_sub(begun.elapsed())).await;
            let now = begun.elapsed();
            due = due
                .into_iter()
                .filter_map(|at| match at <= now {
                    true => admission.admit().err().map(|wait| now + wait),
                    false => Some(at),
                })
                .collect();
            rounds += 1;
            assert!(rounds < 10_000);
        }
        assert!(begun.elapsed() <= Duration::from_secs(12), "{:?}", begun.elapsed());
    }
}
