//! The control plane: the products wired to one gRPC endpoint, and nothing in that is not asked who it is.
//!
//! Every call passes the guard first: which callers an RPC takes stands in one table ([`ACCESS`]). The program
//! `creto-control-plane` and everything that runs a control plane inside itself start it with
//! [`ControlPlane::start`].
#![forbid(unsafe_code)]

mod access;
mod approvals;
mod arguments;
mod billing;
mod caller;
mod confine;
mod credential_names;
mod dashboard;
mod data_folder;
mod doors;
mod event_store;
mod events_http;
mod finish;
mod frames_in;
mod guard;
mod options;
mod people_command;
mod plane;
mod quotas;
mod reserved;
mod services;
mod shares;
mod start_error;
mod status;

pub use access::{ACCESS, Access, access_to};
pub use arguments::{Arguments, LogFormat};
pub use billing::StripeOptions;
pub use doors::DoorError;
pub use options::Options;
pub use people_command::{PeopleCommand, PeopleCommandError};
pub use plane::{ControlPlane, Running, SHUTDOWN_GRACE};
pub use quotas::QuotaError;
pub use start_error::StartError;
