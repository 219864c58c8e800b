//! What operators look at: liveness, readiness, metrics, the configuration in force.

pub(crate) mod metrics;
pub(crate) mod server;
mod tokens;
