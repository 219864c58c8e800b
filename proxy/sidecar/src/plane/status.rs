//! How the sidecar stands with the control plane.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::admin::metrics::Readings;

/// Written by the link, read by operators.
#[derive(Debug, Default)]
pub(crate) struct PlaneStatus {
    connected: AtomicBool,
    /// When the control plane last said that the policy is current, milliseconds since the Unix epoch.
    confirmed_ms: AtomicI64,
    pending: AtomicU64,
}

impl PlaneStatus {
    pub(crate) fn connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    pub(crate) fn confirmed(&self) {
        self.confirmed_ms.store(now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn pending(&self, entries: u64) {
        self.pending.store(entries, Ordering::Relaxed);
    }

    pub(crate) fn readings(&self, policy_epoch: u64) -> Readings {
        let confirmed = self.confirmed_ms.load(Ordering::Relaxed);
        let staleness = if confirmed == 0 { 0 } else { (now_ms() - confirmed).max(0) };
        Readings {
            policy_epoch,
            policy_staleness: Duration::from_millis(staleness as u64),
            control_plane_connected: self.connected.load(Ordering::Relaxed),
            spool_pending: self.pending.load(Ordering::Relaxed),
        }
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as i64
}
