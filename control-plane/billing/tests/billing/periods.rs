//! Months as calendars have them, and amounts as they round.

use crate::world::{TEAM, World, adds_up, at};

#[tokio::test]
async fn a_plan_changed_in_mid_month_bills_each_plan_for_its_days() {
    let world = World::new().await;
    world.acme().await;
    world
        .publish(&TEAM.replace("\"team\"", "\"pro\"").replace("\"20\"", "\"50\"").replace("0.001", "0.0005"))
        .await;
    world.used("sub", "2026-01-15T23:59:59Z", "ann", "1000");
    world.used("sub", "2026-01-16T00:00:00Z", "ann", "1000");
    world.store.change_plan(&world.namespace, "sub", "pro", at("2026-01-16T00:00:00Z")).await.unwrap();
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    let lines: Vec<(&str, i64)> =
        invoice.lines.iter().map(|line| (line.description.as_str(), line.fee_minor)).collect();
    // 15 days of 31 at 20.00, 16 of 31 at 50.00.
    assert_eq!(lines, [("Plan team", 968), ("tokens", 100), ("Plan pro", 2_581), ("tokens", 50)]);
    adds_up(&invoice);
    let again = world.store.change_plan(&world.namespace, "sub", "team", at("2026-01-20T00:00:00Z")).await;
    assert!(again.unwrap_err().to_string().contains("what came before is billed"));
}

#[tokio::test]
async fn a_month_with_a_clock_change_ends_at_local_midnight() {
    let world = World::new().await;
    world.customer_in("acme", "Europe/Berlin", "EUR").await;
    world.publish(TEAM).await;
    world.subscribed("sub", "acme", "team", "2026-02-28T23:00:00Z").await;
    world.used("sub", "2026-02-28T23:00:00Z", "ann", "1000");
    world.used("sub", "2026-03-31T21:59:59.999999Z", "ann", "2000");
    world.used("sub", "2026-03-31T22:00:00Z", "ann", "4000");
    let march = world.billed("2026-03-31T22:00:00Z").await;
    assert_eq!(
        (march.period.from(), march.period.to()),
        (at("2026-02-28T23:00:00Z"), at("2026-03-31T22:00:00Z"))
    );
    assert_eq!(march.subtotal_minor, 2_000 + 300, "31 days, one of them 23 hours long, are a whole month");
    let april = world.billed("2026-04-30T22:00:00Z").await;
    assert_eq!(april.subtotal_minor, 2_000 + 400);
}

#[tokio::test]
async fn a_subscription_that_starts_on_a_leap_day_pays_for_one_day() {
    let world = World::new().await;
    world.customer("acme").await;
    world.publish(&TEAM.replace("\"20\"", "\"29\"")).await;
    world.subscribed("sub", "acme", "team", "2028-02-29T00:00:00Z").await;
    let february = world.billed("2028-03-01T00:00:00Z").await;
    assert_eq!((february.subtotal_minor, february.tax_minor), (100, 19));
    assert_eq!(world.billed("2028-04-01T00:00:00Z").await.subtotal_minor, 2_900);
}

#[tokio::test]
async fn zero_usage_costs_the_plan_and_nothing_at_all_costs_no_number() {
    let world = World::new().await;
    world.acme().await;
    world.publish(&TEAM.replace("\"team\"", "\"free\"").replace("\"20\"", "\"0\"")).await;
    world.subscribed("free", "acme", "free", "2026-01-01T00:00:00Z").await;
    let report = world.run("2026-02-01T00:00:00Z").await;
    assert_eq!((report.drafts.len(), report.empty.as_slice()), (1, &["free".to_owned()][..]));
    assert_eq!(world.record("free").await.current_period.from(), at("2026-02-01T00:00:00Z"));
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!((invoice.lines.len(), invoice.subtotal_minor), (1, 2_000));
    assert_eq!(invoice.number, "INV-000001");
    // What comes late for the empty month goes on the next invoice.
    world.used("free", "2026-01-20T00:00:00Z", "ann", "5000");
    let report = world.run("2026-03-01T00:00:00Z").await;
    let late = report.drafts.iter().find(|draft| draft.subscription == "free").unwrap();
    let late = world.try_finalize(&late.id, "late", "2026-03-01T00:00:00Z").await.unwrap().document;
    assert_eq!((late.subtotal_minor, late.lines[0].correction), (500, true));
}

#[tokio::test]
async fn half_a_cent_rounds_up_once_a_fee() {
    let world = World::new().await;
    world.customer("acme").await;
    world.publish(&TEAM.replace("\"20\"", "\"0\"").replace("19", "50")).await;
    world.subscribed("sub", "acme", "team", "2026-01-01T00:00:00Z").await;
    for _ in 0..3 {
        world.used("sub", "2026-01-05T00:00:00Z", "ann", "5");
    }
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    // 15 tokens at 0.001 are 1.5 cents; the tax is half of 1.5 cents, not of 2.
    assert_eq!((invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor), (2, 1, 3));
    assert_eq!(
        invoice.lines[0].unit_price.as_deref(),
        Some("0.001"),
        "the price is not rounded with the fee"
    );
    adds_up(&invoice);
}

#[tokio::test]
async fn a_subscription_that_ends_is_billed_to_its_last_day_and_never_again() {
    let world = World::new().await;
    world.acme().await;
    world.store.cancel(&world.namespace, "sub", at("2026-01-16T00:00:00Z")).await.unwrap();
    world.used("sub", "2026-01-20T00:00:00Z", "ann", "9000");
    let report = world.run("2026-02-01T00:00:00Z").await;
    assert_eq!(report.unmatched[&creto_billing::Unmatched::NoService], 1);
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!(invoice.subtotal_minor, 968);
    assert!(world.run("2026-06-01T00:00:00Z").await.drafts.is_empty());
}

#[tokio::test]
async fn months_that_were_missed_get_an_invoice_each() {
    let world = World::new().await;
    world.acme().await;
    world.used("sub", "2026-02-10T00:00:00Z", "ann", "1000");
    let report = world.run("2026-04-01T00:00:00Z").await;
    let mut totals = Vec::new();
    for draft in &report.drafts {
        // Finalizing one makes the drafts of the others stale: each is drawn up again.
        let again = world.run("2026-04-01T00:00:00Z").await;
        let id = &again.drafts[0].id;
        assert_eq!(id, &draft.id);
        totals
            .push(world.try_finalize(id, id, "2026-04-01T00:00:00Z").await.unwrap().document.subtotal_minor);
    }
    assert_eq!(totals, [2_000, 2_100, 2_000]);
}
