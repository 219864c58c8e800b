//! What happens when what was kept is gone.

use creto_quota::Lease;

use super::{NOW_MS, ask, holder, lease, lease_of, limit, line, report, told, usage};
use crate::{Answer, Issuer, IssuerError, Level, MAX_LEASE_MS, Period, QuotaLimit};

/// A lease as it was granted before the loss, in this window.
fn from_before(id: u64, amount: u64) -> Lease {
    Lease { id, epoch: 1_791_972_000_000, amount, not_after_s: NOW_MS / 1_000 + 30 }
}

/// Nothing says what was granted, so all counts as granted; the next window is another matter.
pub async fn an_unknown_namespace_grants_nothing_in_the_windows_under_way(issuer: &dyn Issuer) {
    let limit = limit("unknown", 100);
    assert_eq!(usage(issuer, &limit).await.available, 0);
    let refused = issuer.grant(&limit, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { available: 0, leased: 0, .. }), "{refused:?}");
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.assumed, seen.available), (100, 0));
    let raised = QuotaLimit { amount: 1_000, revision: 2, ..limit };
    let refused = issuer.grant(&raised, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { .. }), "a raise says nothing of what was granted");
    // Said too late that it is new.
    issuer.open_namespace("unknown").await.unwrap();
    let refused = issuer.grant(&raised, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { .. }));
    let granted = issuer.grant(&raised, &holder("s"), &ask(1, 100), None, NOW_MS + 3_600_000).await.unwrap();
    assert_eq!(lease(&granted).amount, 100);
    let events = issuer.events("unknown", 0).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.level == Level::DataLost).count(), 1);
}

/// One control plane's clock is ahead of another's: what it used of a later window was lost too.
pub async fn a_loss_closes_every_window_that_may_have_been_used_before_it(issuer: &dyn Issuer) {
    const HOUR_MS: u64 = 3_600_000;
    let ahead = QuotaLimit { name: "ahead".into(), ..limit("ahead", 100) };
    let limit = limit("ahead", 100);
    let answer = async |limit: &QuotaLimit, now_ms| {
        issuer.grant(limit, &holder("s"), &ask(1, 1), None, now_ms).await.unwrap().answer
    };
    for (limit, now_ms) in [(&ahead, NOW_MS + 2 * HOUR_MS), (&limit, NOW_MS), (&limit, NOW_MS + HOUR_MS)] {
        let refused = answer(limit, now_ms).await;
        assert!(matches!(refused, Answer::Exhausted { .. }), "{} at {now_ms}: {refused:?}", limit.name);
    }
    assert!(matches!(answer(&limit, NOW_MS + 3 * HOUR_MS).await, Answer::Lease(_)));
}

/// Numbers of events start over with the data; whoever remembers a number must hear of it.
pub async fn who_read_events_before_a_loss_reads_of_it(issuer: &dyn Issuer) {
    let limit = limit("cursor", 100);
    let refused = issuer.grant(&limit, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { .. }));
    // More events than that cannot have been before.
    let events = issuer.events("cursor", NOW_MS - 1).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.level == Level::DataLost).count(), 1, "{events:?}");
    let all = issuer.events("cursor", 0).await.unwrap();
    assert!(all.len() >= events.len() && all.is_sorted_by_key(|event| event.sequence));
}

/// Nobody knows any more whose they were: one who was granted nothing could say the same.
pub async fn what_holders_say_of_leases_from_before_a_loss_frees_nothing(issuer: &dyn Issuer) {
    let limit = limit("learn", 100);
    let refused = issuer.grant(&limit, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { .. }));
    let (first, second) = (from_before(1, 30), from_before(2, 40));
    let old = Lease { epoch: 1_791_968_400_000, ..from_before(3, 50) };
    report(issuer, &limit, &holder("s"), &told(7, &[line(&first, 10, 20, true)])).await;
    let more = [line(&second, 15, 25, true), line(&old, 0, 50, true)];
    for duplicate in [false, true] {
        let reported = report(issuer, &limit, &holder("s"), &told(8, &more)).await;
        assert_eq!(reported.duplicate, duplicate);
    }
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.spent, seen.assumed, seen.available), (25, 75, 0));
    let refused = issuer.grant(&limit, &holder("t"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { available: 0, .. }));
}

/// The metering store knows what was used.
pub async fn settling_a_loss_opens_the_window(issuer: &dyn Issuer) {
    let limit = QuotaLimit { period: Period::Daily, ..limit("settle", 100) };
    report(issuer, &limit, &holder("s"), &told(1, &[])).await;
    // Whatever terms the leases before the loss had.
    let until_ms = NOW_MS + MAX_LEASE_MS;
    let early = issuer.settle_loss(&limit, 30, until_ms - 1).await.unwrap_err();
    assert_eq!(early, IssuerError::TooEarly { until_ms });
    let opened = issuer.settle_loss(&limit, 30, until_ms).await.unwrap();
    assert_eq!((opened.usage.assumed, opened.usage.available), (30, 70));
    // What comes in of leases from before is among the 30.
    let report = told(2, &[line(&from_before(1, 30), 0, 30, true)]);
    issuer.report(&limit, &holder("s"), &report, until_ms).await.unwrap();
    assert_eq!(usage(issuer, &limit).await.available, 70);
    // Where nothing was lost there is nothing to settle.
    issuer.open_namespace("settled").await.unwrap();
    let limit = super::limit("settled", 100);
    lease_of(issuer, &limit, &holder("s"), 1, 40).await;
    assert_eq!(issuer.settle_loss(&limit, 0, NOW_MS).await.unwrap().usage.available, 60);
}

/// Its leases may be spent until it ends.
pub async fn a_loss_in_a_short_window_is_not_settled_while_it_lasts(issuer: &dyn Issuer) {
    let limit = limit("short", 100);
    report(issuer, &limit, &holder("s"), &told(1, &[])).await;
    let until_ms = 1_791_975_600_000;
    let early = issuer.settle_loss(&limit, 30, until_ms - 1).await.unwrap_err();
    assert_eq!(early, IssuerError::TooEarly { until_ms });
    let opened = issuer.settle_loss(&limit, 30, until_ms).await.unwrap();
    assert_eq!(opened.usage.available, 100, "another window");
}

/// Not even one unit.
pub async fn a_raise_after_a_loss_opens_nothing_of_a_limit_of_zero(issuer: &dyn Issuer) {
    let limit = limit("zero", 0);
    report(issuer, &limit, &holder("s"), &told(1, &[])).await;
    let raised = QuotaLimit { amount: 1_000, revision: 2, ..limit };
    let refused = issuer.grant(&raised, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { available: 0, leased: 0, .. }), "{refused:?}");
    assert_eq!(usage(issuer, &raised).await.available, 0);
}
