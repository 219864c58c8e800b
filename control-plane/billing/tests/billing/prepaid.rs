//! Prepaid credit and thresholds.

use creto_billing::{InvoiceKind, Movement, NewSubscription, NewWallet, Unmatched};
use creto_rating::{Passed, Thresholds};

use crate::world::{TEAM, World, adds_up, at, credit};

#[tokio::test]
async fn a_wallet_that_runs_out_in_the_middle_of_an_invoice_leaves_the_rest_due() {
    let world = World::new().await;
    world.acme().await;
    world.topped_up(3_000).await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "30000");
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!((invoice.total_minor, invoice.prepaid_minor, invoice.due_minor), (5_950, 3_000, 2_950));
    assert_eq!(invoice.prepaid[0].line, 2, "the largest line first");
    adds_up(&invoice);
    assert_eq!(world.balance().await, 0);
    let ledger = world.store.ledger(&world.namespace, "wallet", 0).await.unwrap();
    let consumed = &ledger[1];
    assert_eq!((consumed.movement, consumed.minor, consumed.line), (Movement::Consumed, -3_000, Some(2)));
    assert_eq!(consumed.invoice.as_deref(), Some(invoice.id.as_str()), "what was spent says on what");
    assert_eq!(world.billed("2026-03-01T00:00:00Z").await.prepaid_minor, 0);
}

#[tokio::test]
async fn a_wallet_for_tokens_does_not_pay_the_plan() {
    let world = World::new().await;
    world.acme().await;
    let wallet = NewWallet {
        id: "wallet".into(),
        customer: "acme".into(),
        currency: creto_rating::Currency::EUR,
        priority: 1,
        only: Some(["llm.tokens".to_owned()].into()),
        created_at: at("2026-01-01T00:00:00Z"),
    };
    world.store.open_wallet(&world.namespace, &wallet).await.unwrap();
    world.store.add_credit(&world.namespace, &credit("top-up", 10_000)).await.unwrap();
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "1000");
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!((invoice.prepaid_minor, invoice.due_minor), (119, 2_380));
    assert_eq!(world.balance().await, 10_000 - 119);
}

#[tokio::test]
async fn usage_that_passes_a_threshold_is_billed_at_once_and_not_again_at_the_end() {
    let world = World::new().await;
    world.customer("acme").await;
    world.publish(TEAM).await;
    let mut new = NewSubscription::new("sub", "acme", "team", at("2026-01-01T00:00:00Z"));
    new.thresholds = Some(Thresholds { fixed: vec![1_000], recurring: Some(5_000) });
    world.store.subscribe(&world.namespace, &new).await.unwrap();
    world.used("sub", "2026-01-05T00:00:00Z", "ann", "9999");
    assert!(
        world.run_progressive("2026-01-06T00:00:00Z").await.drafts.len() == 1,
        "9.999 is 10.00, and that is reached"
    );
    let report = world.run_progressive("2026-01-06T00:00:00Z").await;
    assert_eq!(report.passed, [("sub".to_owned(), vec![Passed::Fixed(1_000)])]);
    let draft = &report.drafts[0];
    assert_eq!(draft.kind, InvoiceKind::Progressive);
    let first = world.try_finalize(&draft.id, "p", "2026-01-06T00:00:00Z").await.unwrap().document;
    assert_eq!((first.subtotal_minor, first.lines.len()), (1_000, 1), "usage only");
    assert!(world.run_progressive("2026-01-06T00:00:00Z").await.drafts.is_empty());
    world.used("sub", "2026-01-20T00:00:00Z", "ann", "1");
    assert!(world.run_progressive("2026-01-21T00:00:00Z").await.drafts.is_empty(), "not yet the next");
    let last = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!(last.subtotal_minor, 2_000, "the plan; 10.00 of usage were billed before");
    adds_up(&last);
}

#[tokio::test]
async fn a_coupon_is_taken_off_before_tax() {
    let world = World::new().await;
    world.customer("acme").await;
    world.publish(TEAM).await;
    let mut new = NewSubscription::new("sub", "acme", "team", at("2026-01-01T00:00:00Z"));
    let coupon = r#"[{"code":"ten","amount":{"percent":"10"}}]"#;
    new.coupons = serde_json::from_str(coupon).unwrap();
    world.store.subscribe(&world.namespace, &new).await.unwrap();
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!((invoice.reductions_minor, invoice.tax_minor, invoice.total_minor), (200, 342, 2_142));
    assert_eq!(invoice.lines[0].reductions, [("ten".to_owned(), 200)]);
    adds_up(&invoice);
}

#[tokio::test]
async fn usage_of_nobody_is_counted_and_told_never_dropped() {
    let world = World::new().await;
    world.acme().await;
    world.customer("two").await;
    world.subscribed("s1", "two", "team", "2026-01-01T00:00:00Z").await;
    world.subscribed("s2", "two", "team", "2026-01-01T00:00:00Z").await;
    let when = "2026-01-10T00:00:00Z";
    world.told("", "acme", when, "ann", "llm.tokens", "1000");
    world.told("ghost", "", when, "ann", "llm.tokens", "1");
    world.told("", "ghost", when, "ann", "llm.tokens", "1");
    world.told("", "two", when, "ann", "llm.tokens", "1");
    world.told("", "", when, "ann", "llm.tokens", "1");
    world.told("sub", "", when, "ann", "gpu.seconds", "1");
    let report = world.run("2026-02-01T00:00:00Z").await;
    use Unmatched::{Ambiguous, NoCharge, Nobody, UnknownCustomer, UnknownSubscription};
    for reason in [UnknownSubscription, UnknownCustomer, Ambiguous, Nobody, NoCharge] {
        assert_eq!(report.unmatched.get(&reason), Some(&1), "{reason:?} of {report:?}");
    }
    assert_eq!((report.events, report.matched), (6, 1));
    assert_eq!(report.matched + report.unmatched.values().sum::<u64>(), report.events);
    assert_eq!((report.unmatched_ids.len(), report.scans), (5, 1), "one scan for all subscriptions");
    let trigger = creto_billing::Trigger::UnknownResourceType {
        resource_type: "gpu.seconds".into(),
        event: "event-6".into(),
    };
    assert_eq!(report.triggers(), [trigger]);
    let acme = report.drafts.iter().find(|draft| draft.subscription == "sub").unwrap();
    assert_eq!(acme.draft().unwrap().total_minor().unwrap(), 2_499);
}
