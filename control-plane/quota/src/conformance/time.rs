//! What time changes.

use creto_quota::Lease;

use super::{NOW_MS, ask, holder, lease, lease_of, limit, line, told, usage};
use crate::{
    Answer, Ask, Issuer, IssuerError, Level, MAX_LIMITS, QuotaLimit, Usage, WINDOW_KEPT_MS,
    WRITE_OFF_AFTER_MS,
};

const HOUR_MS: u64 = 3_600_000;

/// Each window pays for its own leases.
pub async fn a_new_window_starts_over_and_the_old_one_settles_on_its_own(issuer: &dyn Issuer) {
    issuer.open_namespace("window").await.unwrap();
    let limit = limit("window", 100);
    let old = lease_of(issuer, &limit, &holder("s"), 1, 100).await;
    let later = NOW_MS + HOUR_MS;
    let granted = issuer.grant(&limit, &holder("s"), &ask(2, 10), None, later).await.unwrap();
    let new = lease(&granted);
    assert_eq!(new.amount, 10);
    assert!(new.epoch > old.epoch);
    issuer
        .report(&limit, &holder("s"), &told(1, &[line(&old, 70, 30, true), line(&new, 4, 6, true)]), later)
        .await
        .unwrap();
    let seen = issuer.usage(&limit, later).await.unwrap();
    assert_eq!((seen.usage.spent, seen.usage.available), (4, 96));
    assert_eq!(seen.window.start_ms, 1_791_975_600_000);
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.spent, seen.available), (70, 30));
}

/// Time alone brings nothing back.
pub async fn a_dead_holders_lease_is_stranded_never_granted_again(issuer: &dyn Issuer) {
    issuer.open_namespace("dead").await.unwrap();
    let limit = limit("dead", 100);
    lease_of(issuer, &limit, &holder("dead"), 1, 60).await;
    let later = NOW_MS + limit.leases.life_ms;
    assert_eq!(issuer.expire(&limit, later - 1).await.unwrap().stranded, 0);
    assert_eq!(issuer.expire(&limit, later).await.unwrap().stranded, 60);
    assert_eq!(issuer.expire(&limit, later).await.unwrap().stranded, 0);
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.leased, seen.stranded, seen.available, seen.used()), (0, 60, 40, 60));
    let mut granted = 0;
    for request in 1.. {
        match issuer.grant(&limit, &holder("s"), &ask(request, 5), None, later).await.unwrap().answer {
            Answer::Lease(lease) => granted += lease.amount,
            Answer::Exhausted { .. } | Answer::Impossible { .. } => break,
        }
    }
    assert_eq!(granted, 40);
}

/// A holder that was cut off, and lives, settles what it had.
pub async fn a_late_report_brings_stranded_units_back(issuer: &dyn Issuer) {
    issuer.open_namespace("late").await.unwrap();
    let limit = limit("late", 100);
    let lease = lease_of(issuer, &limit, &holder("s"), 1, 60).await;
    let later = NOW_MS + 10 * limit.leases.life_ms;
    issuer.expire(&limit, later).await.unwrap();
    issuer.report(&limit, &holder("s"), &told(1, &[line(&lease, 20, 0, false)]), later).await.unwrap();
    assert_eq!(usage(issuer, &limit).await.stranded, 40);
    issuer.report(&limit, &holder("s"), &told(2, &[line(&lease, 0, 40, true)]), later).await.unwrap();
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.spent, seen.stranded, seen.available), (20, 0, 80));
}

/// Long after, it is settled that nobody will tell.
pub async fn after_a_day_the_rest_is_written_off(issuer: &dyn Issuer) {
    issuer.open_namespace("off").await.unwrap();
    let limit = crate::QuotaLimit { period: crate::Period::Monthly, ..limit("off", 100) };
    let lease = lease_of(issuer, &limit, &holder("s"), 1, 60).await;
    issuer.expire(&limit, NOW_MS + limit.leases.life_ms).await.unwrap();
    let off = NOW_MS + limit.leases.life_ms + WRITE_OFF_AFTER_MS;
    assert_eq!(issuer.expire(&limit, off - 1).await.unwrap().written_off, 0);
    assert_eq!(issuer.expire(&limit, off).await.unwrap().written_off, 60);
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.stranded, seen.lost, seen.available, seen.used()), (0, 60, 40, 60));
    // The process was only cut off, and comes back; but it is forgotten, so its first report may be an old one.
    issuer.expire(&limit, off + 1).await.unwrap();
    let report = told(1, &[line(&lease, 20, 40, true)]);
    issuer.report(&limit, &holder("s"), &report, off + 2).await.unwrap();
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.spent, seen.lost, seen.available), (20, 40, 40));
}

/// Else a window that is over could be spent again.
pub async fn a_clock_that_goes_back_over_a_window_is_refused(issuer: &dyn Issuer) {
    issuer.open_namespace("clock").await.unwrap();
    let limit = limit("clock", 100);
    issuer.grant(&limit, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    issuer.grant(&limit, &holder("s"), &ask(2, 1), None, NOW_MS - 60_000).await.unwrap();
    let now_ms = NOW_MS - HOUR_MS;
    let behind = issuer.grant(&limit, &holder("s"), &ask(3, 1), None, now_ms).await.unwrap_err();
    let window_ms = 1_791_972_000_000;
    assert_eq!(behind, IssuerError::ClockBehind { limit: "tokens".into(), now_ms, window_ms });
    let beyond = issuer.grant(&limit, &holder("s"), &ask(3, 1), None, u64::MAX).await.unwrap_err();
    assert!(matches!(beyond, IssuerError::Time(_)), "{beyond}");
}

/// What nobody asks for any more takes no room.
pub async fn old_windows_and_holders_are_forgotten(issuer: &dyn Issuer) {
    issuer.open_namespace("forget").await.unwrap();
    let limit = limit("forget", 100);
    let lease = lease_of(issuer, &limit, &holder("s"), 1, 60).await;
    issuer.report(&limit, &holder("s"), &told(1, &[line(&lease, 60, 0, true)]), NOW_MS).await.unwrap();
    let over = 1_791_975_600_000 + WINDOW_KEPT_MS + HOUR_MS;
    issuer.expire(&limit, over - 1).await.unwrap();
    assert_eq!(usage(issuer, &limit).await.spent, 60);
    issuer.expire(&limit, over).await.unwrap();
    let gone = Usage { amount: 100, available: 100, ..Usage::default() };
    assert_eq!(usage(issuer, &limit).await, gone);
    // The holder too: the number of its report is not known any more.
    let again = issuer.report(&limit, &holder("s"), &told(1, &[]), over).await.unwrap();
    assert!(!again.duplicate);
    // And the window that is gone is not begun again.
    let behind = issuer.grant(&limit, &holder("s"), &ask(2, 1), None, NOW_MS).await.unwrap_err();
    assert!(matches!(behind, IssuerError::ClockBehind { .. }));
}

/// Limits are made by policies and agents that come and go; those of long ago are not kept for ever.
pub async fn limits_nobody_uses_make_room_for_others(issuer: &dyn Issuer) {
    issuer.open_namespace("crowd").await.unwrap();
    let named = |name: &str| QuotaLimit { name: name.into(), ..limit("crowd", 100) };
    let use_it = async |name: &str, request, now_ms| {
        issuer
            .grant(&named(name), &holder("s"), &ask(request, 10), None, now_ms)
            .await
            .map(|granted| granted.answer)
    };
    for at in 0..MAX_LIMITS {
        use_it(&format!("limit-{at}"), 1, NOW_MS).await.unwrap();
    }
    let full = |answer: &Result<Answer, IssuerError>| matches!(answer, Err(IssuerError::Full { .. }));
    assert!(full(&use_it("more", 1, NOW_MS).await));
    // Their window is over, and may still be asked about.
    assert!(full(&use_it("more", 1, NOW_MS + 25 * HOUR_MS).await));
    let later = NOW_MS + 30 * HOUR_MS;
    use_it("limit-0", 2, later).await.unwrap();
    assert!(matches!(use_it("more", 1, later).await, Ok(Answer::Lease(_))));
    // The one in use kept its account.
    assert_eq!(issuer.usage(&named("limit-0"), later).await.unwrap().usage.leased, 10);
    assert!(use_it("limit-0", 2, later).await.is_ok_and(|answer| matches!(answer, Answer::Lease(_))));
    // One that was forgotten begins anew, and a late report on what it granted is counted, not taken for a loss.
    let old = Lease { id: 1, epoch: NOW_MS / HOUR_MS * HOUR_MS, amount: 10, not_after_s: NOW_MS / 1_000 };
    let late = told(1, &[line(&old, 10, 0, true)]);
    issuer.report(&named("limit-1"), &holder("s"), &late, later).await.unwrap();
    assert_eq!(issuer.usage(&named("limit-1"), later).await.unwrap().usage.available, 100);
    assert!(issuer.events("crowd", 0).await.unwrap().iter().all(|event| event.level != Level::DataLost));
}

/// Also where nobody asks for another; some at a time, and what people were told stays.
pub async fn limits_nobody_uses_are_swept_a_few_at_a_time(issuer: &dyn Issuer) {
    issuer.open_namespace("sweep").await.unwrap();
    let named = |name: &str| QuotaLimit { name: name.into(), ..limit("sweep", 100) };
    for at in 0..20 {
        issuer.grant(&named(&format!("limit-{at}")), &holder("s"), &ask(1, 10), None, NOW_MS).await.unwrap();
    }
    let refused = Ask { request: 2, wanted: 0, needed: 100 };
    issuer.grant(&named("limit-3"), &holder("s"), &refused, None, NOW_MS).await.unwrap();
    let sweep = async |now_ms| {
        let (mut after, mut forgotten) = (String::new(), 0);
        for _ in 0..100 {
            let swept = issuer.sweep("sweep", &after, now_ms).await.unwrap();
            forgotten += swept.forgotten;
            after = swept.next;
            if after.is_empty() {
                return forgotten;
            }
        }
        panic!("it does not end");
    };
    // The window ended an hour and 25 hours ago at 12:00 of the next day: kept until then.
    let over = 1_791_975_600_000 + WINDOW_KEPT_MS + HOUR_MS;
    assert_eq!(sweep(over - 1).await, 0);
    issuer.grant(&named("limit-7"), &holder("s"), &ask(2, 10), None, over - 1).await.unwrap();
    assert_eq!(sweep(over).await, 19);
    assert_eq!(sweep(over).await, 0);
    assert_eq!(issuer.usage(&named("limit-7"), over - 1).await.unwrap().usage.leased, 10);
    assert_eq!(issuer.drawn("sweep", &holder("s"), "limit-").await.unwrap().len(), 1);
    let told = issuer.events("sweep", 0).await.unwrap();
    assert_eq!((told.len(), told[0].level, &*told[0].limit), (1, Level::Exhausted, "limit-3"));
    // One that is used again begins anew, and nobody takes it for a loss.
    let again = issuer.grant(&named("limit-3"), &holder("s"), &ask(1, 100), None, over).await.unwrap();
    assert_eq!(lease(&again).amount, 50);
    assert_eq!(issuer.events("sweep", told[0].sequence).await.unwrap(), []);
    assert_eq!(issuer.sweep("nothing", "", over).await.unwrap(), crate::Swept::default());
}

/// Nobody need look at ten thousand limits every few seconds.
pub async fn expire_says_when_to_come_again(issuer: &dyn Issuer) {
    issuer.open_namespace("next").await.unwrap();
    let limit = limit("next", 100);
    assert_eq!(issuer.expire(&limit, NOW_MS).await.unwrap().next_ms, None);
    let first = lease_of(issuer, &limit, &holder("s"), 1, 10).await;
    lease_of(issuer, &limit, &holder("t"), 1, 10).await;
    let ends_ms = first.not_after_s * 1_000;
    assert_eq!(issuer.expire(&limit, NOW_MS).await.unwrap().next_ms, Some(ends_ms));
    assert_eq!(issuer.expire(&limit, ends_ms).await.unwrap().next_ms, Some(ends_ms + WRITE_OFF_AFTER_MS));
}
