//! Amounts divided into parts that add up.

use creto_rating::{Exact, Sharing, apportion};
use proptest::prelude::*;

use crate::speech::exact;

fn needs(list: &[i64]) -> Vec<Exact> {
    list.iter().map(|need| Exact::from(*need)).collect()
}

#[test]
fn v29_an_amount_of_120_among_needs_of_1000_50_and_10() {
    let needs = needs(&[1_000, 50, 10]);
    let shown = |sharing: Sharing| {
        sharing.shares(&exact("120"), &needs).iter().map(|s| s.to_decimal(4)).collect::<Vec<_>>()
    };
    assert_eq!(shown(Sharing::EqualThenByNeed), ["69.6907", "40.3093", "10.0000"]);
    assert_eq!(shown(Sharing::Even), ["60.0000", "50.0000", "10.0000"]);
    assert_eq!(shown(Sharing::Proportional), ["113.2075", "5.6604", "1.1321"]);
}

#[test]
fn the_largest_remainders_get_what_is_left_and_the_first_among_equals() {
    assert_eq!(apportion(100, &needs(&[1, 1, 1])), Some(vec![34, 33, 33]));
    assert_eq!(apportion(-100, &needs(&[1, 1, 1])), Some(vec![-34, -33, -33]));
    assert_eq!(apportion(10, &needs(&[1, 0, 5])), Some(vec![2, 0, 8]));
    assert_eq!(apportion(10, &needs(&[0, -3])), None);
    assert_eq!(apportion(10, &[]), None);
    assert_eq!(apportion(i64::MIN, &needs(&[1])), None);
}

proptest! {
    #[test]
    fn parts_add_up_and_are_within_one_of_their_share(
        total in -1_000_000_000_000_i64..1_000_000_000_000,
        weights in prop::collection::vec((0..1_000_000_i64, 1..1_000_i64), 1..40),
    ) {
        let weights: Vec<Exact> = weights.iter().map(|(n, d)| Exact::ratio((*n).into(), (*d).into()).unwrap()).collect();
        let whole: Exact = weights.iter().sum();
        prop_assume!(!whole.is_zero());
        let parts = apportion(total, &weights).unwrap();
        prop_assert_eq!(parts.iter().sum::<i64>(), total);
        for (part, weight) in parts.iter().zip(&weights) {
            let share = (Exact::from(total) * weight).divided_by(&whole).unwrap();
            let off = Exact::from(*part) - share;
            prop_assert!(off < Exact::from(1) && off > Exact::from(-1));
            prop_assert!(!weight.is_zero() || *part == 0);
        }
    }

    #[test]
    fn shares_add_up_and_never_exceed_a_need(amount in 0..5_000_i64, list in prop::collection::vec(0..1_000_i64, 1..12)) {
        let needs = needs(&list);
        let whole: Exact = needs.iter().sum();
        for sharing in [Sharing::Proportional, Sharing::EqualThenByNeed, Sharing::Even] {
            let shares = sharing.shares(&Exact::from(amount), &needs);
            prop_assert_eq!(shares.iter().sum::<Exact>(), Exact::from(amount).min(whole.clone()));
            prop_assert!(shares.iter().zip(&needs).all(|(share, need)| share <= need && !share.is_negative()));
        }
    }
}
