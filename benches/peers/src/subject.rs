//! Something that is measured.

use std::hint::black_box;
use std::time::{Duration, Instant};

use creto_bench_report::timing::Times;

/// How long one measurement should take.
const ABOUT: Duration = Duration::from_millis(60);
/// Least and most samples of one measurement.
const FEWEST: usize = 32;
const MOST: usize = 100_000;

/// One operation with a name.
pub struct Subject {
    /// `engine.scene`, or `engine.scene_built` when making the request is part of it.
    pub name: String,
    /// What the engine was given.
    pub note: String,
    operation: Box<dyn Measured>,
    samples: usize,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One round of measurement, nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Half of the operations stay under this, each timed alone.
    pub p50: f64,
    /// 99 of 100 stay under this.
    pub p99: f64,
    /// Mean of operations one after the other, the clock read once.
    pub in_loop: f64,
}

/// A measurement in which the compiler sees the operation: the call through a table is outside of the loop.
trait Measured {
    fn times(&mut self, samples: usize) -> Times;
    fn in_loop(&mut self, runs: usize) -> Duration;
}

struct Operation<F>(F);

impl<F: FnMut(usize) -> bool> Measured for Operation<F> {
    fn times(&mut self, samples: usize) -> Times {
        Times::of(samples, &mut self.0)
    }

    fn in_loop(&mut self, runs: usize) -> Duration {
        let start = Instant::now();
        for run in 0..runs {
            black_box((self.0)(run));
        }
        start.elapsed()
    }
}

impl Subject {
    pub(crate) fn new(name: &str, note: &str, operation: impl FnMut(usize) -> bool + 'static) -> Self {
        let mut operation = Operation(operation);
        operation.in_loop(FEWEST);
        let each = operation.in_loop(FEWEST).as_nanos().max(1) / FEWEST as u128;
        let samples = usize::try_from(ABOUT.as_nanos() / each.max(1)).unwrap_or(MOST).clamp(FEWEST, MOST);
        Self { name: name.to_owned(), note: note.to_owned(), operation: Box::new(operation), samples }
    }

    /// How many samples a round has.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Measures once.
    pub fn measure(&mut self) -> Round {
        let times = self.operation.times(self.samples);
        let in_loop = self.operation.in_loop(self.samples).as_nanos() as f64 / self.samples as f64;
        Round { p50: times.percentile(50.0), p99: times.percentile(99.0), in_loop }
    }

    /// Runs it so many times.
    pub fn run(&mut self, times: usize) {
        self.operation.in_loop(times);
    }
}
