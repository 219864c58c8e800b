//! Waiting for runs that take longer than a call.

use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::output::remark;

/// How long one invocation waits for a run.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// How long was waited. Every call waits for a part of it at the control plane.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    told: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self { since: Instant::now(), told: false }
    }
}

impl Patience {
    /// Says once that it takes long, and goes on.
    ///
    /// # Errors
    /// After [`LONGEST_WAIT`].
    pub(super) fn wait_on(&mut self) -> Outcome {
        if self.since.elapsed() > LONGEST_WAIT {
            return Err(Failure::new("The run goes on, and it is not waited for any longer.")
                .why(format!("it takes more than {} hours", LONGEST_WAIT.as_secs() / 3600))
                .next("Ask the same again later: it waits for the same run."));
        }
        if !std::mem::replace(&mut self.told, true) {
            remark(
                "This takes a while. The run goes on whoever waits: asking the same again waits for the same run.",
            );
        }
        Ok(())
    }
}
