//! The swap in every order that the memory model lets two threads run in.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::Deref;
use std::sync::Arc;

use creto_swap::{Cell, Flag, Retired, Swap, Tracked};
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

/// [`std::sync::atomic::AtomicBool`], in the same orders.
struct TriedFlag(AtomicBool);

impl Flag for TriedFlag {
    fn down() -> Self {
        Self(AtomicBool::new(false))
    }

    fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_up(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

type Value = Tracked<usize, TriedFlag>;

/// A reference, counted where the orders are tried.
struct Held(loom::sync::Arc<Value>);

impl Deref for Held {
    type Target = loom::sync::Arc<Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A cell as plain as can be: what is tried is the protocol above it.
struct LockedCell(Mutex<loom::sync::Arc<Value>>);

impl Cell<Value> for LockedCell {
    type Shared = loom::sync::Arc<Value>;
    type Guard<'c> = Held;

    fn new(first: Value) -> Self {
        Self(Mutex::new(loom::sync::Arc::new(first)))
    }

    fn load(&self) -> Held {
        Held(loom::sync::Arc::clone(&self.0.lock().unwrap()))
    }

    fn swap(&self, next: Value) -> Self::Shared {
        std::mem::replace(&mut *self.0.lock().unwrap(), loom::sync::Arc::new(next))
    }
}

type Tried = Swap<usize, LockedCell, TriedFlag>;

/// A reader that decides by what it loads, and notes by which value.
fn decide(swap: &Tried, acknowledged: &AtomicBool, decisions: &[AtomicUsize; 2]) {
    let value = swap.load();
    // The decision. If it is by the value before, that one must not have been acknowledged as gone.
    if ***value == 0 {
        assert!(!acknowledged.load(Ordering::Relaxed), "decided by the old value after it was gone");
    }
    decisions[***value].fetch_add(1, Ordering::Relaxed);
}

fn replace_and_wait(swap: &Tried) -> Retired<TriedFlag> {
    let retired = swap.replace(1);
    while !retired.is_gone() {
        thread::yield_now();
    }
    retired
}

#[test]
fn once_the_old_value_is_gone_no_decision_is_made_by_it() {
    loom::model(|| {
        let shared =
            Arc::new((Tried::new(0), AtomicBool::new(false), [AtomicUsize::new(0), AtomicUsize::new(0)]));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || decide(&shared.0, &shared.1, &shared.2))
            })
            .collect();
        replace_and_wait(&shared.0);
        let by_the_old = shared.2[0].load(Ordering::Relaxed);
        shared.1.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
        let decisions = [0, 1].map(|at: usize| shared.2[at].load(Ordering::Relaxed));
        // What was counted when it was gone is all that there ever is: gone means that it has happened.
        assert_eq!(decisions[0], by_the_old);
        assert_eq!(decisions.iter().sum::<usize>(), 2);
    });
}
