//! What was billed before the period ended is taken off once, off usage, and the rest is owed back.

use creto_rating::{
    Adjustments, Aggregation, Coupon, CouponAmount, Currency, Fee, InvoiceDraft, LineKind, Sharing,
    bill_events,
};
use proptest::prelude::*;

use crate::speech::{august, charge, event, number, plan, q, standard, subscribed, sum};

fn billed(used: i64, before: &[i64], coupons: Vec<Coupon>) -> InvoiceDraft {
    let mut team = plan(vec![
        charge("tokens", sum("n"), standard("0.01")),
        charge("calls", Aggregation::Count, standard("0")),
    ]);
    team.amount = q("20");
    team.commitment = Some(q("150"));
    let events = [event(1, august().from(), &[("n", number(&used.to_string()))])];
    let progressively_billed = before.iter().map(|minor| Fee::of_minor(*minor, Currency::USD)).collect();
    let adjustments = Adjustments { progressively_billed, coupons, ..Adjustments::none(august().to()) };
    bill_events(&august(), &subscribed(team), events, &adjustments).unwrap()
}

fn off(draft: &InvoiceDraft, kind: LineKind) -> i64 {
    let lines = draft.lines.iter().filter(|line| line.kind == kind);
    lines.flat_map(|line| &line.reductions).map(|reduction| reduction.minor).sum()
}

#[test]
fn money_given_back_is_not_taken_off_again() {
    let draft = billed(6_000, &[100, -100], vec![]);
    assert_eq!((draft.reductions_minor, draft.overpaid_minor), (0, 0));
    let draft = billed(6_000, &[500, -200], vec![]);
    assert_eq!((draft.reductions_minor, draft.overpaid_minor), (300, 0));
    let draft = billed(6_000, &[-500], vec![]);
    assert_eq!((draft.reductions_minor, draft.overpaid_minor), (0, 0));
}

#[test]
fn usage_corrected_below_what_was_billed_is_owed_back_and_not_taken_off_the_plan() {
    let draft = billed(6_000, &[10_000], vec![]);
    assert_eq!((off(&draft, LineKind::Usage), draft.overpaid_minor), (6_000, 4_000));
    assert_eq!((off(&draft, LineKind::Subscription), off(&draft, LineKind::Commitment)), (0, 0));
    // The plan's 20.00 and the 70.00 missing to its commitment are due all the same.
    assert_eq!(draft.due_minor, 9_000);
}

#[test]
fn without_any_usage_all_that_was_billed_is_owed_back() {
    let team = plan(vec![]);
    let progressively_billed = vec![Fee::of_minor(700, Currency::USD)];
    let adjustments = Adjustments { progressively_billed, ..Adjustments::none(august().to()) };
    let draft = bill_events(&august(), &subscribed(team), [], &adjustments).unwrap();
    assert_eq!((draft.lines.len(), draft.overpaid_minor), (0, 700));
}

proptest! {
    #[test]
    fn no_money_billed_before_disappears(
        used in 0..20_000_i64,
        before in prop::collection::vec(-5_000..20_000_i64, 0..5),
        percent in 0..100_u32,
    ) {
        let amount = CouponAmount::Percent(q(&percent.to_string()));
        let coupon = Coupon { code: "c".into(), amount, sharing: Sharing::Proportional, only: None };
        let draft = billed(used, &before, vec![coupon]);
        let reductions = draft.lines.iter().flat_map(|line| &line.reductions);
        let taken: i64 =
            reductions.filter(|reduction| reduction.coupon.is_none()).map(|reduction| reduction.minor).sum();
        prop_assert_eq!(taken + draft.overpaid_minor, before.iter().sum::<i64>().max(0));
        prop_assert!(taken <= used && (draft.overpaid_minor == 0 || taken == used));
    }
}
