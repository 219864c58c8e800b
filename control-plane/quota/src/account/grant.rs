//! Leases are cut.

use creto_quota::Lease;

use super::{Account, LeaseRow, Turn, add};
use crate::bounds::{MAX_LEASES, MAX_OPEN_LEASES};
use crate::sizing::size;
use crate::{Answer, Ask, Holder, IssuerError, Level};

impl Account {
    /// A lease for the holder, or none. The window was entered.
    pub(crate) fn grant(
        &mut self,
        turn: &Turn<'_>,
        holder: &Holder,
        ask: &Ask,
    ) -> Result<Answer, IssuerError> {
        let name = holder.to_string();
        if let Some(row) = self.holders.get(&name)
            && ask.request <= row.request
        {
            let again = self.leases.get(&row.lease).filter(|_| ask.request == row.request);
            let Some(lease) = again else {
                return Err(IssuerError::Stale { holder: name, request: ask.request, last: row.request });
            };
            let (epoch, id) = row.lease;
            return Ok(Answer::Lease(Lease {
                id,
                epoch,
                amount: lease.amount,
                not_after_s: lease.end_ms / 1_000,
            }));
        }
        if ask.needed > self.head.amount {
            return Ok(Answer::Impossible { amount: self.head.amount });
        }
        self.refuse_when_full(&name)?;
        // Who asks for the first time never had a lease, so none of its reports can have been taken in before.
        let era = if ask.request == 1 { self.head.learned_ms + 1 } else { 0 };
        self.admit(holder, &name, era)?;
        self.heard(&name, turn.now_ms);
        let holders = self.active(turn);
        let amount = self.head.amount;
        let row = self.current();
        let available = row.available(amount);
        let Some(units) = size(ask.wanted, ask.needed, available, holders, &turn.limit.leases) else {
            let leased = row.leased;
            // Others are asked to give back only where it helps.
            if available + leased >= ask.needed.max(1) {
                row.scarce_until_ms = turn.now_ms + turn.limit.leases.life_ms;
            }
            self.tell(turn, turn.window.start_ms, Level::Exhausted);
            return Ok(Answer::Exhausted { window_ends_ms: turn.window.end_ms, available, leased });
        };
        add(&mut row.leased, units);
        let end_ms = (turn.now_ms + turn.limit.leases.life_ms).min(turn.window.end_ms) / 1_000 * 1_000;
        let key = (self.head.epoch, self.head.next_id);
        self.head.next_id += 1;
        self.changed.head = true;
        let lease = LeaseRow {
            holder: name.clone(),
            window_ms: turn.window.start_ms,
            amount: units,
            open: units,
            end_ms,
            stranded: false,
        };
        self.due.insert((lease.due_ms(), key));
        self.leases.insert(key, lease);
        self.changed.leases.insert(key);
        if let Some(row) = self.holders.get_mut(&name) {
            (row.request, row.lease) = (ask.request, key);
            row.held.insert(key);
        }
        Ok(Answer::Lease(Lease { id: key.1, epoch: key.0, amount: units, not_after_s: end_ms / 1_000 }))
    }

    fn refuse_when_full(&self, name: &str) -> Result<(), IssuerError> {
        let row = self.holders.get(name);
        if row.is_some_and(|row| row.held.len() as u64 >= MAX_OPEN_LEASES) {
            return Err(IssuerError::open_leases_full());
        }
        if self.leases.len() as u64 >= MAX_LEASES {
            return Err(IssuerError::leases_full());
        }
        Ok(())
    }
}
