//! Whole bills, worked out by hand.

use std::sync::Arc;

use creto_rating::{
    Adjustments, Aggregation, BucketLabel, Coupon, CouponAmount, Credit, CreditNote, Currency, Exact, Fee,
    Filter, InvoiceDraft, LineKind, Metric, Model, PlanVersion, Received, Sharing, Source, Subscription,
    TaxRate, Usage, UsageEvent, Wallet, bill, bill_events,
};

use crate::speech::{
    DAY, HOUR, august, charge, event, exact, later, number, plan, q, standard, subscribed, sum, text, tiers,
};

fn none() -> Adjustments {
    Adjustments::none(august().to())
}

fn billed(subscription: &Subscription, events: &[UsageEvent]) -> InvoiceDraft {
    bill_events(&august(), subscription, events.to_vec(), &none()).unwrap()
}

fn used(sequence: u64, day: i64, n: &str, agent: &str, model: &str) -> UsageEvent {
    let moment = later(august().from(), (day - 1) * DAY);
    UsageEvent { agent: agent.into(), ..event(sequence, moment, &[("n", number(n)), ("model", text(model))]) }
}

fn minors(draft: &InvoiceDraft) -> Vec<(LineKind, i64)> {
    draft.lines.iter().map(|line| (line.kind, line.fee.minor)).collect()
}

#[test]
fn a_line_keeps_its_precise_amount_beside_the_rounded_one() {
    let draft = billed(
        &subscribed(plan(vec![charge("tokens", sum("n"), standard("0.0000015"))])),
        &[used(1, 1, "3333", "a", "m")],
    );
    let line = &draft.lines[0];
    assert_eq!(
        (line.fee.precise.clone(), line.fee.minor, line.units.clone()),
        (exact("0.0049995"), 0, exact("3333"))
    );
    assert_eq!((line.unit_price.clone(), line.events), (Some(exact("0.0000015")), 1));
}

#[test]
fn the_filter_with_most_keys_wins_and_the_rest_pays_the_default_price() {
    let filter = |name: &str, keys: &[(&str, &str)], rate| Filter {
        name: name.into(),
        keys: keys.iter().map(|(key, value)| ((*key).to_owned(), [(*value).to_owned()].into())).collect(),
        model: standard(rate),
    };
    let mut tokens = charge("tokens", sum("n"), standard("1"));
    tokens.filters = vec![
        filter("large", &[("model", "large")], "2"),
        filter("large-eu", &[("model", "large"), ("region", "eu")], "3"),
    ];
    let with_region = |mut event: UsageEvent, region: &str| {
        event.properties.insert("region".into(), text(region));
        event
    };
    let events = [
        used(1, 1, "10", "a", "small"),
        used(2, 1, "10", "a", "large"),
        with_region(used(3, 1, "10", "a", "large"), "eu"),
        with_region(used(4, 1, "10", "a", "small"), "eu"),
    ];
    let draft = billed(&subscribed(plan(vec![tokens])), &events);
    let lines: Vec<_> =
        draft.lines.iter().map(|line| (line.bucket.filter.as_deref(), line.fee.minor)).collect();
    assert_eq!(lines, [(Some("large"), 2_000), (Some("large-eu"), 3_000), (None, 2_000)]);
}

#[test]
fn each_group_is_priced_for_itself_and_events_without_the_key_are_one() {
    let model = Model::Graduated { tiers: tiers(&[("0", "10", "1", "0"), ("10", "inf", "0.5", "0")]) };
    let mut tokens = charge("tokens", sum("n"), model);
    tokens.group_by = vec!["model".into()];
    let mut without = used(4, 1, "20", "a", "x");
    without.properties.remove("model");
    let events = [
        used(1, 1, "8", "a", "large"),
        used(2, 2, "8", "a", "large"),
        used(3, 1, "8", "a", "small"),
        without,
    ];
    let draft = billed(&subscribed(plan(vec![tokens])), &events);
    let lines: Vec<_> = draft.lines.iter().map(|line| (line.bucket.group.clone(), line.fee.minor)).collect();
    let group = |name: &str| vec![Some(name.to_owned())];
    assert_eq!(lines, [(vec![None], 1_500), (group("large"), 1_300), (group("small"), 800)]);
}

#[test]
fn without_usage_the_first_flat_fee_is_due_and_what_costs_nothing_has_no_line() {
    let model = Model::Graduated { tiers: tiers(&[("0", "10", "10", "2"), ("10", "inf", "5", "3")]) };
    let charges = vec![charge("tiers", sum("n"), model), charge("plain", sum("n"), standard("1"))];
    assert_eq!(minors(&billed(&subscribed(plan(charges)), &[])), [(LineKind::Usage, 200)]);
}

#[test]
fn a_plan_changed_mid_period_splits_it_and_each_day_is_paid_once() {
    let (mut first, mut second) = (plan(vec![charge("tokens", sum("n"), standard("1"))]), plan(vec![]));
    first.amount = q("31");
    second.code = "more".into();
    second.amount = q("62");
    second.charges = vec![charge("tokens", sum("n"), standard("2"))];
    let mut subscription = subscribed(first);
    // At noon on the 11th: the 11th is the new plan's.
    let change = later(august().from(), 10 * DAY + 12 * HOUR);
    subscription.versions.push(PlanVersion { from: change, plan: Arc::new(second) });
    let mut just_before = used(3, 1, "1", "a", "m");
    just_before.order.at = later(change, -1);
    let mut at_change = used(4, 1, "1", "a", "m");
    at_change.order.at = change;
    let events = [used(1, 2, "5", "a", "m"), used(2, 20, "5", "a", "m"), just_before, at_change];
    let draft = billed(&subscription, &events);
    let lines: Vec<_> =
        draft.lines.iter().map(|line| (line.plan.as_str(), line.kind, line.fee.minor)).collect();
    let expected = [
        ("team", LineKind::Subscription, 1_000),
        ("team", LineKind::Usage, 600),
        ("more", LineKind::Subscription, 4_200),
        ("more", LineKind::Usage, 1_200),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn units_that_last_go_on_under_the_new_plan_and_count_each_day_once() {
    let seats = |rate| {
        let aggregation = Aggregation::UniqueCount { field: "n".into() };
        let metric = Metric { recurring: true, prorated: true, ..Metric::new("calls", aggregation) };
        creto_rating::Charge::new("seats", metric, standard(rate))
    };
    let mut subscription = subscribed(plan(vec![seats("31")]));
    let mut second = plan(vec![seats("62")]);
    second.code = "more".into();
    let change = later(august().from(), 10 * DAY + 12 * HOUR);
    subscription.versions.push(PlanVersion { from: change, plan: Arc::new(second) });
    let draft = billed(&subscription, &[used(1, -30, "1", "a", "m")]);
    assert_eq!(minors(&draft), [(LineKind::Usage, 1_000), (LineKind::Usage, 4_200)]);
}

#[test]
fn a_subscription_that_starts_or_ends_mid_period_pays_its_days() {
    let mut whole = plan(vec![]);
    whole.amount = q("31");
    let mut subscription = Subscription::new("s", "acme", later(august().from(), 9 * DAY + HOUR), whole);
    assert_eq!(minors(&billed(&subscription, &[])), [(LineKind::Subscription, 2_200)]);
    subscription.ended_at = Some(later(august().from(), 19 * DAY));
    assert_eq!(minors(&billed(&subscription, &[])), [(LineKind::Subscription, 1_000)]);
    subscription.ended_at = Some(august().from());
    assert_eq!(minors(&billed(&subscription, &[])), []);
}

#[test]
fn what_is_missing_to_minimum_and_commitment_is_charged_to_the_cent() {
    let mut tokens = charge("tokens", sum("n"), standard("0.333"));
    tokens.minimum = Some(q("10"));
    let mut team = plan(vec![tokens, charge("other", Aggregation::Count, standard("1.005"))]);
    team.amount = q("5");
    team.commitment = Some(q("40"));
    let draft = billed(&subscribed(team), &[used(1, 1, "10", "a", "m"), used(2, 1, "5", "b", "m")]);
    let expected = [
        (LineKind::Subscription, 500),
        (LineKind::Usage, 500),
        (LineKind::Minimum, 500),
        (LineKind::Usage, 201),
        (LineKind::Commitment, 2_299),
    ];
    assert_eq!(minors(&draft), expected);
    assert_eq!(draft.subtotal_minor, 4_000);
    assert_eq!(draft.lines.iter().map(|line| &line.fee.precise).sum::<Exact>(), exact("40"));
    assert_eq!(draft.lines[2].fee.precise, exact("5.005"));
}

#[test]
fn a_minimum_is_prorated_and_fees_paid_in_advance_count_towards_the_commitment() {
    let mut tokens = charge("tokens", sum("n"), standard("1"));
    tokens.minimum = Some(q("31"));
    let mut team = plan(vec![tokens]);
    team.commitment = Some(q("62"));
    let subscription = Subscription::new("s", "acme", later(august().from(), 21 * DAY), team);
    let adjustments = Adjustments { in_advance: vec![Fee::of_minor(700, Currency::USD)], ..none() };
    let draft = bill_events(&august(), &subscription, [], &adjustments).unwrap();
    assert_eq!(minors(&draft), [(LineKind::Minimum, 1_000), (LineKind::Commitment, 300)]);
}

#[test]
fn tax_is_worked_out_on_precise_amounts_and_rounded_once() {
    let mut tokens = charge("tokens", sum("n"), standard("0.004"));
    tokens.group_by = vec!["model".into()];
    let mut other = charge("other", Aggregation::Count, standard("1"));
    other.taxes = Some(vec![TaxRate { code: "reduced".into(), percent: q("7") }]);
    let mut team = plan(vec![tokens, other]);
    team.taxes = vec![TaxRate { code: "vat".into(), percent: q("19") }];
    let events: Vec<UsageEvent> = (0..3).map(|n| used(n, 1, "101", "a", &format!("m{n}"))).collect();
    let draft = billed(&subscribed(team), &events);
    // Three fees of 0.404 are asked for as 0.40, and taxed as 1.212: 0.23028. Three calls at 1.00: 0.21.
    let taxes: Vec<_> =
        draft.taxes.iter().map(|tax| (tax.code.as_str(), tax.precise.to_string(), tax.minor)).collect();
    assert_eq!(taxes, [("reduced", "0.21".to_owned(), 21), ("vat", "0.23028".to_owned(), 23)]);
    let parts: Vec<i64> = draft.lines.iter().map(|line| line.taxes[0].minor).collect();
    assert_eq!(parts, [8, 8, 7, 21]);
    assert_eq!((draft.subtotal_minor, draft.tax_minor, draft.total_minor), (420, 44, 464));
}

#[test]
fn coupons_go_off_before_tax_in_their_order_and_never_below_zero() {
    let mut team = plan(vec![
        charge("tokens", sum("n"), standard("1")),
        charge("calls", Aggregation::Count, standard("10")),
    ]);
    team.taxes = vec![TaxRate { code: "vat".into(), percent: q("10") }];
    let coupon = |code: &str, amount, only: Option<&str>| Coupon {
        code: code.into(),
        amount,
        sharing: Sharing::Proportional,
        only: only.map(|charge| [charge.to_owned()].into()),
    };
    let adjustments = Adjustments {
        progressively_billed: vec![Fee::of_minor(400, Currency::USD)],
        coupons: vec![
            coupon("half", CouponAmount::Percent(q("50")), Some("tokens")),
            coupon("all", CouponAmount::Fixed { minor: 100_000, currency: Currency::USD }, Some("tokens")),
            coupon("ten", CouponAmount::Percent(q("10")), None),
        ],
        ..none()
    };
    let draft =
        bill_events(&august(), &subscribed(team), [used(1, 1, "30", "a", "m")], &adjustments).unwrap();
    // 30 and 10; 4 billed before, shared 3 to 1; tokens halved and then taken off; ten percent of the 9 that are left.
    let off: Vec<Vec<i64>> = draft
        .lines
        .iter()
        .map(|line| line.reductions.iter().map(|reduction| reduction.minor).collect())
        .collect();
    assert_eq!(off, [vec![300, 1_350, 1_350], vec![100, 90]]);
    assert_eq!(draft.lines.iter().map(|line| line.net_minor).collect::<Vec<_>>(), [0, 810]);
    assert_eq!((draft.reductions_minor, draft.tax_minor, draft.total_minor), (3_190, 81, 891));
}

#[test]
fn credit_notes_and_then_wallets_pay_what_is_due_and_are_told_as_they_will_be() {
    let team = plan(vec![
        charge("tokens", sum("n"), standard("1")),
        charge("calls", Aggregation::Count, standard("5")),
    ]);
    let credit = Credit {
        id: "c".into(),
        priority: 1,
        source: Source::Purchased,
        received_at: august().from(),
        expires_at: None,
        left: 900,
    };
    let wallet = Wallet {
        id: "w".into(),
        priority: 1,
        created_at: august().from(),
        currency: Currency::USD,
        only: None,
        credits: vec![credit],
    };
    let adjustments = Adjustments {
        credit_notes: vec![CreditNote { id: "n".into(), currency: Currency::USD, left: 300 }],
        wallets: vec![wallet],
        ..none()
    };
    let draft =
        bill_events(&august(), &subscribed(team), [used(1, 1, "10", "a", "m")], &adjustments).unwrap();
    assert_eq!(
        (draft.total_minor, draft.credited_minor, draft.prepaid_minor, draft.due_minor),
        (1_500, 300, 900, 300)
    );
    assert_eq!((draft.credit_notes[0].left, draft.wallets[0].credits[0].left), (0, 0));
    let spent: Vec<_> = draft.spent.iter().map(|spent| (spent.line, spent.minor)).collect();
    assert_eq!(spent, [(0, 700), (1, 200)]);
}

#[test]
fn a_fee_is_attributed_to_agents_and_dimensions_to_the_cent() {
    let mut tokens = charge("tokens", sum("n"), standard("0.01"));
    tokens.attribute_by = vec!["model".into()];
    let mut team = plan(vec![tokens]);
    team.amount = q("1");
    let events = [used(1, 1, "33", "ann", "m1"), used(2, 1, "33", "bob", "m1"), used(3, 1, "34", "cy", "m2")];
    let draft = billed(&subscribed(team), &events);
    let parts = |parts: &[creto_rating::Part]| {
        parts.iter().map(|part| (part.name.clone().unwrap_or_default(), part.total_minor)).collect::<Vec<_>>()
    };
    let named = |list: &[(&str, i64)]| {
        list.iter().map(|(name, minor)| ((*name).to_owned(), *minor)).collect::<Vec<_>>()
    };
    // The plan's own fee follows the use of its charges.
    assert_eq!(parts(&draft.lines[0].attribution.agents), named(&[("ann", 33), ("bob", 33), ("cy", 34)]));
    assert_eq!(parts(&draft.attribution.agents), named(&[("ann", 66), ("bob", 66), ("cy", 68)]));
    assert_eq!(parts(&draft.attribution.dimensions["model"]), named(&[("m1", 132), ("m2", 68)]));
}

#[test]
fn what_nobody_caused_is_attributed_to_nobody() {
    let mut team = plan(vec![]);
    team.amount = q("7");
    let draft = billed(&subscribed(team), &[]);
    assert_eq!(
        draft.attribution.agents.iter().map(|part| (part.name.clone(), part.total_minor)).collect::<Vec<_>>(),
        [(None, 700)]
    );
}

#[test]
fn units_that_last_are_carried_into_the_next_month() {
    let metric = Metric { recurring: true, ..Metric::new("calls", sum("n")) };
    let subscription =
        Arc::new(subscribed(plan(vec![creto_rating::Charge::new("stored", metric, standard("1"))])));
    let mut first = Usage::new(Arc::clone(&subscription), august()).unwrap();
    assert_eq!(first.add(&used(1, 3, "5", "ann", "m")), Ok(Received::Counted));
    let september =
        creto_rating::Interval::Monthly.period_at(august().to(), &creto_rating::Zone::utc()).unwrap();
    let mut second = Usage::following(&first, subscription, september.clone()).unwrap();
    assert_eq!(second.add(&used(2, 40, "2", "bob", "m")), Ok(Received::Counted));
    let draft = bill(&second, &Adjustments::none(september.to())).unwrap();
    assert_eq!(minors(&draft), [(LineKind::Usage, 700)]);
    let agents: Vec<_> =
        draft.attribution.agents.iter().map(|part| (part.name.as_deref(), part.fee_minor)).collect();
    assert_eq!(agents, [(Some("ann"), 500), (Some("bob"), 200)]);
}

#[test]
fn a_draft_and_a_plan_are_written_as_they_are_read() {
    let mut team = plan(vec![charge("tokens", sum("n"), standard("0.1"))]);
    team.amount = q("10");
    let subscription = Subscription::new("s", "acme", later(august().from(), 10 * DAY), team);
    let written = serde_json::to_string(&subscription).unwrap();
    assert_eq!(serde_json::from_str::<Subscription>(&written).unwrap(), subscription);
    let draft = billed(&subscription, &[used(1, 20, "7", "ann", "m")]);
    assert_eq!(draft.lines[0].fee.precise.to_string(), "210/31");
    assert_eq!(draft.lines[1].bucket, BucketLabel::default());
    let written = serde_json::to_string(&draft).unwrap();
    assert_eq!(serde_json::from_str::<InvoiceDraft>(&written).unwrap(), draft);
}
