//! The approvals page: people sign in, see exactly what a held call would do, and decide.
//!
//! [`Dashboard::start`] serves it over an [`creto_approvals::ApprovalDesk`]; [`people::PeopleDesk`] keeps who may sign in.
//!
//! What holds:
//!
//! - `GET` and `HEAD` change nothing. What decides is a `POST` with a session, the session's form token, and a browser that says
//!   it comes from this page ([`posted`] is the one way to a form's fields).
//! - A vote carries the digest of what was shown.
//! - What others wrote is text, with every character that cannot be seen made visible; it is never markup.
//! - Everything works without JavaScript, and nothing is loaded from elsewhere.
#![forbid(unsafe_code)]

mod answer;
mod assets;
mod bounds;
mod cookies;
mod error;
mod form;
mod gate;
mod pages;
pub mod people;
mod place;
mod posted;
mod server;
mod shared;
mod shown;
mod throttle;

pub use bounds::*;
pub use error::DashboardError;
pub use server::{Dashboard, DashboardOptions};
