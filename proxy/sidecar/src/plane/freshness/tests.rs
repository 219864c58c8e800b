use std::cell::Cell;
use std::rc::Rc;

use super::*;

const START_MS: i64 = 1_800_000_000_000;
const HOUR: u64 = 3600;

#[derive(Clone)]
struct SetClock(Rc<Cell<(Duration, i64)>>);

impl SetClock {
    fn new() -> Self {
        Self(Rc::new(Cell::new((Duration::from_secs(5), START_MS))))
    }

    /// Time passes on both clocks.
    fn pass(&self, seconds: u64) {
        let (monotonic, wall) = self.0.get();
        self.0.set((monotonic + Duration::from_secs(seconds), wall + seconds as i64 * 1000));
    }

    /// Somebody sets the wall clock; or, the machine sleeps, which the monotonic clock does not see.
    fn jump(&self, seconds: i64) {
        let (monotonic, wall) = self.0.get();
        self.0.set((monotonic, wall + seconds * 1000));
    }

    fn now_s(&self) -> u64 {
        self.wall_ms() as u64 / 1000
    }
}

impl Clock for SetClock {
    fn monotonic(&self) -> Duration {
        self.0.get().0
    }

    fn wall_ms(&self) -> i64 {
        self.0.get().1
    }
}

struct Scene {
    clock: SetClock,
    events: Arc<Events>,
    freshness: Freshness<SetClock>,
}

impl Scene {
    /// A sidecar whose policy was confirmed just now.
    fn confirmed() -> Self {
        let clock = SetClock::new();
        let scene = Self::started(&clock, None, Some(START_MS), false);
        scene.freshness.confirm();
        scene
    }

    fn started(clock: &SetClock, kept: Option<KeptAge>, issued_ms: Option<i64>, is_previous: bool) -> Self {
        let events = Arc::new(Events::default());
        let first = FirstAge { kept, issued_ms, is_previous, limits: Staleness::DEFAULT };
        let freshness = Freshness::new(clock.clone(), Arc::clone(&events), first);
        Self { clock: clock.clone(), events, freshness }
    }

    /// As after a stop: the monotonic clock begins anew.
    fn restarted(self) -> Self {
        let kept = self.freshness.to_keep();
        let (_, wall) = self.clock.0.get();
        self.clock.0.set((Duration::ZERO, wall));
        Self::started(&self.clock, Some(kept), Some(START_MS), false)
    }

    /// Which classes a call may not be of.
    fn expired(&self) -> Vec<RiskClass> {
        let level = self.freshness.level(self.clock.now_s());
        RiskClass::ALL.into_iter().filter(|class| level.expired(*class)).collect()
    }

    fn state(&self) -> &'static str {
        self.freshness.level(self.clock.now_s()).as_str()
    }

    fn told(&self) -> Vec<(SidecarEventKind, String)> {
        self.events.take().into_iter().map(|event| (event.kind(), event.detail)).collect()
    }
}

use RiskClass::{Read, Spend, Write};

#[test]
fn policy_goes_stale_and_expires_class_by_class_and_a_heartbeat_brings_it_back() {
    let scene = Scene::confirmed();
    assert_eq!((scene.state(), scene.expired()), ("fresh", vec![]));
    scene.clock.pass(59);
    assert_eq!(scene.state(), "fresh");
    scene.clock.pass(20);
    assert_eq!((scene.state(), scene.expired()), ("stale", vec![]));
    for (passed, expired) in
        [(4 * HOUR, vec![Spend]), (4 * HOUR, vec![Write, Spend]), (16 * HOUR, vec![Read, Write, Spend])]
    {
        scene.clock.pass(passed);
        assert_eq!((scene.state(), scene.expired()), ("expired", expired));
    }
    scene.freshness.confirm();
    assert_eq!((scene.state(), scene.expired()), ("fresh", vec![]));
    let told = scene.told();
    assert!(told.iter().all(|(kind, _)| *kind == SidecarEventKind::StalenessChanged), "{told:?}");
    let words: Vec<_> = told.iter().map(|(_, words)| words.split(':').next().unwrap_or_default()).collect();
    assert_eq!(
        words,
        [
            "the policy is stale",
            "the policy has expired for calls of class spend",
            "the policy has expired for calls of class write, spend",
            "the policy has expired for calls of class read, write, spend",
            "the policy is fresh",
        ]
    );
}

#[test]
fn a_limit_of_the_policy_takes_the_place_of_the_default() {
    let scene = Scene::confirmed();
    let limits = Staleness { read: None, write: Some(Duration::from_secs(3)), spend: None };
    scene.freshness.limit(limits);
    scene.clock.pass(10 * 365 * 24 * HOUR);
    assert_eq!(scene.expired(), [Write]);
}

#[test]
fn a_clock_that_jumps_forward_makes_policy_old_until_the_plane_is_heard() {
    let scene = Scene::confirmed();
    scene.clock.jump(5 * HOUR as i64);
    assert_eq!(scene.expired(), [Spend]);
    // Set right again, it does not make it young.
    scene.clock.jump(-(5 * HOUR as i64));
    assert_eq!(scene.expired(), [Spend]);
    scene.freshness.confirm();
    assert_eq!(scene.expired(), []);
    let jumps: Vec<_> =
        scene.told().into_iter().filter(|(kind, _)| *kind == SidecarEventKind::ClockJumped).collect();
    assert_eq!(jumps.len(), 2, "{jumps:?}");
    assert!(jumps[0].1.contains("forward by 18000 s") && jumps[1].1.contains("back by 18000 s"), "{jumps:?}");
}

#[test]
fn a_clock_that_jumps_back_never_makes_policy_younger() {
    let scene = Scene::confirmed();
    scene.clock.pass(3 * HOUR + 1800);
    scene.freshness.renew();
    scene.clock.jump(-(3 * HOUR as i64));
    assert_eq!(scene.state(), "stale");
    scene.clock.pass(1800);
    assert_eq!(scene.expired(), [Spend], "by the monotonic clock");
}

#[test]
fn a_clock_from_before_the_last_word_leaves_only_reading_until_the_next() {
    let scene = Scene::confirmed();
    scene.clock.jump(-(HOUR as i64));
    assert_eq!(scene.expired(), [Write, Spend]);
    // Over a restart, too.
    let scene = scene.restarted();
    assert_eq!(scene.expired(), [Write, Spend]);
    scene.freshness.confirm();
    assert_eq!(scene.expired(), []);
}

#[test]
fn small_steps_of_the_clock_are_no_jumps() {
    let scene = Scene::confirmed();
    for step in [-1, 1, -1] {
        scene.clock.pass(1);
        scene.clock.jump(step);
        scene.freshness.renew();
    }
    assert_eq!((scene.state(), scene.told().len()), ("fresh", 0));
}

#[test]
fn a_restart_does_not_make_policy_younger() {
    let scene = Scene::confirmed();
    scene.clock.pass(3 * HOUR);
    let scene = scene.restarted();
    assert_eq!((scene.state(), scene.expired()), ("stale", vec![]));
    scene.clock.pass(HOUR);
    assert_eq!(scene.expired(), [Spend]);
    // While it was down.
    let kept = scene.freshness.to_keep();
    scene.clock.pass(5 * HOUR);
    let scene = Scene::started(&scene.clock, Some(kept), Some(START_MS), false);
    assert_eq!(scene.expired(), [Write, Spend]);
}

#[test]
fn an_age_that_only_the_monotonic_clock_knew_survives_a_restart() {
    let scene = Scene::confirmed();
    scene.clock.pass(5 * HOUR);
    scene.freshness.renew();
    scene.clock.jump(-(5 * HOUR as i64));
    let scene = scene.restarted();
    assert_eq!(scene.expired(), [Spend]);
}

#[test]
fn a_sidecar_started_on_a_clock_from_the_past_only_reads() {
    let scene = Scene::confirmed();
    scene.clock.pass(60);
    let kept = scene.freshness.to_keep();
    scene.clock.jump(-(24 * HOUR as i64));
    let scene = Scene::started(&scene.clock, Some(kept), Some(START_MS), false);
    assert_eq!(scene.expired(), [Write, Spend]);
    assert!(scene.told().iter().any(|(kind, _)| *kind == SidecarEventKind::ClockJumped));
}

#[test]
fn without_a_kept_age_it_counts_from_the_signature() {
    let clock = SetClock::new();
    clock.pass(5 * HOUR);
    let scene = Scene::started(&clock, None, Some(START_MS), false);
    assert_eq!(scene.expired(), [Spend]);
    clock.jump(-(6 * HOUR as i64));
    let scene = Scene::started(&clock, None, Some(START_MS), false);
    assert_eq!(scene.expired(), [Write, Spend], "signed in what is said to be the future");
}

#[test]
fn the_generation_before_only_reads_until_the_plane_is_heard() {
    let clock = SetClock::new();
    let scene = Scene::started(&clock, None, Some(START_MS), true);
    assert_eq!(scene.expired(), [Write, Spend]);
    scene.freshness.confirm();
    assert_eq!(scene.expired(), []);
}

#[test]
fn a_level_that_nobody_renews_is_renewed_by_its_reader() {
    let scene = Scene::confirmed();
    scene.clock.pass(4 * HOUR);
    assert_eq!(scene.freshness.last_level(), Level(0), "nobody looked");
    assert!(scene.freshness.level(scene.clock.now_s()).expired(Spend));
}

#[test]
fn the_age_is_written_at_most_once_a_minute() {
    let scene = Scene::confirmed();
    assert!(scene.freshness.due().is_some());
    scene.clock.pass(59);
    assert!(scene.freshness.due().is_none());
    scene.clock.pass(1);
    let kept = scene.freshness.due().unwrap();
    assert_eq!(kept, KeptAge { confirmed_ms: START_MS, seen_ms: START_MS + 60_000, age_ms: 60_000 });
}
