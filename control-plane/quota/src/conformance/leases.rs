//! How leases are cut.

use super::{NOW_MS, ask, holder, lease, lease_of, limit, line, report, told, usage};
use crate::{Answer, Ask, AskError, Issuer, IssuerError, LeaseTerms, MAX_OPEN_LEASES, MAX_UNITS};

/// The sum of leases is the amount, and not one unit more.
pub async fn a_lease_is_cut_from_what_is_available_and_no_more(issuer: &dyn Issuer) {
    issuer.open_namespace("cut").await.unwrap();
    let limit = limit("cut", 1_000);
    let mut sum = 0;
    for at in 0..2_000 {
        let granted =
            issuer.grant(&limit, &holder(&format!("s{}", at % 7)), &ask(at / 7 + 1, 40), None, NOW_MS).await;
        match granted.unwrap().answer {
            Answer::Lease(lease) => sum += lease.amount,
            Answer::Impossible { .. } => panic!("one unit is no more than 1000"),
            Answer::Exhausted { available, leased, window_ends_ms } => {
                assert_eq!((available, leased, window_ends_ms), (0, 1_000, 1_791_975_600_000));
                break;
            }
        }
    }
    assert_eq!(sum, 1_000);
    let usage = usage(issuer, &limit).await;
    assert_eq!((usage.leased, usage.available, usage.used()), (1_000, 0, 0));
}

/// An answer that was lost is given again, and nothing is granted twice.
pub async fn a_request_asked_again_gets_the_same_lease(issuer: &dyn Issuer) {
    issuer.open_namespace("again").await.unwrap();
    let limit = limit("again", 1_000);
    let first = lease_of(issuer, &limit, &holder("s"), 1, 100).await;
    for needed in [100, 700] {
        let again = Ask { request: 1, wanted: 900, needed };
        let again = issuer.grant(&limit, &holder("s"), &again, None, NOW_MS + 1_000).await.unwrap();
        assert_eq!(lease(&again), first);
    }
    assert_eq!(usage(issuer, &limit).await.leased, 100);
    let second = lease_of(issuer, &limit, &holder("s"), 2, 100).await;
    assert!((second.epoch, second.id) > (first.epoch, first.id));
}

/// A holder that asks under an old number has lost count.
pub async fn a_request_before_the_last_is_refused(issuer: &dyn Issuer) {
    issuer.open_namespace("stale").await.unwrap();
    let limit = limit("stale", 1_000);
    let first = lease_of(issuer, &limit, &holder("s"), 4, 10).await;
    let stale = issuer.grant(&limit, &holder("s"), &ask(3, 1), None, NOW_MS).await.unwrap_err();
    assert_eq!(stale, IssuerError::Stale { holder: "s/1".into(), request: 3, last: 4 });
    report(issuer, &limit, &holder("s"), &told(1, &[line(&first, 10, 0, true)])).await;
    let told_of = issuer.grant(&limit, &holder("s"), &ask(4, 1), None, NOW_MS).await.unwrap_err();
    assert!(matches!(told_of, IssuerError::Stale { .. }));
    let zero = issuer.grant(&limit, &holder("s"), &ask(0, 1), None, NOW_MS).await.unwrap_err();
    assert_eq!(zero, IssuerError::Ask(AskError::Request(0)));
}

/// No holder gets more than its part of half of what is left.
pub async fn leases_shrink_as_holders_come_and_units_go(issuer: &dyn Issuer) {
    issuer.open_namespace("shrink").await.unwrap();
    let limit = crate::QuotaLimit {
        leases: LeaseTerms { minimum: 5, ..LeaseTerms::default() },
        ..limit("shrink", 1_000)
    };
    let mut amounts = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let granted = issuer.grant(&limit, &holder(name), &ask(1, 10_000), None, NOW_MS).await.unwrap();
        amounts.push(lease(&granted).amount);
    }
    assert_eq!(amounts, [500, 125, 62, 39]);
    // Two lives later only who asks is active.
    let later = NOW_MS + 3 * limit.leases.life_ms;
    let granted = issuer.grant(&limit, &holder("e"), &ask(1, 10_000), None, later).await.unwrap();
    assert_eq!(lease(&granted).amount, 137);
    for request in 2.. {
        let granted = issuer.grant(&limit, &holder("e"), &ask(request, 1), None, later).await.unwrap();
        let Answer::Lease(lease) = granted.answer else { break };
        assert!(lease.amount == 5 || lease.amount < 5 && usage(issuer, &limit).await.available == 0);
    }
    assert_eq!(usage(issuer, &limit).await.leased, 1_000);
}

/// A call's need goes above its holder's part, and no lease is cut that would not do.
pub async fn a_waiting_call_gets_what_it_needs_or_word_of_what_is_left(issuer: &dyn Issuer) {
    issuer.open_namespace("need").await.unwrap();
    let limit = limit("need", 1_000);
    assert_eq!(lease_of(issuer, &limit, &holder("a"), 1, 900).await.amount, 900);
    let ask = Ask { request: 1, wanted: 10, needed: 101 };
    let refused = issuer.grant(&limit, &holder("b"), &ask, None, NOW_MS).await.unwrap();
    let Answer::Exhausted { available, leased, .. } = refused.answer else { panic!("{refused:?}") };
    assert_eq!((available, leased), (100, 900));
    assert_eq!(lease_of(issuer, &limit, &holder("b"), 1, 100).await.amount, 100);
    let needed = u64::MAX;
    let error =
        issuer.grant(&limit, &holder("b"), &Ask { request: 2, wanted: 0, needed }, None, NOW_MS).await;
    assert_eq!(error.unwrap_err(), IssuerError::Ask(AskError::TooLarge { needed }));
}

/// Whichever comes first, in whole seconds.
pub async fn leases_end_with_their_life_or_their_window(issuer: &dyn Issuer) {
    issuer.open_namespace("end").await.unwrap();
    let limit = limit("end", 1_000);
    let granted = issuer.grant(&limit, &holder("a"), &ask(1, 1), None, NOW_MS + 999).await.unwrap();
    assert_eq!(lease(&granted).not_after_s, NOW_MS / 1_000 + 60);
    let window_ends_ms = 1_791_975_600_000;
    let granted = issuer.grant(&limit, &holder("a"), &ask(2, 1), None, window_ends_ms - 1).await.unwrap();
    assert_eq!(lease(&granted).not_after_s, window_ends_ms / 1_000);
}

/// What a process can keep open, and no more.
pub async fn holders_with_too_many_open_leases_are_refused(issuer: &dyn Issuer) {
    issuer.open_namespace("open").await.unwrap();
    let limit = limit("open", 1_000_000);
    let first = lease_of(issuer, &limit, &holder("s"), 1, 10).await;
    for request in 2..=MAX_OPEN_LEASES {
        lease_of(issuer, &limit, &holder("s"), request, 10).await;
    }
    let full =
        issuer.grant(&limit, &holder("s"), &ask(MAX_OPEN_LEASES + 1, 10), None, NOW_MS).await.unwrap_err();
    assert!(matches!(full, IssuerError::Full { most: MAX_OPEN_LEASES, .. }), "{full}");
    report(issuer, &limit, &holder("s"), &told(1, &[line(&first, 10, 0, true)])).await;
    lease_of(issuer, &limit, &holder("s"), MAX_OPEN_LEASES + 1, 10).await;
}

/// Where doubles end, units still count one by one.
pub async fn amounts_are_exact_up_to_the_largest(issuer: &dyn Issuer) {
    issuer.open_namespace("exact").await.unwrap();
    let limit = limit("exact", MAX_UNITS);
    let mut leases = Vec::new();
    for request in 1..=64 {
        let ask = Ask { request, wanted: u64::MAX, needed: creto_quota::MAX_LEASE_AMOUNT };
        match issuer.grant(&limit, &holder("s"), &ask, None, NOW_MS).await.unwrap().answer {
            Answer::Lease(lease) => leases.push(lease),
            Answer::Impossible { .. } => panic!("a lease is no more than the amount"),
            Answer::Exhausted { available, .. } => {
                assert_eq!(available, 31);
                break;
            }
        }
    }
    assert_eq!(leases.len(), 32, "32 leases of 2^48 - 1 leave 31 of 2^53 - 1");
}

/// More than the amount is there in no window: others keep theirs, and nobody is told that the limit is exhausted.
pub async fn a_need_no_window_can_meet_troubles_nobody(issuer: &dyn Issuer) {
    issuer.open_namespace("impossible").await.unwrap();
    let limit = limit("impossible", 1_000);
    let held = lease_of(issuer, &limit, &holder("a"), 1, 900).await;
    let along = told(1, &[]);
    let request = Ask { request: 1, wanted: 0, needed: 1_001 };
    let refused = issuer.grant(&limit, &holder("b"), &request, Some(&along), NOW_MS).await.unwrap();
    assert_eq!(refused.answer, Answer::Impossible { amount: 1_000 });
    assert_eq!(refused.reported.unwrap().acknowledged, 1);
    let reported = report(issuer, &limit, &holder("a"), &told(1, &[line(&held, 1, 0, false)])).await;
    assert_eq!(reported.revoke, None);
    assert_eq!(issuer.events("impossible", 0).await.unwrap(), []);
    assert_eq!(lease_of(issuer, &limit, &holder("b"), 1, 100).await.amount, 100);
}

/// Where all that is out would not meet the need, it stays out.
pub async fn holders_are_not_asked_for_what_would_not_do(issuer: &dyn Issuer) {
    issuer.open_namespace("enough").await.unwrap();
    let limit = limit("enough", 1_000);
    let spent = lease_of(issuer, &limit, &holder("a"), 1, 500).await;
    let held = lease_of(issuer, &limit, &holder("b"), 1, 300).await;
    report(issuer, &limit, &holder("a"), &told(1, &[line(&spent, 500, 0, true)])).await;
    for (sequence, needed, revoke) in [(1, 501, None), (2, 500, Some((held.epoch, held.id)))] {
        let request = Ask { request: 1, wanted: 0, needed };
        let refused = issuer.grant(&limit, &holder("c"), &request, None, NOW_MS).await.unwrap();
        assert!(
            matches!(refused.answer, Answer::Exhausted { available: 200, leased: 300, .. }),
            "{refused:?}"
        );
        let reported = report(issuer, &limit, &holder("b"), &told(sequence, &[])).await;
        assert_eq!(reported.revoke, revoke);
    }
}
