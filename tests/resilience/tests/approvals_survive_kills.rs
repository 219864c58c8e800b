//! Sidecar and control plane are killed at any moment while calls wait for people: no approval is lost, nothing that was
//! approved once goes out twice, and what nobody can know is shown as such.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use creto_proto::v1;
use creto_test_support::{Approver, Plane, Sidecar, Trip, Upstream, Way};
use parking_lot::Mutex;
use serde_json::json;

/// Transfers that are wanted, each once.
const TRANSFERS: u32 = 60;
/// At once.
const CALLERS: u32 = 6;
/// Kills, if the environment does not say more.
const KILLS: u64 = 12;
/// How long one transfer is tried.
const PATIENCE: Duration = Duration::from_secs(25);

/// Small and good enough to pick moments (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// How one transfer ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Done,
    /// People said no to a second time, or nobody knows of the first.
    Stopped,
}

fn transfer(upstream: &Upstream, number: u32) -> Trip {
    Trip::get(Way::Connect, &upstream.url("/echo/transfers"))
        .method("POST")
        .header("content-type", "application/json")
        .header("x-id", &format!("transfer-{number}"))
        .header("prefer", "wait=2")
        .body(json!({ "number": number }).to_string())
}

/// Tries a transfer until it is done or must not be tried again, through whatever is killed meanwhile.
async fn carry_out(sidecar: &Sidecar, upstream: &Upstream, number: u32) -> End {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        // A sidecar that was killed has another port and another authority once it is back.
        if !sidecar.is_ready() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let agent = sidecar.http_agent();
        let trip = transfer(upstream, number);
        match tokio::time::timeout(Duration::from_secs(20), agent.try_go(trip)).await {
            Ok(Ok(answer)) if answer.status == 200 => return End::Done,
            Ok(Ok(answer)) => match answer.header("creto-refused").as_str() {
                "approval_denied" | "approval_ambiguous" => return End::Stopped,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    End::Stopped
}

/// Approves every action once; whatever asks for one again is denied.
async fn decide(plane: &Plane, alice: &Approver, approved: &Mutex<BTreeSet<Vec<u8>>>, stop: &Mutex<bool>) {
    while !*stop.lock() {
        if plane.is_ready() {
            for open in alice.try_inbox().await {
                let first = !approved.lock().contains(&open.digest);
                let decision = if first { "approve" } else { "deny" };
                if alice.decides(&open, decision, "a second time").await.is_ok() && first {
                    approved.lock().insert(open.digest.clone());
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_approved_once_goes_out_twice_whoever_is_killed() {
    let seed = from_environment("CRETO_SEED", 20_261_122);
    let kills = from_environment("CRETO_KILLS", KILLS);
    println!("seed {seed}, {kills} kills");
    let upstream = Arc::new(Upstream::start().await);
    let plane = Arc::new(Plane::start().await);
    let alice = Arc::new(plane.approver("alice").await);
    let port = upstream.port();
    let policy = format!(
        "version = 1\nname = \"p\"\n[[allow]]\nname = \"all\"\nhost = \"localhost\"\nport = {port}\nprivate = true\n\
         [[hold]]\nname = \"held\"\nhost = \"localhost\"\nport = {port}\npath = \"/echo/**\"\nwait = \"1h\"\napprovers = [\"alice\"]\n"
    );
    plane.apply_policy(&policy).await;
    let agent = plane.trusted_agent("caller").await;
    let sidecar = Arc::new(plane.sidecar(&agent).trusts(&upstream).start().await);

    let (approved, stop) = (Arc::new(Mutex::default()), Arc::new(Mutex::new(false)));
    let deciding = {
        let (plane, alice, approved, stop) = (plane.clone(), alice.clone(), approved.clone(), stop.clone());
        tokio::spawn(async move { decide(&plane, &alice, &approved, &stop).await })
    };
    let ends: Arc<Mutex<BTreeMap<u32, End>>> = Arc::default();
    let next = Arc::new(Mutex::new(0..TRANSFERS));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (sidecar, upstream, ends, next) =
                (sidecar.clone(), upstream.clone(), ends.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let Some(number) = next.lock().next() else { return };
                    let end = carry_out(&sidecar, &upstream, number).await;
                    ends.lock().insert(number, end);
                }
            })
        })
        .collect();

    let mut dice = Dice(seed | 1);
    let (mut of_plane, mut of_sidecar) = (0, 0);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(dice.below(600))).await;
        if dice.below(2) == 0 {
            plane.kill9();
            plane.restart().await;
            of_plane += 1;
        } else {
            sidecar.kill9();
            sidecar.restart().await;
            of_sidecar += 1;
        }
    }
    for caller in callers {
        caller.await.unwrap();
    }
    *stop.lock() = true;
    deciding.await.unwrap();

    let sent: Vec<usize> =
        (0..TRANSFERS).map(|number| upstream.count(&format!("transfer-{number}"))).collect();
    let ends = ends.lock().clone();
    let done = ends.values().filter(|end| **end == End::Done).count();
    let all = alice.all().await;
    let of_state = |state: &str| all.iter().filter(|approval| approval.state == state).count();
    println!(
        "killed: control plane {of_plane}, sidecar {of_sidecar}; {TRANSFERS} transfers: {done} done, {} sent; requests: {} executed, \
         {} executing, {} ambiguous, {} approved, {} denied",
        sent.iter().sum::<usize>(),
        of_state("executed"),
        of_state("executing"),
        of_state("ambiguous"),
        of_state("approved"),
        of_state("denied"),
    );
    for (number, end) in &ends {
        let times = sent[*number as usize];
        assert!(times <= 1, "transfer {number} went out {times} times");
        if *end == End::Done {
            assert_eq!(times, 1, "transfer {number} was answered and never came");
        }
    }
    // Whatever was approved is on record, and what became of it is shown: nothing is forgotten.
    for digest in approved.lock().iter() {
        let of_digest: Vec<&v1::Approval> = all.iter().filter(|one| &one.digest == digest).collect();
        let used = of_digest
            .iter()
            .any(|one| matches!(one.state.as_str(), "approved" | "executing" | "executed" | "ambiguous"));
        assert!(used, "an approval is lost: {of_digest:?}");
    }
    // What left without an answer is not said to be done, nor to be there for another try.
    let unknown = sent.iter().sum::<usize>() - done;
    assert!(
        of_state("executing") + of_state("ambiguous") + of_state("executed") >= done + unknown,
        "{unknown} transfers left and their callers do not know"
    );
    assert!(done * 2 >= TRANSFERS as usize, "only {done} of {TRANSFERS} were done");
}
