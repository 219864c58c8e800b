//! What every store must do. Each sentence has a namespace of its own.

use std::future::Future;
use std::sync::Arc;

use creto_billing::*;
use creto_rating::Moment;

use crate::world::{TEAM, World, adds_up, at, credit};

/// Runs all of it on the store that `open` opens, each time again.
pub(crate) async fn all<F: Future<Output = Arc<dyn BillingStore>>>(open: &impl Fn() -> F) {
    let store = open().await;
    let world = |namespace: &'static str| World::on(Arc::clone(&store), namespace);
    versions_of_a_plan_are_never_edited(&world("versions").await).await;
    one_namespace_does_not_see_another(&world("mine").await, &world("theirs").await).await;
    an_invoice_goes_from_draft_to_finalized_to_paid(&world("paid").await).await;
    illegal_transitions_are_refused(&world("illegal").await).await;
    racing_finalizations_give_one_invoice(&world("race").await).await;
    racing_finalizations_of_many_invoices_leave_no_gap(&world("many").await).await;
    an_idempotency_key_is_for_one_request(&world("keys").await).await;
    a_voided_invoice_gives_everything_back(&world("void").await).await;
    credit_comes_in_once_and_expires_once(&world("credits").await).await;
    a_trigger_is_raised_once(&world("triggers").await).await;
    an_unpaid_subscription_is_past_due_until_it_pays(&world("overdue").await).await;
    the_outbox_gives_an_item_to_one_claimer(&world("outbox").await).await;
    a_stale_draft_is_not_issued(&world("stale").await).await;
    an_invoice_is_found_by_its_number(&world("numbers").await).await;
    what_stripe_has_is_forgotten_and_the_rest_is_kept(&world("purge").await).await;
    a_cursor_never_goes_back(&world("cursor").await).await;
    let kept = store.invoices("paid", &InvoiceSelection::default()).await.unwrap();
    drop(store);
    assert_eq!(
        open().await.invoices("paid", &InvoiceSelection::default()).await.unwrap(),
        kept,
        "after opening again"
    );
}

async fn an_invoice_is_found_by_its_number(world: &World) {
    // A prefix that ends in digits.
    let party = Party { name: "Creto GmbH".into(), ..Party::default() };
    let settings = BillingSettings { invoice_prefix: "2026-77".into(), ..BillingSettings::of(party) };
    world.store.put_settings(&world.namespace, &settings).await.unwrap();
    world.acme().await;
    let document = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!(document.number, "2026-77000001");
    let find = async |number: &str| world.store.invoice_numbered(&world.namespace, number).await.unwrap();
    assert_eq!(find("2026-77000001").await, Some(document.id.clone()));
    for other in ["2026-78000001", "000001", "2026-7700001", "2026-77000002", "", "ü"] {
        assert_eq!(find(other).await, None, "{other}");
    }
    assert_eq!(world.store.invoice_numbered("elsewhere", "2026-77000001").await.unwrap(), None);
}

async fn what_stripe_has_is_forgotten_and_the_rest_is_kept(world: &World) {
    let (namespace, store) = (world.namespace.as_str(), &world.store);
    let now = at("2026-02-01T12:00:00Z");
    let item = |id: &str| OutboxItem { id: id.into(), kind: OutboxKind::Invoice, payload: "{}".into() };
    store.enqueue(namespace, &[item("had"), item("waits"), item("dead")], now).await.unwrap();
    assert_eq!(store.waiting(namespace).await.unwrap(), 3);
    assert!(store.is_due(namespace, now).await.unwrap());
    let until = at("2026-02-01T12:02:00Z");
    store.claim(namespace, OutboxKind::Invoice, now, until).await.unwrap();
    assert!(!store.is_due(namespace, now).await.unwrap() && store.is_due(namespace, until).await.unwrap());
    store.acked(namespace, &["had".to_owned()]).await.unwrap();
    store.dead(namespace, &["dead".to_owned()], "refused").await.unwrap();
    let hour = |text: &str| HourTotal {
        customer: "acme".into(),
        stripe_customer: "cus_acme".into(),
        event_name: "tokens".into(),
        hour: at(text),
        total: "5".parse().unwrap(),
    };
    let hours = [hour("2025-11-01T00:00:00Z"), hour("2026-02-01T00:00:00Z")];
    store.enqueue_usage(namespace, &hours, now).await.unwrap();
    assert_eq!(store.purge(namespace, until, at("2025-11-01T00:00:00Z")).await.unwrap(), 0, "not so old");
    let purge = || store.purge(namespace, at("2026-02-09T00:00:00Z"), at("2025-12-01T00:00:00Z"));
    assert_eq!(purge().await.unwrap(), 2);
    assert_eq!(purge().await.unwrap(), 0);
    assert!(store.outbox(namespace, OutboxState::Acked).await.unwrap().is_empty());
    assert_eq!(store.outbox(namespace, OutboxState::Dead).await.unwrap().len(), 1);
    // Two hours and the invoice that waits.
    assert_eq!(store.waiting(namespace).await.unwrap(), 3);
    assert_eq!(store.enqueue_usage(namespace, &hours[1..], now).await.unwrap().unchanged, 1);
}

async fn a_cursor_never_goes_back(world: &World) {
    let cursor = async |name: &str| world.store.cursor(&world.namespace, name).await.unwrap();
    assert_eq!(cursor("events").await, 0);
    for (to, stands) in [(5, 5), (3, 5), (9, 9)] {
        world.store.move_cursor(&world.namespace, "events", to).await.unwrap();
        assert_eq!(cursor("events").await, stands);
    }
    assert_eq!(cursor("others").await, 0);
    let mut known = world.store.namespaces("").await.unwrap();
    assert!(known.contains(&world.namespace) && known.is_sorted(), "{known:?}");
    known.retain(|name| *name > world.namespace);
    assert_eq!(world.store.namespaces(&world.namespace).await.unwrap(), known);
}

async fn versions_of_a_plan_are_never_edited(world: &World) {
    let first = world.publish(TEAM).await;
    assert_eq!(
        (first.version, world.publish(TEAM).await),
        (1, first.clone()),
        "publishing again changes nothing"
    );
    let dearer = TEAM.replace("\"20\"", "\"25\"");
    let same_day = PlanDocument::from_toml(&dearer).unwrap();
    let refused = world.store.publish_plan(&world.namespace, &same_day).await.unwrap_err();
    assert!(matches!(refused, BillingError::PlanOrder { .. }), "{refused}");
    let second = world.publish(&dearer.replace("2026-01-01", "2026-03-01")).await;
    assert_eq!(second.version, 2);
    let dollars = dearer.replace("2026-01-01", "2026-04-01").replace("EUR", "USD");
    let refused =
        world.store.publish_plan(&world.namespace, &PlanDocument::from_toml(&dollars).unwrap()).await;
    assert!(matches!(refused, Err(BillingError::PlanChanged { .. })), "{refused:?}");
    assert_eq!(world.store.plan_versions(&world.namespace, "team").await.unwrap(), [first, second.clone()]);
    assert_eq!(world.store.plans(&world.namespace).await.unwrap(), [second]);
    world.customer("acme").await;
    let early = world.subscribed("early", "acme", "team", "2026-02-01T00:00:00Z").await;
    let late = world.subscribed("late", "acme", "team", "2026-03-01T00:00:00Z").await;
    assert_eq!((early.plans[0].version, late.plans[0].version), (1, 2));
}

async fn one_namespace_does_not_see_another(mine: &World, theirs: &World) {
    mine.acme().await;
    let store = &theirs.store;
    assert!(store.customer("theirs", "acme").await.unwrap().is_none());
    assert!(store.subscription("theirs", "sub").await.unwrap().is_none());
    assert!(store.plan_versions("theirs", "team").await.unwrap().is_empty());
    let refused = store
        .subscribe("theirs", &NewSubscription::new("s", "acme", "team", at("2026-01-01T00:00:00Z")))
        .await;
    assert!(matches!(refused, Err(BillingError::NotFound { .. })), "{refused:?}");
    let invoice = mine.billed("2026-02-01T00:00:00Z").await;
    assert!(store.invoice("theirs", &invoice.id).await.unwrap().is_none());
    theirs.acme().await;
    assert_eq!(
        theirs.billed("2026-02-01T00:00:00Z").await.number,
        "INV-000001",
        "numbers are a namespace's own"
    );
}

async fn an_invoice_goes_from_draft_to_finalized_to_paid(world: &World) {
    world.acme().await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "5000");
    let report = world.run("2026-02-01T00:00:00Z").await;
    let id = report.drafts[0].id.clone();
    assert_eq!(world.invoice(&id).await, report.drafts[0]);
    assert_eq!(world.invoice(&id).await.state(), InvoiceState::Draft);
    let signed = world.try_finalize(&id, "one", "2026-02-01T00:00:00Z").await.unwrap();
    let document = &signed.document;
    assert_eq!((document.number.as_str(), document.due_at), ("INV-000001", at("2026-03-03T00:00:00Z")));
    assert_eq!((document.subtotal_minor, document.tax_minor, document.due_minor), (2_500, 475, 2_975));
    adds_up(document);
    assert_eq!(verify::<InvoiceDocument>(signed.json.as_bytes(), &world.key.public()).unwrap(), *document);
    assert_eq!(world.invoice(&id).await.state(), InvoiceState::Finalized);
    assert_eq!(world.record("sub").await.current_period.from(), at("2026-02-01T00:00:00Z"));
    let paid = |minor, key: &'static str| {
        world.store.pay(&world.namespace, &id, minor, at("2026-02-05T00:00:00Z"), key)
    };
    assert!(matches!(paid(2_974, "less").await, Err(BillingError::WrongAmount { due: 2_975, .. })));
    assert_eq!(paid(2_975, "pay").await.unwrap().state(), InvoiceState::Paid);
    assert_eq!(paid(2_975, "pay").await.unwrap().state(), InvoiceState::Paid, "the same key pays once");
    assert_eq!(world.invoice(&id).await.signed(), Some(&signed), "no byte of it changed");
    assert!(world.run("2026-02-01T00:00:00Z").await.drafts.is_empty());
}

async fn illegal_transitions_are_refused(world: &World) {
    world.acme().await;
    let id = world.run("2026-02-01T00:00:00Z").await.drafts[0].id.clone();
    let (ns, now) = (world.namespace.as_str(), at("2026-02-02T00:00:00Z"));
    let refused = |result: Result<Invoice, BillingError>| match result {
        Err(BillingError::Transition { from, to, .. }) => (from, to),
        other => panic!("{other:?}"),
    };
    use InvoiceState::{Draft, Finalized, Paid, Void};
    assert_eq!(refused(world.store.pay(ns, &id, 2_380, now, "a").await), (Draft, Paid));
    assert_eq!(refused(world.store.void(ns, &id, "wrong", now, "b").await), (Draft, Void));
    let early = world.try_finalize(&id, "early", "2026-01-31T23:59:59Z").await;
    assert!(matches!(early, Err(BillingError::NotOver { .. })), "{early:?}");
    world.try_finalize(&id, "c", "2026-02-02T00:00:00Z").await.unwrap();
    let again = world.try_finalize(&id, "d", "2026-02-02T00:00:00Z").await;
    assert!(
        matches!(again, Err(BillingError::Transition { from: Finalized, to: Finalized, .. })),
        "{again:?}"
    );
    world.store.pay(ns, &id, 2_380, now, "e").await.unwrap();
    assert_eq!(refused(world.store.void(ns, &id, "wrong", now, "f").await), (Paid, Void));
    assert_eq!(refused(world.store.pay(ns, &id, 2_380, now, "g").await), (Paid, Paid));
}

async fn racing_finalizations_give_one_invoice(world: &World) {
    world.acme().await;
    let id = world.run("2026-02-01T00:00:00Z").await.drafts[0].id.clone();
    let now = "2026-02-01T00:00:00Z";
    let same = tokio::join!(world.try_finalize(&id, "k", now), world.try_finalize(&id, "k", now));
    let (one, two) = (same.0.unwrap(), same.1.unwrap());
    assert_eq!(one, two, "one key, one answer");
    let other = world.try_finalize(&id, "other", now).await;
    assert!(matches!(other, Err(BillingError::Transition { .. })), "{other:?}");
    let all = world.store.invoices(&world.namespace, &InvoiceSelection::default()).await.unwrap();
    assert_eq!((all.len(), one.document.number.as_str()), (1, "INV-000001"));
}

async fn racing_finalizations_of_many_invoices_leave_no_gap(world: &World) {
    const MANY: usize = 12;
    world.customer("acme").await;
    world.publish(TEAM).await;
    for place in 0..MANY {
        world.subscribed(&format!("sub-{place}"), "acme", "team", "2026-01-01T00:00:00Z").await;
    }
    let drafts = world.run("2026-02-01T00:00:00Z").await.drafts;
    assert_eq!(drafts.len(), MANY);
    let keys: Vec<String> = (0..2 * MANY).map(|place| format!("key-{place}")).collect();
    // Each draft twice, under two keys: one of them wins.
    let race = keys
        .iter()
        .enumerate()
        .map(|(place, key)| world.try_finalize(&drafts[place % MANY].id, key, "2026-02-01T00:00:00Z"));
    let mut numbers: Vec<String> = Vec::new();
    for result in join_all(race).await {
        match result {
            Ok(signed) => numbers.push(signed.document.number),
            Err(BillingError::Transition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    numbers.sort();
    let expected: Vec<String> = (1..=MANY).map(|number| format!("INV-{number:06}")).collect();
    assert_eq!(numbers, expected);
}

/// All at once, polled in turn.
async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut ready = true;
        for (future, done) in &mut waiting {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => ready = false,
                }
            }
        }
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

async fn an_idempotency_key_is_for_one_request(world: &World) {
    world.acme().await;
    let id = world.run("2026-02-01T00:00:00Z").await.drafts[0].id.clone();
    world.try_finalize(&id, "key", "2026-02-01T00:00:00Z").await.unwrap();
    let now = at("2026-02-01T00:00:00Z");
    let reused = world.store.pay(&world.namespace, &id, 2_380, now, "key").await;
    assert!(matches!(reused, Err(BillingError::KeyReused(_))), "{reused:?}");
    let empty = world.store.pay(&world.namespace, &id, 2_380, now, "").await;
    assert!(matches!(empty, Err(BillingError::Invalid { .. })), "{empty:?}");
}

async fn a_voided_invoice_gives_everything_back(world: &World) {
    world.acme().await;
    world.topped_up(1_000).await;
    let first = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!((first.prepaid_minor, first.due_minor, world.balance().await), (1_000, 1_380, 0));
    let (ns, now) = (world.namespace.as_str(), at("2026-02-02T00:00:00Z"));
    let void = |key: &'static str| world.store.void(ns, &first.id, "Wrong address", now, key);
    assert_eq!(void("v").await.unwrap().state(), InvoiceState::Void);
    assert_eq!(void("v").await.unwrap().state(), InvoiceState::Void, "once");
    assert_eq!(world.balance().await, 1_000);
    let (_, booked) = world.store.bookings(ns, "sub", at("2026-01-01T00:00:00Z")).await.unwrap();
    assert!(booked.iter().all(|booking| booking.amounts.is_nothing()), "{booked:?}");
    let second = world.billed("2026-02-02T00:00:00Z").await;
    assert_eq!(
        (second.number.as_str(), second.prepaid_minor),
        ("INV-000002", 1_000),
        "its number stays used"
    );
    assert_eq!(second.lines, first.lines);
    let moved: Vec<(Movement, i64)> = world
        .store
        .ledger(ns, "wallet", 0)
        .await
        .unwrap()
        .iter()
        .map(|entry| (entry.movement, entry.minor))
        .collect();
    use Movement::{Consumed, Returned, TopUp};
    assert_eq!(moved, [(TopUp, 1_000), (Consumed, -1_000), (Returned, 1_000), (Consumed, -1_000)]);
}

async fn credit_comes_in_once_and_expires_once(world: &World) {
    world.acme().await;
    world.topped_up(500).await;
    let ns = world.namespace.as_str();
    assert!(
        !world.store.add_credit(ns, &credit("top-up", 500)).await.unwrap(),
        "the same credit comes in once"
    );
    let other = world.store.add_credit(ns, &credit("top-up", 600)).await;
    assert!(matches!(other, Err(BillingError::Exists { .. })), "{other:?}");
    let until = NewCredit { expires_at: Some(at("2026-01-15T00:00:00Z")), ..credit("gift", 70) };
    assert!(world.store.add_credit(ns, &until).await.unwrap());
    assert!(world.store.expire_credits(ns, at("2026-01-14T23:59:59Z")).await.unwrap().is_empty());
    let expired = world.store.expire_credits(ns, at("2026-01-15T00:00:00Z")).await.unwrap();
    assert_eq!((expired.len(), expired[0].minor, expired[0].movement), (1, -70, Movement::Expired));
    assert!(world.store.expire_credits(ns, at("2026-02-15T00:00:00Z")).await.unwrap().is_empty());
    let ledger = world.store.ledger(ns, "wallet", 0).await.unwrap();
    assert_eq!(ledger.iter().map(|entry| entry.minor).sum::<i64>(), world.balance().await);
    for wrong in [NewCredit { minor: 0, ..credit("zero", 1) }, NewCredit { minor: -5, ..credit("below", 1) }]
    {
        assert!(matches!(world.store.add_credit(ns, &wrong).await, Err(BillingError::Invalid { .. })));
    }
}

async fn a_trigger_is_raised_once(world: &World) {
    let ns = world.namespace.as_str();
    let window = at("2026-01-01T00:00:00Z");
    let spent = |used| Trigger::BudgetNearlySpent { budget: "team".into(), used, limit: 100, percent: 80 };
    let raise = |trigger: Trigger, window: Moment| async move {
        world.store.raise(ns, &trigger, window, at("2026-01-05T00:00:00Z")).await.unwrap()
    };
    assert!(raise(spent(80), window).await);
    assert!(!raise(spent(95), window).await, "once a window");
    assert!(raise(spent(81), at("2026-02-01T00:00:00Z")).await);
    assert!(raise(Trigger::Spike { budget: "team".into(), hour: 13, mean: 10 }, window).await);
    assert!(
        raise(Trigger::UnknownResourceType { resource_type: "gpu".into(), event: "e".into() }, window).await
    );
    let open = world.store.triggers(ns, true).await.unwrap();
    assert_eq!(open.len(), 4);
    assert!(open.iter().any(|raised| raised.trigger == spent(80)), "as it was first seen");
    let noted = at("2026-01-06T00:00:00Z");
    let team = ("budget_nearly_spent", "team", window);
    assert!(world.store.acknowledge(ns, team, "olga", noted).await.unwrap());
    assert!(!world.store.acknowledge(ns, team, "pjotr", noted).await.unwrap(), "who noted it first did");
    assert_eq!(world.store.triggers(ns, true).await.unwrap().len(), 3);
    let all = world.store.triggers(ns, false).await.unwrap();
    assert!(all.iter().any(|raised| raised.acknowledged == Some((noted, "olga".into()))));
    assert!(!raise(spent(99), window).await, "noted is not forgotten");
}

async fn an_unpaid_subscription_is_past_due_until_it_pays(world: &World) {
    world.acme().await;
    let ns = world.namespace.as_str();
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!(world.store.mark_overdue(ns, invoice.due_at).await.unwrap(), 0, "due today is not overdue");
    let late = at("2026-03-10T00:00:00Z");
    assert_eq!(world.store.mark_overdue(ns, late).await.unwrap(), 1);
    assert_eq!(world.record("sub").await.status, SubscriptionStatus::PastDue);
    world.store.pay(ns, &invoice.id, invoice.due_minor, late, "pay").await.unwrap();
    assert_eq!(world.record("sub").await.status, SubscriptionStatus::Active);
    let canceled = world.store.cancel(ns, "sub", at("2026-03-20T00:00:00Z")).await.unwrap();
    assert_eq!(canceled.status, SubscriptionStatus::Canceled);
    let back = world.store.set_status(ns, "sub", SubscriptionStatus::Active).await;
    assert!(matches!(back, Err(BillingError::Status { .. })), "{back:?}");
}

async fn the_outbox_gives_an_item_to_one_claimer(world: &World) {
    let (ns, store) = (world.namespace.as_str(), &world.store);
    let item = OutboxItem { id: "a".into(), kind: OutboxKind::MeterEvent, payload: "{}".into() };
    let (now, later) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:01:00Z"));
    assert_eq!(store.enqueue(ns, std::slice::from_ref(&item), now).await.unwrap(), 1);
    assert_eq!(store.enqueue(ns, std::slice::from_ref(&item), now).await.unwrap(), 0);
    let claim = |at, until| store.claim(ns, OutboxKind::MeterEvent, at, until);
    let (one, two) = tokio::join!(claim(now, later), claim(now, later));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 1);
    let again = claim(later, at("2026-01-01T00:02:00Z")).await.unwrap();
    assert_eq!((again[0].attempts, again[0].first_sent_at, &again[0].item), (2, Some(now), &item));
    store.acked(ns, &["a".into()]).await.unwrap();
    assert!(claim(at("2027-01-01T00:00:00Z"), at("2027-01-02T00:00:00Z")).await.unwrap().is_empty());
    assert_eq!(store.outbox(ns, OutboxState::Acked).await.unwrap().len(), 1);
}

async fn a_stale_draft_is_not_issued(world: &World) {
    world.acme().await;
    let id = world.run("2026-02-01T00:00:00Z").await.drafts[0].id.clone();
    world.publish(&TEAM.replace("\"team\"", "\"pro\"").replace("\"20\"", "\"50\"")).await;
    world.store.change_plan(&world.namespace, "sub", "pro", at("2026-01-16T00:00:00Z")).await.unwrap();
    let stale = world.try_finalize(&id, "k", "2026-02-01T00:00:00Z").await;
    assert!(matches!(stale, Err(BillingError::StaleDraft(_))), "{stale:?}");
    let again = world.run("2026-02-01T00:00:00Z").await;
    assert_eq!(again.drafts[0].id, id, "the draft is drawn up again, not doubled");
    world.try_finalize(&id, "k", "2026-02-01T00:00:00Z").await.unwrap();
}
