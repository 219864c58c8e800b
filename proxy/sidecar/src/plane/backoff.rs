//! How long to wait before the stream is opened again.

use std::time::Duration;

use tonic::Status;

/// Waits are random, up to a bound that doubles from the first to the last of these: ten thousand sidecars do not come
/// back at once.
const FIRST: Duration = Duration::from_millis(200);
const LAST: Duration = Duration::from_secs(30);
/// Longest wait that the control plane can ask for; the random part comes on top.
const PUSHBACK: Duration = Duration::from_secs(60);

/// The bound so far.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// The stream was up.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST;
    }

    /// The next wait, after a stream that ended so; `random` is from 0 to 1.
    pub(crate) fn next(&mut self, ended: &Status, random: f64) -> Duration {
        let wait = pushback(ended) + self.0.mul_f64(random.clamp(0.0, 1.0));
        self.0 = (self.0 * 2).min(LAST);
        wait
    }
}

/// What the control plane asks for (gRFC A6); nothing if it does not say, or says it in no number.
fn pushback(status: &Status) -> Duration {
    let said = status.metadata().get("grpc-retry-pushback-ms").and_then(|value| value.to_str().ok());
    let asked = said.and_then(|text| text.parse().ok()).map_or(Duration::ZERO, Duration::from_millis);
    asked.min(PUSHBACK)
}

/// From 0 to 1, each as likely.
pub(crate) fn random() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pushback: &str) -> Status {
        let mut status = Status::resource_exhausted("full");
        status.metadata_mut().insert("grpc-retry-pushback-ms", pushback.parse().unwrap());
        status
    }

    #[test]
    fn waits_are_random_and_their_bound_doubles_up_to_the_last() {
        let status = Status::unavailable("away");
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(&status, 0.0), Duration::ZERO);
        assert_eq!(backoff.next(&status, 0.5), Duration::from_millis(200));
        for _ in 0..20 {
            assert!(backoff.next(&status, 1.0) <= LAST);
        }
        assert_eq!(backoff.next(&status, 1.0), LAST);
        backoff.reset();
        assert_eq!(backoff.next(&status, 1.0), FIRST);
    }

    #[test]
    fn the_control_plane_can_ask_for_a_longer_wait_but_not_for_any() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_millis(4_000);
        assert_eq!(backoff.next(&refused("4000"), 0.0), asked);
        assert_eq!(backoff.next(&refused("4000"), 1.0), asked + FIRST * 2, "jittered");
        backoff.reset();
        assert_eq!(backoff.next(&refused("99999999999"), 0.0), PUSHBACK);
        for nonsense in ["-1", "", "soon", "1e9", "18446744073709551616"] {
            assert_eq!(backoff.next(&refused(nonsense), 0.0), Duration::ZERO, "{nonsense}");
        }
    }
}
