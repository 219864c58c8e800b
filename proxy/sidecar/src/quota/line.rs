//! One quota of this process: its lease, and what the control plane last said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use creto_policy::{Away, QuotaRule};
use creto_quota::{Action, Lease, Quota};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::path::judge::now_s;

/// A quota that was said to be used up is asked for again after this long: others may have given back.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// A lease that nothing was taken of for so long goes back.
const IDLE: Duration = Duration::from_secs(30);
/// A lease in use is replaced when it ends in fewer seconds: so that the control plane may be away for as long.
const RENEW_S: u64 = 120;
/// The pace at which a lease was used is taken to go on for this long.
const HORIZON: Duration = Duration::from_secs(10);

/// What the control plane last said to a request for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing yet, or it granted one.
    Nothing,
    /// Less is left than is needed.
    Exhausted {
        /// When there is more, in milliseconds since 1970.
        window_ends_ms: i64,
        /// Units that could be granted.
        available: u64,
    },
    /// No window ever has as much as is needed.
    Impossible {
        /// Units a window has.
        amount: u64,
    },
    /// It knows no such quota.
    Unknown,
    /// Nothing: it does not answer.
    Away,
}

impl State {
    fn said_to(&self, amount: u64) -> Said {
        let recent = self.said_at.is_some_and(|at| at.elapsed() < ASK_AGAIN);
        let is_other = match self.said {
            Said::Exhausted { available, .. } => amount > 0 && amount <= available,
            Said::Impossible { amount: most } => amount <= most,
            Said::Nothing | Said::Unknown | Said::Away => false,
        };
        if recent && !is_other { self.said } else { Said::Nothing }
    }
}

/// One quota, by the name that policy gives it. It outlives the policy.
#[derive(Debug)]
pub(crate) struct QuotaLine {
    pub(crate) policy: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) quota: Arc<Quota>,
    /// Most units that a waiting call needs at once.
    needed: AtomicU64,
    /// Calls go on when the control plane is away.
    goes_on: AtomicBool,
    state: Mutex<State>,
    /// Changes with each answer.
    answers: watch::Sender<u64>,
    /// Wakes whoever asks the control plane.
    wake: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    action: Action,
    said: Said,
    said_at: Option<Instant>,
    /// Number of the next request.
    request: u64,
    granted_at: Option<Instant>,
    /// What was left of the lease in hand when it was looked at last, and since when.
    left: (u64, Option<Instant>),
    /// Something was taken of the last lease, or nothing was granted yet.
    in_use: bool,
}

impl QuotaLine {
    pub(crate) fn new(rule: &QuotaRule, quota: Arc<Quota>, wake: &Arc<Notify>) -> Self {
        let line = Self {
            policy: rule.policy().into(),
            name: rule.name().into(),
            quota,
            needed: AtomicU64::new(0),
            goes_on: AtomicBool::new(false),
            state: Mutex::new(State {
                action: rule.action(),
                said: Said::Nothing,
                said_at: None,
                request: 1,
                granted_at: None,
                left: (0, None),
                in_use: true,
            }),
            answers: watch::Sender::new(0),
            wake: Arc::clone(wake),
        };
        line.follow(rule, rule.action());
        line
    }

    /// Goes by what a newer policy says; `action` is the rule's, or a milder one where policy only observes.
    pub(crate) fn follow(&self, rule: &QuotaRule, action: Action) {
        self.goes_on.store(rule.away() == Away::Allow, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.action = action;
        self.act(&state);
    }

    /// What the quota does when it is short: what policy says, but that calls may go on when nobody can be asked.
    fn act(&self, state: &State) {
        let goes_on = state.said == Said::Away && self.goes_on.load(Ordering::Relaxed);
        let action =
            if goes_on && state.action == Action::Block { Action::AllowWithOverage } else { state.action };
        self.quota.set_action(action);
    }

    /// A call needs so much at once and waits for it.
    pub(crate) fn need(&self, amount: u64) {
        self.needed.fetch_max(amount, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Wakes with the next answer.
    pub(crate) fn answers(&self) -> watch::Receiver<u64> {
        self.answers.subscribe()
    }

    /// What was said to somebody who needs so much, while it need not be asked for again.
    pub(crate) fn said(&self, amount: u64) -> Said {
        self.state.lock().said_to(amount)
    }

    /// What to ask for: number of the request, units wanted, units needed. None when nothing is to be asked.
    pub(crate) fn ask(&self) -> Option<(u64, u64, u64)> {
        let needed = self.needed.load(Ordering::Relaxed);
        let state = self.state.lock();
        // Quotas that nobody uses have no lease.
        let is_used = state.in_use && (self.quota.wants_refill() || self.is_ending());
        // That somebody is there again is found out by asking.
        if needed == 0 && !is_used && state.said != Said::Away {
            return None;
        }
        if state.said_to(needed) != Said::Nothing {
            return None;
        }
        Some((state.request, self.wanted(&state).max(needed.saturating_mul(4)), needed))
    }

    /// Whether the lease in hand ends soon.
    fn is_ending(&self) -> bool {
        self.quota.lease().is_some_and(|lease| lease.not_after_s.saturating_sub(now_s()) < RENEW_S)
    }

    /// Looks whether the lease in hand is used, and lets go of one that is not.
    pub(crate) fn look(&self) {
        let Some(lease) = self.quota.lease() else { return };
        let left = self.quota.left();
        let mut state = self.state.lock();
        let (before, since) = state.left;
        state.in_use |= left < lease.amount;
        let Some(since) = since.filter(|_| before == left) else {
            state.left = (left, Some(Instant::now()));
            return;
        };
        // While nobody can be asked for another, it stays.
        if since.elapsed() > IDLE && state.said != Said::Away {
            state.in_use = false;
            state.left = (0, None);
            // What is left goes back with the next account.
            let _ = self.quota.revoke(lease.epoch, lease.id);
        }
    }

    /// Twice what the pace of the lease in hand comes to.
    fn wanted(&self, state: &State) -> u64 {
        let (Some(lease), Some(since)) = (self.quota.lease(), state.granted_at) else { return 0 };
        let used = u128::from(lease.amount.saturating_sub(self.quota.left()));
        let over = since.elapsed().max(Duration::from_millis(100)).as_millis();
        u64::try_from(used * HORIZON.as_millis() * 2 / over).unwrap_or(u64::MAX)
    }

    /// A lease came; false when it is not taken, and then it goes back.
    pub(crate) fn granted(&self, lease: &Lease, now_s: u64) -> bool {
        let taken = self.quota.grant(lease, now_s).is_ok();
        {
            let mut state = self.state.lock();
            state.request += 1;
            state.granted_at = Some(Instant::now());
            state.left = (lease.amount, Some(Instant::now()));
            state.in_use = false;
            self.say(&mut state, Said::Nothing);
        }
        self.needed.store(0, Ordering::Relaxed);
        self.tell();
        taken
    }

    /// No lease came.
    pub(crate) fn refused(&self, said: Said) {
        {
            let mut state = self.state.lock();
            self.say(&mut state, said);
        }
        self.needed.store(0, Ordering::Relaxed);
        self.tell();
    }

    fn say(&self, state: &mut State, said: Said) {
        state.said = said;
        state.said_at = Some(Instant::now());
        self.act(state);
    }

    fn tell(&self) {
        self.answers.send_modify(|count| *count = count.wrapping_add(1));
    }
}
