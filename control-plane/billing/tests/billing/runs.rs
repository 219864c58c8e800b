//! Runs that meet trouble.

use creto_billing::{BillingError, BillingRun};
use creto_rating::{Moment, Order, UsageEvent};

use crate::world::{TEAM, World, at};

#[tokio::test]
async fn nothing_is_billed_around_an_event_that_cannot_be_rated_and_others_are_billed() {
    let world = World::new().await;
    world.acme().await;
    world.subscribed("other", "acme", "team", "2026-01-01T00:00:00Z").await;
    struct Broken;
    #[async_trait::async_trait]
    impl creto_billing::UsageSource for Broken {
        async fn scan(
            &self,
            _: &str,
            from: Moment,
            _: Moment,
            each: &mut (
                     dyn for<'e> FnMut(&'e creto_billing::SourcedEvent) -> std::ops::ControlFlow<()> + Send
                 ),
        ) -> Result<(), creto_billing::SourceError> {
            let event = UsageEvent {
                id: "no-tokens".into(),
                meter: "llm.tokens".into(),
                order: Order { at: from, sequence: 1 },
                agent: "ann".into(),
                properties: Default::default(),
            };
            let _ = each(&creto_billing::SourcedEvent {
                subscription: "sub".into(),
                customer: String::new(),
                event,
            });
            Ok(())
        }
    }
    let run = BillingRun::new(&world.namespace, at("2026-02-01T00:00:00Z"));
    let report = run.draw_up(&*world.store, &Broken).await.unwrap();
    assert_eq!(report.refused.len(), 1);
    assert_eq!(report.refused[0].0, "sub");
    assert!(report.refused[0].1.to_string().contains("tokens"), "{}", report.refused[0].1);
    assert_eq!(report.drafts.iter().map(|draft| draft.subscription.as_str()).collect::<Vec<_>>(), ["other"]);
}

#[tokio::test]
async fn a_source_that_fails_leaves_no_draft() {
    let world = World::new().await;
    world.acme().await;
    struct Away;
    #[async_trait::async_trait]
    impl creto_billing::UsageSource for Away {
        async fn scan(
            &self,
            _: &str,
            _: Moment,
            _: Moment,
            _: &mut (dyn for<'e> FnMut(&'e creto_billing::SourcedEvent) -> std::ops::ControlFlow<()> + Send),
        ) -> Result<(), creto_billing::SourceError> {
            Err(creto_billing::SourceError("the disk is gone".into()))
        }
    }
    let run = BillingRun::new(&world.namespace, at("2026-02-01T00:00:00Z"));
    let failed = run.draw_up(&*world.store, &Away).await;
    assert!(matches!(failed, Err(BillingError::Source(_))), "{failed:?}");
    assert!(world.store.invoices(&world.namespace, &Default::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn grace_waits_for_usage_that_comes_late() {
    let world = World::new().await;
    world.acme().await;
    let grace = 2 * 86_400_000_000;
    let run = |when| BillingRun { grace_micros: grace, ..BillingRun::new(&world.namespace, at(when)) };
    let early = run("2026-02-02T23:59:59Z").draw_up(&*world.store, &world.usage).await.unwrap();
    assert!(early.drafts.is_empty());
    let due = run("2026-02-03T00:00:00Z").draw_up(&*world.store, &world.usage).await.unwrap();
    assert_eq!(due.drafts.len(), 1);
}

#[tokio::test]
async fn seats_stay_from_one_month_to_the_next() {
    let world = World::new().await;
    world.customer("acme").await;
    let seats = TEAM.replace("aggregation = {", "recurring = true, aggregation = {").replace("0.001", "1");
    world.publish(&seats).await;
    world.subscribed("sub", "acme", "team", "2026-01-01T00:00:00Z").await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "3");
    assert_eq!(world.billed("2026-02-01T00:00:00Z").await.subtotal_minor, 2_300);
    world.used("sub", "2026-02-10T00:00:00Z", "ann", "2");
    assert_eq!(world.billed("2026-03-01T00:00:00Z").await.subtotal_minor, 2_500);
    // Long after January has left the late window its seats are still there.
    assert_eq!(world.billed("2026-04-01T00:00:00Z").await.subtotal_minor, 2_500);
    assert_eq!(world.billed("2026-05-01T00:00:00Z").await.subtotal_minor, 2_500);
}

/// Keeps events for ninety days, as the event store does.
struct Forgetful<'w>(&'w crate::world::Told, Moment);

#[async_trait::async_trait]
impl creto_billing::UsageSource for Forgetful<'_> {
    async fn scan(
        &self,
        namespace: &str,
        from: Moment,
        to: Moment,
        each: &mut (dyn for<'e> FnMut(&'e creto_billing::SourcedEvent) -> std::ops::ControlFlow<()> + Send),
    ) -> Result<(), creto_billing::SourceError> {
        if from.micros() < self.1.micros() - 90 * 86_400_000_000 {
            return Err(creto_billing::SourceError("events of that time are not kept any more".into()));
        }
        self.0.scan(namespace, from, to, each).await
    }
}

#[tokio::test]
async fn a_bill_that_needs_events_which_are_gone_is_refused_alone() {
    let world = World::new().await;
    world.customer("acme").await;
    let seats = TEAM.replace("aggregation = {", "recurring = true, aggregation = {").replace("0.001", "1");
    world.publish(&seats.replace("code = \"team\"", "code = \"seats\"")).await;
    world.publish(TEAM).await;
    world.subscribed("old", "acme", "seats", "2026-01-01T00:00:00Z").await;
    world.subscribed("plain", "acme", "team", "2026-05-01T00:00:00Z").await;
    world.used("plain", "2026-05-10T00:00:00Z", "ann", "3000");
    let now = at("2026-06-01T00:00:00Z");
    let run = BillingRun::new(&world.namespace, now);
    let report = run.draw_up(&*world.store, &Forgetful(&world.usage, now)).await.unwrap();
    let drawn: Vec<_> = report.drafts.iter().map(|draft| draft.subscription.as_str()).collect();
    assert_eq!(drawn, ["plain"]);
    assert_eq!(report.refused.len(), 1, "{:?}", report.refused);
    assert_eq!(report.refused[0].0, "old");
    assert!(report.refused[0].1.to_string().contains("not kept any more"), "{}", report.refused[0].1);
}
