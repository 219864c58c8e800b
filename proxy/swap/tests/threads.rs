//! The cell of production under threads that do not wait for each other.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use creto_swap::Swap;

/// Values replaced one after the other.
const ROUNDS: usize = 2_000;
const READERS: usize = 3;
/// For all of them.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn readers_never_decide_by_a_value_that_is_gone_and_every_value_goes() {
    let swap = Arc::new(Swap::<usize>::new(0));
    // Values below this are gone.
    let gone = Arc::new(AtomicUsize::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let begin = Arc::new(Barrier::new(READERS + 1));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (swap, gone, over) = (Arc::clone(&swap), Arc::clone(&gone), Arc::clone(&over));
            let begin = Arc::clone(&begin);
            std::thread::spawn(move || {
                begin.wait();
                let mut decisions = 0_u64;
                loop {
                    let value = swap.load();
                    assert!(***value >= gone.load(Ordering::Acquire), "{} is gone", ***value);
                    decisions += 1;
                    if over.load(Ordering::Relaxed) {
                        return decisions;
                    }
                }
            })
        })
        .collect();
    begin.wait();
    let end = Instant::now() + PATIENCE;
    for round in 1..=ROUNDS {
        let retired = swap.replace(round);
        while !retired.is_gone() {
            assert!(Instant::now() < end, "value {} does not go", round - 1);
            std::thread::yield_now();
        }
        gone.store(round, Ordering::Release);
    }
    over.store(true, Ordering::Relaxed);
    let decisions: Vec<u64> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(decisions.iter().all(|made| *made > 0), "{decisions:?}");
    assert_eq!(***swap.load(), ROUNDS);
}

#[test]
fn a_value_that_is_held_does_not_go_until_it_is_let_go_of() {
    let swap = Swap::<usize>::new(0);
    let held = swap.load();
    let retired = swap.replace(1);
    assert!(!retired.is_gone());
    assert_eq!((***held, ***swap.load()), (0, 1));
    drop(held);
    assert!(retired.is_gone());
}
