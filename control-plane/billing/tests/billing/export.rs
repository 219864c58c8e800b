//! Export: each thing once, whatever fails when.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use creto_billing::*;
use creto_rating::{Moment, Quantity};

use crate::stripe_server::{Fault, KEY, StripeServer};
use crate::world::{World, at};

const NOW: &str = "2026-02-01T12:00:00Z";

fn hour(world: &World, place: i64, total: &str) -> HourTotal {
    HourTotal {
        customer: "acme".into(),
        stripe_customer: "cus_acme".into(),
        event_name: format!("tokens.{}", world.namespace),
        hour: Moment::from_micros(at("2026-02-01T00:00:00Z").micros() - place * 3_600_000_000).unwrap(),
        total: total.parse().unwrap(),
    }
}

fn later(moment: Moment, seconds: i64) -> Moment {
    Moment::from_micros(moment.micros() + seconds * 1_000_000).unwrap()
}

/// Exports until nothing is left, with time going on between passes.
async fn exported(world: &World, server: &StripeServer, mode: MeterEventMode) -> ExportReport {
    let client = server.client();
    let exporter = Exporter::new(&*world.store, &client, &world.namespace, mode);
    let (mut sum, mut now) = (ExportReport::default(), at(NOW));
    for _ in 0..400 {
        server.ledger.lock().now = now.micros();
        for report in
            [exporter.export_meter_events(now).await.unwrap(), exporter.export_invoices(now).await.unwrap()]
        {
            sum.acked += report.acked;
            sum.later += report.later;
            sum.dead += report.dead;
        }
        let open = [OutboxState::Pending, OutboxState::Sending];
        let mut left = 0;
        for state in open {
            left += world.store.outbox(&world.namespace, state).await.unwrap().len();
        }
        if left == 0 {
            return sum;
        }
        now = later(now, 150);
    }
    panic!("not done after 400 passes: {sum:?}");
}

/// Faults in an order that looks random and is always the same.
fn faults(count: usize, seed: u64) -> Vec<Fault> {
    let mut state = seed;
    let all = [
        Fault::None,
        Fault::ErrorBefore,
        Fault::ErrorAfter,
        Fault::CutAfter,
        Fault::CutBefore,
        Fault::TooMany,
    ];
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all[(state >> 33) as usize % all.len()]
    };
    (0..count).map(next).collect()
}

fn total(server: &StripeServer) -> i128 {
    server.ledger.lock().events.iter().map(|event| event.value.atto()).sum()
}

#[tokio::test]
async fn every_hour_is_counted_exactly_once_whatever_goes_wrong() {
    for (mode, seed) in [MeterEventMode::Single, MeterEventMode::Stream].into_iter().zip([7, 11]) {
        let world = World::new().await;
        let server = StripeServer::start().await;
        let totals: Vec<HourTotal> =
            (0..60).map(|place| hour(&world, place, &format!("{}.5", place + 1))).collect();
        let queued = world.store.enqueue_usage(&world.namespace, &totals, at(NOW)).await.unwrap();
        assert_eq!(queued.queued, 60);
        // Counted, and not answered: whatever comes after finds it there.
        let lost = [Fault::None, Fault::CutAfter, Fault::None, Fault::ErrorAfter];
        server.ledger.lock().faults.extend(lost.into_iter().chain(faults(120, seed)));
        let report = exported(&world, &server, mode).await;
        assert_eq!((report.acked, report.dead), (60, 0), "{mode:?}");
        let ledger = server.ledger.lock();
        assert_eq!(ledger.events.len(), 60, "{mode:?}");
        let sent: i128 = ledger.events.iter().map(|event| event.value.atto()).sum();
        let wanted: i128 = totals.iter().map(|total| total.total.atto()).sum();
        assert_eq!(sent, wanted);
        assert!(ledger.repeats > 0, "{mode:?}: nothing was sent twice, so nothing was shown");
        let told: Vec<&String> = ledger.refused.iter().filter(|text| !text.contains("duplicate")).collect();
        assert!(told.is_empty(), "{told:?}");
    }
}

#[tokio::test]
async fn late_usage_goes_as_a_new_revision_and_less_usage_never_as_an_event() {
    let world = World::new().await;
    let server = StripeServer::start().await;
    let ns = world.namespace.as_str();
    let put = |total: &'static str| {
        let totals = [hour(&world, 1, total)];
        let store = Arc::clone(&world.store);
        async move { store.enqueue_usage(ns, &totals, at(NOW)).await.unwrap() }
    };
    assert_eq!(put("10").await.queued, 1);
    assert_eq!(put("10").await.unchanged, 1);
    assert_eq!(put("12.25").await.queued, 1);
    let lower = put("9").await;
    assert_eq!((lower.queued, lower.lower.len()), (0, 1));
    assert_eq!(put("13").await.queued, 1);
    exported(&world, &server, MeterEventMode::Single).await;
    let values: Vec<String> =
        server.ledger.lock().events.iter().map(|event| event.value.to_string()).collect();
    assert_eq!(values, ["10", "2.25", "0.75"]);
    assert_eq!(total(&server), "13".parse::<Quantity>().unwrap().atto());
}

#[tokio::test]
async fn an_identifier_is_of_what_it_names_and_nothing_else() {
    let world = World::new().await;
    let one = hour(&world, 1, "10");
    let id = one.identifier("default", 1);
    assert_eq!(id, HourTotal { total: "11".parse().unwrap(), ..one.clone() }.identifier("default", 1));
    let others = [
        one.identifier("default", 2),
        one.identifier("other", 1),
        hour(&world, 2, "10").identifier("default", 1),
        HourTotal { customer: "other".into(), ..one.clone() }.identifier("default", 1),
        HourTotal { event_name: "calls".into(), ..one }.identifier("default", 1),
    ];
    assert!(!others.contains(&id));
    assert_eq!(id.len(), 64);
}

#[tokio::test]
async fn what_is_too_old_or_refused_is_given_up_with_a_reason_and_the_rest_goes_on() {
    let world = World::new().await;
    let server = StripeServer::start().await;
    let mut totals = vec![hour(&world, 36 * 24, "1"), hour(&world, 1, "2"), hour(&world, 2, "3")];
    totals[1].stripe_customer = "nobody".into();
    world.store.enqueue_usage(&world.namespace, &totals, at(NOW)).await.unwrap();
    let report = exported(&world, &server, MeterEventMode::Single).await;
    assert_eq!((report.acked, report.dead), (1, 2));
    let dead = world.store.outbox(&world.namespace, OutboxState::Dead).await.unwrap();
    let errors: Vec<String> = dead.into_iter().filter_map(|item| item.error).collect();
    assert!(errors[0].contains("more than 35 days back: bill it as a line"), "{errors:?}");
    assert!(errors[1].contains("customer_missing"), "{errors:?}");
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_for_a_day_is_not_sent_again_and_one_that_never_arrived_is() {
    let world = World::new().await;
    let server = StripeServer::start().await;
    let client = server.client();
    let exporter = Exporter::new(&*world.store, &client, &world.namespace, MeterEventMode::Single);
    world.store.enqueue_usage(&world.namespace, &[hour(&world, 1, "1")], at(NOW)).await.unwrap();
    server.ledger.lock().now = at(NOW).micros();
    server.ledger.lock().faults.extend([Fault::TooMany, Fault::CutAfter]);
    // 429: it did not arrive, so the day has not begun.
    assert_eq!(exporter.export_meter_events(at(NOW)).await.unwrap().later, 1);
    let item = &world.store.outbox(&world.namespace, OutboxState::Sending).await.unwrap()[0];
    assert_eq!(item.first_sent_at, None);
    assert!(item.next_at >= later(at(NOW), 7), "as long as Retry-After says");
    let next_day = later(at(NOW), 30 * 3_600);
    server.ledger.lock().now = next_day.micros();
    assert_eq!(
        exporter.export_meter_events(next_day).await.unwrap().later,
        1,
        "sent, and the answer was lost"
    );
    let too_late = later(next_day, 25 * 3_600);
    server.ledger.lock().now = too_late.micros();
    assert_eq!(exporter.export_meter_events(too_late).await.unwrap().dead, 1);
    assert_eq!(server.ledger.lock().events.len(), 1, "not counted twice");
    let dead = &world.store.outbox(&world.namespace, OutboxState::Dead).await.unwrap()[0];
    assert!(dead.error.as_deref().unwrap().contains("outcome is unknown"), "{dead:?}");
}

#[tokio::test]
async fn no_second_has_more_than_a_thousand_events() {
    let world = World::new().await;
    let server = StripeServer::start().await;
    server.ledger.lock().session_lasts = 1_000;
    let totals: Vec<HourTotal> = (0..800)
        .flat_map(|place| {
            let one = hour(&world, place, "1");
            [HourTotal { event_name: "calls".into(), ..one.clone() }, one]
        })
        .collect();
    world.store.enqueue_usage(&world.namespace, &totals, at(NOW)).await.unwrap();
    let report = exported(&world, &server, MeterEventMode::Stream).await;
    let ledger = server.ledger.lock();
    assert_eq!((report.acked, ledger.events.len()), (1_600, 1_600));
    assert!(ledger.busiest_second <= 1_000, "{} in a second", ledger.busiest_second);
    assert!(ledger.refused.is_empty(), "{:?}", ledger.refused);
}

#[tokio::test]
async fn a_finalized_invoice_is_at_stripe_exactly_once_and_comes_to_what_is_due() {
    let world = World::new().await;
    let mut settings = world.store.settings(&world.namespace).await.unwrap().unwrap();
    settings.export_invoices = true;
    world.store.put_settings(&world.namespace, &settings).await.unwrap();
    world.acme().await;
    world.topped_up(1_000).await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "5000");
    let invoice = world.billed("2026-02-01T00:00:00Z").await;
    let server = StripeServer::start().await;
    server.ledger.lock().faults.extend(faults(24, 3));
    let report = exported(&world, &server, MeterEventMode::Single).await;
    assert_eq!((report.acked, report.dead), (1, 0));
    let ledger = server.ledger.lock();
    assert_eq!(ledger.invoices.len(), 1);
    let made = &ledger.invoices["in_0"];
    assert!(made.finalized);
    assert_eq!(made.fields["metadata[creto_number]"], invoice.number);
    assert_eq!((made.fields["currency"].as_str(), made.fields["days_until_due"].as_str()), ("eur", "30"));
    let items: Vec<(&str, i64)> = made.items.iter().map(|(text, amount)| (text.as_str(), *amount)).collect();
    assert_eq!(items, [("Plan team", 2_000), ("tokens", 500), ("vat 19%", 475), ("Prepaid credit", -1_000)]);
    assert_eq!(items.iter().map(|(_, amount)| amount).sum::<i64>(), invoice.due_minor);
}

#[tokio::test]
async fn a_process_killed_between_sending_and_noting_sends_again_under_the_same_identifier() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    let world = World::on(Arc::new(SqlStore::sqlite(&path).await.unwrap()), "default").await;
    let server = StripeServer::start().await;
    server.ledger.lock().now = at(NOW).micros();
    let totals: Vec<HourTotal> = (0..5).map(|place| hour(&world, place, "3")).collect();
    world.store.enqueue_usage("default", &totals, at(NOW)).await.unwrap();
    let program = std::env::current_exe().unwrap();
    let program = program.parent().unwrap().parent().unwrap().join("examples/export-once");
    for round in 1..=3 {
        server.ledger.lock().faults.push_back(Fault::Hang);
        let mut child = Command::new(&program)
            .args([
                path.to_str().unwrap(),
                &server.address,
                &at(NOW).micros().to_string(),
                &round.to_string(),
            ])
            .env("CRETO_STRIPE_KEY", KEY)
            .stdout(Stdio::null())
            .spawn()
            .expect("the example is built with the tests");
        let wanted = server.ledger.lock().requests + 1;
        while server.ledger.lock().requests < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let sending = world.store.outbox("default", OutboxState::Sending).await.unwrap();
        assert_eq!(sending.len(), 5, "all were claimed, none was noted");
    }
    assert_eq!(server.ledger.lock().events.len(), 1, "the first was counted, and then found to be there");
    // Longer after than any claim holds.
    exported(&world, &server, MeterEventMode::Single).await;
    let counted = {
        let ledger = server.ledger.lock();
        (ledger.events.len(), ledger.repeats)
    };
    assert_eq!(counted, (5, 3));
    assert_eq!(world.store.outbox("default", OutboxState::Acked).await.unwrap().len(), 5);
}

#[tokio::test]
async fn the_key_is_never_shown_and_never_sent_in_the_clear() {
    let server = StripeServer::start().await;
    let client = server.client();
    let world = World::new().await;
    let key = ApiKey::new(KEY.to_owned().into()).unwrap();
    let exporter = Exporter::new(&*world.store, &client, "default", MeterEventMode::Single);
    for text in [
        format!("{client:?}"),
        format!("{key:?}"),
        format!("{:?}", exporter.export_meter_events(at(NOW)).await),
    ] {
        assert!(!text.contains(KEY), "{text}");
    }
    let outside = StripeAddress::at("http://192.0.2.1".parse().unwrap());
    let refused = StripeClient::new(outside, key).unwrap_err();
    assert!(refused.to_string().contains("sent over TLS"), "{refused}");
    for wrong in ["", "short", "with space in it", "line\r\nbreak12"] {
        let refused = ApiKey::new(wrong.to_owned().into()).unwrap_err();
        assert!(wrong.is_empty() || !refused.to_string().contains(wrong));
    }
    let wrong = ApiKey::new("rk_test_wrong_key".to_owned().into()).unwrap();
    let client = StripeClient::new(StripeAddress::at(server.address.parse().unwrap()), wrong).unwrap();
    world.store.enqueue_usage("default", &[hour(&world, 1, "1")], at(NOW)).await.unwrap();
    let exporter = Exporter::new(&*world.store, &client, "default", MeterEventMode::Single);
    let report = exporter.export_meter_events(at(NOW)).await.unwrap();
    assert_eq!(
        (report.later, report.dead),
        (1, 0),
        "a wrong key is set right by the operator, not by giving up usage"
    );
    let item = &world.store.outbox("default", OutboxState::Sending).await.unwrap()[0];
    assert!(item.error.as_deref().unwrap().contains("401"), "{item:?}");
}

#[tokio::test]
async fn over_tls_only_a_server_whose_certificate_is_trusted_gets_the_key() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    let world = World::on(Arc::new(SqlStore::sqlite(&path).await.unwrap()), "default").await;
    let (server, certificate) = StripeServer::start_tls().await;
    let trusted = folder.path().join("root.pem");
    std::fs::write(&trusted, certificate).unwrap();
    let other = folder.path().join("other.pem");
    std::fs::write(&other, StripeServer::start_tls().await.1).unwrap();
    server.ledger.lock().now = at(NOW).micros();
    world.store.enqueue_usage("default", &[hour(&world, 1, "3")], at(NOW)).await.unwrap();
    let program = std::env::current_exe().unwrap();
    let program = program.parent().unwrap().parent().unwrap().join("examples/export-once");
    for (round, roots, state, requests) in
        [("1", &other, OutboxState::Sending, 0), ("2", &trusted, OutboxState::Acked, 1)]
    {
        let mut command = tokio::process::Command::new(&program);
        command.args([path.to_str().unwrap(), &server.address, &at(NOW).micros().to_string(), round]);
        let status = command.env("CRETO_STRIPE_KEY", KEY).env("SSL_CERT_FILE", roots).status().await.unwrap();
        assert!(status.success());
        assert_eq!(world.store.outbox("default", state).await.unwrap().len(), 1, "round {round}");
        assert_eq!(server.ledger.lock().requests, requests);
    }
    assert_eq!(server.ledger.lock().events.len(), 1);
}

#[tokio::test]
async fn usage_is_summed_by_customer_meter_and_hour() {
    let world = World::new().await;
    world.acme().await;
    world.used("sub", "2026-01-10T10:00:00Z", "ann", "1.5");
    world.used("sub", "2026-01-10T10:59:59.999999Z", "bo", "2");
    world.told("", "acme", "2026-01-10T11:00:00Z", "bo", "llm.tokens", "4");
    world.told("", "ghost", "2026-01-10T11:00:00Z", "bo", "llm.tokens", "8");
    let meters = [
        ExportMeter { event_name: "tokens".into(), meter: "llm.tokens".into(), field: Some("tokens".into()) },
        ExportMeter { event_name: "calls".into(), meter: "llm.tokens".into(), field: None },
        ExportMeter { event_name: "broken".into(), meter: "llm.tokens".into(), field: Some("model".into()) },
    ];
    let span = (at("2026-01-10T00:00:00Z"), at("2026-01-11T00:00:00Z"));
    let found = hour_totals(&*world.store, &world.usage, &world.namespace, &meters, span).await.unwrap();
    let told: Vec<(String, String, String)> = found
        .totals
        .iter()
        .filter(|total| !total.total.is_zero())
        .map(|total| (total.event_name.clone(), total.hour.to_string(), total.total.to_string()))
        .collect();
    let row = |name: &str, hour: &str, total: &str| {
        (name.to_owned(), format!("2026-01-10T{hour}:00:00Z"), total.to_owned())
    };
    assert_eq!(
        told,
        [
            row("tokens", "10", "3.5"),
            row("tokens", "11", "4"),
            row("calls", "10", "2"),
            row("calls", "11", "1")
        ]
    );
    assert_eq!((found.unmatched, found.unreadable), (1, 3));
}
