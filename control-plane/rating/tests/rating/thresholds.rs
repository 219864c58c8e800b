//! Progressive billing.

use creto_rating::{Passed, ThresholdError, Thresholds};
use proptest::prelude::*;

fn field() -> Thresholds {
    Thresholds { fixed: vec![10, 20, 31, 40], recurring: Some(5) }
}

fn amounts(invoiced: u64, current: u64) -> Vec<u64> {
    let amount = |passed| match passed {
        Passed::Fixed(amount) | Passed::Recurring { step: amount, .. } => amount,
    };
    field().passed(invoiced, current).into_iter().map(amount).collect()
}

#[test]
fn v23_thresholds_are_passed_when_reached_and_the_recurring_one_is_told_once() {
    let cases: [(u64, u64, &[u64]); 9] = [
        (0, 31, &[10, 20, 31]),
        (0, 44, &[10, 20, 31, 40]),
        (0, 45, &[10, 20, 31, 40, 5]),
        (9, 37, &[10, 20, 31, 40, 5]),
        (11, 10, &[20]),
        (40, 2, &[]),
        (40, 5, &[5]),
        (41, 4, &[5]),
        (50, 0, &[]),
    ];
    for (invoiced, current, expected) in cases {
        assert_eq!(amounts(invoiced, current), expected, "({invoiced}, {current})");
    }
}

#[test]
fn several_steps_at_once_are_told_once_with_their_number() {
    assert_eq!(field().passed(40, 17), [Passed::Recurring { step: 5, times: 3 }]);
    // The same sums whatever was invoiced when: 40 to 57, in two parts.
    assert_eq!(field().passed(44, 13), [Passed::Recurring { step: 5, times: 3 }]);
}

#[test]
fn steps_count_from_the_largest_fixed_threshold_not_from_zero() {
    // Counted from zero, as the field does it, 100 minor units would seem to be due at 57 + 43 and not at 57 + 100.
    let thresholds = Thresholds { fixed: vec![57], recurring: Some(100) };
    assert_eq!(thresholds.passed(57, 99), []);
    assert_eq!(thresholds.passed(57, 100), [Passed::Recurring { step: 100, times: 1 }]);
}

#[test]
fn thresholds_out_of_order_and_steps_of_zero_are_refused() {
    let fixed = |fixed: &[u64]| Thresholds { fixed: fixed.to_vec(), recurring: None }.validate();
    assert_eq!(fixed(&[10, 10]), Err(ThresholdError::Order { place: 2, found: 10 }));
    assert_eq!(fixed(&[0]), Err(ThresholdError::Order { place: 1, found: 0 }));
    assert_eq!(Thresholds { fixed: vec![], recurring: Some(0) }.validate(), Err(ThresholdError::Step));
    assert_eq!(field().validate(), Ok(()));
}

proptest! {
    #[test]
    fn a_threshold_is_passed_once_however_usage_is_invoiced(parts in prop::collection::vec(0..30_u64, 1..12)) {
        let mut invoiced = 0;
        let mut steps = 0;
        let mut fixed = Vec::new();
        for part in parts {
            for passed in field().passed(invoiced, part) {
                match passed {
                    Passed::Fixed(amount) => fixed.push(amount),
                    Passed::Recurring { times, .. } => steps += times,
                }
            }
            invoiced += part;
        }
        let mut at_once = field().passed(0, invoiced);
        if let Some(Passed::Recurring { times, .. }) = at_once.last() {
            steps -= times;
            at_once.pop();
        }
        prop_assert_eq!(steps, 0);
        prop_assert_eq!(fixed.into_iter().map(Passed::Fixed).collect::<Vec<_>>(), at_once);
    }
}
