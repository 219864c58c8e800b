//! What a sidecar can do to others by what it says: nothing.

use creto_quota::{Lease, LeaseReport, Report};

use super::{NOW_MS, ask, holder, lease, lease_of, limit, line, report, told, usage};
use crate::{
    Ask, Holder, Issuer, IssuerError, MAX_LEASE_MS, MAX_PROCESSES, MAX_UNITS, Period, QuotaLimit,
    WRITE_OFF_AFTER_MS, Zone,
};

/// No window is closed, nothing is counted, and nothing is acknowledged.
pub async fn a_report_of_a_lease_never_granted_is_refused_and_changes_nothing(issuer: &dyn Issuer) {
    issuer.open_namespace("liar").await.unwrap();
    let limit = limit("liar", 100);
    let own = lease_of(issuer, &limit, &holder("liar"), 1, 10).await;
    let others = lease_of(issuer, &limit, &holder("victim"), 1, 30).await;
    let before = usage(issuer, &limit).await;
    for never in [
        Lease { epoch: MAX_UNITS, ..own },
        Lease { epoch: own.epoch + 1, id: 1, ..own },
        Lease { id: others.id + 1, ..own },
        others,
    ] {
        let told = Report {
            overage: 50,
            ..told(1, &[line(&own, 5, 0, false), LeaseReport { overrun: 7, ..line(&never, 1, 2, true) }])
        };
        let refused = issuer.report(&limit, &holder("liar"), &told, NOW_MS).await.unwrap_err();
        assert_eq!(refused, IssuerError::NotGranted { id: never.id, epoch: never.epoch });
        assert!(refused.to_string().contains("nothing of the report counts"), "{refused}");
        let along = Ask { request: 2, wanted: 1, needed: 1 };
        let along = issuer.grant(&limit, &holder("liar"), &along, Some(&told), NOW_MS).await;
        assert_eq!(along.unwrap_err(), refused);
        // Nor by a process that was never heard of.
        let other = issuer.report(&limit, &Holder::new("liar", 77), &told, NOW_MS).await.unwrap_err();
        assert!(matches!(other, IssuerError::NotGranted { .. }), "{other}");
    }
    assert_eq!(usage(issuer, &limit).await, before);
    assert_eq!(issuer.events("liar", 0).await.unwrap(), []);
    // What is true under the same number counts.
    report(issuer, &limit, &holder("liar"), &told(1, &[line(&own, 5, 5, true)])).await;
    assert_eq!(usage(issuer, &limit).await.available, 65);
}

/// What it gives back stays used, and the window stays open.
pub async fn a_report_left_out_costs_its_sender_alone(issuer: &dyn Issuer) {
    issuer.open_namespace("gap").await.unwrap();
    let limit = limit("gap", 100);
    let own = lease_of(issuer, &limit, &holder("s"), 1, 40).await;
    let others = lease_of(issuer, &limit, &holder("t"), 1, 40).await;
    report(issuer, &limit, &holder("s"), &told(1, &[line(&own, 1, 0, false)])).await;
    report(issuer, &limit, &holder("s"), &told(3, &[line(&own, 2, 10, false)])).await;
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.spent, seen.leased, seen.lost, seen.assumed, seen.available), (3, 67, 10, 0, 20));
    // From then on it is believed again.
    report(issuer, &limit, &holder("s"), &told(4, &[line(&own, 0, 27, true)])).await;
    report(issuer, &limit, &holder("t"), &told(1, &[line(&others, 0, 40, true)])).await;
    assert_eq!(usage(issuer, &limit).await.available, 87);
    assert_eq!(issuer.events("gap", 0).await.unwrap(), [], "nobody took it for a loss");
}

/// Reports before it were of a quota that was none then.
pub async fn the_first_report_may_have_any_number(issuer: &dyn Issuer) {
    issuer.open_namespace("first").await.unwrap();
    let limit = limit("first", 100);
    let own = lease_of(issuer, &limit, &holder("s"), 1, 40).await;
    report(issuer, &limit, &holder("s"), &told(6, &[line(&own, 10, 30, true)])).await;
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.spent, seen.lost, seen.assumed, seen.available), (10, 0, 0, 90));
    assert_eq!(issuer.events("first", 0).await.unwrap(), []);
}

/// Told of again, it is not what others lost, neither before a loss was settled nor after.
pub async fn a_lease_told_of_to_the_end_frees_nothing_of_others(issuer: &dyn Issuer) {
    for (namespace, loses) in [("settled", true), ("closed", false)] {
        let limit = QuotaLimit { period: Period::Monthly, ..limit(namespace, 100) };
        let mut now_ms = NOW_MS;
        if loses {
            report(issuer, &limit, &holder("s"), &told(1, &[])).await;
            now_ms += MAX_LEASE_MS;
            issuer.settle_loss(&limit, 0, now_ms).await.unwrap();
        } else {
            issuer.open_namespace(namespace).await.unwrap();
        }
        let get = async |name: &str, request, needed| {
            let ask = Ask { request, wanted: 0, needed };
            lease(&issuer.grant(&limit, &holder(name), &ask, None, now_ms).await.unwrap())
        };
        get("dead", 1, 60).await;
        let off = now_ms + limit.leases.life_ms + WRITE_OFF_AFTER_MS;
        while issuer.expire(&limit, off).await.unwrap().more {}
        issuer.expire(&limit, off).await.unwrap();
        let own = lease(&issuer.grant(&limit, &holder("liar"), &ask(1, 10), None, off).await.unwrap());
        let all = told(1, &[line(&own, 0, own.amount, true)]);
        issuer.report(&limit, &holder("liar"), &all, off).await.unwrap();
        for sequence in 2..9 {
            let again = told(sequence, &[line(&own, 0, 10, true)]);
            issuer.report(&limit, &holder("liar"), &again, off).await.unwrap();
        }
        let seen = usage(issuer, &limit).await;
        assert_eq!((seen.lost, seen.available), (60, 40), "{namespace}");
    }
}

/// The one silent the longest goes, and what it holds counts as used.
pub async fn a_sidecar_has_few_processes_however_many_it_makes(issuer: &dyn Issuer) {
    issuer.open_namespace("runs").await.unwrap();
    let limit = limit("runs", 1_000);
    let most = MAX_PROCESSES as u64;
    let mut leases = Vec::new();
    for process in 1..=most {
        let ask = Ask { request: 1, wanted: 0, needed: 10 };
        let now_ms = NOW_MS + process;
        let granted = issuer.grant(&limit, &Holder::new("s", process), &ask, None, now_ms).await.unwrap();
        leases.push(lease(&granted));
    }
    // Sidecars whose names begin alike are others.
    lease_of(issuer, &limit, &Holder::new("s/1", 5), 1, 10).await;
    lease_of(issuer, &limit, &Holder::new("s0", 5), 1, 10).await;
    let held = 10 * (most + 2);
    assert_eq!(usage(issuer, &limit).await.leased, held);
    // The first was heard of again, so the second goes.
    let first = told(1, &[line(&leases[0], 1, 0, false)]);
    issuer.report(&limit, &Holder::new("s", 1), &first, NOW_MS + 100).await.unwrap();
    let ask = Ask { request: 1, wanted: 0, needed: 10 };
    issuer.grant(&limit, &Holder::new("s", most + 1), &ask, None, NOW_MS + 101).await.unwrap();
    let seen = usage(issuer, &limit).await;
    assert_eq!((seen.spent, seen.leased, seen.lost, seen.available), (1, held - 1, 10, 1_000 - held - 10));
    // What it says later of its use is among what counts as used; nothing comes back by it.
    let late = told(1, &[line(&leases[1], 4, 6, true)]);
    issuer.report(&limit, &Holder::new("s", 2), &late, NOW_MS + 102).await.unwrap();
    let seen = usage(issuer, &limit).await;
    assert_eq!(seen.spent, 5);
    assert_eq!(seen.available, 1_000 - held - 10);
    for process in 100..200 {
        let ask = Ask { request: 1, wanted: 0, needed: 1 };
        let now_ms = NOW_MS + process;
        issuer.grant(&limit, &Holder::new("s", process), &ask, None, now_ms).await.unwrap();
    }
    let seen = usage(issuer, &limit).await;
    assert_eq!(seen.leased, most + 20, "eight leases of the one, and those of the two others");
    assert_eq!(seen.used() + seen.leased + seen.available, 1_000);
}

/// Its name says whose share it is, and that may be another's by now.
pub async fn who_had_leases_of_a_limit_is_found_again(issuer: &dyn Issuer) {
    issuer.open_namespace("drawn").await.unwrap();
    let named = |name: &str| QuotaLimit { name: name.into(), revision: 7, ..limit("drawn", 100) };
    let berlin = QuotaLimit {
        period: Period::Daily,
        zone: Zone::named("Europe/Berlin").unwrap(),
        ..named("p/q/parent/one")
    };
    let custom = Period::Custom { seconds: 90, anchor_ms: 5_000 };
    let custom = QuotaLimit { period: custom, unit: "byte".into(), ..named("p/q/parent/two") };
    let mut now_ms = NOW_MS;
    for limit in [&berlin, &custom, &named("p/q2/policy")] {
        now_ms += 1;
        issuer.grant(limit, &holder("s"), &ask(1, 10), None, now_ms).await.unwrap();
    }
    // Who only reported, or was refused, holds nothing.
    report(issuer, &named("p/q/parent/three"), &holder("s"), &told(1, &[])).await;
    let empty = QuotaLimit { amount: 0, ..named("p/q/parent/four") };
    issuer.grant(&empty, &holder("s"), &ask(1, 1), None, NOW_MS).await.unwrap();
    let found = async |holder: &Holder, prefix: &str| {
        let limits = issuer.drawn("drawn", holder, prefix).await.unwrap();
        limits.into_iter().map(|limit| QuotaLimit { spike: None, ..limit }).collect::<Vec<_>>()
    };
    assert_eq!(found(&holder("s"), "p/q/").await, [custom, berlin.clone()], "the last used first");
    assert_eq!(found(&Holder::new("s", 2), "p/q/").await, []);
    assert_eq!(found(&holder("t"), "").await, []);
    // As long as it is known, and no longer.
    let later = NOW_MS + WRITE_OFF_AFTER_MS + berlin.leases.life_ms + 60_000;
    for _ in 0..3 {
        issuer.expire(&berlin, later).await.unwrap();
    }
    assert_eq!(found(&holder("s"), "p/q/parent/one").await, []);
    assert_eq!(found(&holder("s"), "p/q2/").await.len(), 1);
}
