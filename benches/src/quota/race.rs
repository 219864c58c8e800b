//! Fifty sidecars' worth of quotas race on one limit, over the real issuer with its file synced.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use creto_quota::{Quota, QuotaSpec};
use creto_quota_issuer::{Answer, Ask, EmbeddedIssuer, Holder, Issuer, Period, QuotaLimit};

use crate::report::Report;
use crate::timing::median;

const HOLDERS: u64 = 50;
const AMOUNT: u64 = 2_000_000;
const WANTED: u64 = 2_000;
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) fn measure(report: &mut Report) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let issuer = runtime.block_on(EmbeddedIssuer::open(&folder.path().join("quota.db")))?;
    let issuer: Arc<dyn Issuer> = Arc::new(issuer);
    runtime.block_on(issuer.open_namespace("default"))?;
    let admitted = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let holders: Vec<_> = (0..HOLDERS)
        .map(|number| runtime.spawn(hold(Arc::clone(&issuer), number, Arc::clone(&admitted))))
        .collect();
    let mut waits = Vec::new();
    for holder in holders {
        waits.extend(runtime.block_on(holder)?.map_err(|error| error.to_string())?);
    }
    let took = start.elapsed();
    let admitted = admitted.load(Ordering::SeqCst);
    let over = admitted.saturating_sub(AMOUNT) as f64;
    let note = format!(
        "{HOLDERS} holders, limit {AMOUNT}, admitted {admitted}, {} leases in {took:.1?}",
        waits.len()
    );
    report.add("quota.overshoot", over, "units", note);
    report.add(
        "quota.unused",
        AMOUNT.saturating_sub(admitted) as f64,
        "units",
        "of the limit, once nobody gets a lease",
    );
    report.add(
        "quota.lease_p50_ms",
        median(waits),
        "ms",
        "a lease from the embedded issuer, synced to disk, fifty at once",
    );
    Ok(())
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// One holder: takes leases and spends them call by call until nothing is left. Gives how long each lease took, ms.
async fn hold(issuer: Arc<dyn Issuer>, number: u64, admitted: Arc<AtomicU64>) -> Result<Vec<f64>, Failed> {
    let limit = QuotaLimit::new("default", "race", "token", AMOUNT, Period::Monthly);
    let holder = Holder::new(&format!("sidecar-{number}"), 1);
    let quota = Quota::new(QuotaSpec::new("race", "llm.tokens", "token"))?;
    let (mut request, mut waits, mut amount) = (1, Vec::new(), number);
    let start = Instant::now();
    while start.elapsed() < LONGEST {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let report = quota.take_report(now.as_secs());
        let ask = Ask { request, wanted: WANTED, needed: 40 };
        let asked = Instant::now();
        let granted = issuer.grant(&limit, &holder, &ask, report.as_ref(), now.as_millis() as u64).await?;
        if let Some(reported) = granted.reported {
            quota.confirm_report(reported.acknowledged);
            if let Some((epoch, id)) = reported.revoke {
                let _ = quota.revoke(epoch, id);
            }
        }
        match granted.answer {
            Answer::Lease(lease) => {
                waits.push(asked.elapsed().as_secs_f64() * 1_000.0);
                request += 1;
                quota.grant(&lease, now.as_secs())?;
            }
            Answer::Exhausted { leased: 0, .. } | Answer::Impossible { .. } => return Ok(waits),
            Answer::Exhausted { .. } => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        loop {
            amount = amount.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let most = 10 + (amount >> 33) % 30;
            let Ok(held) = quota.reserve(most, now.as_secs()) else { break };
            let used = most / 2;
            held.settle(used);
            admitted.fetch_add(used, Ordering::Relaxed);
        }
    }
    Err("nobody came to the end of the limit in time".into())
}
