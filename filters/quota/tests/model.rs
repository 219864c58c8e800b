//! Any sequence of operations does what a plain model with unbounded numbers does, and no unit is lost or made.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{collections::BTreeMap, sync::Arc};

use creto_quota::{
    Action, GrantError, Lease, MAX_LEASE_AMOUNT, OwnedReservation, Quota, QuotaSpec, Reason, Report,
};
use proptest::{collection::vec, prelude::*};

/// What is known of one lease, in numbers that cannot overflow.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    granted: u128,
    left: u128,
    open: u128,
    spent: u128,
    given_back: u128,
    overrun: u128,
    ended: bool,
}

/// An open reservation: the lease it took from, and how much.
#[derive(Clone, Copy, Debug)]
struct Hold {
    lease: Option<(u64, u64)>,
    amount: u64,
}

#[derive(Default)]
struct Model {
    accounts: BTreeMap<(u64, u64), Account>,
    in_hand: Option<Lease>,
    last: Option<(u64, u64)>,
    closed: bool,
    overage: u128,
    overrun: u128,
    admitted: u64,
    short: u64,
}

/// What comes from outside is counted up to the largest number.
fn counted(total: u128, units: u64) -> u128 {
    (total + u128::from(units)).min(u64::MAX.into())
}

impl Model {
    fn end(&mut self) -> u64 {
        let Some(lease) = self.in_hand.take() else { return 0 };
        let account = self.accounts.get_mut(&(lease.epoch, lease.id)).unwrap();
        let left = std::mem::take(&mut account.left);
        account.given_back += left;
        account.ended = true;
        left as u64
    }

    fn grant(&mut self, lease: Lease, now_s: u64) -> bool {
        let order = (lease.epoch, lease.id);
        if self.last.is_some_and(|last| order <= last) {
            return false;
        }
        self.last = Some(order);
        let granted = u128::from(lease.amount);
        let wrong =
            self.closed || granted == 0 || lease.amount > MAX_LEASE_AMOUNT || now_s >= lease.not_after_s;
        if wrong {
            self.accounts
                .insert(order, Account { granted, given_back: granted, ended: true, ..Account::default() });
        } else {
            self.end();
            self.accounts.insert(order, Account { granted, left: granted, ..Account::default() });
            self.in_hand = Some(lease);
        }
        !wrong
    }

    fn reserve(&mut self, amount: u64, now_s: u64) -> Result<Hold, Reason> {
        let lease = match self.in_hand {
            _ if self.closed => return Err(Reason::Closed),
            _ if amount == 0 => return Ok(Hold { lease: None, amount }),
            None => return Err(Reason::NothingGranted),
            Some(lease) if now_s >= lease.not_after_s => return Err(Reason::Expired),
            Some(lease) => lease,
        };
        let order = (lease.epoch, lease.id);
        let account = self.accounts.get_mut(&order).unwrap();
        match account.left.checked_sub(u128::from(amount)) {
            None if amount > lease.amount => Err(Reason::LargerThanLease),
            None => Err(Reason::Spent),
            Some(left) => {
                account.left = left;
                account.open += u128::from(amount);
                Ok(Hold { lease: Some(order), amount })
            }
        }
    }

    fn settle(&mut self, hold: Hold, actual: u64) {
        self.admitted += 1;
        let Some(order) = hold.lease else {
            self.overage = counted(self.overage, actual);
            return;
        };
        let account = self.accounts.get_mut(&order).unwrap();
        let spent = actual.min(hold.amount);
        account.open -= u128::from(hold.amount);
        account.spent += u128::from(spent);
        account.overrun = counted(account.overrun, actual - spent);
        self.overrun = counted(self.overrun, actual - spent);
        let rest = u128::from(hold.amount - spent);
        if account.ended { account.given_back += rest } else { account.left += rest }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Grant { id: u64, epoch: u64, amount: u64, lasts_s: i64 },
    Reserve(u64),
    Settle { which: usize, percent: u64 },
    SettleAt { which: usize, actual: u64 },
    Drop(usize),
    Clock(i64),
    Revoke { wrong: bool },
    Report { confirm: bool },
    GiveBack,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let amount = prop_oneof![
        8 => 0..200_u64,
        1 => MAX_LEASE_AMOUNT - 1..=MAX_LEASE_AMOUNT + 1,
        1 => any::<u64>(),
    ];
    let grant = (0..4_u64, 0..10_u64, amount.clone(), -5..60_i64)
        .prop_map(|(id, epoch, amount, lasts_s)| Step::Grant { id, epoch: epoch / 9, amount, lasts_s });
    let step = prop_oneof![
        4 => grant,
        10 => amount.clone().prop_map(Step::Reserve),
        6 => (any::<usize>(), 0..150_u64).prop_map(|(which, percent)| Step::Settle { which, percent }),
        1 => (any::<usize>(), amount).prop_map(|(which, actual)| Step::SettleAt { which, actual }),
        2 => any::<usize>().prop_map(Step::Drop),
        2 => (-20..30_i64).prop_map(Step::Clock),
        1 => any::<bool>().prop_map(|wrong| Step::Revoke { wrong }),
        4 => any::<bool>().prop_map(|confirm| Step::Report { confirm }),
    ];
    (vec(step, 1..120), any::<bool>()).prop_map(|(mut steps, gives_back)| {
        if gives_back {
            let at = steps.len() * 3 / 4;
            steps.insert(at, Step::GiveBack);
        }
        steps
    })
}

/// The quota and its model, side by side.
struct Pair {
    quota: Arc<Quota>,
    model: Model,
    held: Vec<(OwnedReservation, Hold)>,
    now_s: u64,
    next_id: u64,
    epoch: u64,
    sequence: u64,
    unconfirmed: Option<Report>,
    /// Spent, given back, overrun, by lease, as told.
    told: BTreeMap<(u64, u64), (u128, u128, u128)>,
    overage_told: u128,
}

impl Pair {
    fn new(action: Action) -> Self {
        let quota = Quota::new(QuotaSpec::new("tokens", "llm.tokens", "token").with_action(action)).unwrap();
        Self {
            quota: Arc::new(quota),
            model: Model::default(),
            held: Vec::new(),
            now_s: 1000,
            next_id: 1,
            epoch: 1,
            sequence: 0,
            unconfirmed: None,
            told: BTreeMap::new(),
            overage_told: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Grant { id, epoch, amount, lasts_s } => self.grant(id, epoch, amount, lasts_s),
            Step::Reserve(amount) => self.reserve(amount),
            Step::Settle { which, percent } => self.settle(which, |amount| {
                u64::try_from(u128::from(amount) * u128::from(percent) / 100).unwrap_or(u64::MAX)
            }),
            Step::SettleAt { which, actual } => self.settle(which, |_| actual),
            Step::Drop(which) => {
                if !self.held.is_empty() {
                    let (reservation, hold) = self.held.swap_remove(which % self.held.len());
                    drop(reservation);
                    self.model.settle(hold, hold.amount);
                }
            }
            Step::Clock(by) => self.now_s = self.now_s.saturating_add_signed(by),
            Step::Revoke { wrong } => {
                let (epoch, id) = self.model.in_hand.map_or((1, 1), |lease| (lease.epoch, lease.id));
                let expected = (!wrong && self.model.in_hand.is_some()).then(|| self.model.end());
                assert_eq!(self.quota.revoke(epoch, if wrong { id + 1 } else { id }), expected);
            }
            Step::Report { confirm } => self.report(confirm),
            Step::GiveBack => {
                let left = self.model.end();
                self.model.closed = true;
                assert_eq!(self.quota.give_back(), left);
            }
        }
    }

    fn grant(&mut self, id: u64, epoch: u64, amount: u64, lasts_s: i64) {
        self.epoch += epoch;
        self.next_id += id;
        let not_after_s = self.now_s.saturating_add_signed(lasts_s);
        let lease = Lease { id: self.next_id, epoch: self.epoch, amount, not_after_s };
        let granted = self.quota.grant(&lease, self.now_s);
        assert_ne!(granted, Err(GrantError::TooManyOpen), "fewer grants than slots");
        assert_eq!(granted.is_ok(), self.model.grant(lease, self.now_s), "{granted:?}");
    }

    fn reserve(&mut self, amount: u64) {
        let expected = self.model.reserve(amount, self.now_s);
        let action = self.quota.action();
        match (self.quota.reserve_owned(amount, self.now_s), expected) {
            (Ok(reservation), Ok(hold)) => {
                assert_eq!(reservation.overage(), None);
                self.held.push((reservation, hold));
            }
            (Ok(reservation), Err(reason)) => {
                assert!(action != Action::Block && reason != Reason::Closed);
                assert_eq!(reservation.overage(), Some(reason));
                self.held.push((reservation, Hold { lease: None, amount }));
            }
            (Err(short), Err(reason)) => {
                assert!(action == Action::Block || reason == Reason::Closed);
                assert_eq!((short.reason, short.amount), (reason, amount));
                self.model.short += 1;
            }
            (Err(short), Ok(_)) => panic!("the model admits it: {short}"),
        }
    }

    fn settle(&mut self, which: usize, actual: impl Fn(u64) -> u64) {
        if self.held.is_empty() {
            return;
        }
        let (reservation, hold) = self.held.swap_remove(which % self.held.len());
        let actual = actual(hold.amount);
        let settled = reservation.settle(actual);
        assert_eq!(settled.spent + settled.overrun + settled.overage, actual);
        assert_eq!(settled.spent + settled.given_back, hold.lease.map_or(0, |_| hold.amount));
        self.model.settle(hold, actual);
    }

    fn report(&mut self, confirm: bool) {
        if self.model.in_hand.is_some_and(|lease| self.now_s >= lease.not_after_s) {
            self.model.end();
        }
        let report = self.quota.take_report(self.now_s);
        if self.unconfirmed.is_some() {
            assert_eq!(report, self.unconfirmed, "the same until it is confirmed");
        } else if let Some(report) = &report {
            self.sequence += 1;
            assert_eq!(report.sequence, self.sequence);
            self.learn(report);
        }
        self.unconfirmed = report;
        if confirm && let Some(report) = self.unconfirmed.take() {
            assert!(!self.quota.confirm_report(report.sequence + 1));
            assert!(self.quota.confirm_report(report.sequence));
            assert!(!self.quota.confirm_report(report.sequence));
        }
    }

    /// Takes in a report that was not seen before, right after it was made.
    fn learn(&mut self, report: &Report) {
        for line in &report.leases {
            let told = self.told.entry((line.epoch, line.id)).or_default();
            told.0 += u128::from(line.spent);
            told.1 += u128::from(line.given_back);
            told.2 += u128::from(line.overrun);
            let account = &self.model.accounts[&(line.epoch, line.id)];
            assert_eq!(line.last, account.ended && account.open == 0);
        }
        self.overage_told += u128::from(report.overage);
        assert_eq!(self.overage_told, self.model.overage);
        for (order, account) in &self.model.accounts {
            let told = self.told.get(order).copied().unwrap_or_default();
            assert_eq!(told, (account.spent, account.given_back, account.overrun), "lease {order:?}");
        }
    }

    fn check(&self) {
        for (order, account) in &self.model.accounts {
            let sum = account.spent + account.open + account.left + account.given_back;
            assert_eq!(sum, account.granted, "lease {order:?}");
        }
        let left = self.model.in_hand.map_or(0, |lease| self.model.accounts[&(lease.epoch, lease.id)].left);
        assert_eq!(u128::from(self.quota.left()), left);
        assert_eq!(self.quota.lease(), self.model.in_hand);
        let counts = self.quota.counts();
        assert_eq!((counts.admitted, counts.short), (self.model.admitted, self.model.short));
        assert_eq!(u128::from(counts.overage_units), self.model.overage);
        assert_eq!(u128::from(counts.overrun_units), self.model.overrun);
    }

    /// The process goes down in order: all is settled, given back and told.
    fn finish(mut self) {
        while !self.held.is_empty() {
            self.step(&Step::Drop(0));
        }
        self.step(&Step::GiveBack);
        self.step(&Step::Report { confirm: true });
        self.step(&Step::Report { confirm: true });
        self.check();
        assert_eq!(self.quota.take_report(self.now_s), None);
        for (order, account) in &self.model.accounts {
            let told = self.told.get(order).copied().unwrap_or_default();
            assert_eq!(told.0 + told.1, account.granted, "lease {order:?}");
        }
        assert_eq!(self.overage_told, self.model.overage);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_sequence_of_operations_conserves_every_unit(
        steps in steps(),
        action in prop_oneof![
            2 => Just(Action::Block), 1 => Just(Action::AllowWithOverage), 1 => Just(Action::NotifyOnly)
        ],
    ) {
        let mut pair = Pair::new(action);
        for step in &steps {
            pair.step(step);
            pair.check();
        }
        pair.finish();
    }
}
