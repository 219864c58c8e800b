//! The metering SDK against a real gRPC server behind connections that break: every event counted exactly once.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod anew;
mod breaking;
mod killed;
mod ledger;
mod pressure;

use std::time::Duration;

use creto_client::metering::{EventDraft, MeteringOptions};
use tonic::transport::{Channel, Endpoint};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn channel(address: std::net::SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

fn options() -> MeteringOptions {
    MeteringOptions::new("default", "sdk-test").linger(Duration::from_millis(2)).frame_events(50)
}

fn event(nth: u64) -> EventDraft {
    EventDraft::new("image.rendered")
        .agent("painter")
        .customer("acme")
        .number("nth", nth)
        .flag("even", nth.is_multiple_of(2))
}
