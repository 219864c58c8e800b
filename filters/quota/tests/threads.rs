//! Real threads on one quota: a million reservations, with leases granted, revoked and reported all the while.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{collections::BTreeMap, sync::Arc, thread};

use creto_quota::{Lease, LeaseReport, Quota, QuotaSet, QuotaSpec, SetRefusal, Share};

const NOW_S: u64 = 100;
const THREADS: u64 = 4;
const RESERVATIONS: u64 = 250_000;

fn quota(name: &str) -> Arc<Quota> {
    Arc::new(Quota::new(QuotaSpec::new(name, "llm.tokens", "token")).unwrap())
}

/// What an issuer knows of one quota.
#[derive(Default)]
struct Issuer {
    granted: BTreeMap<u64, u64>,
    told: BTreeMap<u64, LeaseReport>,
    sequence: u64,
}

impl Issuer {
    fn grant(&mut self, quota: &Quota, amount: u64) {
        let id = self.granted.len() as u64 + 1;
        self.granted.insert(id, amount);
        quota.grant(&Lease { id, epoch: 1, amount, not_after_s: NOW_S + 100 }, NOW_S).unwrap();
    }

    fn learn(&mut self, quota: &Quota) {
        let Some(report) = quota.take_report(NOW_S) else { return };
        self.sequence += 1;
        assert_eq!(report.sequence, self.sequence);
        assert!(quota.confirm_report(report.sequence));
        for line in report.leases {
            let sum = self
                .told
                .entry(line.id)
                .and_modify(|sum| assert!(!sum.last, "told of after the last report"))
                .or_insert(LeaseReport { spent: 0, given_back: 0, overrun: 0, last: false, ..line });
            sum.spent += line.spent;
            sum.given_back += line.given_back;
            sum.overrun += line.overrun;
            sum.last = line.last;
            assert!(sum.spent + sum.given_back <= self.granted[&line.id], "lease {}", line.id);
        }
    }

    /// Every lease adds up. Says spent and overrun of all.
    fn finish(&mut self, quota: &Quota) -> (u64, u64) {
        quota.give_back();
        self.learn(quota);
        assert_eq!(quota.take_report(NOW_S), None);
        for (id, amount) in &self.granted {
            let told = &self.told[id];
            assert_eq!((told.spent + told.given_back, told.last), (*amount, true), "lease {id}");
        }
        let spent = self.told.values().map(|told| told.spent).sum();
        (spent, self.told.values().map(|told| told.overrun).sum())
    }
}

/// Cheap numbers that differ by thread.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn a_million_reservations_on_changing_leases_add_up() {
    let quota = quota("tokens");
    let mut issuer = Issuer::default();
    let (spent, overrun) = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|seed| {
                let quota = &quota;
                scope.spawn(move || {
                    let (mut state, mut spent, mut overrun) = (seed, 0, 0);
                    let mut admitted = 0;
                    while admitted < RESERVATIONS {
                        let amount = next(&mut state) % 50;
                        let actual = next(&mut state) % 60;
                        let Ok(reservation) = quota.reserve(amount, NOW_S) else {
                            thread::yield_now();
                            continue;
                        };
                        admitted += 1;
                        if actual == 59 {
                            drop(reservation);
                            spent += amount;
                        } else {
                            let settled = reservation.settle(if amount == 0 { 0 } else { actual });
                            assert_eq!(settled.spent + settled.given_back, amount);
                            spent += settled.spent;
                            overrun += settled.overrun;
                        }
                    }
                    (spent, overrun)
                })
            })
            .collect();
        let mut state = 99;
        while workers.iter().any(|worker| !worker.is_finished()) {
            let id = issuer.granted.len() as u64;
            match next(&mut state) % 8 {
                0 => drop(quota.revoke(1, id)),
                1 | 2 => issuer.learn(&quota),
                3 => issuer.grant(&quota, 50 + next(&mut state) % 20_000),
                _ if quota.wants_refill() => issuer.grant(&quota, 50 + next(&mut state) % 20_000),
                _ => thread::yield_now(),
            }
        }
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .fold((0, 0), |sum, worker| (sum.0 + worker.0, sum.1 + worker.1))
    });
    assert_eq!(issuer.finish(&quota), (spent, overrun));
    let counts = quota.counts();
    assert_eq!(counts.admitted, THREADS * RESERVATIONS);
    assert_eq!((counts.overrun_units, counts.overage_units), (overrun, 0));
    assert!(spent > 0 && issuer.granted.len() > 100, "{} leases", issuer.granted.len());
}

#[test]
fn sets_that_overlap_in_every_order_exceed_no_quota_and_never_wait() {
    const AMOUNT: u64 = 300_000;
    let quotas = ["a", "b", "c"].map(quota);
    let mut issuers = [(); 3].map(|()| Issuer::default());
    for (quota, issuer) in quotas.iter().zip(&mut issuers) {
        issuer.grant(quota, AMOUNT);
    }
    let orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0]];
    let spent: Vec<[u64; 3]> = thread::scope(|scope| {
        let workers = orders.map(|order| {
            let set = QuotaSet::new(order.map(|at| Arc::clone(&quotas[at])).to_vec()).unwrap();
            scope.spawn(move || {
                let (mut state, mut spent) = (order[0] as u64, [0; 3]);
                for _ in 0..100_000 {
                    let amounts = [(); 3].map(|()| next(&mut state) % 8);
                    let shares =
                        std::array::from_fn::<_, 3, _>(|quota| Share { quota, amount: amounts[quota] });
                    match set.reserve(&shares, NOW_S) {
                        Ok(reservation) => {
                            let actual = amounts.map(|amount| amount / 2);
                            reservation.settle(&actual);
                            order.iter().zip(actual).for_each(|(at, actual)| spent[*at] += actual);
                        }
                        Err(refusal) => assert!(matches!(refusal, SetRefusal::Short { .. })),
                    }
                }
                spent
            })
        });
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    for (at, (quota, issuer)) in quotas.iter().zip(&mut issuers).enumerate() {
        let expected: u64 = spent.iter().map(|worker| worker[at]).sum();
        assert!(expected <= AMOUNT);
        assert_eq!(quota.left(), AMOUNT - expected);
        assert_eq!(issuer.finish(quota), (expected, 0));
    }
}
