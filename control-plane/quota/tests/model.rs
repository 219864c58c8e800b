//! Random interleavings of holders that ask, spend, report, die and come back, against a model that knows the truth.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[path = "support/redis_server.rs"]
#[allow(dead_code, unreachable_pub, reason = "tests of other kinds use the rest")]
mod redis_server;

use std::collections::BTreeMap;

use creto_quota::{Quota, QuotaSpec, Report};
use creto_quota_issuer::{
    Answer, Ask, EmbeddedIssuer, Granted, Holder, Issuer, Level, Period, QuotaLimit, RedisIssuer,
    RedisOptions, Usage,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis_server::RedisServer;

const HOLDERS: usize = 5;
const WINDOW_MS: u64 = 600_000;
const START_MS: u64 = 1_791_973_200_000;

#[derive(Clone, Debug)]
enum Step {
    /// Asks; the report goes along or not; the answer comes, or is lost.
    Ask {
        who: usize,
        wanted: u64,
        needed: u64,
        report: bool,
        lost: bool,
    },
    /// Takes units and uses a part.
    Spend {
        who: usize,
        amount: u64,
        used: u64,
    },
    /// Reports; the answer comes, or is lost.
    Report {
        who: usize,
        lost: bool,
    },
    /// Gives all back in order, and begins again.
    Leave(usize),
    /// Dies without a word, and begins again.
    Die(usize),
    Revoke(usize),
    Expire,
    Clock(u64),
    /// The issuer is opened again.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..HOLDERS;
    let step = prop_oneof![
        6 => (who.clone(), 0_u64..300, prop_oneof![4 => Just(0), 1 => 0_u64..200], any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(who, wanted, needed, report, lost)| Step::Ask { who, wanted, needed, report, lost }),
        8 => (who.clone(), 1_u64..80, 0_u64..80)
            .prop_map(|(who, amount, used)| Step::Spend { who, amount, used: used.min(amount) }),
        4 => (who.clone(), prop::bool::weighted(0.3)).prop_map(|(who, lost)| Step::Report { who, lost }),
        1 => who.clone().prop_map(Step::Leave),
        1 => who.clone().prop_map(Step::Die),
        1 => who.prop_map(Step::Revoke),
        2 => Just(Step::Expire),
        2 => prop_oneof![4 => 0_u64..30_000, 1 => 60_000_u64..400_000].prop_map(Step::Clock),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// One run of a process, and what the test knows of it.
struct Run {
    quota: Quota,
    holder: Holder,
    request: u64,
    /// Of the request under way, whose answer was lost.
    pending: Option<Ask>,
    /// Leases it got: by epoch and id, the window they were cut from.
    leases: BTreeMap<(u64, u64), u64>,
}

impl Run {
    fn new(who: usize, process: u64) -> Self {
        let quota = Quota::new(QuotaSpec::new("tokens", "llm.tokens", "token")).unwrap();
        let holder = Holder::new(&format!("sidecar-{who}"), process);
        Self { quota, holder, request: 1, pending: None, leases: BTreeMap::new() }
    }
}

/// One of the two.
enum Store {
    Embedded(EmbeddedIssuer),
    Redis(Box<RedisIssuer>),
}

impl Store {
    fn get(&self) -> &dyn Issuer {
        match self {
            Self::Embedded(issuer) => issuer,
            Self::Redis(issuer) => &**issuer,
        }
    }
}

struct World<'a> {
    issuer: Store,
    file: Option<&'a std::path::Path>,
    limit: QuotaLimit,
    now_ms: u64,
    runs: Vec<Run>,
    processes: u64,
    /// What calls used, by window. The truth.
    admitted: BTreeMap<u64, u64>,
}

impl World<'_> {
    fn window(&self) -> u64 {
        self.limit.window_at(self.now_ms).unwrap().start_ms
    }

    async fn ask(&mut self, who: usize, ask: Ask, report: Option<Report>, lost: bool) {
        let run = &self.runs[who];
        let granted =
            self.issuer.get().grant(&self.limit, &run.holder, &ask, report.as_ref(), self.now_ms).await;
        let Ok(Granted { answer, reported }) = granted else { panic!("{granted:?}") };
        let window = self.window();
        let run = &mut self.runs[who];
        if lost {
            run.pending = matches!(answer, Answer::Lease(_)).then_some(ask);
            return;
        }
        run.pending = None;
        if let Some(reported) = reported {
            assert!(run.quota.confirm_report(reported.acknowledged));
        }
        if let Answer::Lease(lease) = answer {
            run.request += 1;
            // A lease asked for in an earlier window is of that one.
            let of = window.min(lease.not_after_s * 1_000 - 1);
            let of = self.limit.window_at(of).unwrap().start_ms;
            run.leases.insert((lease.epoch, lease.id), of);
            let _ = run.quota.grant(&lease, self.now_ms / 1_000);
        }
    }

    async fn report(&mut self, who: usize, lost: bool) -> bool {
        let run = &self.runs[who];
        let Some(report) = run.quota.take_report(self.now_ms / 1_000) else { return false };
        let reported =
            self.issuer.get().report(&self.limit, &run.holder, &report, self.now_ms).await.unwrap();
        assert_eq!(reported.acknowledged, report.sequence);
        if !lost {
            assert!(run.quota.confirm_report(report.sequence));
        }
        true
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::Ask { who, wanted, needed, report, lost } => {
                let run = &self.runs[who];
                let ask = run.pending.unwrap_or(Ask { request: run.request, wanted, needed });
                let report = report.then(|| run.quota.take_report(self.now_ms / 1_000)).flatten();
                self.ask(who, ask, report, lost).await;
            }
            Step::Spend { who, amount, used } => {
                let run = &self.runs[who];
                let lease = run.quota.lease();
                if let Ok(reservation) = run.quota.reserve(amount, self.now_ms / 1_000) {
                    let lease = lease.unwrap();
                    let window = run.leases[&(lease.epoch, lease.id)];
                    *self.admitted.entry(window).or_default() += reservation.settle(used).spent;
                }
            }
            Step::Report { who, lost } => drop(self.report(who, lost).await),
            Step::Leave(who) => {
                // A lease whose answer was lost is fetched first, else nobody gives it back.
                if let Some(ask) = self.runs[who].pending {
                    self.ask(who, ask, None, false).await;
                }
                self.runs[who].quota.give_back();
                while self.report(who, false).await {}
                self.begin_again(who);
            }
            Step::Die(who) => self.begin_again(who),
            Step::Revoke(who) => {
                let run = &self.runs[who];
                if let Some(lease) = run.quota.lease() {
                    run.quota.revoke(lease.epoch, lease.id).unwrap();
                }
            }
            Step::Expire => while self.issuer.get().expire(&self.limit, self.now_ms).await.unwrap().more {},
            Step::Clock(by) => self.now_ms += by,
            Step::Restart => self.restart().await,
        }
    }

    fn begin_again(&mut self, who: usize) {
        self.processes += 1;
        self.runs[who] = Run::new(who, self.processes);
    }

    async fn restart(&mut self) {
        let Some(file) = self.file else { return };
        if let Store::Embedded(issuer) = &self.issuer {
            issuer.close().await.unwrap();
            self.issuer = Store::Embedded(EmbeddedIssuer::open(file).await.unwrap());
        }
    }

    async fn check(&self) {
        for (window, admitted) in &self.admitted {
            assert!(*admitted <= self.limit.amount, "{admitted} of {} admitted", self.limit.amount);
            let usage = self.issuer.get().usage(&self.limit, *window).await.unwrap().usage;
            let Usage { spent, leased, stranded, lost, assumed, available, amount, .. } = usage;
            assert_eq!(
                spent + leased + stranded + lost + assumed + available,
                amount,
                "each unit in one place"
            );
            // What holders have left they can spend, or give back: it must be there.
            let left = |run: &Run| {
                let lease = run.quota.lease().filter(|lease| run.leases[&(lease.epoch, lease.id)] == *window);
                lease.map_or(0, |_| run.quota.left())
            };
            let possible = admitted + self.runs.iter().map(left).sum::<u64>();
            assert!(possible <= amount, "{possible} of {amount} can be admitted");
            assert!(spent <= *admitted && possible <= spent + leased + stranded, "{usage:?} {possible}");
            assert_eq!((lost, assumed), (0, 0));
        }
    }
}

/// Runs the steps; then all who live leave in order, and only the dead strand anything.
async fn live(issuer: Store, file: Option<&std::path::Path>, namespace: &str, amount: u64, steps: &[Step]) {
    let period = Period::Custom { seconds: WINDOW_MS / 1_000, anchor_ms: START_MS };
    let limit = QuotaLimit::new(namespace, "tokens", "token", amount, period);
    issuer.get().open_namespace(namespace).await.unwrap();
    let runs = (0..HOLDERS).map(|who| Run::new(who, 0)).collect();
    let mut world =
        World { issuer, file, limit, now_ms: START_MS, runs, processes: 0, admitted: BTreeMap::new() };
    let mut died = false;
    for step in steps {
        died |= matches!(step, Step::Die(_));
        world.step(step).await;
        world.check().await;
    }
    for who in 0..HOLDERS {
        world.step(&Step::Leave(who)).await;
    }
    world.check().await;
    for (window, admitted) in &world.admitted {
        let usage = world.issuer.get().usage(&world.limit, *window).await.unwrap().usage;
        if !died {
            assert_eq!(
                (usage.spent, usage.leased + usage.stranded),
                (*admitted, 0),
                "nobody died, so all is told"
            );
        }
    }
    let mut told = std::collections::BTreeSet::new();
    for event in world.issuer.get().events(namespace, 0).await.unwrap() {
        assert!(event.level != Level::DataLost);
        assert!(told.insert((event.window, event.level)), "told twice: {event:?}");
    }
    if let Store::Embedded(issuer) = &world.issuer {
        issuer.close().await.unwrap();
    }
}

fn check_all(cases: u32, run: impl Fn(u64, Vec<Step>)) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    TestRunner::new(config)
        .run(&(1_u64..2_000, steps()), |(amount, steps)| {
            run(amount, steps);
            Ok(())
        })
        .unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn no_interleaving_admits_a_unit_too_many_from_a_file() {
    let runtime = runtime();
    check_all(48, |amount, steps| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quota.db");
        runtime.block_on(async {
            let issuer = Store::Embedded(EmbeddedIssuer::open(&file).await.unwrap());
            live(issuer, Some(&file), "model", amount, &steps).await;
        });
    });
}

#[test]
fn no_interleaving_admits_a_unit_too_many_from_redis() {
    let runtime = runtime();
    let server = runtime.block_on(RedisServer::durable());
    let case = std::cell::Cell::new(0);
    check_all(64, |amount, steps| {
        case.set(case.get() + 1);
        runtime.block_on(async {
            let issuer =
                Store::Redis(Box::new(RedisIssuer::connect(RedisOptions::new(&server.url())).await.unwrap()));
            live(issuer, None, &format!("model-{}", case.get()), amount, &steps).await;
        });
    });
}
