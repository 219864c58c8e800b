//! What a period comes to so far.

use creto_billing::{BillingError, BillingRun, Draft, NewSubscription};
use creto_rating::Thresholds;

use crate::world::{TEAM, World, at};

async fn preview(world: &World, subscription: &str, when: &str) -> Result<Draft, BillingError> {
    BillingRun::new(&world.namespace, at(when)).preview(&*world.store, &world.usage, subscription).await
}

#[tokio::test]
async fn a_preview_is_what_the_invoice_would_be_and_keeps_nothing() {
    let world = World::new().await;
    world.acme().await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "5000");
    world.used("other", "2026-01-10T00:00:00Z", "ann", "7000");
    world.used("sub", "2026-02-10T00:00:00Z", "ann", "9000");
    let draft = preview(&world, "sub", "2026-01-15T00:00:00Z").await.unwrap();
    // 20.00 and 5.00, with 19 percent.
    assert_eq!((draft.lines.len(), draft.total_minor().unwrap()), (2, 2_975));
    assert!(world.store.invoices(&world.namespace, &Default::default()).await.unwrap().is_empty());
    assert_eq!(world.record("sub").await.current_period, draft.period);
    let document = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!(document.total_minor, 2_975);
    assert_eq!(document.lines, draft.items());
    // The next period is the one that is open now.
    let next = preview(&world, "sub", "2026-02-15T00:00:00Z").await.unwrap();
    assert_eq!(next.total_minor().unwrap(), 2_380 + 1_071);
}

#[tokio::test]
async fn what_was_billed_at_a_threshold_is_not_in_the_preview() {
    let world = World::new().await;
    world.customer("acme").await;
    world.publish(TEAM).await;
    let mut new = NewSubscription::new("sub", "acme", "team", at("2026-01-01T00:00:00Z"));
    new.thresholds = Some(Thresholds { fixed: vec![1_000], recurring: None });
    world.store.subscribe(&world.namespace, &new).await.unwrap();
    world.used("sub", "2026-01-05T00:00:00Z", "ann", "12000");
    let passed = world.run_progressive("2026-01-06T00:00:00Z").await;
    let id = &passed.drafts[0].id;
    let billed = world.try_finalize(id, "k", "2026-01-06T00:00:00Z").await.unwrap().document;
    assert_eq!(billed.subtotal_minor, 1_200);
    world.used("sub", "2026-01-20T00:00:00Z", "ann", "3000");
    let draft = preview(&world, "sub", "2026-01-21T00:00:00Z").await.unwrap();
    let fees: i64 = draft.lines.iter().map(|line| line.amounts.fee_minor).sum();
    assert_eq!(fees, 2_000 + 300);
}

#[tokio::test]
async fn a_subscription_that_is_none_or_has_ended_has_no_preview() {
    let world = World::new().await;
    world.acme().await;
    let missing = preview(&world, "nobody", "2026-01-15T00:00:00Z").await;
    assert!(matches!(missing, Err(BillingError::NotFound { what: "subscription", .. })), "{missing:?}");
    world.store.cancel(&world.namespace, "sub", at("2026-01-20T00:00:00Z")).await.unwrap();
    assert!(preview(&world, "sub", "2026-01-25T00:00:00Z").await.is_ok());
    world.billed("2026-02-01T00:00:00Z").await;
    let ended = preview(&world, "sub", "2026-02-15T00:00:00Z").await;
    assert!(matches!(ended, Err(BillingError::NotFound { .. })), "{ended:?}");
}
