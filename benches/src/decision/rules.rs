//! Authorize and reserve, by number of rules: warm, with cold caches, on one and on two threads; and what loading costs.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use creto_authz::Scope;
use creto_call::{Call, Capture, Decision, Details, Kind, Scheme};
use creto_policy::{Document, PolicySet};
use creto_quota::{Lease, MAX_LEASE_AMOUNT, Quota, QuotaSpec};
use stats_alloc::Region;

use super::{NOW, Outcome, SAMPLES, allocations};
use crate::ALLOCATOR;
use crate::report::Report;
use crate::timing::{Times, median};

/// Numbers of rules; the figures of the middle one have no number in their names.
const CURVE: [usize; 4] = [10, 100, 1_000, 10_000];
const NAMED: usize = 1_000;
const CALLS: usize = 512;
/// What is read between two decisions, so that nothing of the policy, the call or the code is in a cache.
const EVICTION_BYTES: usize = 64 << 20;
const COLD_SAMPLES: usize = 300;
/// Decisions of one thread in one round, and rounds.
const LOOP: usize = 20_000;
const ROUNDS: usize = 101;

pub(crate) fn measure(report: &mut Report) -> Outcome<()> {
    for count in CURVE {
        let scene = Scene::of(count)?;
        let calls = scene.calls();
        let decide = |run: usize| scene.authorize(&calls[run % CALLS]);
        let allowed = (0..CALLS).filter(|run| decide(*run)).count();
        if allowed * 10 < CALLS * 9 || allowed == CALLS {
            return Err(format!("{count} rules allow {allowed} of {CALLS} calls").into());
        }
        let times = Times::of(SAMPLES, decide);
        let named = |what: &str| match count {
            NAMED => format!("decision.{what}"),
            _ => format!("decision.rules_{count}_{what}"),
        };
        let note = format!("scope, policy of {count} rules and a quota reserved and given back, warm");
        report.add(&named("p50_ns"), times.percentile(50.0), "ns", note);
        report.add(&named("p99_ns"), times.percentile(99.0), "ns", "same");
        report.add(&named("allocations"), allocations(decide), "", "in 10,000 decisions");
        let cold = cold(decide);
        let note = format!(
            "{count} rules, caches emptied before each by walking {} MiB; {COLD_SAMPLES} samples, the clock's cost left in",
            EVICTION_BYTES >> 20
        );
        report.add(&named("cold_p50_ns"), cold[COLD_SAMPLES / 2], "ns", note);
        report.add(&named("cold_p99_ns"), cold[COLD_SAMPLES * 99 / 100], "ns", "same");
        if count == NAMED {
            threads(report, &scene, &calls);
        }
    }
    load(report)
}

/// A policy, a scope and a quota that none of the calls runs into.
struct Scene {
    policy: PolicySet,
    scope: Scope,
    quota: Quota,
    hosts: Vec<String>,
}

impl Scene {
    fn of(count: usize) -> Outcome<Self> {
        let document = Document::parse("bench", &text(count)).map_err(|problems| problems.render(false))?;
        let quota = Quota::new(QuotaSpec::new("bench/calls", "calls", "call"))?;
        quota.grant(&Lease { id: 1, epoch: 1, amount: MAX_LEASE_AMOUNT, not_after_s: NOW + 3600 }, NOW)?;
        Ok(Self {
            policy: PolicySet::compile([&document]),
            scope: Scope::parse(&["*:*"])?,
            quota,
            // Odd ones, since every 20th rule is about a wildcard; spread over all allow rules.
            hosts: (0..CALLS)
                .map(|n| format!("host-{}.example.com", (n * allowing(count) / CALLS).saturating_sub(1) | 1))
                .collect(),
        })
    }

    fn calls(&self) -> Vec<Call<'_>> {
        let method = |n: usize| if n.is_multiple_of(3) { "POST" } else { "GET" };
        // Some are of no rule.
        let path = |n: usize| if n % 32 == 31 { "/admin" } else { "/v1/messages/batches/42" };
        self.hosts
            .iter()
            .enumerate()
            .map(|(n, host)| Call {
                capture: Capture::Connect,
                kind: Kind::Http,
                scheme: Scheme::Https,
                method: method(n),
                host,
                port: 443,
                path: path(n),
                details: Details::default(),
            })
            .collect()
    }

    #[inline]
    fn authorize(&self, call: &Call<'_>) -> bool {
        self.scope.permits(call)
            && matches!(self.policy.decide(call), Decision::Allow { .. })
            && self.quota.reserve(1, NOW).is_ok_and(|reservation| {
                // Kept from the optimizer; given back, so that the lease lasts.
                black_box(&reservation);
                reservation.settle(0);
                true
            })
    }
}

/// Times with empty caches, nanoseconds, ascending.
fn cold(mut decide: impl FnMut(usize) -> bool) -> Vec<f64> {
    let mut evicting = vec![0_u8; EVICTION_BYTES];
    let mut times: Vec<f64> = (0..COLD_SAMPLES)
        .map(|sample| {
            for line in evicting.chunks_mut(64) {
                line[0] = line[0].wrapping_add(1);
            }
            black_box(&mut evicting);
            let start = Instant::now();
            black_box(decide(sample * 7));
            start.elapsed().as_nanos() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// What one thread needs for a decision when it is alone, and when another decides over the same policy.
fn threads(report: &mut Report, scene: &Scene, calls: &[Call<'_>]) {
    let closed_loop = |first: usize| {
        let start = cpu_time();
        for run in 0..LOOP {
            let call = &calls[(first + run) % CALLS];
            black_box((scene.scope.permits(call), scene.policy.decide(call)));
        }
        (cpu_time() - start) / LOOP as f64
    };
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(closed_loop(0));
        let ready = Barrier::new(2);
        let both = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                ready.wait();
                closed_loop(CALLS / 2)
            });
            ready.wait();
            [Some(closed_loop(0)), other.join().ok()]
        });
        beside.extend(both.into_iter().flatten());
    }
    report.add(
        "decision.threads_1_ns",
        median(alone),
        "ns",
        "scope and policy of 1,000 rules in a closed loop, one thread, its processor time; median of 101 rounds of 20,000",
    );
    report.add(
        "decision.threads_2_ns",
        median(beside),
        "ns",
        "the same for each of two threads at once over one policy",
    );
}

/// Processor time of this thread, nanoseconds: what others do on the machine is not in it.
fn cpu_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// From text to a policy that decides, and what it keeps.
fn load(report: &mut Report) -> Outcome<()> {
    let text = text(10_000);
    let region = Region::new(ALLOCATOR);
    let start = Instant::now();
    let document = Document::parse("bench", &text).map_err(|problems| problems.render(false))?;
    let read = start.elapsed();
    let start = Instant::now();
    let policy = PolicySet::compile([&document]);
    let compiled = start.elapsed();
    let change = region.change();
    let kept = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    report.add(
        "decision.load_10000_ms",
        (read + compiled).as_secs_f64() * 1e3,
        "ms",
        format!("10,000 rules ({} KiB) read and compiled; compiling alone {compiled:.1?}", text.len() >> 10),
    );
    report.add("decision.memory_10000_mib", kept as f64 / f64::from(1 << 20), "MiB", "document and policy");
    drop(policy);
    Ok(())
}

/// How many rules of a policy allow.
fn allowing(count: usize) -> usize {
    count - count.div_ceil(100)
}

/// Allow rules over exact hosts, wildcards, methods and paths; one rule of a hundred denies.
fn text(count: usize) -> String {
    let mut text = String::from("version = 1\nname = \"bench\"\n");
    for n in 0..allowing(count) {
        let host =
            if n % 20 == 0 { format!("*.zone-{n}.example.com") } else { format!("host-{n}.example.com") };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[allow]]\nname = \"a{n}\"\nhost = \"{host}\"\nmethod = [\"GET\", \"POST\"]\npath = \"/v1/**\"\n"
        );
    }
    for n in 0..count - allowing(count) {
        let _ = write!(
            text,
            "[[deny]]\nname = \"d{n}\"\nhost = \"*\"\nmethod = \"DELETE\"\npath = \"/d{n}/**\"\n"
        );
    }
    text
}
