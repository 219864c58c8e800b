//! How old what is enforced is, and which calls it is too old for.
//!
//! Age counts from the moment the control plane last said that the policy is current. It is the larger of what the
//! monotonic and the wall clock make of it, and never shrinks but by another word of the control plane: a wall clock that
//! jumps forward makes the policy older, one that jumps back does not make it younger, and a restart goes on from what
//! was kept on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use creto_policy::{RiskClass, Staleness};
use creto_proto::v1::SidecarEventKind;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::plane::clock::{Clock, SystemClock};
use crate::plane::events::Events;

/// Without a word for longer the policy counts as stale: heartbeats come every 5 seconds.
const STALE: Duration = Duration::from_secs(60);
/// A wall clock may differ by this much without being taken for one that jumped.
const SLACK_MS: i64 = 2_000;
/// A jump of the wall clock of at least this is told to the control plane.
const JUMP_MS: i64 = 10_000;
/// A level that was not renewed for longer is renewed by whoever reads it.
const LATE_S: u64 = 5;
/// Least time between two writes to disk.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// What is kept across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptAge {
    /// Wall time of the last confirmation, milliseconds since the Unix epoch.
    pub(crate) confirmed_ms: i64,
    /// Wall time when this was kept.
    pub(crate) seen_ms: i64,
    /// Age at that time, milliseconds.
    pub(crate) age_ms: u64,
}

/// Which calls the policy is too old for; one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(u8);

impl Level {
    const STALE: u8 = 1;
    const EXPIRED: u8 = 0b1110;
    const LAST_READ: u8 = Self::of(RiskClass::Write) | Self::of(RiskClass::Spend);

    const fn of(class: RiskClass) -> u8 {
        match class {
            RiskClass::Read => 0b0010,
            RiskClass::Write => 0b0100,
            RiskClass::Spend => 0b1000,
        }
    }

    /// Whether it is too old for any call.
    pub(crate) fn any_expired(self) -> bool {
        self.0 & Self::EXPIRED != 0
    }

    /// Whether it is too old for calls of this class.
    pub(crate) fn expired(self, class: RiskClass) -> bool {
        self.0 & Self::of(class) != 0
    }

    /// `fresh`, `stale` or `expired`.
    pub(crate) fn as_str(self) -> &'static str {
        match self.0 {
            _ if self.any_expired() => "expired",
            0 => "fresh",
            _ => "stale",
        }
    }

    fn expired_classes(self) -> String {
        let classes: Vec<_> =
            RiskClass::ALL.into_iter().filter(|class| self.expired(*class)).map(RiskClass::as_str).collect();
        classes.join(", ")
    }
}

/// Age, renewed each second and by every confirmation.
#[derive(Debug)]
pub(crate) struct Freshness<C = SystemClock> {
    /// The level in the low byte, above it the wall second it was renewed in.
    word: AtomicU64,
    age: Mutex<Age>,
    clock: C,
    events: Arc<Events>,
}

#[derive(Debug)]
struct Age {
    age: Duration,
    /// When `age` was right.
    at: Duration,
    at_wall_ms: i64,
    confirmed_ms: i64,
    limits: Staleness,
    /// The wall clock is earlier than it was: nobody knows how long the control plane has been away.
    clock_is_back: bool,
    /// What is enforced is not the newest: it may allow what the newest took away.
    is_previous: bool,
    kept_at: Option<Duration>,
}

/// What is known of the policy when a sidecar starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstAge {
    pub(crate) kept: Option<KeptAge>,
    /// When it was signed, which is at or before any confirmation; none without a policy.
    pub(crate) issued_ms: Option<i64>,
    pub(crate) is_previous: bool,
    pub(crate) limits: Staleness,
}

impl<C: Clock> Freshness<C> {
    pub(crate) fn new(clock: C, events: Arc<Events>, first: FirstAge) -> Self {
        let wall = clock.wall_ms();
        // Without a policy there is nothing that ages.
        let kept = first.issued_ms.map(|issued| {
            let signed = KeptAge { confirmed_ms: issued, seen_ms: issued, age_ms: 0 };
            first.kept.unwrap_or(signed)
        });
        let mut age = Age {
            age: Duration::ZERO,
            at: clock.monotonic(),
            at_wall_ms: wall,
            confirmed_ms: wall,
            limits: first.limits,
            clock_is_back: false,
            is_previous: first.is_previous,
            kept_at: None,
        };
        if let Some(kept) = kept {
            let gone = kept.age_ms.saturating_add(millis_since(wall, kept.seen_ms));
            age.age = Duration::from_millis(gone.max(millis_since(wall, kept.confirmed_ms)));
            age.confirmed_ms = kept.confirmed_ms;
            age.clock_is_back = wall.saturating_add(SLACK_MS) < kept.seen_ms.max(kept.confirmed_ms);
            if age.clock_is_back {
                let back = (kept.seen_ms - wall) / 1000;
                let words = format!(
                    "at the start the wall clock is {back} s earlier than when it was last seen; until the control \
                     plane is heard, only calls that read are let through"
                );
                tracing::error!("{words}");
                events.push(SidecarEventKind::ClockJumped, &words);
            }
        }
        let this = Self { word: AtomicU64::new(0), age: Mutex::new(age), clock, events };
        this.publish(&this.age.lock(), wall);
        this
    }

    /// Which calls the policy is too old for. One atomic read, unless nobody has renewed it for a while or the clock
    /// jumped.
    pub(crate) fn level(&self, now_s: u64) -> Level {
        let word = self.word.load(Ordering::Relaxed);
        if now_s.abs_diff(word >> 8) <= LATE_S {
            return Level((word & 0xff) as u8);
        }
        self.renew();
        self.last_level()
    }

    /// The level as it was renewed last.
    pub(crate) fn last_level(&self) -> Level {
        Level((self.word.load(Ordering::Relaxed) & 0xff) as u8)
    }

    /// Since the control plane last said that the policy is current, as far as is known.
    pub(crate) fn age(&self) -> Duration {
        let age = self.age.lock();
        age.age + self.clock.monotonic().saturating_sub(age.at)
    }

    /// Looks at the clocks.
    pub(crate) fn renew(&self) {
        let mut age = self.age.lock();
        let wall = self.pass(&mut age);
        self.publish(&age, wall);
    }

    /// The control plane says that what is enforced is current.
    pub(crate) fn confirm(&self) {
        let mut age = self.age.lock();
        let wall = self.pass(&mut age);
        age.age = Duration::ZERO;
        age.confirmed_ms = wall;
        age.clock_is_back = false;
        age.is_previous = false;
        self.publish(&age, wall);
    }

    /// The limits of what is enforced from now on.
    pub(crate) fn limit(&self, limits: Staleness) {
        let mut age = self.age.lock();
        age.limits = limits;
        let wall = self.pass(&mut age);
        self.publish(&age, wall);
    }

    /// What to put on disk, if it is time to.
    pub(crate) fn due(&self) -> Option<KeptAge> {
        let mut age = self.age.lock();
        let now = self.clock.monotonic();
        if age.kept_at.is_some_and(|at| now.saturating_sub(at) < KEEP_EVERY) {
            return None;
        }
        age.kept_at = Some(now);
        drop(age);
        Some(self.to_keep())
    }

    /// What to put on disk.
    pub(crate) fn to_keep(&self) -> KeptAge {
        let mut age = self.age.lock();
        let wall = self.pass(&mut age);
        KeptAge {
            confirmed_ms: age.confirmed_ms,
            // A clock that is back stays so over a restart.
            seen_ms: if age.clock_is_back { wall.max(age.confirmed_ms) } else { wall },
            age_ms: u64::try_from(age.age.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Lets time pass: gives the wall time now.
    fn pass(&self, age: &mut Age) -> i64 {
        let (now, wall) = (self.clock.monotonic(), self.clock.wall_ms());
        let passed = now.saturating_sub(age.at);
        age.age = (age.age + passed).max(Duration::from_millis(millis_since(wall, age.confirmed_ms)));
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let jumped = wall.saturating_sub(age.at_wall_ms).saturating_sub(passed_ms);
        (age.at, age.at_wall_ms) = (now, wall);
        if wall.saturating_add(SLACK_MS) < age.confirmed_ms {
            age.clock_is_back = true;
        }
        if jumped.abs() >= JUMP_MS {
            let way = if jumped > 0 { "forward" } else { "back" };
            let words = format!("the wall clock jumped {way} by {} s", jumped.abs() / 1000);
            tracing::warn!("{words}");
            self.events.push(SidecarEventKind::ClockJumped, &words);
        }
        wall
    }

    fn publish(&self, age: &Age, wall_ms: i64) {
        let mut bits = if age.age >= STALE { Level::STALE } else { 0 };
        for class in RiskClass::ALL {
            if age.limits.limit(class).is_some_and(|limit| age.age >= limit) {
                bits |= Level::of(class);
            }
        }
        if age.clock_is_back || age.is_previous {
            bits |= Level::LAST_READ;
        }
        let second = u64::try_from(wall_ms / 1000).unwrap_or(0);
        let level = Level(bits);
        let before = Level((self.word.swap(second << 8 | u64::from(bits), Ordering::Relaxed) & 0xff) as u8);
        if before != level {
            self.tell(level, age.age);
        }
    }

    fn tell(&self, level: Level, age: Duration) {
        let state = level.as_str();
        let age = age.as_secs();
        let words = if level.any_expired() {
            format!(
                "the policy has expired for calls of class {}: the control plane was last heard {age} s ago",
                level.expired_classes()
            )
        } else {
            format!("the policy is {state}: the control plane was last heard {age} s ago")
        };
        if level == Level(0) {
            tracing::info!("{words}");
        } else {
            tracing::warn!("{words}");
        }
        self.events.push(SidecarEventKind::StalenessChanged, &words);
    }
}

/// Milliseconds from then to now; none when then is to come.
fn millis_since(now_ms: i64, then_ms: i64) -> u64 {
    u64::try_from(now_ms.saturating_sub(then_ms)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
