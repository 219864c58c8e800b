//! kill -9 while bills are drawn up month by month: in the end they are those of a program that was left alone.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use creto_billing::{Invoice, InvoiceSelection, SqlStore};
use creto_rating::Moment;
use creto_test_services::PostgresServer;
use tempfile::TempDir;

use crate::lasting::LASTING;
use crate::world::World;

const KILLS: u64 = 14;

fn program(database: &str, world: &World) -> Command {
    let test = std::env::current_exe().unwrap();
    let mut program = Command::new(test.parent().unwrap().parent().unwrap().join("examples/bill-months"));
    program.args([database, world.folder().join("invoice.key").to_str().unwrap()]);
    program
}

async fn subscribed(store: SqlStore) -> World {
    let world = World::on(Arc::new(store), "default").await;
    world.customer("acme").await;
    world.publish(LASTING).await;
    world.subscribed("sub", "acme", "lasting", "2025-01-01T00:00:00Z").await;
    world
}

/// Lets the program work, and kills it a while after it began on a step.
fn killed(database: &str, world: &World, round: u64) {
    let mut child = program(database, world).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for _ in 0..=round % 3 {
        lines.next();
    }
    let until = Instant::now() + Duration::from_micros(round % 7 * 900);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Every invoice's period and lines, and the instants units are kept of.
async fn state(world: &World) -> (Vec<String>, Vec<Moment>) {
    let all = world.store.invoices("default", &InvoiceSelection::default()).await.unwrap();
    let issued = all.iter().filter_map(Invoice::signed).map(|signed| {
        let document = &signed.document;
        format!("{} {:?} {} {:?}", document.number, document.period, document.total_minor, document.lines)
    });
    (issued.collect(), world.store.carried_at("default", "sub").await.unwrap())
}

async fn as_if_left_alone(store: SqlStore, database: &str) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    let calm = subscribed(SqlStore::sqlite(&path).await.unwrap()).await;
    assert!(program(path.to_str().unwrap(), &calm).stderr(Stdio::null()).status().unwrap().success());
    let expected = state(&calm).await;
    assert_eq!(expected.0.len(), 5);

    let world = subscribed(store).await;
    for round in 0..KILLS {
        killed(database, &world, round);
        let (issued, carried) = state(&world).await;
        assert_eq!(issued, expected.0[..issued.len()], "after kill {round}");
        assert!(carried.iter().all(|at| expected.1.contains(at)), "after kill {round}: {carried:?}");
    }
    assert!(program(database, &world).stderr(Stdio::null()).status().unwrap().success());
    assert_eq!(state(&world).await, expected);
}

#[tokio::test]
async fn sqlite_bills_go_on_from_one_state_whenever_the_process_is_killed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("billing.db");
    let store = SqlStore::sqlite(&path).await.unwrap();
    as_if_left_alone(store, path.to_str().unwrap()).await;
}

#[tokio::test]
async fn postgresql_bills_go_on_from_one_state_whenever_the_process_is_killed() {
    let server = PostgresServer::start().await;
    let store = SqlStore::postgres(&server.url()).await.unwrap();
    as_if_left_alone(store, &server.url()).await;
}
