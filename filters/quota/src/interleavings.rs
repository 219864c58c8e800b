//! Interleavings, tried by loom: nothing is admitted twice and nothing is lost.

use std::{collections::BTreeMap, sync::Arc};

use loom::thread::spawn;

use crate::{Lease, LeaseReport, Quota, QuotaSet, QuotaSpec, Reason, SetRefusal, Share};

const NOW_S: u64 = 100;

/// Tries all interleavings of two threads.
fn explore(test: impl Fn() + Sync + Send + 'static) {
    loom::model::Builder::new().check(test);
}

/// Tries the interleavings of three threads with at most three forced switches: all would take minutes.
fn explore_three(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(test);
}

fn lease(id: u64, amount: u64) -> Lease {
    Lease { id, epoch: 1, amount, not_after_s: NOW_S + 100 }
}

fn quota(leases: &[Lease]) -> Arc<Quota> {
    let quota = Quota::new(QuotaSpec::new("tokens", "llm.tokens", "token")).unwrap();
    for lease in leases {
        quota.grant(lease, 0).unwrap();
    }
    Arc::new(quota)
}

/// Adds to `told` what the next report says, if there is one.
fn report(quota: &Quota, told: &mut BTreeMap<u64, LeaseReport>) {
    if let Some(report) = quota.take_report(NOW_S) {
        assert!(quota.confirm_report(report.sequence));
        for line in report.leases {
            let sum = told.entry(line.id).or_insert(LeaseReport {
                spent: 0,
                given_back: 0,
                overrun: 0,
                last: false,
                ..line
            });
            assert!(!sum.last, "lease {} was told of after its last report", line.id);
            sum.spent += line.spent;
            sum.given_back += line.given_back;
            sum.overrun += line.overrun;
            sum.last = line.last;
        }
    }
}

/// Gives the quota back and reports until the end: every lease adds up to what it granted. Says what was spent of all.
fn finish(quota: &Quota, leases: &[Lease], mut told: BTreeMap<u64, LeaseReport>) -> u64 {
    quota.give_back();
    report(quota, &mut told);
    report(quota, &mut told);
    for lease in leases {
        let told = told[&lease.id];
        assert_eq!(told.spent + told.given_back, lease.amount, "lease {}", lease.id);
        assert!(told.last, "lease {}", lease.id);
    }
    told.values().map(|lease| lease.spent).sum()
}

/// Reserves and settles; says what was spent.
fn spend(quota: &Quota, amount: u64, actual: u64) -> u64 {
    quota.reserve(amount, NOW_S).map_or(0, |reservation| reservation.settle(actual).spent)
}

#[test]
fn three_reserve_at_once_and_the_lease_is_not_exceeded() {
    explore_three(|| {
        let leases = [lease(1, 5)];
        let quota = quota(&leases);
        let others = [2, 3].map(|amount| {
            let quota = Arc::clone(&quota);
            spawn(move || quota.reserve_owned(amount, NOW_S))
        });
        let mine = quota.reserve_owned(3, NOW_S);
        let (mut held, mut signals) = (Vec::new(), 0);
        for answer in others.into_iter().map(|other| other.join().unwrap()).chain([mine]) {
            signals += u64::from(match &answer {
                Ok(reservation) => reservation.signals_refill(),
                Err(short) => short.signals_refill,
            });
            held.extend(answer.ok());
        }
        let reserved: u64 = held.iter().map(|reservation| reservation.amount()).sum();
        assert!(reserved == 5 || reserved == 3, "{reserved}");
        assert_eq!((quota.left(), signals), (5 - reserved, 1));
        drop(held);
        assert_eq!(finish(&quota, &leases, BTreeMap::new()), reserved);
    });
}

#[test]
fn a_grant_between_reserving_and_settling_gets_nothing_of_the_lease_before() {
    explore_three(|| {
        let leases = [lease(1, 4), lease(2, 3)];
        let quota = quota(&leases[..1]);
        let spender = spawn({
            let quota = Arc::clone(&quota);
            move || spend(&quota, 3, 1)
        });
        let granter = spawn({
            let quota = Arc::clone(&quota);
            move || quota.grant(&leases[1], NOW_S).unwrap()
        });
        let mine = spend(&quota, 3, 2);
        granter.join().unwrap();
        let spent = mine + spender.join().unwrap();
        assert!(quota.left() <= 3);
        assert_eq!(finish(&quota, &leases, BTreeMap::new()), spent);
    });
}

#[test]
fn a_remainder_settled_during_a_grant_goes_to_the_issuer() {
    explore(|| {
        let leases = [lease(1, 4), lease(2, 2)];
        let quota = quota(&leases[..1]);
        let held = quota.reserve_owned(4, NOW_S).unwrap();
        let settler = spawn(move || held.settle(1).spent);
        quota.grant(&leases[1], NOW_S).unwrap();
        assert_eq!(quota.left(), 2);
        let spent = settler.join().unwrap();
        assert_eq!(quota.left(), 2);
        assert_eq!(finish(&quota, &leases, BTreeMap::new()), spent);
    });
}

#[test]
fn giving_back_against_reserving_counts_each_unit_on_one_side() {
    explore_three(|| {
        let leases = [lease(1, 5)];
        let quota = quota(&leases);
        let spender = spawn({
            let quota = Arc::clone(&quota);
            move || spend(&quota, 3, 2)
        });
        let closer = spawn({
            let quota = Arc::clone(&quota);
            move || quota.give_back()
        });
        let mine = spend(&quota, 2, 2);
        let back = closer.join().unwrap();
        let spent = mine + spender.join().unwrap();
        assert!(back + spent <= 5);
        assert_eq!(quota.reserve(1, NOW_S).unwrap_err().reason, Reason::Closed);
        assert_eq!(finish(&quota, &leases, BTreeMap::new()), spent);
    });
}

#[test]
fn a_grant_against_giving_back_and_reserving_leaves_nothing_unaccounted_for() {
    explore_three(|| {
        let leases = [lease(1, 3), lease(2, 4)];
        let quota = quota(&leases[..1]);
        let spender = spawn({
            let quota = Arc::clone(&quota);
            move || spend(&quota, 2, 1)
        });
        let granter = spawn({
            let quota = Arc::clone(&quota);
            move || quota.grant(&leases[1], NOW_S).is_ok()
        });
        quota.give_back();
        assert_eq!(quota.reserve(1, NOW_S).unwrap_err().reason, Reason::Closed);
        granter.join().unwrap();
        assert!(quota.reserve(1, NOW_S).is_err());
        let spent = spender.join().unwrap();
        assert_eq!(finish(&quota, &leases, BTreeMap::new()), spent);
    });
}

#[test]
fn an_expired_lease_told_of_during_settling_takes_nothing_back_in() {
    explore_three(|| {
        let ends = Lease { not_after_s: NOW_S, ..lease(1, 6) };
        let quota = quota(&[ends]);
        let held = quota.reserve_owned(4, NOW_S - 1).unwrap();
        let settler = spawn(move || held.settle(1).spent);
        let late = spawn({
            let quota = Arc::clone(&quota);
            move || quota.reserve(1, NOW_S - 1).map_or(0, |reservation| reservation.settle(1).spent)
        });
        let mut told = BTreeMap::new();
        report(&quota, &mut told);
        assert_eq!(quota.reserve(1, NOW_S - 1).unwrap_err().reason, Reason::NothingGranted);
        let spent = settler.join().unwrap() + late.join().unwrap();
        assert_eq!(finish(&quota, &[ends], told), spent);
    });
}

#[test]
fn a_revocation_against_reserving_counts_each_unit_on_one_side() {
    explore(|| {
        let leases = [lease(1, 5)];
        let quota = quota(&leases);
        let spender = spawn({
            let quota = Arc::clone(&quota);
            move || spend(&quota, 4, 1)
        });
        let back = quota.revoke(1, 1).unwrap();
        assert_eq!(quota.left(), 0);
        let spent = spender.join().unwrap();
        assert!(back == 5 || back == 1 || back == 4, "{back}");
        assert_eq!(finish(&quota, &leases, BTreeMap::new()), spent);
    });
}

#[test]
fn a_report_during_settling_tells_every_unit_once() {
    explore_three(|| {
        let leases = [lease(1, 9), lease(2, 5)];
        let quota = quota(&leases[..1]);
        let (one, two) = (quota.reserve_owned(4, NOW_S).unwrap(), quota.reserve_owned(5, NOW_S).unwrap());
        quota.grant(&leases[1], NOW_S).unwrap();
        let one = spawn(move || one.settle(1).spent);
        let two = spawn(move || two.settle(7).spent);
        let mut told = BTreeMap::new();
        report(&quota, &mut told);
        report(&quota, &mut told);
        let spent = one.join().unwrap() + two.join().unwrap();
        report(&quota, &mut told);
        assert_eq!((told[&1].spent, told[&1].given_back, told[&1].overrun), (6, 3, 2));
        assert_eq!(finish(&quota, &leases, told), spent);
    });
}

#[test]
fn a_slot_used_again_holds_nothing_of_the_lease_before() {
    explore(|| {
        let leases: Vec<_> = (1..=6).map(|id| lease(id, 3)).collect();
        let quota = quota(&leases[..1]);
        let held = quota.reserve_owned(3, NOW_S).unwrap();
        let settler = spawn(move || held.settle(5));
        let mut told = BTreeMap::new();
        for lease in &leases[1..] {
            quota.grant(lease, NOW_S).unwrap();
            report(&quota, &mut told);
        }
        assert_eq!(settler.join().unwrap().overrun, 2);
        let mine = spend(&quota, 2, 1);
        report(&quota, &mut told);
        assert_eq!(told[&1].overrun, 2);
        assert_eq!(told.values().map(|lease| lease.overrun).sum::<u64>(), 2);
        assert_eq!(finish(&quota, &leases, told), mine + 3);
    });
}

#[test]
fn a_lease_is_never_taken_from_by_the_end_of_another() {
    explore(|| {
        // The first and the third write their terms in the same place.
        let ends = [NOW_S - 50, NOW_S - 40, NOW_S + 10];
        let leases =
            [0, 1, 2].map(|n| Lease { id: n + 1, epoch: 1, amount: 3, not_after_s: ends[n as usize] });
        let quota = quota(&leases[..1]);
        let granter = spawn({
            let quota = Arc::clone(&quota);
            move || {
                quota.grant(&leases[1], 0).unwrap();
                quota.grant(&leases[2], 0).unwrap();
            }
        });
        let spent = spend(&quota, 2, 2);
        granter.join().unwrap();
        assert_eq!(quota.left(), 3 - spent, "only the third was valid");
        assert_eq!(finish(&quota, &leases, BTreeMap::new()), spent);
    });
}

#[test]
fn a_lease_that_ends_early_is_not_taken_from_by_the_end_of_the_one_before() {
    explore(|| {
        let ends = [NOW_S + 10, NOW_S - 50, NOW_S - 40];
        let leases =
            [0, 1, 2].map(|n| Lease { id: n + 1, epoch: 1, amount: 3, not_after_s: ends[n as usize] });
        let quota = quota(&leases[..1]);
        let granter = spawn({
            let quota = Arc::clone(&quota);
            move || {
                quota.grant(&leases[1], 0).unwrap();
                quota.grant(&leases[2], 0).unwrap();
            }
        });
        let spent = spend(&quota, 2, 2);
        granter.join().unwrap();
        assert_eq!(quota.left(), 3, "the third had ended");
        assert_eq!(finish(&quota, &leases, BTreeMap::new()), spent);
    });
}

#[test]
fn sets_in_opposite_order_take_all_or_nothing() {
    explore(|| {
        let leases = [lease(1, 3)];
        let (a, b) = (quota(&leases), quota(&leases));
        let other = spawn({
            let set = QuotaSet::new(vec![Arc::clone(&b), Arc::clone(&a)]).unwrap();
            move || set.reserve(&both(2), NOW_S).map(|reservation| reservation.settle(&[2, 1])).is_ok()
        });
        let set = QuotaSet::new(vec![Arc::clone(&a), Arc::clone(&b)]).unwrap();
        let mine = match set.reserve(&both(2), NOW_S) {
            Ok(reservation) => {
                reservation.settle(&[2, 2]);
                true
            }
            Err(refusal) => {
                assert!(matches!(refusal, SetRefusal::Short { .. }));
                false
            }
        };
        let other = other.join().unwrap();
        let of_mine = if mine { [2, 2] } else { [0, 0] };
        let of_other = if other { [1, 2] } else { [0, 0] };
        assert_eq!(finish(&a, &leases, BTreeMap::new()), of_mine[0] + of_other[0]);
        assert_eq!(finish(&b, &leases, BTreeMap::new()), of_mine[1] + of_other[1]);
    });
}

/// So much of each of two quotas.
fn both(amount: u64) -> [Share; 2] {
    [0, 1].map(|quota| Share { quota, amount })
}

#[test]
fn one_lease_signals_one_refill() {
    explore_three(|| {
        let leases = [lease(1, 4), lease(2, 4)];
        let quota = quota(&leases[..1]);
        let others = [1, 2].map(|amount| {
            let quota = Arc::clone(&quota);
            spawn(move || quota.reserve(amount, NOW_S).is_ok_and(|reservation| reservation.signals_refill()))
        });
        let signals = others.into_iter().map(|other| u64::from(other.join().unwrap())).sum::<u64>();
        assert_eq!(signals, 1);
        assert!(quota.wants_refill());
        quota.grant(&leases[1], NOW_S).unwrap();
        assert!(!quota.wants_refill());
    });
}

#[test]
fn a_refill_asked_for_during_a_grant_is_neither_lost_nor_taken_for_another_leases() {
    explore_three(|| {
        let leases = [lease(1, 4), lease(2, 4)];
        let quota = quota(&leases[..1]);
        let others = [3, 2].map(|amount| {
            let quota = Arc::clone(&quota);
            spawn(move || quota.reserve_owned(amount, NOW_S))
        });
        quota.grant(&leases[1], NOW_S).unwrap();
        for other in others {
            drop(other.join().unwrap());
        }
        assert_eq!(quota.wants_refill(), quota.left() <= 2, "{} left", quota.left());
    });
}
