//! A reservation and its settlement, on leases in hand.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use creto_quota::{Lease, MAX_LEASE_AMOUNT, Quota, QuotaSet, QuotaSpec, Share};
use stats_alloc::Region;

use crate::ALLOCATOR;
use crate::report::Report;
use crate::timing::Times;

const NOW: u64 = 1_800_000_000;
const SAMPLES: usize = 400_000;

pub(crate) fn measure(report: &mut Report) -> Result<(), Box<dyn std::error::Error>> {
    let quota = granted("one")?;
    let one = || quota.reserve_owned(black_box(100), NOW).map(|held| held.settle(40).spent).ok();
    let times = Times::of(SAMPLES, |_| one());
    let note = "one quota: reserve and settle, lease in hand";
    report.add("quota.warm_p50_ns", times.percentile(50.0), "ns", note);
    report.add("quota.warm_p99_ns", times.percentile(99.0), "ns", note);

    let quotas = (0..8).map(|n| granted(&format!("q{n}"))).collect::<Result<Vec<_>, _>>()?;
    let set = Arc::new(QuotaSet::new(quotas)?);
    for count in [3, 8] {
        let shares: Vec<_> = (0..count).map(|quota| Share { quota, amount: 100 }).collect();
        let actual = vec![40; count];
        let take = || set.reserve_owned(black_box(&shares), NOW).map(|held| held.settle(&actual)).is_ok();
        let times = Times::of(SAMPLES, |_| take());
        let note = format!("{count} quotas at once, all or nothing");
        report.add(&format!("quota.set{count}_p50_ns"), times.percentile(50.0), "ns", &note);
        report.add(&format!("quota.set{count}_p99_ns"), times.percentile(99.0), "ns", &note);
    }

    let region = Region::new(ALLOCATOR);
    for _ in 0..10_000 {
        black_box(one());
    }
    let allocations = region.change().allocations as f64;
    report.add("quota.warm_allocations", allocations, "allocations", "10,000 reservations settled");

    let stop = Arc::new(AtomicBool::new(false));
    let other = std::thread::spawn({
        let (quota, stop) = (Arc::clone(&quota), Arc::clone(&stop));
        move || {
            while !stop.load(Ordering::Relaxed) {
                let _ = quota.reserve(100, NOW).map(|held| held.settle(40));
            }
        }
    });
    let times = Times::of(SAMPLES, |_| one());
    stop.store(true, Ordering::Relaxed);
    let _ = other.join();
    report.add(
        "quota.contended_p50_ns",
        times.percentile(50.0),
        "ns",
        "a second thread takes from the same quota",
    );
    Ok(())
}

fn granted(name: &str) -> Result<Arc<Quota>, Box<dyn std::error::Error>> {
    let quota = Quota::new(QuotaSpec::new(name, "llm.tokens", "token"))?;
    quota.grant(&Lease { id: 1, epoch: 1, amount: MAX_LEASE_AMOUNT, not_after_s: NOW + 3600 }, NOW)?;
    Ok(Arc::new(quota))
}
