//! Who kills, when, and how long it takes until everything works again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::callers::Journal;
use crate::numbers::Numbers;
use crate::system::{System, Target};

/// Between two looks whether something is up again.
const LOOK: Duration = Duration::from_millis(10);
/// How long everything may take to work again after the last kill.
const RECOVERY: Duration = Duration::from_secs(60);
/// Entries in a spool below which the control plane keeps up with it: those of half a second.
const FEW: u64 = 200;

/// Kills one thing after the other.
pub(crate) struct Killer {
    numbers: Numbers,
    /// What was started and is not known to be ready, since when.
    starting: BTreeMap<Target, Instant>,
    last: Option<Target>,
    kills: BTreeMap<&'static str, u64>,
    /// Kills of what had not said that it is ready.
    at_start: u64,
    /// Kills of one thing while another was not ready.
    at_recovery: u64,
    /// Ends by itself at the start, such as of a control plane whose database is away.
    gave_up: BTreeMap<&'static str, u64>,
    ready_after: BTreeMap<&'static str, Vec<Duration>>,
    /// From the last kill until calls were answered and reports were taken in.
    work_after: Vec<Duration>,
}

impl Killer {
    pub(crate) fn new(numbers: Numbers) -> Self {
        Self {
            numbers,
            starting: BTreeMap::new(),
            last: None,
            kills: BTreeMap::new(),
            at_start: 0,
            at_recovery: 0,
            gave_up: BTreeMap::new(),
            ready_after: BTreeMap::new(),
            work_after: Vec::new(),
        }
    }

    /// Kills something at a random moment and starts it again: mostly while calls go through and are reported, one time in
    /// three while something is still coming up from the kill before.
    pub(crate) async fn kill_once(&mut self, system: &mut System, journal: &Journal) {
        let targets = system.targets();
        let mut target = targets[self.numbers.below(targets.len() as u64) as usize];
        if self.last.is_some() && self.numbers.below(3) == 0 {
            let wait = Duration::from_millis(self.numbers.below(400));
            let until = Instant::now() + wait;
            while Instant::now() < until {
                tokio::time::sleep(LOOK.min(until - Instant::now())).await;
                self.look(system);
            }
            // Again the same, half the time: at another point of its start.
            if let Some(last) = self.last.filter(|_| self.numbers.below(2) == 0) {
                target = last;
            }
        } else {
            self.wait_until_all_work(system, journal).await;
            tokio::time::sleep(Duration::from_millis(self.numbers.between(10, 300))).await;
        }
        self.look(system);
        if self.starting.contains_key(&target) {
            self.at_start += 1;
        } else if !self.starting.is_empty() {
            self.at_recovery += 1;
        }
        system.kill9(target);
        *self.kills.entry(target.name()).or_default() += 1;
        self.last = Some(target);
        // Away for a moment, or not.
        tokio::time::sleep(Duration::from_millis(self.numbers.below(60))).await;
        system.start_again(target);
        self.starting.insert(target, Instant::now());
    }

    /// Notes what is ready, and starts again what ended by itself.
    fn look(&mut self, system: &mut System) {
        for target in system.targets() {
            if system.has_ended(target) {
                *self.gave_up.entry(target.name()).or_default() += 1;
                system.start_again(target);
                self.starting.entry(target).or_insert_with(Instant::now);
            } else if let Some(since) = self.starting.get(&target)
                && system.is_ready(target)
            {
                self.ready_after.entry(target.name()).or_default().push(since.elapsed());
                self.starting.remove(&target);
            }
        }
    }

    /// Waits until everything is ready, each agent is answered, and reports are taken in.
    pub(crate) async fn wait_until_all_work(&mut self, system: &mut System, journal: &Journal) {
        let begun = Instant::now();
        let answered = journal.answered();
        loop {
            self.look(system);
            if self.starting.is_empty() {
                let works = journal.answered().iter().zip(&answered).all(|(now, then)| now > then);
                let pending = system.pending().await;
                if works && pending.is_some_and(|pending| pending.iter().all(|few| *few < FEW)) {
                    break;
                }
            }
            if begun.elapsed() > RECOVERY {
                let logs: Vec<String> =
                    system.targets().into_iter().map(|it| end_of(&system.log(it))).collect();
                let pending = system.pending().await;
                panic!("not ready: {:?}; pending: {pending:?}\n{}", self.starting, logs.join("\n---\n"));
            }
            tokio::time::sleep(LOOK).await;
        }
        if self.last.is_some() {
            self.work_after.push(begun.elapsed());
        }
    }

    pub(crate) fn sidecar_kills(&self) -> u64 {
        self.kills.get(Target::Sidecar(0).name()).copied().unwrap_or_default()
    }

    /// What was done and how long recovery took.
    pub(crate) fn report(&self) -> String {
        let mut text = format!(
            "kills {:?}: {} as it came up itself, {} while another came up; starts given up {:?}",
            self.kills, self.at_start, self.at_recovery, self.gave_up
        );
        for (name, times) in &self.ready_after {
            write!(text, "\n{name} ready after {}", spread(times)).unwrap();
        }
        write!(text, "\nall work and reports are taken in after {}", spread(&self.work_after)).unwrap();
        text
    }
}

fn spread(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    match times.as_slice() {
        [] => "no kill".to_owned(),
        all => format!(
            "median {} ms, most {} ms ({} times)",
            all[all.len() / 2].as_millis(),
            all[all.len() - 1].as_millis(),
            all.len()
        ),
    }
}

/// The last lines of a log.
fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
