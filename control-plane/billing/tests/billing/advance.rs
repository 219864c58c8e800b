//! What is paid in advance: the plan's fee when its period starts, and charges as their events come in.

use creto_billing::{InvoiceDocument, InvoiceKind, SubscriptionStatus};

use crate::world::{TEAM, World, adds_up, at};

/// 29 a month in advance, so that a day of a leap February is 1; 1 a token in advance, and calls at the end.
const AHEAD: &str = r#"
code = "ahead"
effective_from = "2026-01-01T00:00:00Z"
currency = "EUR"
interval = "monthly"
amount = "29"
pay_in_advance = true
commitment = "40"
taxes = [{ code = "vat", percent = "10" }]
[[charges]]
code = "tokens"
pay_in_advance = true
metric = { meter = "llm.tokens", aggregation = { type = "sum", field = "tokens" } }
model = { type = "standard", rate = "1" }
[[charges]]
code = "calls"
metric = { meter = "call", aggregation = { type = "count" } }
model = { type = "standard", rate = "0.50" }
"#;

impl World {
    /// What is billed of the open period; nothing when nothing is due.
    async fn billed_ahead(&self, when: &str) -> Option<InvoiceDocument> {
        let report = self.run_progressive(when).await;
        assert!(report.refused.is_empty() && report.passed.is_empty(), "{report:?}");
        let id = report.drafts.first()?.id.clone();
        let document = self.try_finalize(&id, &format!("ahead-{id}"), when).await.unwrap().document;
        adds_up(&document);
        assert_eq!(document.kind, InvoiceKind::Progressive);
        Some(document)
    }

    async fn credited(&self) -> Vec<(i64, i64)> {
        let notes = self.store.credit_notes(&self.namespace, "acme").await.unwrap();
        notes.iter().map(|note| (note.document.total_minor, note.document.tax_minor)).collect()
    }

    async fn ahead(&self, since: &str) {
        self.customer("acme").await;
        self.publish(AHEAD).await;
        self.subscribed("sub", "acme", "ahead", since).await;
    }
}

fn nets(document: &InvoiceDocument) -> Vec<(String, i64)> {
    document.lines.iter().map(|line| (line.description.clone(), line.net_minor)).collect()
}

fn named(list: &[(&str, i64)]) -> Vec<(String, i64)> {
    list.iter().map(|(name, minor)| ((*name).to_owned(), *minor)).collect()
}

#[tokio::test]
async fn the_fee_is_billed_when_the_period_starts_and_charges_as_their_events_come_in() {
    let world = World::new().await;
    world.ahead("2026-03-01T00:00:00Z").await;
    let first = world.billed_ahead("2026-03-01T00:00:00Z").await.unwrap();
    assert_eq!(nets(&first), named(&[("Plan ahead", 2_900)]));
    assert_eq!(first.total_minor, 3_190);
    assert!(world.billed_ahead("2026-03-02T00:00:00Z").await.is_none(), "once");

    world.used("sub", "2026-03-05T00:00:00Z", "ann", "10");
    world.told("sub", "", "2026-03-05T00:00:00Z", "ann", "call", "1");
    let second = world.billed_ahead("2026-03-06T00:00:00Z").await.unwrap();
    assert_eq!(nets(&second), named(&[("tokens", 1_000)]));
    // Six less give nothing back, and ten more add four to the most there was.
    world.used("sub", "2026-03-07T00:00:00Z", "ann", "-6");
    assert!(world.billed_ahead("2026-03-08T00:00:00Z").await.is_none());
    world.used("sub", "2026-03-09T00:00:00Z", "ann", "10");
    assert_eq!(world.billed_ahead("2026-03-10T00:00:00Z").await.unwrap().total_minor, 440);

    // At the end: the call. 29 and 14 and 0.50 are above the commitment of 40.
    let last = world.billed("2026-04-01T00:00:00Z").await;
    adds_up(&last);
    assert_eq!(nets(&last), named(&[("calls", 50)]));
    assert!(world.credited().await.is_empty());
    // And the next fee.
    assert_eq!(world.billed_ahead("2026-04-01T00:00:00Z").await.unwrap().total_minor, 3_190);
}

#[tokio::test]
async fn a_start_within_a_leap_february_pays_its_days_and_an_early_end_gives_the_rest_back() {
    let world = World::new().await;
    world.ahead("2028-02-10T15:00:00Z").await;
    // The 10th to the 29th are 20 of 29 days.
    let first = world.billed_ahead("2028-02-10T15:00:00Z").await.unwrap();
    assert_eq!(nets(&first), named(&[("Plan ahead", 2_000)]));
    world.store.cancel(&world.namespace, "sub", at("2028-02-25T00:00:00Z")).await.unwrap();
    assert_eq!(world.record("sub").await.status, SubscriptionStatus::Canceled);
    assert!(world.billed_ahead("2028-02-25T00:00:00Z").await.is_none());
    // Used were the 10th to the 24th: 15 days, 15.00. The commitment of 40 for 15 of 29 days is 20.69: 5.69 are missing.
    let last = world.billed("2028-03-01T00:00:00Z").await;
    adds_up(&last);
    assert_eq!(nets(&last), named(&[("Commitment of plan ahead", 569)]));
    // 5.00 and its tax come back, and pay part of it.
    assert_eq!(world.credited().await, [(550, 50)]);
    assert_eq!((last.total_minor, last.credited_minor, last.due_minor), (626, 550, 76));
}

#[tokio::test]
async fn a_plan_changed_within_the_period_gives_back_its_days_and_the_new_one_is_paid_for_its_own() {
    let world = World::new().await;
    world.ahead("2026-03-01T00:00:00Z").await;
    let dearer = AHEAD.replace("code = \"ahead\"", "code = \"more\"").replace("\"29\"", "\"62\"");
    world.publish(&dearer).await;
    world.billed_ahead("2026-03-01T00:00:00Z").await.unwrap();
    world.store.change_plan(&world.namespace, "sub", "more", at("2026-03-21T00:00:00Z")).await.unwrap();
    // 11 of 31 days of 62 are 22.00; 20 of 31 days of 29 are 18.71, so that 10.29 come back.
    let changed = world.billed_ahead("2026-03-21T00:00:00Z").await.unwrap();
    assert_eq!(nets(&changed), named(&[("Plan more", 2_200)]));
    assert_eq!(world.credited().await, [(1_132, 103)]);
    assert_eq!((changed.credited_minor, changed.due_minor), (1_132, 2_420 - 1_132));
    assert!(world.billed_ahead("2026-03-22T00:00:00Z").await.is_none());
    // The commitments of 40, for 20 and for 11 of 31 days, are 25.81 and 14.19: 7.10 are missing to the first.
    let last = world.billed("2026-04-01T00:00:00Z").await;
    assert_eq!(nets(&last), named(&[("Commitment of plan ahead", 710)]));
}

#[tokio::test]
async fn who_pays_nothing_in_advance_is_not_billed_before_the_end() {
    let world = World::new().await;
    world.customer("acme").await;
    world.publish(TEAM).await;
    world.subscribed("sub", "acme", "team", "2026-01-01T00:00:00Z").await;
    world.used("sub", "2026-01-05T00:00:00Z", "ann", "1000");
    assert!(world.billed_ahead("2026-01-10T00:00:00Z").await.is_none());
    assert_eq!(world.billed("2026-02-01T00:00:00Z").await.subtotal_minor, 2_100);
}

#[tokio::test]
async fn usage_in_advance_that_was_never_billed_before_the_end_is_billed_with_the_period() {
    let world = World::new().await;
    world.ahead("2026-03-01T00:00:00Z").await;
    for (day, tokens) in [("05", "10"), ("07", "-6"), ("09", "10")] {
        world.used("sub", &format!("2026-03-{day}T00:00:00Z"), "ann", tokens);
    }
    let only = world.billed("2026-04-01T00:00:00Z").await;
    assert_eq!(only.lines.iter().map(|line| line.net_minor).collect::<Vec<_>>(), [2_900, 1_400]);
}
