//! What time changes, and what people say after a loss.

use std::collections::BTreeSet;

use super::spike::HOUR_MS;
use super::{Account, LeaseRow, Turn, add, take};
use crate::bounds::{EXPIRE_BATCH, MAX_LEASE_MS, MAX_SPIKE_HOURS, WINDOW_KEPT_MS, WRITE_OFF_AFTER_MS};
use crate::{Expired, IssuerError};

impl LeaseRow {
    /// When something is to be done about it.
    pub(super) fn due_ms(&self) -> u64 {
        if self.stranded { self.end_ms + WRITE_OFF_AFTER_MS } else { self.end_ms }
    }
}

impl Account {
    /// Moves on what time changes. The window was entered.
    pub(crate) fn expire(&mut self, turn: &Turn<'_>) -> Expired {
        let mut expired = Expired::default();
        let mut touched = BTreeSet::new();
        for _ in 0..EXPIRE_BATCH {
            let Some(&(due_ms, key)) = self.due.first().filter(|(due_ms, _)| *due_ms <= turn.now_ms) else {
                break;
            };
            self.due.remove(&(due_ms, key));
            let Some(lease) = self.leases.get_mut(&key) else { continue };
            let (window_ms, open) = (lease.window_ms, lease.open);
            touched.insert(window_ms);
            if lease.stranded {
                let row = self.window(window_ms);
                take(&mut row.stranded, open);
                add(&mut row.lost, open);
                expired.written_off += open;
                self.close(key);
            } else {
                lease.stranded = true;
                self.due.insert((lease.due_ms(), key));
                self.changed.leases.insert(key);
                let row = self.window(window_ms);
                take(&mut row.leased, open);
                add(&mut row.stranded, open);
                expired.stranded += open;
            }
        }
        for start_ms in touched {
            self.warn(turn, start_ms);
        }
        self.forget(turn.now_ms);
        expired.next_ms = self.next_ms();
        expired.more = expired.next_ms.is_some_and(|due_ms| due_ms <= turn.now_ms);
        expired
    }

    /// Drops holders, windows and hours nobody will ask for.
    fn forget(&mut self, now_ms: u64) {
        let since = now_ms.saturating_sub(WRITE_OFF_AFTER_MS);
        let old = self.seen.iter().take(EXPIRE_BATCH).take_while(|(seen_ms, _)| *seen_ms < since);
        let gone: Vec<_> = old
            .filter(|(_, name)| self.holders.get(name).is_none_or(|row| row.held.is_empty()))
            .cloned()
            .collect();
        for entry in gone {
            self.seen.remove(&entry);
            self.active.remove(&entry);
            self.holders.remove(&entry.1);
            self.changed.holders.insert(entry.1);
        }
        let current = self.head.window_ms;
        let over =
            |start_ms: u64, end_ms: u64| end_ms + WINDOW_KEPT_MS + end_ms.saturating_sub(start_ms) <= now_ms;
        let old = self.windows.iter().take(EXPIRE_BATCH).filter(|(start_ms, row)| {
            **start_ms < current && over(**start_ms, row.end_ms) && row.leased == 0 && row.stranded == 0
        });
        for start_ms in old.map(|(start_ms, _)| *start_ms).collect::<Vec<_>>() {
            self.windows.remove(&start_ms);
            self.changed.windows.insert(start_ms);
        }
        let first = (now_ms / HOUR_MS).saturating_sub(u64::from(MAX_SPIKE_HOURS));
        while let Some((&hour, _)) = self.hours.first_key_value().filter(|(hour, _)| **hour < first) {
            self.hours.remove(&hour);
            self.changed.hours.insert(hour);
        }
    }

    /// What was used of the current window before data was lost, as somebody knows. The window was entered.
    pub(crate) fn settle_loss(&mut self, turn: &Turn<'_>, units: u64) -> Result<(), IssuerError> {
        if self.head.learned_ms < turn.window.start_ms {
            return Ok(());
        }
        // Leases from before the loss may be of other terms than today's; those of this window end with it.
        let until_ms = (self.head.learned_ms + MAX_LEASE_MS).min(turn.window.end_ms);
        if turn.now_ms < until_ms {
            return Err(IssuerError::TooEarly { until_ms });
        }
        // What comes in later about leases from before is among the units said.
        self.head.epoch = turn.now_ms.max(self.head.epoch + 1);
        self.head.next_id = 1;
        self.head.trusted_epoch = self.head.epoch;
        self.changed.head = true;
        let row = self.current();
        row.assumed = row.assumed.min(units);
        row.cap = 0;
        Ok(())
    }
}
