//! Reports are taken in.

use std::collections::BTreeSet;

use creto_quota::{LeaseReport, Report};

use super::{Account, Turn, WindowRow, add, take};
use crate::bounds::MAX_UNITS;
use crate::{Holder, IssuerError, Reported};

impl Account {
    /// Takes in a report once. The window was entered.
    pub(crate) fn report(
        &mut self,
        turn: &Turn<'_>,
        holder: &Holder,
        report: &Report,
    ) -> Result<Reported, IssuerError> {
        let name = holder.to_string();
        let row = self.holders.get(&name);
        if let Some(row) = row.filter(|row| report.sequence <= row.sequence) {
            let acknowledged = row.sequence;
            self.heard(&name, turn.now_ms);
            return Ok(Reported { acknowledged, duplicate: true, revoke: self.hint(turn, &name) });
        }
        // Whatever a sidecar says of leases it never had is no word on those of others.
        self.refuse_unheard(&name, report)?;
        // A number left out says only that this holder was not listened to: what it gave back then is not known, and
        // its leases count as used. Before its first report none is left out: others may be of a quota that was none.
        let known = row.filter(|row| row.era == self.head.learned_ms + 1);
        let sure = known.is_some_and(|row| row.sequence == 0 || report.sequence == row.sequence + 1);
        self.admit(holder, &name, 0)?;
        let mut touched = BTreeSet::from([turn.window.start_ms]);
        let mut used = report.overage.min(MAX_UNITS);
        let overage = used;
        add(&mut self.current().overage, overage);
        for line in &report.leases {
            add(&mut used, self.settle(line, sure, &mut touched));
        }
        let era = self.head.learned_ms + 1;
        if let Some(row) = self.holders.get_mut(&name) {
            (row.sequence, row.era) = (report.sequence, era);
        }
        self.heard(&name, turn.now_ms);
        for start_ms in touched {
            self.warn(turn, start_ms);
        }
        self.count_hour(turn, used);
        Ok(Reported { acknowledged: report.sequence, duplicate: false, revoke: self.hint(turn, &name) })
    }

    /// Refuses a report of a lease that was never granted, or to another.
    fn refuse_unheard(&self, name: &str, report: &Report) -> Result<(), IssuerError> {
        let next = (self.head.epoch, self.head.next_id);
        let unheard = report.leases.iter().find(|line| {
            let key = (line.epoch, line.id);
            key >= next || self.leases.get(&key).is_some_and(|lease| lease.holder != name)
        });
        match unheard {
            Some(line) => Err(IssuerError::NotGranted { id: line.id, epoch: line.epoch }),
            None => Ok(()),
        }
    }

    /// What became of one lease. Says how much was used. Where the report may have been taken in before (`sure` is
    /// false), what is given back is not granted again.
    fn settle(&mut self, line: &LeaseReport, sure: bool, touched: &mut BTreeSet<u64>) -> u64 {
        let key = (line.epoch, line.id);
        let Some(lease) = self.leases.get_mut(&key) else { return self.settle_unknown(line) };
        let (window_ms, stranded) = (lease.window_ms, lease.stranded);
        let spent = take(&mut lease.open, line.spent);
        let back = take(&mut lease.open, line.given_back);
        let rest = if line.last { std::mem::take(&mut lease.open) } else { 0 };
        let done = lease.open == 0;
        self.changed.leases.insert(key);
        touched.insert(window_ms);
        let uncovered = line.overrun.saturating_add(line.spent - spent).min(MAX_UNITS);
        let row = self.window(window_ms);
        take(if stranded { &mut row.stranded } else { &mut row.leased }, spent + back + rest);
        add(&mut row.spent, spent);
        add(&mut row.overrun, uncovered);
        add(&mut row.lost, rest + if sure { 0 } else { back });
        if done {
            self.close(key);
        }
        spent.saturating_add(uncovered)
    }

    /// A lease that is not kept: told of to the end, written off, or from before data was lost. If it was of this window,
    /// what was spent of it is among what counts as lost or assumed there. Nobody can say any more whose it was, so
    /// nothing is given back.
    fn settle_unknown(&mut self, line: &LeaseReport) -> u64 {
        let of_this_window = line.epoch >= self.head.window_ms.max(self.head.trusted_epoch);
        let row = self.current();
        if of_this_window {
            let spent = take_unknown(row, line.spent);
            add(&mut row.spent, spent);
        }
        let spent = line.spent.min(MAX_UNITS);
        spent.saturating_add(self.settle_uncovered(line.overrun))
    }

    fn settle_uncovered(&mut self, units: u64) -> u64 {
        let units = units.min(MAX_UNITS);
        add(&mut self.current().overrun, units);
        units
    }

    /// The lease a holder should give back, when others go without.
    fn hint(&self, turn: &Turn<'_>, name: &str) -> Option<(u64, u64)> {
        let window = self.windows.get(&turn.window.start_ms)?;
        let key = self.holders.get(name)?.lease;
        let lease = self.leases.get(&key)?;
        let held = lease.window_ms == turn.window.start_ms && !lease.stranded && lease.open > 0;
        (turn.now_ms < window.scarce_until_ms && held).then_some(key)
    }
}

fn take_unknown(row: &mut WindowRow, units: u64) -> u64 {
    let lost = take(&mut row.lost, units);
    lost + take(&mut row.assumed, units - lost)
}
