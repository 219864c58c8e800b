//! How a client is set up.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{ReadEvent, StartError};

/// Most events of a frame: what the control plane takes.
pub const MAX_FRAME_EVENTS: usize = 8_192;
/// Events a ring holds unless it is told.
pub const DEFAULT_RING_EVENTS: usize = 16_384;
/// Most events a ring may be told to hold.
pub const MAX_RING_EVENTS: usize = 1 << 20;
/// How long an event waits for others to go with unless it is told.
pub const DEFAULT_LINGER: Duration = Duration::from_millis(20);
/// Longest linger.
const MAX_LINGER: Duration = Duration::from_secs(60);
/// Bytes a spool holds unless it is told.
pub const DEFAULT_SPOOL_BYTES: u64 = 1 << 30;

/// What an event survives once it is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The connection and the control plane; not this process.
    #[default]
    Memory,
    /// This process too, and the machine: frames are on disk before they are sent.
    Disk,
}

/// An event that the control plane took note of and refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The epoch it was sent under.
    pub epoch: u64,
    /// Its sequence.
    pub sequence: u64,
    /// Machine code, such as `time_too_old`.
    pub code: String,
    /// What is wrong with it.
    pub detail: String,
    /// The event as it was sent.
    pub event: Option<ReadEvent>,
}

/// Is told of every rejected event. It is called by the task that sends: it must not block.
pub type RejectionHandler = Arc<dyn Fn(&Rejection) + Send + Sync>;

/// How a client is set up.
#[derive(Clone)]
pub struct MeteringOptions {
    pub(crate) namespace: String,
    pub(crate) producer: String,
    pub(crate) ring_events: usize,
    pub(crate) linger: Duration,
    pub(crate) frame_events: usize,
    pub(crate) spool: Option<(PathBuf, u64)>,
    pub(crate) durability: Durability,
    pub(crate) rejected: Option<RejectionHandler>,
}

impl fmt::Debug for MeteringOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeteringOptions")
            .field("namespace", &self.namespace)
            .field("producer", &self.producer)
            .field("ring_events", &self.ring_events)
            .field("linger", &self.linger)
            .field("frame_events", &self.frame_events)
            .field("spool", &self.spool)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

impl MeteringOptions {
    /// For this producer of this namespace. The name is what `creto meter verify` shows; processes may share it.
    #[must_use]
    pub fn new(namespace: impl Into<String>, producer: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            producer: producer.into(),
            ring_events: DEFAULT_RING_EVENTS,
            linger: DEFAULT_LINGER,
            frame_events: MAX_FRAME_EVENTS,
            spool: None,
            durability: Durability::Memory,
            rejected: None,
        }
    }

    /// Events a handle's ring holds: 1 to [`MAX_RING_EVENTS`].
    #[must_use]
    pub fn ring_events(mut self, events: usize) -> Self {
        self.ring_events = events;
        self
    }

    /// How long an event waits for others to go with.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Most events of a frame: 1 to [`MAX_FRAME_EVENTS`].
    #[must_use]
    pub fn frame_events(mut self, events: usize) -> Self {
        self.frame_events = events;
        self
    }

    /// Keeps frames in this folder until they are acknowledged, with [`Durability::Disk`]. One process at a time.
    #[must_use]
    pub fn spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spool = Some((folder.into(), DEFAULT_SPOOL_BYTES));
        self.durability = Durability::Disk;
        self
    }

    /// Most bytes of the spool; above them rings fill up.
    #[must_use]
    pub fn spool_bytes(mut self, bytes: u64) -> Self {
        if let Some((_, most)) = &mut self.spool {
            *most = bytes;
        }
        self
    }

    /// What an event survives once it is taken. With [`Durability::Memory`] a spool folder is only read: what an
    /// earlier process left is sent.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Who is told of rejected events.
    #[must_use]
    pub fn on_rejected(mut self, handler: impl Fn(&Rejection) + Send + Sync + 'static) -> Self {
        self.rejected = Some(Arc::new(handler));
        self
    }

    pub(crate) fn check(&self) -> Result<(), StartError> {
        let wrong = |option: &'static str, problem: String| Err(StartError::Option { option, problem });
        if self.namespace.is_empty() {
            return wrong("namespace", "name the namespace that the token is for".into());
        }
        let visible = |byte: u8| byte.is_ascii_graphic();
        if self.producer.is_empty() || self.producer.len() > 128 || !self.producer.bytes().all(visible) {
            return wrong("producer", "use 1 to 128 visible ASCII characters".into());
        }
        if !(1..=MAX_RING_EVENTS).contains(&self.ring_events) {
            return wrong("ring_events", format!("use 1 to {MAX_RING_EVENTS}"));
        }
        if !(1..=MAX_FRAME_EVENTS).contains(&self.frame_events) {
            return wrong("frame_events", format!("use 1 to {MAX_FRAME_EVENTS}"));
        }
        if self.linger > MAX_LINGER {
            return wrong("linger", format!("use at most {} seconds", MAX_LINGER.as_secs()));
        }
        if self.durability == Durability::Disk && self.spool.is_none() {
            return wrong("durability", "events on disk need a spool folder".into());
        }
        Ok(())
    }
}
