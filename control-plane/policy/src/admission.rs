//! How fast streams are opened: ten thousand sidecars that come back at once are let in at a pace that leaves the
//! control plane able to serve those it has. One that opens them over and over is sent away before it costs the others
//! their turn.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::SidecarIdentity;

/// Streams let in per second when nothing else is configured.
pub const DEFAULT_STREAM_RATE: u32 = 1_000;
/// Longest wait that is asked of a sidecar.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Streams that one sidecar may open at once; after that, one a second.
pub const BURST_EACH: u32 = 5;

/// A token bucket: one second's worth at once, then at the rate.
pub(crate) struct Admission {
    rate: f64,
    bucket: Mutex<Bucket>,
    each: Mutex<HashMap<SidecarIdentity, Own>>,
}

/// What one sidecar has left.
struct Own {
    tokens: f64,
    filled: Instant,
}

impl Own {
    fn at(&self, now: Instant) -> f64 {
        (self.tokens + now.duration_since(self.filled).as_secs_f64()).min(f64::from(BURST_EACH))
    }
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
        let bucket = Bucket { tokens: rate, filled: Instant::now(), waiting: 0.0 };
        Self { rate, bucket: Mutex::new(bucket), each: Mutex::default() }
    }

    /// Lets a sidecar in, or says how long it should wait before it asks again.
    pub(crate) fn admit(&self, sidecar: &SidecarIdentity) -> Result<(), Duration> {
        let mut each = self.each.lock();
        let now = Instant::now();
        let left = each.get(sidecar).map_or(f64::from(BURST_EACH), |own| own.at(now));
        if left < 1.0 {
            return Err(Duration::from_secs_f64(1.0 - left).max(Duration::from_millis(1)));
        }
        self.admit_any()?;
        // Only those let in lately are remembered: as many as the rate lets in until their own tokens are back.
        if each.len() >= 64 && each.len().is_power_of_two() {
            each.retain(|_, own| own.at(now) < f64::from(BURST_EACH));
        }
        each.insert(sidecar.clone(), Own { tokens: left - 1.0, filled: now });
        Ok(())
    }

    fn admit_any(&self) -> Result<(), Duration> {
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

    fn sidecar(number: usize) -> SidecarIdentity {
        SidecarIdentity { namespace: "a".into(), sidecar_id: number.to_string(), agent_name: "one".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_over_and_over_does_not_take_the_turns_of_others() {
        let admission = Admission::new(10);
        assert_eq!((0..1_000).filter(|_| admission.admit(&sidecar(0)).is_ok()).count(), 5);
        assert_eq!((1..=5).filter(|other| admission.admit(&sidecar(*other)).is_ok()).count(), 5);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..1_000).filter(|_| admission.admit(&sidecar(0)).is_ok()).count(), 1);
        let wait = admission.admit(&sidecar(0)).unwrap_err();
        assert!(wait > Duration::from_millis(900) && wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_came_long_ago_are_forgotten() {
        let admission = Admission::new(1_000_000);
        for number in 0..100_000 {
            assert!(admission.admit(&sidecar(number)).is_ok());
            if number % 100 == 0 {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        }
        assert!(admission.each.lock().len() <= 1_024, "{}", admission.each.lock().len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_is_let_in_at_once_and_then_the_rate() {
        let admission = Admission::new(10);
        assert_eq!((0..50).filter(|number| admission.admit(&sidecar(*number)).is_ok()).count(), 10);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!((0..50).filter(|number| admission.admit(&sidecar(*number)).is_ok()).count(), 5);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((0..50).filter(|number| admission.admit(&sidecar(*number)).is_ok()).count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn those_sent_away_are_asked_to_come_one_after_the_other() {
        let admission = Admission::new(10);
        let waits: Vec<Duration> =
            (0..30).filter_map(|number| admission.admit(&sidecar(number)).err()).collect();
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
        let mut due: Vec<(Duration, usize)> = (0..1_000).map(|number| (Duration::ZERO, number)).collect();
        let begun = Instant::now();
        let mut rounds = 0;
        while !due.is_empty() {
            due.sort_unstable();
            let next = due[0].0;
            tokio::time::advance(next.saturating_sub(begun.elapsed())).await;
            let now = begun.elapsed();
            due = due
                .into_iter()
                .filter_map(|(at, number)| match at <= now {
                    true => admission.admit(&sidecar(number)).err().map(|wait| (now + wait, number)),
                    false => Some((at, number)),
                })
                .collect();
            rounds += 1;
            assert!(rounds < 10_000);
        }
        assert!(begun.elapsed() <= Duration::from_secs(12), "{:?}", begun.elapsed());
    }
}
