//! A recorder that is killed: what it was told is on disk is counted once, under its old epoch.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use creto_client::metering::{EventDraft, MeteringClient};
use tokio::time::timeout;

use crate::ledger::{Dice, Manners, Server};
use crate::{PATIENCE, channel, options};

/// Set for the process that is killed: spool folder, address and first number.
const CHILD: &str = "CRETO_TEST_RECORDER";
const NAME: &str = "killed::events_on_disk_survive_a_kill_and_are_counted_once_under_their_old_epoch";

#[allow(clippy::print_stdout, reason = "its parent reads them")]
/// Records and says each number once it is on disk, until it is killed.
async fn record_until_killed(told: &str) {
    let parts: Vec<&str> = told.split('|').collect();
    let client =
        MeteringClient::over(channel(parts[1].parse().unwrap()), None, options().spool(parts[0])).unwrap();
    let first: u64 = parts[2].parse().unwrap();
    for nth in first..first + 1_000_000 {
        client.record_async(EventDraft::new("image.rendered").number("nth", nth)).await.unwrap();
        println!("kept {nth}");
    }
}

async fn kill_one(spool: &Path, address: &str, first: u64, after: Duration) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, format!("{}|{address}|{first}", spool.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        // The test harness may print before the first number on the same line.
        lines.filter_map(|line| line.rsplit_once("kept ").and_then(|(_, nth)| nth.parse().ok())).collect()
    });
    tokio::time::sleep(after).await;
    child.kill().unwrap();
    child.wait().unwrap();
    tokio::task::spawn_blocking(move || reader.join().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_on_disk_survive_a_kill_and_are_counted_once_under_their_old_epoch() {
    if let Ok(told) = std::env::var(CHILD) {
        return record_until_killed(&told).await;
    }
    let spool = tempfile::tempdir().unwrap();
    let manners = Manners { ends_before: 5, loses_answer: 5, ..Manners::default() };
    let (server, address) = Server::start(manners).await;
    let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut dice = Dice(5);
    let mut kept: Vec<u64> = Vec::new();
    for round in 0..6_u64 {
        // With the control plane there, and away.
        let reached = if round % 2 == 0 { address } else { nowhere }.to_string();
        let after = Duration::from_millis(120 + dice.below(300));
        let folder = spool.path().to_owned();
        let first = round * 1_000_000;
        kept.extend(kill_one(&folder, &reached, first, after).await);
    }
    assert!(!kept.is_empty(), "something was recorded");

    let client = MeteringClient::over(channel(address), None, options().spool(spool.path())).unwrap();
    let recovered = client.recovered();
    assert!(recovered.events > 0 && recovered.set_aside == 0, "{recovered:?}");
    timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
    let counters = client.close().await.unwrap();
    assert_eq!(counters.sent, recovered.events);
    assert_eq!(counters.accepted + counters.duplicate, recovered.events);

    let ledger = server.ledger.lock();
    assert_eq!(ledger.faults, [""; 0]);
    let mut numbers = ledger.numbers();
    numbers.sort_unstable();
    let counted = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), counted, "nothing is counted twice");
    let lost: Vec<_> = kept.iter().filter(|nth| numbers.binary_search(nth).is_err()).collect();
    assert!(lost.is_empty(), "{} of {} that were on disk are lost: {lost:?}", lost.len(), kept.len());
    let left: Vec<_> =
        std::fs::read_dir(spool.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"], "nothing stays once all is acknowledged");
}

#[tokio::test]
async fn a_spool_folder_has_one_process_at_a_time() {
    let spool = tempfile::tempdir().unwrap();
    let (_, address) = Server::start(Manners::default()).await;
    let first = MeteringClient::over(channel(address), None, options().spool(spool.path())).unwrap();
    let refused = MeteringClient::over(channel(address), None, options().spool(spool.path())).unwrap_err();
    assert!(refused.to_string().contains("in use by another process"), "{refused}");
    first.close().await.unwrap();
    MeteringClient::over(channel(address), None, options().spool(spool.path())).unwrap();
}
