//! The approvals page over real sockets.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deciding;
mod hostile;
mod people;
mod scanners;
mod shown;
mod signing_in;
mod world;
