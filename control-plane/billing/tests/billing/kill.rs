//! kill -9 around finalization: numbers have no gap and no double, and every invoice is issued in the end.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use creto_billing::*;
use tempfile::TempDir;

use crate::world::{TEAM, World};
use creto_test_services::PostgresServer;

const INVOICES: usize = 40;
const KILLS: u64 = 12;

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/finalize-loop")
}

async fn drafts(store: Arc<dyn BillingStore>) -> World {
    let world = World::on(store, "default").await;
    world.customer("acme").await;
    world.publish(TEAM).await;
    for place in 0..INVOICES {
        world.subscribed(&format!("sub-{place:03}"), "acme", "team", "2026-01-01T00:00:00Z").await;
    }
    world.topped_up(2_380 * 7 + 5).await;
    assert_eq!(world.run("2026-02-01T00:00:00Z").await.drafts.len(), INVOICES);
    world
}

/// Lets the program work on `database`, and kills it a while after it began on the nth invoice.
fn killed(database: &str, key: &Path, round: u64) {
    let mut child = Command::new(program())
        .args([database, key.to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example is built with the tests");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for _ in 0..=round % 3 {
        lines.next();
    }
    // A finalization takes a few milliseconds: this falls before, into and after it.
    let until = std::time::Instant::now() + Duration::from_micros(round * 700);
    while std::time::Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

async fn no_gap_and_no_double(world: &World, after: &str) {
    let all = world.store.invoices("default", &InvoiceSelection::default()).await.unwrap();
    let issued: Vec<&InvoiceDocument> =
        all.iter().filter_map(Invoice::signed).map(|signed| &signed.document).collect();
    let numbers: BTreeSet<String> = issued.iter().map(|document| document.number.clone()).collect();
    let expected: BTreeSet<String> = (1..=issued.len()).map(|number| format!("INV-{number:06}")).collect();
    assert_eq!(numbers, expected, "{after}");
    let prepaid: i64 = issued.iter().map(|document| document.prepaid_minor).sum();
    assert_eq!(world.balance().await + prepaid, 2_380 * 7 + 5, "{after}");
    let ledger = world.store.ledger("default", "wallet", 0).await.unwrap();
    assert_eq!(ledger.iter().map(|entry| entry.minor).sum::<i64>(), world.balance().await, "{after}");
}

async fn survives(world: &World, database: &str) {
    let key = world.folder().join("invoice.key");
    for round in 0..KILLS {
        killed(database, &key, round);
        no_gap_and_no_double(world, &format!("after kill {round}")).await;
    }
    let done = Command::new(program())
        .args([database, key.to_str().unwrap()])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success());
    no_gap_and_no_double(world, "in the end").await;
    let drafts = InvoiceSelection { state: Some(InvoiceState::Draft), ..InvoiceSelection::default() };
    assert!(world.store.invoices("default", &drafts).await.unwrap().is_empty());
    assert_eq!(world.balance().await, 0);
}

#[tokio::test]
async fn sqlite_numbers_have_no_gap_and_no_double_whenever_the_process_is_killed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    let world = drafts(Arc::new(SqlStore::sqlite(&path).await.unwrap())).await;
    survives(&world, path.to_str().unwrap()).await;
}

#[tokio::test]
async fn postgresql_numbers_have_no_gap_and_no_double_whenever_the_process_is_killed() {
    let server = PostgresServer::start().await;
    let world = drafts(Arc::new(SqlStore::postgres(&server.url()).await.unwrap())).await;
    survives(&world, &server.url()).await;
}
