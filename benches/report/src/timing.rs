//! Times of something that takes nanoseconds, one by one.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Samples of one operation, sorted, nanoseconds, the cost of reading the clock taken off.
#[derive(Debug)]
pub struct Times(Vec<u64>);

impl Times {
    /// Runs `operation` `samples` times after a warm-up; `operation` gets the number of the run.
    pub fn of<T>(samples: usize, mut operation: impl FnMut(usize) -> T) -> Self {
        for run in 0..samples / 10 {
            black_box(operation(run));
        }
        let clock = clock_cost();
        let mut times = Vec::with_capacity(samples);
        for run in 0..samples {
            let start = Instant::now();
            black_box(operation(run));
            times.push((start.elapsed().as_nanos() as u64).saturating_sub(clock));
        }
        times.sort_unstable();
        Self(times)
    }

    /// The time that this share of the samples stays under.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> f64 {
        let at = ((self.0.len() as f64 - 1.0) * percent / 100.0).round() as usize;
        self.0[at] as f64
    }
}

fn clock_cost() -> u64 {
    let mut costs: Vec<u64> = (0..10_000).map(|_| Instant::now().elapsed().as_nanos() as u64).collect();
    costs.sort_unstable();
    costs[costs.len() / 2]
}

/// The middle one.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Blocks until then. A runtime's timers tick in milliseconds, which would hide what is shorter.
pub fn wait_until(due: Instant) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return;
        }
        std::thread::park_timeout(left);
    }
}
