//! What leases, reservations, sets and the directory do, sentence by sentence.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::sync::Arc;

use creto_quota::{
    Action, GrantError, Lease, LeaseReport, MAX_LEASE_AMOUNT, MAX_OPEN_LEASES, MAX_QUOTAS, MAX_SET,
    MAX_SET_QUOTAS, Quota, QuotaSet, QuotaSpec, Quotas, Reason, ResolveError, SetError, SetRefusal, Share,
    SpecError,
};

const NOW_S: u64 = 100;

fn lease(id: u64, amount: u64) -> Lease {
    Lease { id, epoch: 1, amount, not_after_s: NOW_S + 10 }
}

fn spec(name: &str) -> QuotaSpec {
    QuotaSpec::new(name, "llm.tokens", "token")
}

fn quota(name: &str, action: Action) -> Arc<Quota> {
    Arc::new(Quota::new(spec(name).with_action(action)).unwrap())
}

fn granted(amount: u64) -> Arc<Quota> {
    let quota = quota("tokens", Action::Block);
    quota.grant(&lease(1, amount), NOW_S).unwrap();
    quota
}

/// The next report's leases, confirmed.
fn told(quota: &Quota, now_s: u64) -> Vec<LeaseReport> {
    let Some(report) = quota.take_report(now_s) else { return Vec::new() };
    assert!(quota.confirm_report(report.sequence));
    report.leases
}

#[test]
fn without_a_valid_lease_nothing_is_admitted() {
    let quota = quota("tokens", Action::Block);
    assert_eq!(quota.reserve(1, NOW_S).unwrap_err().reason, Reason::NothingGranted);
    assert!(quota.reserve(0, NOW_S).is_ok(), "nothing needs no lease");
    quota.grant(&lease(1, 10), NOW_S).unwrap();
    assert!(quota.reserve(4, NOW_S + 9).is_ok());
    assert_eq!(quota.reserve(1, NOW_S + 10).unwrap_err().reason, Reason::Expired);
    let short = quota.reserve(7, NOW_S).unwrap_err();
    assert_eq!((short.reason, short.left, short.amount), (Reason::Spent, 6, 7));
    assert_eq!(short.to_string(), "7 units were asked for and 6 are left: the lease is spent");
    assert_eq!(quota.reserve(11, NOW_S).unwrap_err().reason, Reason::LargerThanLease);
    assert_eq!(quota.reserve(u64::MAX, NOW_S).unwrap_err().reason, Reason::LargerThanLease);
    assert_eq!(quota.revoke(1, 1), Some(6));
    assert_eq!(quota.reserve(1, NOW_S).unwrap_err().reason, Reason::NothingGranted);
    assert_eq!(quota.counts().short, 6);
}

#[test]
fn a_clock_that_jumps_admits_nothing_beyond_the_lease() {
    let quota = granted(10);
    quota.reserve(4, NOW_S).unwrap().settle(4);
    assert!(quota.reserve(1, u64::MAX).is_err());
    quota.reserve(4, 0).unwrap().settle(4);
    assert_eq!(told(&quota, u64::MAX)[0].given_back, 2);
    assert_eq!(quota.reserve(1, NOW_S).unwrap_err().reason, Reason::NothingGranted, "it was given back");
}

#[test]
fn a_dropped_reservation_counts_as_used_in_full() {
    let quota = granted(10);
    drop(quota.reserve(4, NOW_S).unwrap());
    assert_eq!((quota.left(), told(&quota, NOW_S)[0].spent), (6, 4));
}

#[test]
fn use_above_the_reservation_is_told_as_overrun() {
    let quota = granted(10);
    let settled = quota.reserve(4, NOW_S).unwrap().settle(u64::MAX);
    assert_eq!((settled.spent, settled.overrun), (4, u64::MAX - 4));
    quota.reserve(2, NOW_S).unwrap().settle(u64::MAX);
    let line = told(&quota, NOW_S)[0];
    assert_eq!((line.spent, line.overrun, quota.left()), (6, u64::MAX, 4));
}

#[test]
fn a_remainder_never_reaches_a_newer_lease() {
    let quota = granted(10);
    let held = quota.reserve(8, NOW_S).unwrap();
    quota.grant(&lease(2, 5), NOW_S).unwrap();
    assert_eq!(held.settle(1).given_back, 7);
    assert_eq!(quota.left(), 5);
    let line = told(&quota, NOW_S)[0];
    assert_eq!((line.id, line.spent, line.given_back, line.last), (1, 1, 9, true));
}

#[test]
fn a_lease_is_last_told_of_when_its_last_reservation_is_settled() {
    let quota = granted(10);
    let held = quota.reserve(8, NOW_S).unwrap();
    assert_eq!(quota.give_back(), 2);
    assert_eq!(
        told(&quota, NOW_S),
        [LeaseReport { id: 1, epoch: 1, spent: 0, given_back: 2, overrun: 0, last: false }]
    );
    held.settle(3);
    assert_eq!(
        told(&quota, NOW_S),
        [LeaseReport { id: 1, epoch: 1, spent: 3, given_back: 5, overrun: 0, last: true }]
    );
    assert_eq!(told(&quota, NOW_S), []);
}

#[test]
fn a_report_stays_the_same_until_it_is_confirmed() {
    let quota = granted(10);
    quota.reserve(4, NOW_S).unwrap().settle(4);
    let first = quota.take_report(NOW_S).unwrap();
    quota.reserve(3, NOW_S).unwrap().settle(3);
    assert_eq!(quota.take_report(NOW_S), Some(first.clone()));
    assert!(!quota.confirm_report(first.sequence + 1));
    assert!(quota.confirm_report(first.sequence));
    let second = quota.take_report(NOW_S).unwrap();
    assert_eq!((second.sequence, second.leases[0].spent), (2, 3));
}

#[test]
fn after_giving_back_nothing_is_admitted_or_granted_under_any_action() {
    for action in [Action::Block, Action::AllowWithOverage, Action::NotifyOnly] {
        let quota = quota("tokens", action);
        quota.grant(&lease(1, 10), NOW_S).unwrap();
        assert_eq!(quota.give_back(), 10);
        assert_eq!(quota.reserve(0, NOW_S).unwrap_err().reason, Reason::Closed);
        assert_eq!(quota.grant(&lease(2, 10), NOW_S), Err(GrantError::Closed { id: 2 }));
        assert_eq!((quota.give_back(), quota.wants_refill()), (0, false));
    }
}

#[test]
fn the_softer_actions_let_the_call_go_on_and_count_what_it_used() {
    for action in [Action::AllowWithOverage, Action::NotifyOnly] {
        let quota = quota("tokens", action);
        quota.grant(&lease(1, 10), NOW_S).unwrap();
        let over = quota.reserve(11, NOW_S).unwrap();
        assert_eq!(over.overage(), Some(Reason::LargerThanLease));
        assert_eq!(over.settle(9).overage, 9);
        drop(quota.reserve(20, NOW_S).unwrap());
        let counts = quota.counts();
        assert_eq!((counts.overage, counts.overage_units, counts.short, quota.left()), (2, 29, 0, 10));
        assert_eq!(quota.take_report(NOW_S).unwrap().overage, 29);
    }
}

#[test]
fn a_lease_that_cannot_hold_is_refused_and_the_one_in_hand_stays() {
    let quota = granted(10);
    let wrong = [
        (lease(1, 10), GrantError::OutOfOrder { id: 1, epoch: 1, last_id: 1, last_epoch: 1 }),
        (
            Lease { epoch: 0, ..lease(9, 10) },
            GrantError::OutOfOrder { id: 9, epoch: 0, last_id: 1, last_epoch: 1 },
        ),
        (lease(2, 0), GrantError::Empty { id: 2 }),
        (lease(3, MAX_LEASE_AMOUNT + 1), GrantError::TooLarge { id: 3, amount: MAX_LEASE_AMOUNT + 1 }),
        (
            Lease { not_after_s: NOW_S, ..lease(4, 10) },
            GrantError::Expired { id: 4, not_after_s: NOW_S, now_s: NOW_S },
        ),
        (lease(4, 10), GrantError::OutOfOrder { id: 4, epoch: 1, last_id: 4, last_epoch: 1 }),
    ];
    for (lease, error) in wrong {
        assert_eq!(quota.grant(&lease, NOW_S), Err(error));
    }
    let back: Vec<_> = told(&quota, NOW_S).iter().map(|line| (line.id, line.given_back, line.last)).collect();
    assert_eq!(back, [(3, MAX_LEASE_AMOUNT + 1, true), (4, 10, true)]);
    assert_eq!(quota.lease(), Some(lease(1, 10)));
    quota.grant(&lease(5, MAX_LEASE_AMOUNT), NOW_S).unwrap();
    quota.reserve(MAX_LEASE_AMOUNT, NOW_S).unwrap().settle(1);
    assert_eq!(quota.left(), MAX_LEASE_AMOUNT - 1);
    quota.grant(&Lease { epoch: 2, ..lease(1, 10) }, NOW_S).unwrap();
}

#[test]
fn leases_wait_when_too_many_earlier_ones_are_open() {
    let quota = quota("tokens", Action::Block);
    let mut held = Vec::new();
    for id in 1..=MAX_OPEN_LEASES as u64 {
        quota.grant(&lease(id, 10), NOW_S).unwrap();
        held.push(quota.reserve(1, NOW_S).unwrap());
    }
    let next = lease(1 + MAX_OPEN_LEASES as u64, 10);
    assert_eq!(quota.grant(&next, NOW_S), Err(GrantError::TooManyOpen));
    assert!(quota.reserve(9, NOW_S).is_ok(), "the lease in hand is spent on");
    drop(held.swap_remove(7));
    let last: Vec<_> = told(&quota, NOW_S).into_iter().filter(|line| line.last).collect();
    assert_eq!(last.iter().map(|line| line.id).collect::<Vec<_>>(), [next.id, 8]);
    assert_eq!((last[0].given_back, last[1].given_back), (10, 9));
    assert!(matches!(quota.grant(&next, NOW_S), Err(GrantError::OutOfOrder { .. })));
    quota.grant(&lease(next.id + 1, 10), NOW_S).unwrap();
}

#[test]
fn a_refill_is_asked_for_at_half_and_once() {
    let quota = quota("tokens", Action::Block);
    assert!(quota.wants_refill(), "nothing is granted");
    quota.grant(&lease(1, 10), NOW_S).unwrap();
    let held = quota.reserve(4, NOW_S).unwrap();
    assert!(!held.signals_refill() && !quota.wants_refill());
    let crossing = quota.reserve(1, NOW_S).unwrap();
    assert!(crossing.signals_refill() && quota.wants_refill());
    crossing.settle(0);
    assert!(!quota.reserve(1, NOW_S).unwrap().signals_refill());
    quota.grant(&lease(2, 10), NOW_S).unwrap();
    assert!(!quota.wants_refill());
    let short = quota.reserve(11, NOW_S).unwrap_err();
    assert!(short.signals_refill && quota.wants_refill());
    assert!(!quota.reserve(11, NOW_S).unwrap_err().signals_refill);
}

#[test]
fn a_set_takes_from_all_or_none() {
    let [a, b] = ["a", "b"].map(|name| quota(name, Action::Block));
    a.grant(&lease(1, 10), NOW_S).unwrap();
    b.grant(&lease(1, 3), NOW_S).unwrap();
    let set = Arc::new(QuotaSet::new(vec![Arc::clone(&a), Arc::clone(&b)]).unwrap());
    let refusal = set.reserve(&shares([5, 4]), NOW_S).unwrap_err();
    assert!(
        matches!(refusal, SetRefusal::Short { index: 1, short } if short.reason == Reason::LargerThanLease)
    );
    assert_eq!((a.left(), b.left(), a.counts().admitted), (10, 3, 0));
    let mut held = set.reserve_owned(&shares([5, 2]), NOW_S).unwrap();
    assert_eq!((held.amount(0), held.amount(1), held.amount(2)), (Some(5), Some(2), None));
    assert_eq!(held.settle_one(0, 1).unwrap().given_back, 4);
    assert_eq!(held.settle_one(0, 1), None);
    drop(held);
    assert_eq!((a.left(), b.left()), (9, 1));
    assert!(QuotaSet::new(Vec::new()).unwrap().reserve(&[], NOW_S).is_ok());
}

#[test]
fn a_call_takes_from_the_quotas_of_a_set_that_apply_to_it() {
    let [a, b] = ["a", "b"].map(|name| quota(name, Action::Block));
    for quota in [&a, &b] {
        quota.grant(&lease(1, 10), NOW_S).unwrap();
    }
    let set = QuotaSet::new(vec![Arc::clone(&a), Arc::clone(&b)]).unwrap();
    set.reserve(&[Share { quota: 1, amount: 4 }], NOW_S).unwrap().settle(&[3]);
    assert_eq!((a.left(), b.left()), (10, 7));
    set.reserve(&shares([5, 5]), NOW_S).unwrap().release();
    assert_eq!((a.left(), b.left(), a.counts().admitted), (10, 7, 0));
    let none = set.reserve(&[Share { quota: 0, amount: 1 }, Share { quota: 2, amount: 1 }], NOW_S);
    assert_eq!(none.unwrap_err(), SetRefusal::NoQuota(2));
    assert_eq!(a.left(), 10);
    assert_eq!(set.reserve(&shares([1; MAX_SET + 1]), NOW_S).unwrap_err(), SetRefusal::TooMany(9));
}

/// A share of each quota of a set, in their order.
fn shares<const N: usize>(amounts: [u64; N]) -> [Share; N] {
    std::array::from_fn(|quota| Share { quota, amount: amounts[quota] })
}

#[test]
fn a_set_refused_over_lets_a_softer_quota_count_nothing() {
    let (soft, hard) = (quota("soft", Action::NotifyOnly), quota("hard", Action::Block));
    let set = QuotaSet::new(vec![Arc::clone(&soft), hard]).unwrap();
    assert!(set.reserve(&shares([5, 5]), NOW_S).is_err());
    assert_eq!((soft.counts(), soft.take_report(NOW_S)), (Default::default(), None));
}

#[test]
fn a_set_lists_each_quota_once_and_so_many_at_most() {
    let one = quota("one", Action::Block);
    let twice = QuotaSet::new(vec![Arc::clone(&one), one]).unwrap_err();
    assert_eq!(twice, SetError::Twice("one".into()));
    let many = (0..=MAX_SET_QUOTAS).map(|n| quota(&format!("q{n}"), Action::Block)).collect();
    assert_eq!(QuotaSet::new(many).unwrap_err(), SetError::TooMany(257));
}

#[test]
fn a_policy_loaded_again_finds_the_lease_of_the_one_before() {
    let quotas = Quotas::new();
    let first = quotas.resolve(spec("tokens")).unwrap();
    first.grant(&lease(1, 10), NOW_S).unwrap();
    let again = quotas.resolve(spec("tokens").with_action(Action::NotifyOnly)).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!((again.left(), again.action()), (10, Action::NotifyOnly));
    let changed = quotas.resolve(QuotaSpec::new("tokens", "egress.bytes", "byte"));
    assert!(matches!(changed, Err(ResolveError::Changed { .. })));
    assert_eq!(quotas.all().len(), 1);
}

#[test]
fn a_process_has_a_bounded_number_of_quotas() {
    let quotas = Quotas::new();
    for n in 0..MAX_QUOTAS {
        quotas.resolve(spec(&format!("q{n}"))).unwrap();
    }
    assert_eq!(quotas.resolve(spec("one-more")).unwrap_err(), ResolveError::TooMany);
    assert!(quotas.resolve(spec("q0")).is_ok());
}

#[test]
fn names_and_warnings_that_are_wrong_are_refused() {
    for name in ["", "a b", "é", "a\n", &"x".repeat(129)] {
        assert!(matches!(Quota::new(spec(name)), Err(SpecError::Name { field: "name", .. })), "{name:?}");
    }
    let never = QuotaSpec { warn_percent: 0, ..spec("tokens") };
    assert_eq!(Quota::new(never).unwrap_err(), SpecError::WarnPercent(0));
}

#[test]
fn a_warning_is_due_from_eighty_percent_and_whole_numbers_decide() {
    let spec = spec("tokens");
    assert!(!spec.warns(79, 100) && spec.warns(80, 100));
    assert!(!spec.warns(3, 4) && spec.warns(4, 5));
    assert!(spec.warns(u64::MAX, u64::MAX) && !spec.warns(u64::MAX / 2, u64::MAX));
}

#[test]
fn actions_have_one_name_each() {
    for action in [Action::Block, Action::AllowWithOverage, Action::NotifyOnly] {
        assert_eq!(action.to_string().parse(), Ok(action));
    }
    assert!("allow".parse::<Action>().is_err());
}
