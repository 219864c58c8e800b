//! Every order in which threads can meet in the table, by a model checker.

use loom::{model::Builder, sync::Arc, thread};
use std::sync::atomic::Ordering;

use super::*;
use crate::{ChainKey, ChainVerifier, VerifiedChain};

type Checked = loom::sync::atomic::AtomicU64;

impl Word for Checked {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }

    fn exchange(&self, from: u64, to: u64) -> bool {
        self.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

const NOW: u64 = 1_800_000_000;

/// Runs with every order of threads that takes them off the processor at most so often.
fn in_every_order(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(run);
}

#[test]
fn a_reader_gets_all_of_one_write_or_nothing() {
    in_every_order(3, || {
        let slot = Arc::new(Slot::<Checked, 3>::new());
        let writer = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || assert!(slot.write(&[1; 3]) && slot.write(&[2; 3])))
        };
        let read = slot.read();
        assert!(matches!(read, None | Some([1, 1, 1] | [2, 2, 2])), "{read:?}");
        writer.join().unwrap();
        assert_eq!(slot.read(), Some([2; 3]));
    });
}

#[test]
fn of_two_writers_at_once_at_least_one_writes_and_none_by_half() {
    in_every_order(3, || {
        let slot = Arc::new(Slot::<Checked, 2>::new());
        let writer = |words: [u64; 2]| {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.write(&words))
        };
        let (one, other) = (writer([1; 2]), writer([2; 2]));
        let read = slot.read();
        assert!(matches!(read, None | Some([1, 1] | [2, 2])), "{read:?}");
        let (one, other) = (one.join().unwrap(), other.join().unwrap());
        let left = slot.read();
        match (one, other) {
            (true, false) => assert_eq!(left, Some([1; 2])),
            (false, true) => assert_eq!(left, Some([2; 2])),
            (true, true) => assert!(matches!(left, Some([1, 1] | [2, 2])), "{left:?}"),
            (false, false) => panic!("nobody wrote"),
        }
    });
}

#[test]
fn a_reader_never_sees_one_write_mixed_with_the_one_before() {
    in_every_order(3, || {
        let slot = Arc::new(Slot::<Checked, 4>::new());
        assert!(slot.write(&[1; 4]));
        let writer = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.write(&[2; 4]))
        };
        for _ in 0..2 {
            let read = slot.read();
            assert!(matches!(read, None | Some([1, 1, 1, 1] | [2, 2, 2, 2])), "{read:?}");
        }
        assert!(writer.join().unwrap());
    });
}

fn terms(key_id: u32, min_epoch: u32) -> Terms {
    Terms::of(&ChainVerifier::new(ChainKey::from_bytes(&[1; 32], key_id)), min_epoch)
}

fn verdict(tag: u8, epoch: u32) -> Verdict {
    let chain = VerifiedChain {
        tag: [tag; TAG],
        holder: [tag; 20],
        scope: [epoch as u8; 20],
        expires_at_s: NOW + u64::from(epoch),
        epoch,
        links: 2,
    };
    Verdict::new(chain, NOW)
}

fn ask(table: &Table<Checked>, tag: u8, terms: Terms) -> Option<VerifiedChain> {
    table.get(&[tag; TAG], terms, &AgentId([tag; 32]), NOW).map(|verdict| verdict.chain)
}

#[test]
fn two_threads_that_find_different_verdicts_leave_whole_ones() {
    let terms = terms(1, 0);
    in_every_order(2, move || {
        let table = Arc::new(Table::<Checked>::new(1));
        // Both look at the first place first.
        let writers = [4, 8].map(|tag| {
            let table = Arc::clone(&table);
            thread::spawn(move || table.insert(verdict(tag, 5), terms, NOW))
        });
        for writer in writers {
            writer.join().unwrap();
        }
        let left = [4, 8].map(|tag| ask(&table, tag, terms));
        assert!(left.iter().any(Option::is_some));
        for (tag, left) in [4, 8].into_iter().zip(left) {
            assert!(left.is_none_or(|chain| chain == verdict(tag, 5).chain), "{left:?}");
        }
    });
}

#[test]
fn a_verdict_given_under_other_terms_is_never_seen() {
    // Another lowest epoch, and other keys.
    for later in [terms(1, 2), terms(2, 1)] {
        let before = terms(1, 1);
        in_every_order(2, move || {
            let table = Arc::new(Table::<Checked>::new(1));
            table.insert(verdict(4, 6), before, NOW);
            let writer = {
                let table = Arc::clone(&table);
                thread::spawn(move || table.insert(verdict(4, 7), later, NOW))
            };
            let seen = ask(&table, 4, later);
            assert!(seen.is_none_or(|chain| chain == verdict(4, 7).chain), "{seen:?}");
            let seen = ask(&table, 4, before);
            assert!(seen.is_none_or(|chain| chain == verdict(4, 6).chain), "{seen:?}");
            writer.join().unwrap();
            assert_eq!(ask(&table, 4, later), Some(verdict(4, 7).chain));
            assert_eq!(ask(&table, 4, before), None);
        });
    }
}

#[test]
fn a_verdict_survives_its_way_through_words() {
    let (verdict, terms) = (verdict(7, 9), terms(3, 8));
    let (read, read_terms) = Verdict::from_words(&verdict.to_words(terms));
    assert_eq!((read.chain, read_terms), (verdict.chain, terms));
    assert_eq!(read.to_words(terms), verdict.to_words(terms));
}
