//! The dashboard in a real Chromium: a page with people and calls that wait for them, and the program that drives the browser.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "it runs inside tests"
)]

mod chromium;
mod waiting;

pub use chromium::drive;
pub use waiting::{PASSWORD, Waiting};
