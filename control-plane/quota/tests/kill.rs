//! Fifty holders race on one limit while the issuer, Redis and the holders are killed at random.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![allow(clippy::print_stdout, reason = "what is stranded is printed")]

#[path = "support/redis_server.rs"]
#[allow(dead_code, unreachable_pub, reason = "tests of other kinds use the rest")]
mod redis_server;

use std::io::{BufRead as _, BufReader as LineReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use creto_quota::{Lease, Quota, QuotaSpec, Report};
use redis_server::RedisServer;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const HOLDERS: u64 = 50;
const AMOUNT: u64 = 20_000_000;
const WANTED: u64 = 2_000;
/// After this long nothing is killed any more, and the rest is spent.
const STORM: Duration = Duration::from_secs(12);
/// How long a holder waits for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long the whole race may take.
const RACE: Duration = Duration::from_secs(100);

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Numbers that differ by holder.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// What all see.
#[derive(Default)]
struct Race {
    port: AtomicU16,
    storm: AtomicBool,
    /// Units calls used.
    admitted: AtomicU64,
    deaths: AtomicU64,
    leases: AtomicU64,
}

impl Race {
    async fn try_ask(&self, request: &Value) -> Option<Value> {
        let stream = TcpStream::connect(("127.0.0.1", self.port.load(Ordering::SeqCst))).await.ok()?;
        let (reader, mut writer) = stream.into_split();
        writer.write_all(format!("{request}\n").as_bytes()).await.ok()?;
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line).await.ok()?;
        serde_json::from_str(&line).ok().filter(|answer: &Value| answer.get("error").is_none())
    }

    /// Asks until there is an answer; the same request, since it may have been carried out.
    async fn ask(&self, request: &Value) -> Value {
        loop {
            if let Ok(Some(answer)) = timeout(ANSWER, self.try_ask(request)).await {
                return answer;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn storms(&self) -> bool {
        self.storm.load(Ordering::SeqCst)
    }
}

fn told(report: Option<&Report>) -> Value {
    let Some(report) = report else { return Value::Null };
    let line = |line: &creto_quota::LeaseReport| {
        assert_eq!(line.overrun, 0);
        json!([line.epoch, line.id, line.spent, line.given_back, u8::from(line.last)])
    };
    json!({"sequence": report.sequence, "leases": report.leases.iter().map(line).collect::<Vec<_>>()})
}

/// One run of a holder's process.
struct Process {
    race: Arc<Race>,
    quota: Quota,
    name: String,
    process: u64,
    request: u64,
}

/// How a run ends.
#[derive(PartialEq, Eq)]
enum End {
    Died,
    NothingLeft,
}

impl Process {
    fn new(race: &Arc<Race>, name: &str, process: u64) -> Self {
        let quota = Quota::new(QuotaSpec::new("tokens", "llm.tokens", "token")).unwrap();
        Self { race: Arc::clone(race), quota, name: name.into(), process, request: 1 }
    }

    fn request(&self, op: &str, report: Option<&Report>) -> Value {
        json!({
            "op": op, "amount": AMOUNT, "now_ms": now_ms(), "holder": self.name, "process": self.process,
            "request": self.request, "wanted": WANTED, "report": told(report),
        })
    }

    fn confirm(&self, report: Option<&Report>, answer: &Value) {
        let Some(report) = report else { return };
        assert_eq!(answer["acknowledged"].as_u64(), Some(report.sequence));
        assert!(self.quota.confirm_report(report.sequence));
    }

    /// Reports, and asks for the next lease; false when nothing is left for it.
    async fn refill(&mut self) -> bool {
        let report = self.quota.take_report(now_ms() / 1_000);
        let answer = self.race.ask(&self.request("grant", report.as_ref())).await;
        self.confirm(report.as_ref(), &answer);
        let Some(lease) = answer["lease"].as_array() else { return answer["leased"] != 0 };
        let [epoch, id, amount, not_after_s] = [0, 1, 2, 3].map(|at| lease[at].as_u64().unwrap());
        self.request += 1;
        self.race.leases.fetch_add(1, Ordering::SeqCst);
        // One that took so long that it has ended goes back with the next report.
        let _ = self.quota.grant(&Lease { id, epoch, amount, not_after_s }, now_ms() / 1_000);
        true
    }

    async fn live(&mut self, numbers: &mut Numbers) -> End {
        let mut refused = 0;
        loop {
            for _ in 0..10 {
                let amount = (1 + numbers.below(40)).min(self.quota.left().max(1));
                let Ok(reservation) = self.quota.reserve(amount, now_ms() / 1_000) else { break };
                let used = if self.race.storms() { numbers.below(amount + 1) } else { amount };
                self.race.admitted.fetch_add(reservation.settle(used).spent, Ordering::SeqCst);
            }
            if self.race.storms() && numbers.below(2_000) == 0 {
                self.race.deaths.fetch_add(1, Ordering::SeqCst);
                return End::Died;
            }
            if self.quota.wants_refill() || self.quota.left() == 0 {
                refused = if self.refill().await { 0 } else { refused + 1 };
            }
            // Others may give back once more.
            if refused > 3 && !self.race.storms() {
                return End::NothingLeft;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn leave(&mut self) {
        self.quota.give_back();
        while let Some(report) = self.quota.take_report(now_ms() / 1_000) {
            let answer = self.race.ask(&self.request("report", Some(&report))).await;
            self.confirm(Some(&report), &answer);
        }
    }
}

async fn hold(race: Arc<Race>, number: u64) {
    let mut numbers = Numbers(number);
    for process in 1.. {
        let mut run = Process::new(&race, &format!("sidecar-{number}"), process);
        if run.live(&mut numbers).await == End::NothingLeft {
            return run.leave().await;
        }
    }
}

/// What a control plane does every so often: leases of the dead become stranded, so nobody waits for them.
async fn expire(race: Arc<Race>) {
    loop {
        sleep(Duration::from_millis(500)).await;
        race.ask(&json!({"op": "expire", "amount": AMOUNT, "now_ms": now_ms()})).await;
    }
}

/// The issuer's process.
struct IssuerProcess(Child);

impl IssuerProcess {
    fn start(race: &Race, arguments: &[String]) -> Self {
        let tests = std::env::current_exe().unwrap();
        let program = tests.ancestors().nth(2).unwrap().join("examples/quota-issuer");
        let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        LineReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        race.port.store(line.trim().parse().expect("the issuer says its port"), Ordering::SeqCst);
        Self(child)
    }
}

impl Drop for IssuerProcess {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn race(arguments: &[String], mut redis: Option<RedisServer>) {
    let race = Arc::new(Race::default());
    race.storm.store(true, Ordering::SeqCst);
    let mut issuer = Some(IssuerProcess::start(&race, arguments));
    race.ask(&json!({"op": "open", "amount": AMOUNT, "now_ms": now_ms()})).await;
    let holders: Vec<_> = (1..=HOLDERS).map(|number| tokio::spawn(hold(Arc::clone(&race), number))).collect();
    let expiry = tokio::spawn(expire(Arc::clone(&race)));
    let (begun, mut numbers) = (Instant::now(), Numbers(now_ms()));
    let (mut issuer_kills, mut redis_kills) = (0, 0);
    while begun.elapsed() < STORM {
        sleep(Duration::from_millis(100 + numbers.below(500))).await;
        match &mut redis {
            Some(server) if numbers.below(2) == 0 => {
                server.kill();
                redis_kills += 1;
                sleep(Duration::from_millis(numbers.below(100))).await;
                server.run(&["--appendonly", "yes", "--appendfsync", "always"]).await;
            }
            _ => {
                drop(issuer.take());
                issuer_kills += 1;
                sleep(Duration::from_millis(numbers.below(100))).await;
                issuer = Some(IssuerProcess::start(&race, arguments));
            }
        }
    }
    let during = race.admitted.load(Ordering::SeqCst);
    race.storm.store(false, Ordering::SeqCst);
    timeout(RACE, async {
        for holder in holders {
            holder.await.unwrap();
        }
    })
    .await
    .expect("the race ends");
    expiry.abort();
    let later = now_ms() + 10_000;
    race.ask(&json!({"op": "expire", "amount": AMOUNT, "now_ms": later})).await;
    let usage = race.ask(&json!({"op": "usage", "amount": AMOUNT, "now_ms": later})).await;
    let account = |name: &str| usage[name].as_u64().unwrap();
    let admitted = race.admitted.load(Ordering::SeqCst);
    let deaths = race.deaths.load(Ordering::SeqCst);
    // Of a sidecar that died often the first processes are retired: what they held is written off at once.
    let dead = account("stranded") + account("lost");
    println!(
        "admitted {admitted} of {AMOUNT} ({during} in the storm); issuer killed {issuer_kills} times, Redis {redis_kills}, \
         holders {deaths}; {} leases; unused, with dead holders: {} ({:.3}%); {usage}",
        race.leases.load(Ordering::SeqCst),
        account("spent") + dead - admitted,
        (account("spent") + dead - admitted) as f64 * 100.0 / AMOUNT as f64,
    );
    assert!(admitted <= AMOUNT, "{admitted} of {AMOUNT} were admitted");
    // Dead holders strand what they had, everyone else accounts for all.
    assert_eq!(account("spent") + dead + account("available"), AMOUNT);
    assert_eq!((account("leased"), account("assumed")), (0, 0));
    assert!(account("spent") <= admitted && admitted <= account("spent") + dead);
    assert!(dead <= deaths * 2 * WANTED, "at most two leases each");
    assert!(account("available") == 0, "all of it could be had");
    assert!(issuer_kills >= 3 && deaths >= 3 && (redis.is_none() || redis_kills >= 3));
    drop(issuer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_holders_never_exceed_a_limit_while_the_embedded_issuer_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quota.db").to_str().unwrap().to_owned();
    race(&["embedded".to_owned(), file], None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_holders_never_exceed_a_limit_while_the_issuer_and_redis_are_killed() {
    let server = RedisServer::durable().await;
    race(&["redis".to_owned(), server.url()], Some(server)).await;
}
