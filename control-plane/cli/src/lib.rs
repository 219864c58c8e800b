//! The `creto` command: start things, run an agent, say who may call what, look at what went out.
//!
//! It speaks to the control plane over its API and starts the sidecar as a process of its own.
#![forbid(unsafe_code)]

mod agent_environment;
mod commands;
mod failure;
mod guard;
mod handing_in;
mod home;
mod host;
mod hosted;
mod keys;
mod operator;
mod output;
mod plain;
mod principals;
mod scoped_policy;
mod seat;
mod secret_input;
mod session;
mod sidecar_process;
mod signals;
mod span;
mod summary;
mod toml_reading;
mod trust;
mod turns;
mod words;

pub use commands::Cli;
pub use failure::{Failure, Outcome, exit};
pub use guard::become_child;
