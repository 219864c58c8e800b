//! What a limit may be, and how it may change.

use super::{NOW_MS, ask, holder, lease_of, limit, line, report, told, usage};
use crate::{Answer, Issuer, IssuerError, LeaseTerms, LimitError, MAX_UNITS, Period, QuotaLimit, Zone};

/// Else what was counted would mean something else.
pub async fn unit_and_period_stay_with_the_name(issuer: &dyn Issuer) {
    issuer.open_namespace("stay").await.unwrap();
    let first = limit("stay", 100);
    lease_of(issuer, &first, &holder("s"), 1, 1).await;
    for changed in [
        QuotaLimit { unit: "byte".into(), revision: 2, ..first.clone() },
        QuotaLimit { period: Period::Daily, revision: 2, ..first.clone() },
        QuotaLimit { zone: Zone::named("Asia/Kolkata").unwrap(), revision: 2, ..first.clone() },
    ] {
        let error = issuer.grant(&changed, &holder("s"), &ask(2, 1), None, NOW_MS).await.unwrap_err();
        let (unit, cycle) = ("token".into(), "hourly@UTC".into());
        assert_eq!(error, IssuerError::Changed { limit: "tokens".into(), unit, cycle });
    }
}

/// A control plane that has not heard of a change does not undo it.
pub async fn a_raise_holds_at_once_and_an_older_revision_is_refused(issuer: &dyn Issuer) {
    issuer.open_namespace("raise").await.unwrap();
    let before = limit("raise", 100);
    lease_of(issuer, &before, &holder("s"), 1, 100).await;
    let after = QuotaLimit { amount: 150, revision: 2, ..before.clone() };
    assert_eq!(lease_of(issuer, &after, &holder("s"), 2, 50).await.amount, 50);
    let same_number = QuotaLimit { revision: 2, ..before.clone() };
    for outdated in [before, same_number] {
        let error = issuer.grant(&outdated, &holder("s"), &ask(3, 1), None, NOW_MS).await.unwrap_err();
        assert_eq!(error, IssuerError::Outdated { limit: "tokens".into(), revision: 2, amount: 150 });
    }
}

/// Two control planes apply one change, each by its own clock.
pub async fn who_says_the_same_under_an_older_revision_is_served(issuer: &dyn Issuer) {
    issuer.open_namespace("skew").await.unwrap();
    let ahead = QuotaLimit { revision: 9, ..limit("skew", 100) };
    lease_of(issuer, &ahead, &holder("s"), 1, 10).await;
    let behind = QuotaLimit { revision: 3, ..ahead.clone() };
    assert_eq!(lease_of(issuer, &behind, &holder("t"), 1, 10).await.amount, 10);
    // The newest stays in force.
    let lower = QuotaLimit { revision: 8, amount: 50, ..ahead };
    let refused = issuer.grant(&lower, &holder("t"), &ask(2, 1), None, NOW_MS).await.unwrap_err();
    assert_eq!(refused, IssuerError::Outdated { limit: "tokens".into(), revision: 9, amount: 100 });
}

/// What was used was used, whatever the limit is now.
pub async fn an_older_revision_may_report_and_expire(issuer: &dyn Issuer) {
    issuer.open_namespace("older").await.unwrap();
    let before = limit("older", 100);
    let lease = lease_of(issuer, &before, &holder("s"), 1, 60).await;
    let after = QuotaLimit { amount: 150, revision: 2, ..before.clone() };
    lease_of(issuer, &after, &holder("t"), 1, 10).await;
    report(issuer, &before, &holder("s"), &told(1, &[line(&lease, 20, 40, true)])).await;
    let expired = issuer.expire(&before, NOW_MS + before.leases.life_ms).await.unwrap();
    assert_eq!(expired.stranded, 10);
    let seen = usage(issuer, &before).await;
    assert_eq!((seen.amount, seen.spent, seen.available), (150, 20, 120));
}

/// What is out stays out, nothing is added.
pub async fn a_lowered_amount_grants_nothing_until_use_is_below_it(issuer: &dyn Issuer) {
    issuer.open_namespace("lower").await.unwrap();
    let before = limit("lower", 100);
    let lease = lease_of(issuer, &before, &holder("s"), 1, 80).await;
    let after = QuotaLimit { amount: 50, revision: 2, ..before };
    let refused = issuer.grant(&after, &holder("b"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert!(matches!(refused.answer, Answer::Exhausted { available: 0, leased: 80, .. }));
    report(issuer, &after, &holder("s"), &told(1, &[line(&lease, 40, 40, true)])).await;
    assert_eq!(usage(issuer, &after).await.available, 10);
}

/// Before anything is kept of them.
pub async fn wrong_limits_are_refused_with_what_to_do(issuer: &dyn Issuer) {
    let good = limit("wrong", 100);
    let custom = Period::Custom { seconds: 59, anchor_ms: 0 };
    for (bad, says) in [
        (QuotaLimit { namespace: "Wrong".into(), ..good.clone() }, "a-z"),
        (QuotaLimit { namespace: "a}:{b".into(), ..good.clone() }, "a-z"),
        (QuotaLimit { name: "two words".into(), ..good.clone() }, "visible ASCII"),
        (QuotaLimit { unit: "".into(), ..good.clone() }, "visible ASCII"),
        (QuotaLimit { amount: MAX_UNITS + 1, ..good.clone() }, "use 0 to 9007199254740991"),
        (QuotaLimit { revision: 0, ..good.clone() }, "use 1 to"),
        (QuotaLimit { warn_percent: 101, ..good.clone() }, "use 1 to 100"),
        (QuotaLimit { period: custom, ..good.clone() }, "use 60 to"),
        (QuotaLimit { leases: LeaseTerms { life_ms: 1, minimum: 1 }, ..good.clone() }, "use 2000 to 3600000"),
        (QuotaLimit { leases: LeaseTerms { minimum: 0, ..good.leases }, ..good.clone() }, "use 1 to"),
    ] {
        let error = issuer.grant(&bad, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap_err();
        assert!(matches!(error, IssuerError::Limit(_)) && error.to_string().contains(says), "{error}");
    }
    let error = issuer.events("Wrong", 0).await.unwrap_err();
    assert_eq!(error, IssuerError::Limit(LimitError::Namespace("Wrong".into())));
}

/// The same names, other accounts.
pub async fn namespaces_do_not_see_each_other(issuer: &dyn Issuer) {
    for namespace in ["one", "one-more"] {
        issuer.open_namespace(namespace).await.unwrap();
    }
    let (one, other) = (limit("one", 100), limit("one-more", 100));
    let lease = lease_of(issuer, &one, &holder("s"), 1, 100).await;
    issuer.grant(&one, &holder("t"), &ask(1, 1), None, NOW_MS).await.unwrap();
    assert_eq!(usage(issuer, &other).await.available, 100);
    lease_of(issuer, &other, &holder("t"), 1, 10).await;
    report(issuer, &other, &holder("t"), &told(1, &[line(&lease, 0, 100, true)])).await;
    assert_eq!(usage(issuer, &one).await.leased, 100);
    assert_eq!(
        issuer
            .events("one-more", 0)
            .await
            .unwrap()
            .iter()
            .filter(|event| event.level == crate::Level::Exhausted)
            .count(),
        0
    );
}
