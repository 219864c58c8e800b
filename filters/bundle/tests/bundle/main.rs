//! What is signed, sent and kept: whole, by the right key, for this sidecar, and never older than what was seen.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod deltas;
mod notices;
mod refused;
mod scene;
mod stored;
