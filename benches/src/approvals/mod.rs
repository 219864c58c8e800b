//! Group `approvals`: what a step of a request for approval takes, on disk before anybody hears of it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use creto_approvals::{ApprovalDesk, Ask, Context, Payload, RequestStore};
use creto_oversight::{
    ActionDigest, ApprovalSigner, Ballot, Channel, Decision, ExecutionEnd, Panel, Person, Quorum, Taking,
    Tier,
};
use creto_test_services::PostgresServer;

use crate::report::Report;

/// Requests, each of four steps, one after the other.
const REQUESTS: u64 = 2_000;
/// Of these none is counted.
const WARM_UP: u64 = 100;
const START_MS: u64 = 1_790_000_000_000;
/// On the disk of the build, as a data folder would be, not in memory.
const FOLDER: &str = "target/bench";

type Failed = Box<dyn std::error::Error>;

pub(crate) fn run() -> Result<(), Failed> {
    let mut report = Report::new("approvals");
    std::fs::create_dir_all(FOLDER)?;
    let folder = tempfile::tempdir_in(FOLDER)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let synced = Times::of_syncs(folder.path())?;
    synced.tell(&mut report, "disk.sync", "a write of 4 KiB and fdatasync on the same disk, for comparison");
    let store = runtime.block_on(RequestStore::sqlite(&folder.path().join("approvals.db")))?;
    let embedded = runtime.block_on(steps(store))?;
    for (step, times) in STEPS.iter().zip(embedded) {
        times.tell(&mut report, &format!("embedded.{step}"), "SQLite, synchronous=FULL, one after the other");
    }
    let server = runtime.block_on(PostgresServer::start());
    let store = runtime.block_on(RequestStore::postgres(&server.url()))?;
    for (step, times) in STEPS.iter().zip(runtime.block_on(steps(store))?) {
        times.tell(
            &mut report,
            &format!("postgres.{step}"),
            "PostgreSQL 15 beside it, synchronous_commit=on",
        );
    }
    report.finish()
}

const STEPS: [&str; 4] = ["ask", "decide", "take", "end"];

/// How long something took, each time.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn of_syncs(folder: &Path) -> Result<Self, Failed> {
        let mut file = File::create(folder.join("synced"))?;
        let mut times = Self::default();
        for _ in 0..REQUESTS {
            let start = Instant::now();
            file.write_all(&[7; 4096])?;
            file.sync_data()?;
            times.0.push(start.elapsed());
        }
        Ok(times)
    }

    fn tell(mut self, report: &mut Report, name: &str, note: &str) {
        self.0.sort_unstable();
        for (percent, word) in [(50, "p50"), (99, "p99")] {
            let at = (self.0.len().saturating_sub(1)) * percent / 100;
            let value = self.0.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0);
            report.add(&format!("approvals.{name}_{word}_ms"), value, "ms", note);
        }
    }
}

async fn steps(store: RequestStore) -> Result<[Times; 4], Failed> {
    let desk = ApprovalDesk::new(store, ApprovalSigner::from_seed(&[5; 32]));
    let mut times: [Times; 4] = Default::default();
    let bob: Person = "bob".parse()?;
    for number in 0..WARM_UP + REQUESTS {
        let now_ms = START_MS + number;
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        let digest = ActionDigest(digest);
        let start = Instant::now();
        let asked = desk.ask(ask(digest, &bob)?, now_ms).await?.kept;
        let after_ask = Instant::now();
        let decision = Decision::APPROVE_ONCE;
        let ballot =
            Ballot { person: bob.clone(), decision, reason: None, channel: Channel::Page, shown: digest };
        desk.vote("default", asked.id(), ballot, now_ms).await?;
        let after_vote = Instant::now();
        let taking = Taking { digest, by: "sidecar".into(), call: number.to_string() };
        let taken = desk.take("default", asked.id(), taking, now_ms).await?;
        let after_take = Instant::now();
        let end = ExecutionEnd::Answered { status: 200 };
        desk.ended("default", asked.id(), (taken.execution.number, &end, "sidecar"), now_ms).await?;
        let after_end = Instant::now();
        if number >= WARM_UP {
            let spans =
                [after_ask - start, after_vote - after_ask, after_take - after_vote, after_end - after_take];
            for (times, span) in times.iter_mut().zip(spans) {
                times.0.push(span);
            }
        }
    }
    desk.close().await;
    Ok(times)
}

fn ask(digest: ActionDigest, bob: &Person) -> Result<Ask, Failed> {
    let tier = Tier { people: BTreeSet::from([bob.clone()]), quorum: Quorum::Any, wait_ms: 600_000 };
    Ok(Ask {
        namespace: "default".into(),
        agent: "payer".into(),
        digest,
        policy: "payments".into(),
        rule: "transfers".into(),
        panel: Panel::new(vec![tier])?,
        excluded: BTreeSet::new(),
        most_uses: 1,
        most_ms: 600_000,
        context: Context {
            action: "POST https://bank.example/transfers".into(),
            method: "POST".into(),
            url: "https://bank.example/transfers".into(),
            headers: Vec::new(),
            body: Payload::Text(format!("{{\"note\":\"{}\"}}", "x".repeat(1_000))),
            trigger: "money leaves the house".into(),
            risks: Vec::new(),
            cost: String::new(),
            delegation: vec!["owner".into(), "payer".into()],
            said_by_agent: None,
        },
        delegation: "ab".repeat(32),
    })
}
