//! What the parts of the embedded store share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::generation::{Catalogs, Generation, Times};
use super::segment::Sealed;
use super::usage::Usage;
use crate::{Catalog, StoreError};

/// A segment of the log as readers know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Of the events that are counted.
    pub(super) times: Times,
    /// Up to here it is on disk; all of the file where there is none.
    pub(super) end: Option<u64>,
    /// Nothing is written into it any more.
    pub(super) sealed: Option<Sealed>,
    /// That is in the database.
    pub(super) seal_is_kept: bool,
    /// Its bytes were compared with the checksum since start.
    pub(super) is_checked: bool,
}

impl Segment {
    /// That is being written.
    pub(super) const fn begun() -> Self {
        Self { times: Times::NONE, end: Some(0), sealed: None, seal_is_kept: false, is_checked: true }
    }

    /// Of an earlier run.
    pub(super) fn known(times: Times, sealed: Option<Sealed>, seal_is_kept: bool) -> Self {
        let end = sealed.map(|sealed| sealed.length);
        Self { times, end, sealed, seal_is_kept, is_checked: false }
    }
}

/// What is counted and not in the database yet.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// What is counted now.
    pub(super) current: Generation,
    /// What is being written.
    pub(super) frozen: Option<Arc<Generation>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    /// The meters of every namespace that has any but the built-in ones, or events.
    pub(super) catalogs: ArcSwap<Catalogs>,
    pub(super) built_in: Arc<Catalog>,
    pub(super) live: Mutex<Live>,
    pub(super) segments: Mutex<BTreeMap<u64, Segment>>,
    /// Bytes of the log of each namespace.
    pub(super) usage: Mutex<Usage>,
    /// The last record on disk.
    pub(super) committed: AtomicU64,
    /// The last record counted.
    pub(super) counted: watch::Sender<u64>,
    /// The last record in the database.
    pub(super) checkpointed: AtomicU64,
    /// Events before this are not all kept, in microseconds since 1970.
    pub(super) gone_us: AtomicI64,
    /// Why the last checkpoint could not be made.
    pub(super) trouble: Mutex<Option<StoreError>>,
    /// No more comes in: what cannot be written at once is left to the next start.
    pub(super) closing: AtomicBool,
    pub(super) skip_damaged: bool,
}

impl Shared {
    /// The meters of a namespace.
    pub(super) fn catalog(&self, namespace: &str) -> Arc<Catalog> {
        let catalogs = self.catalogs.load();
        Arc::clone(catalogs.get(namespace).unwrap_or(&self.built_in))
    }
}
