//! `kill -9` at any moment: what was told is kept, and nothing is taken twice.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use creto_approvals::{ApprovalDesk, RequestStore, Selection};
use creto_oversight::{ApprovalSigner, Decision, RequestId};

use crate::world::{START, ask, ballot, taking, taking_as};

/// Set in the process that is killed: the store's file.
const VICTIM: &str = "CRETO_TEST_APPROVALS_VICTIM";
/// How often it is killed; more when asked for.
const KILLS: u32 = 12;

async fn desk(path: &std::path::Path) -> ApprovalDesk {
    ApprovalDesk::new(RequestStore::sqlite(path).await.unwrap(), ApprovalSigner::from_seed(&[5; 32]))
}

/// The victim: asks, approves and takes, and says each step once the desk has.
#[tokio::test]
async fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let desk = desk(path.as_ref()).await;
    let mut out = std::io::stdout();
    for number in 0_u8..=255 {
        let Ok(asked) = desk.ask(ask(&format!("payer-{number}"), number), START).await else { continue };
        let id = asked.kept.id();
        writeln!(out, "\nasked {id} {number}").unwrap();
        if desk.vote("default", id, ballot("bob", Decision::APPROVE_ONCE, number), START).await.is_ok() {
            writeln!(out, "\napproved {id} {number}").unwrap();
        }
        if desk.take("default", id, taking(number), START).await.is_ok() {
            writeln!(out, "\ntaken {id} {number}").unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_told_before_a_kill_is_kept_and_no_approval_is_taken_twice() {
    let kills = std::env::var("CRETO_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("oversight.db");
    let mut told: Vec<(String, RequestId, u8)> = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..kills {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::victim", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(60 + random % 240)).await;
        victim.kill().unwrap();
        for line in BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            if let [what @ ("asked" | "approved" | "taken"), id, number] = words[..] {
                // A line that was cut tells nothing.
                if let (Ok(id), Ok(number)) = (id.parse(), number.parse()) {
                    told.push((what.to_owned(), id, number));
                }
            }
        }
        victim.wait().unwrap();
    }
    assert!(
        told.iter().any(|(what, ..)| what == "taken"),
        "the victim was never alive long enough: {told:?}"
    );
    let desk = desk(&path).await;
    for (what, id, number) in &told {
        let words: Vec<_> =
            desk.history("default", *id).await.unwrap().into_iter().map(|step| step.what).collect();
        let step = match what.as_str() {
            "approved" => "approve",
            other => other,
        };
        assert_eq!(words.iter().filter(|word| *word == step).count(), 1, "{what} {id}: {words:?}");
        if what == "taken" {
            let again = desk.take("default", *id, taking_as("another", *number), START).await;
            assert!(again.is_err(), "{id} was taken twice");
        }
    }
    // Nothing is half kept: every request has as many steps as its version says, and stands where its last step says.
    for kept in desk.list("default", &Selection::default()).await.unwrap() {
        let steps = desk.history("default", kept.id()).await.unwrap();
        assert_eq!(i64::try_from(steps.len()).unwrap(), kept.version);
        assert_eq!(steps.last().unwrap().status, kept.status);
    }
}
