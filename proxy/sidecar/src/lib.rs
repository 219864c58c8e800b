//! The sidecar: every outbound call of one agent goes through it.
//!
//! `capture` takes connections, `path` is what happens to a call (`path::recipe` is the one recipe), `upstream`
//! connects, `plane` talks to the control plane, `admin` answers operators. pingora-core is the chassis, hyper speaks
//! HTTP.
#![forbid(unsafe_code)]

mod admin;
mod approvals;
mod capture;
mod credentials;
mod enforcement;
mod http;
mod options;
mod path;
mod pins;
mod plane;
mod quota;
mod sidecar;
mod splice;
mod start;
mod state;
mod upstream;

pub use options::{LogFormat, Options};
pub use plane::{EnrollError, GenerationError};
pub use start::{StartError, run};
pub use state::StateError;
