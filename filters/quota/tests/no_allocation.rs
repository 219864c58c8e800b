//! Reserving and settling allocate nothing, alone and in sets, admitted, refused or with overage.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::{alloc::System, hint::black_box, sync::Arc};

use creto_quota::{Action, Lease, Quota, QuotaSet, QuotaSpec, Share};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 5;

fn quota(name: &str, action: Action) -> Arc<Quota> {
    let quota = Quota::new(QuotaSpec::new(name, "llm.tokens", "token").with_action(action)).unwrap();
    quota.grant(&Lease { id: 1, epoch: 1, amount: 1_000_000, not_after_s: 100 }, 1).unwrap();
    Arc::new(quota)
}

#[test]
fn reserving_and_settling_allocate_nothing() {
    let quotas: Vec<_> = (0..8).map(|n| quota(&format!("q{n}"), Action::Block)).collect();
    let soft = quota("soft", Action::AllowWithOverage);
    let set = Arc::new(QuotaSet::new(quotas.clone()).unwrap());
    // The counter counts every thread's, the test harness's too: of what allocates itself no round is free.
    let least = (0..ROUNDS).map(|_| {
        let region = Region::new(ALLOCATOR);
        for _ in 0..200 {
            black_box(quotas[0].reserve(black_box(10), 2).unwrap().settle(7));
            black_box(quotas[0].reserve_owned(black_box(10), 2).unwrap().settle(17));
            black_box(quotas[0].reserve(black_box(2_000_000), 2).unwrap_err());
            black_box(soft.reserve(black_box(2_000_000), 2).unwrap().settle(7));
            set.reserve(black_box(&shares([10; 8])), 2).unwrap().settle(&[5; 8]);
            drop(set.reserve_owned(black_box(&shares([10; 8])), 2).unwrap());
            set.reserve(black_box(&shares([10, 10, 10, 10, 10, 10, 10, 2_000_000])), 2).unwrap_err();
        }
        let change = region.change();
        change.allocations + change.reallocations
    });
    assert_eq!(least.min(), Some(0));
    let used = ROUNDS as u64 * 200 * 15;
    assert_eq!(quotas[7].left(), 1_000_000 - used);
}

fn shares(amounts: [u64; 8]) -> [Share; 8] {
    std::array::from_fn(|quota| Share { quota, amount: amounts[quota] })
}
