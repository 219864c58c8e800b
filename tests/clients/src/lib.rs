//! Real client programs, unmodified, through a real sidecar: TLS interception on, certificate checks on.
//!
//! The programs are in `programs/`; what they need is installed by `deploy/test-clients/install.sh`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

mod beside;
mod git_server;
mod installation;
mod model_programs;
mod package_index;
mod program;
mod program_server;
mod world;

pub use beside::Beside;
pub use git_server::GitServer;
pub use installation::Installation;
pub use model_programs::{ModelAccess, ModelAnswer, ModelSdk, provider_with_key};
pub use package_index::PackageIndex;
pub use program::{Program, Ran, node_program, python_program};
pub use program_server::ProgramServer;
pub use world::{Entry, World, http_calls};
