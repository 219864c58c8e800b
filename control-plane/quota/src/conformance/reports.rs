//! What holders tell.

use creto_quota::{LeaseReport, Report};

use super::{NOW_MS, ask, holder, lease, lease_of, limit, line, report, told, usage};
use crate::{Answer, Ask, AskError, Issuer, IssuerError, MAX_REPORT_LEASES};

/// Sent twice, counted once; the numbers of each holder and run are their own.
pub async fn a_report_counts_once(issuer: &dyn Issuer) {
    issuer.open_namespace("once").await.unwrap();
    let limit = limit("once", 1_000);
    let lease = lease_of(issuer, &limit, &holder("s"), 1, 100).await;
    let first = told(1, &[line(&lease, 30, 0, false)]);
    for (duplicate, sequence) in [(false, 1), (true, 1), (true, 1)] {
        let reported = report(issuer, &limit, &holder("s"), &told(sequence, &first.leases)).await;
        assert_eq!((reported.acknowledged, reported.duplicate), (1, duplicate));
    }
    let reported = report(issuer, &limit, &holder("s"), &told(2, &[line(&lease, 20, 50, true)])).await;
    assert!(!reported.duplicate);
    assert!(report(issuer, &limit, &holder("s"), &first).await.duplicate);
    let usage = usage(issuer, &limit).await;
    assert_eq!((usage.spent, usage.leased, usage.available), (50, 0, 950));
}

/// Units come back to all.
pub async fn what_is_given_back_can_be_granted_again(issuer: &dyn Issuer) {
    issuer.open_namespace("back").await.unwrap();
    let limit = limit("back", 100);
    let lease = lease_of(issuer, &limit, &holder("a"), 1, 100).await;
    let refused = issuer.grant(&limit, &holder("b"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { available: 0, leased: 100, .. }));
    report(issuer, &limit, &holder("a"), &told(1, &[line(&lease, 60, 40, true)])).await;
    assert_eq!(lease_of(issuer, &limit, &holder("b"), 1, 40).await.amount, 40);
    let usage = usage(issuer, &limit).await;
    assert_eq!((usage.spent, usage.leased, usage.available), (60, 40, 0));
}

/// What no lease covered leaves less to grant.
pub async fn overrun_and_overage_count_on_top(issuer: &dyn Issuer) {
    issuer.open_namespace("over").await.unwrap();
    let limit = limit("over", 1_000);
    let lease = lease_of(issuer, &limit, &holder("s"), 1, 100).await;
    let overrun = LeaseReport { overrun: 7, ..line(&lease, 100, 0, true) };
    report(issuer, &limit, &holder("s"), &Report { sequence: 1, leases: vec![overrun], overage: 13 }).await;
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.spent, seen.overrun, seen.overage, seen.available), (100, 7, 13, 880));
    let endless = Report { sequence: 2, leases: Vec::new(), overage: u64::MAX };
    report(issuer, &limit, &holder("s"), &endless).await;
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.overage, seen.available), (crate::MAX_UNITS, 0));
}

/// One round trip for both; what comes back is there for the same request.
pub async fn a_report_goes_along_with_a_request(issuer: &dyn Issuer) {
    issuer.open_namespace("along").await.unwrap();
    let limit = limit("along", 100);
    let first = lease_of(issuer, &limit, &holder("s"), 1, 100).await;
    let along = told(1, &[line(&first, 10, 90, true)]);
    let request = Ask { request: 2, wanted: 0, needed: 90 };
    for duplicate in [false, true] {
        let granted = issuer.grant(&limit, &holder("s"), &request, Some(&along), NOW_MS).await.unwrap();
        assert_eq!(lease(&granted).amount, 90);
        let reported = granted.reported.unwrap();
        assert_eq!((reported.acknowledged, reported.duplicate), (1, duplicate));
    }
    assert_eq!(usage(issuer, &limit).await.leased, 90);
}

/// Only its holder accounts for a lease.
pub async fn a_foreign_lease_cannot_be_given_back(issuer: &dyn Issuer) {
    issuer.open_namespace("foreign").await.unwrap();
    let limit = limit("foreign", 1_000);
    let lease = lease_of(issuer, &limit, &holder("owner"), 1, 100).await;
    lease_of(issuer, &limit, &holder("thief"), 1, 1).await;
    let stolen = told(1, &[line(&lease, 0, 100, true)]);
    let refused = issuer.report(&limit, &holder("thief"), &stolen, NOW_MS).await.unwrap_err();
    assert_eq!(refused, IssuerError::NotGranted { id: lease.id, epoch: lease.epoch });
    assert_eq!(usage(issuer, &limit).await.leased, 101);
    report(issuer, &limit, &holder("owner"), &told(1, &[line(&lease, 40, 60, true)])).await;
    let usage = usage(issuer, &limit).await;
    assert_eq!((usage.spent, usage.leased), (40, 1));
}

/// Each with its reason.
pub async fn reports_beyond_the_bounds_are_refused(issuer: &dyn Issuer) {
    issuer.open_namespace("bounds").await.unwrap();
    let limit = limit("bounds", 1_000);
    let lease = lease_of(issuer, &limit, &holder("s"), 1, 1).await;
    let many = vec![line(&lease, 0, 0, false); MAX_REPORT_LEASES + 1];
    let no_lease = LeaseReport { id: u64::MAX, ..line(&lease, 0, 0, false) };
    for (bad, expected) in [
        (told(0, &[]), AskError::Sequence(0)),
        (told(1, &many), AskError::ReportSize(MAX_REPORT_LEASES + 1)),
        (told(1, &[no_lease]), AskError::NoLease { id: u64::MAX, epoch: lease.epoch }),
    ] {
        let refused = issuer.report(&limit, &holder("s"), &bad, NOW_MS).await.unwrap_err();
        assert_eq!(refused, IssuerError::Ask(expected));
    }
    let refused = issuer.report(&limit, &holder("two words"), &told(1, &[]), NOW_MS).await.unwrap_err();
    assert!(matches!(refused, IssuerError::Ask(AskError::Sidecar(_))));
    assert_eq!(usage(issuer, &limit).await.leased, 1);
}

/// While others go without, holders hear which lease to give back.
pub async fn a_holder_is_asked_to_give_back_when_others_go_without(issuer: &dyn Issuer) {
    issuer.open_namespace("hint").await.unwrap();
    let limit = limit("hint", 100);
    let lease = lease_of(issuer, &limit, &holder("a"), 1, 100).await;
    let reported = report(issuer, &limit, &holder("a"), &told(1, &[line(&lease, 10, 0, false)])).await;
    assert_eq!(reported.revoke, None, "nobody was refused");
    issuer.grant(&limit, &holder("b"), &ask(1, 1), None, NOW_MS).await.unwrap();
    let reported = report(issuer, &limit, &holder("a"), &told(2, &[line(&lease, 10, 0, false)])).await;
    assert_eq!(reported.revoke, Some((lease.epoch, lease.id)));
    let reported = report(issuer, &limit, &holder("a"), &told(3, &[line(&lease, 0, 80, true)])).await;
    assert_eq!(reported.revoke, None, "it gave back");
    assert_eq!(lease_of(issuer, &limit, &holder("b"), 1, 80).await.amount, 80);
}
