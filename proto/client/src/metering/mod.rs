//! Metering: events of what was used, recorded without waiting and counted exactly once.
//!
//! [`MeteringClient::record`] puts an event into a bounded ring and returns. A task behind it packs events into columnar
//! frames, sends them over one stream and keeps every frame until the control plane says that it is on disk. When the
//! connection breaks, what was not answered is sent again under the same (producer, epoch, sequence), and the control
//! plane counts it once. The epoch is random, made anew by every client: a sequence is never used twice.
//!
//! With a spool folder and [`Durability::Disk`], frames are on disk before they are sent: what [`MeteringClient::record_async`]
//! took survives a `kill -9` and is sent, under its old epoch, by the next client that opens the folder.
//!
//! A control plane that has not heard of an epoch for a long time (90 days), or that lost some of it, says that frames are
//! missing. What is not acknowledged is then numbered anew in an epoch of its own. Nothing counts twice by that: what the
//! control plane says is missing came before all of it, so none of it was taken in; and where it was, and the epoch was
//! forgotten since, it is older than what is taken in at all and is rejected.
//!
//! ```no_run
//! use creto_client::PlaneEndpoint;
//! use creto_client::metering::{EventDraft, MeteringClient, MeteringOptions};
//!
//! # async fn run(ca_pem: String, token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = PlaneEndpoint { address: "https://127.0.0.1:8443".into(), ca_pem };
//! let client = MeteringClient::connect(&endpoint, token, MeteringOptions::new("default", "billing-job"))?;
//! client.record(
//!     EventDraft::new("image.rendered").agent("painter").customer("acme").text("size", "1024").number("pixels", 1_048_576),
//! )?;
//! client.flush().await?;
//! # Ok(())
//! # }
//! ```

mod bearer;
mod budget;
mod client;
mod clock;
mod columns;
mod counters;
mod decimal;
mod error;
mod event;
mod options;
mod pump;
mod ring;
mod spool;

pub use budget::{MAX_FRAME_BYTES, MAX_FRAME_CELLS, MAX_FRAME_COLUMNS, MAX_FRAME_STRINGS};
pub use client::MeteringClient;
pub use columns::{FrameError, FramePlace, ReadEvent, ReadValue, pack_frame, read_frame};
pub use counters::Counters;
pub use decimal::{Decimal, DecimalError, MAX_SCALE};
pub use error::{FlushError, RecordError, SpoolError, StartError};
pub use event::{
    EventDraft, MAX_AT_US, MAX_EVENT_BYTES, MAX_NAME_BYTES, MAX_PROPERTIES, MAX_TEXT_BYTES, Value,
};
pub use options::{
    DEFAULT_LINGER, DEFAULT_RING_EVENTS, DEFAULT_SPOOL_BYTES, Durability, MAX_FRAME_EVENTS, MAX_RING_EVENTS,
    MeteringOptions, Rejection, RejectionHandler,
};
pub use pump::{CLOSE_PATIENCE, MAX_FLUSHES, MAX_WAITING_FRAMES, MAX_WINDOW_FRAMES};
pub use ring::{MAX_HANDLES, MAX_RING_BYTES, Recorded};
pub use spool::{MAX_RECORD_BYTES, Recovered, SEGMENT_BYTES};
