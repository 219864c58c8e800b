//! Who is let in, and who has to go for it.

use super::{Account, HolderRow, add, take};
use crate::bounds::{MAX_HOLDERS, MAX_PROCESSES};
use crate::{Holder, IssuerError};

impl Account {
    /// Makes room for a holder that is not known, and gives it a row.
    pub(super) fn admit(&mut self, holder: &Holder, name: &str, era: u64) -> Result<(), IssuerError> {
        if self.holders.contains_key(name) {
            return Ok(());
        }
        // A sidecar names its processes as it likes, so many of them take no more room than a few.
        let known = self.processes(holder);
        if known.len() >= MAX_PROCESSES {
            let silent = known.into_iter().min();
            if let Some((_, oldest)) = silent {
                self.retire(&oldest);
            }
        } else if self.holders.len() as u64 >= MAX_HOLDERS {
            return Err(IssuerError::holders_full());
        }
        self.holders.insert(name.to_owned(), HolderRow { era, ..HolderRow::default() });
        Ok(())
    }

    /// The processes of a holder's sidecar, with when they were last heard of.
    fn processes(&self, holder: &Holder) -> Vec<(u64, String)> {
        let prefix = format!("{}/", holder.sidecar);
        let is_process = |name: &str| {
            name.strip_prefix(&*prefix).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.holders
            .range(prefix.clone()..)
            .take_while(|(name, _)| name.starts_with(&*prefix))
            .filter(|(name, _)| is_process(name))
            .map(|(name, row)| (row.seen_ms, name.clone()))
            .collect()
    }

    /// Forgets a holder; what it has not accounted for counts as used for good.
    fn retire(&mut self, name: &str) {
        let Some(row) = self.holders.remove(name) else { return };
        self.changed.holders.insert(name.to_owned());
        let entry = (row.seen_ms, name.to_owned());
        self.seen.remove(&entry);
        self.active.remove(&entry);
        for key in row.held {
            let Some(lease) = self.leases.get(&key) else { continue };
            let (window_ms, open, stranded) = (lease.window_ms, lease.open, lease.stranded);
            let window = self.window(window_ms);
            take(if stranded { &mut window.stranded } else { &mut window.leased }, open);
            add(&mut window.lost, open);
            self.close(key);
        }
    }
}
