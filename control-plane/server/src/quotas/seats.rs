//! Which limit each run of a sidecar draws on, and the limits in use.
//!
//! A run of a sidecar's process keeps, for a quota, the limit that it began with: leases it holds are of that one, and
//! reported to another they would be taken for leases that the issuer forgot. When its share has become another (its
//! agent has another parent now), it settles what it holds, and gets no more under this process number. Seats are in memory
//! only; one that is not known is found again from the leases that the issuer granted.

use std::collections::HashMap;
use std::sync::Arc;

use creto_policy_store::SidecarIdentity;
use creto_proto::v1::LeaseExchange;
use creto_quota_issuer::{MAX_UNITS, QuotaLimit};

/// Most seats; at one more those that were silent the longest go.
pub(crate) const MAX_SEATS: usize = 200_000;
/// Most limits in use; at one more those that were silent the longest go.
pub(crate) const MAX_LIMITS_IN_USE: usize = 200_000;
/// A limit in use is looked at after so many milliseconds (1 hour) even if no lease of it ends: for old windows and holders.
pub(crate) const LOOK_EVERY_MS: u64 = 3_600_000;
/// Seats and limits are forgotten after a silence of so many milliseconds (25 hours): nothing is held of them any more.
pub(crate) const IDLE_MS: u64 = 90_000_000;

/// A run of a sidecar's process, and a quota.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SeatKey {
    sidecar_id: Box<str>,
    process: u64,
    policy: Box<str>,
    quota: Box<str>,
}

impl SeatKey {
    /// Ids of sidecars are unique over namespaces.
    pub(super) fn new(sidecar: &SidecarIdentity, process: u64, exchange: &LeaseExchange) -> Self {
        Self {
            sidecar_id: sidecar.sidecar_id.as_str().into(),
            process,
            policy: exchange.policy.as_str().into(),
            quota: exchange.quota.as_str().into(),
        }
    }
}

/// What a sidecar may do with a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Report and get leases.
    Draws(Arc<QuotaLimit>),
    /// Report only.
    Settles {
        /// The limit that it holds leases of.
        limit: Arc<QuotaLimit>,
        /// Why it gets no more.
        refused: String,
    },
    /// Nothing.
    None {
        /// Why.
        refused: String,
    },
}

impl Place {
    /// The same, with no more leases.
    pub(super) fn refused(self, why: &str) -> Self {
        match self {
            Self::Draws(limit) => Self::Settles { limit, refused: why.to_owned() },
            other => other,
        }
    }
}

type LimitKey = (Box<str>, Box<str>);

struct Seat {
    limit: Arc<QuotaLimit>,
    used_ms: u64,
    /// Whether it ever got a lease: else nothing ties it to the limit.
    holds: bool,
}

struct InUse {
    /// As its document said it last.
    document: QuotaLimit,
    /// In the terms that are in force, which may have another revision.
    limit: Arc<QuotaLimit>,
    used_ms: u64,
    /// When to look for leases past their end.
    look_ms: u64,
}

fn key_of(limit: &QuotaLimit) -> LimitKey {
    (limit.namespace.clone(), limit.name.clone())
}

/// All seats, and all limits in use.
#[derive(Default)]
pub(super) struct Seats {
    seats: HashMap<SeatKey, Seat>,
    limits: HashMap<LimitKey, InUse>,
}

impl Seats {
    /// Whether it is known here what a run of a sidecar draws on; else the issuer may know.
    pub(super) fn knows(&self, key: &SeatKey) -> bool {
        self.seats.contains_key(key)
    }

    /// The issuer knows of which limit a run had leases: this control plane is new, or forgot.
    pub(super) fn take_back(&mut self, key: SeatKey, limit: QuotaLimit, now_ms: u64) {
        make_room(&mut self.seats, MAX_SEATS, |seat| seat.used_ms);
        self.seats.insert(key, Seat { limit: Arc::new(limit), used_ms: now_ms, holds: true });
    }

    /// Where a sidecar is with a quota of which this is its limit now, or why it has none.
    pub(super) fn sit(&mut self, key: SeatKey, limit: Result<QuotaLimit, String>, now_ms: u64) -> Place {
        let held = self.seats.get_mut(&key).filter(|seat| seat.holds).map(|seat| {
            seat.used_ms = now_ms;
            Arc::clone(&seat.limit)
        });
        let held = held.map(|held| match self.limits.get_mut(&key_of(&held)) {
            Some(known) if counts_the_same(&known.limit, &held) => {
                known.used_ms = now_ms;
                Arc::clone(&known.limit)
            }
            _ => held,
        });
        match (limit, held) {
            (Ok(limit), None) => Place::Draws(self.begin(key, limit, now_ms)),
            (Ok(limit), Some(held)) if counts_the_same(&limit, &held) => {
                Place::Draws(self.begin(key, limit, now_ms))
            }
            (Ok(_), Some(held)) => Place::Settles {
                limit: held,
                refused: "another share of this quota is the agent's since this run of the sidecar began: restart the \
                          sidecar"
                    .to_owned(),
            },
            (Err(refused), Some(held)) => Place::Settles { limit: held, refused },
            (Err(refused), None) => Place::None { refused },
        }
    }

    fn begin(&mut self, key: SeatKey, limit: QuotaLimit, now_ms: u64) -> Arc<QuotaLimit> {
        let of = key_of(&limit);
        if !self.limits.contains_key(&of) {
            make_room(&mut self.limits, MAX_LIMITS_IN_USE, |known| known.used_ms);
        }
        if !self.seats.contains_key(&key) {
            make_room(&mut self.seats, MAX_SEATS, |seat| seat.used_ms);
        }
        let limit = match self.limits.get_mut(&of) {
            Some(known) => {
                known.used_ms = now_ms;
                if known.document != limit && known.document.revision <= limit.revision {
                    // Above what is in force, however this clock stands to the one that numbered that.
                    let revision = limit.revision.max(known.limit.revision.saturating_add(1)).min(MAX_UNITS);
                    known.limit = Arc::new(QuotaLimit { revision, ..limit.clone() });
                    known.document = limit;
                }
                Arc::clone(&known.limit)
            }
            None => {
                let document = limit.clone();
                let limit = Arc::new(limit);
                let known = InUse { document, limit: Arc::clone(&limit), used_ms: now_ms, look_ms: now_ms };
                self.limits.insert(of, known);
                limit
            }
        };
        let holds = self.seats.get(&key).is_some_and(|seat| seat.holds);
        self.seats.insert(key, Seat { limit: Arc::clone(&limit), used_ms: now_ms, holds });
        limit
    }

    /// Other terms of a limit are in force than its document says. Where the issuer is this control plane's alone the
    /// document holds, under a higher number: the clock was put back. Where it is shared, others changed the limit.
    pub(super) fn reconcile(
        &mut self,
        limit: &QuotaLimit,
        (revision, amount): (u64, u64),
        is_shared: bool,
    ) -> Arc<QuotaLimit> {
        let limit = Arc::new(if is_shared {
            QuotaLimit { revision, amount, ..limit.clone() }
        } else {
            QuotaLimit { revision: revision.saturating_add(1).min(MAX_UNITS), ..limit.clone() }
        });
        if let Some(known) = self.limits.get_mut(&key_of(&limit)) {
            known.limit = Arc::clone(&limit);
        }
        limit
    }

    /// A run of a sidecar got a lease, which ends then.
    pub(super) fn granted(&mut self, key: &SeatKey, ends_ms: u64) {
        let Some(seat) = self.seats.get_mut(key) else { return };
        seat.holds = true;
        if let Some(known) = self.limits.get_mut(&key_of(&seat.limit)) {
            known.look_ms = known.look_ms.min(ends_ms);
        }
    }

    /// The limits that are to be looked at now; what was silent for long is forgotten.
    pub(super) fn due(&mut self, now_ms: u64) -> Vec<Arc<QuotaLimit>> {
        self.limits.retain(|_, known| now_ms.saturating_sub(known.used_ms) < IDLE_MS);
        self.seats.retain(|_, seat| now_ms.saturating_sub(seat.used_ms) < IDLE_MS);
        let due = self.limits.values_mut().filter(|known| known.look_ms <= now_ms);
        due.map(|known| {
            // Set back by leases that are granted meanwhile, and by what the look shows.
            known.look_ms = now_ms.saturating_add(LOOK_EVERY_MS);
            Arc::clone(&known.limit)
        })
        .collect()
    }

    /// Something is to be done about a limit at a moment.
    pub(super) fn look_at(&mut self, limit: &QuotaLimit, at_ms: u64) {
        if let Some(known) = self.limits.get_mut(&key_of(limit)) {
            known.look_ms = known.look_ms.min(at_ms);
        }
    }
}

/// Whether leases of one are leases of the other.
fn counts_the_same(one: &QuotaLimit, other: &QuotaLimit) -> bool {
    one.name == other.name && one.unit == other.unit && one.period == other.period && one.zone == other.zone
}

/// Drops the tenth that was silent the longest, where there are as many as may be.
fn make_room<K, V>(map: &mut HashMap<K, V>, most: usize, used_ms: impl Fn(&V) -> u64)
where
    K: std::hash::Hash + Eq,
{
    if map.len() < most {
        return;
    }
    let mut times: Vec<u64> = map.values().map(&used_ms).collect();
    let at = times.len() / 10;
    let (_, oldest, _) = times.select_nth_unstable(at);
    let oldest = *oldest;
    map.retain(|_, value| used_ms(value) > oldest);
}

#[cfg(test)]
mod tests {
    use creto_quota_issuer::Period;

    use super::*;

    fn limit(name: &str, revision: u64, amount: u64) -> QuotaLimit {
        QuotaLimit { revision, ..QuotaLimit::new("a", name, "token", amount, Period::Daily) }
    }

    fn key(process: u64) -> SeatKey {
        let sidecar =
            SidecarIdentity { namespace: "a".into(), sidecar_id: "s".into(), agent_name: "one".into() };
        let exchange = LeaseExchange { policy: "p".into(), quota: "q".into(), ..LeaseExchange::default() };
        SeatKey::new(&sidecar, process, &exchange)
    }

    #[test]
    fn a_run_keeps_the_limit_that_it_began_with() {
        let mut seats = Seats::default();
        let (one, other) = (limit("p/q/parent/one", 1, 10), limit("p/q/parent/other", 1, 10));
        assert_eq!(seats.sit(key(1), Ok(other.clone()), 0), Place::Draws(Arc::new(other.clone())));
        // As long as it got nothing, nothing ties it.
        assert_eq!(seats.sit(key(1), Ok(one.clone()), 0), Place::Draws(Arc::new(one.clone())));
        seats.granted(&key(1), 9);
        let Place::Settles { limit: held, refused } = seats.sit(key(1), Ok(other.clone()), 1) else {
            panic!("it drew on another's share");
        };
        assert_eq!(*held, one);
        assert!(refused.contains("restart the sidecar"), "{refused}");
        assert_eq!(seats.sit(key(2), Ok(other.clone()), 1), Place::Draws(Arc::new(other)));
        let gone = seats.sit(key(1), Err("gone".into()), 2);
        assert_eq!(gone, Place::Settles { limit: Arc::new(one), refused: "gone".into() });
        assert_eq!(seats.sit(key(3), Err("gone".into()), 2), Place::None { refused: "gone".into() });
    }

    #[test]
    fn the_newest_terms_of_a_limit_hold_for_everybody() {
        let mut seats = Seats::default();
        seats.sit(key(1), Ok(limit("p/q/policy", 1, 10)), 0);
        seats.granted(&key(1), 9);
        seats.sit(key(2), Ok(limit("p/q/policy", 2, 20)), 0);
        // One that settles only, and one that read the documents a moment ago, go by the newest too.
        for place in
            [seats.sit(key(1), Err("gone".into()), 1), seats.sit(key(3), Ok(limit("p/q/policy", 1, 10)), 1)]
        {
            let (Place::Draws(limit) | Place::Settles { limit, .. }) = place else { panic!("no limit") };
            assert_eq!((limit.revision, limit.amount), (2, 20));
        }
        assert_eq!(seats.due(2).len(), 1);
    }

    #[test]
    fn a_clock_that_was_put_back_holds_up_no_change() {
        let mut seats = Seats::default();
        seats.sit(key(1), Ok(limit("p/q/policy", 5, 10)), 0);
        // The issuer has revision 9 of before.
        let own = seats.reconcile(&limit("p/q/policy", 5, 10), (9, 30), false);
        assert_eq!((own.revision, own.amount), (10, 10));
        let Place::Draws(now) = seats.sit(key(1), Ok(limit("p/q/policy", 5, 10)), 0) else { panic!() };
        assert_eq!((now.revision, now.amount), (10, 10));
        let Place::Draws(changed) = seats.sit(key(1), Ok(limit("p/q/policy", 6, 20)), 0) else { panic!() };
        assert_eq!((changed.revision, changed.amount), (11, 20));
        // Shared with others, what they said holds until it is changed here.
        let others = seats.reconcile(&limit("p/q/policy", 6, 20), (40, 30), true);
        assert_eq!((others.revision, others.amount), (40, 30));
        let Place::Draws(now) = seats.sit(key(1), Ok(limit("p/q/policy", 6, 20)), 0) else { panic!() };
        assert_eq!((now.revision, now.amount), (40, 30));
        let Place::Draws(changed) = seats.sit(key(1), Ok(limit("p/q/policy", 7, 25)), 0) else { panic!() };
        assert_eq!((changed.revision, changed.amount), (41, 25));
    }

    #[test]
    fn limits_are_looked_at_when_a_lease_ends() {
        let mut seats = Seats::default();
        seats.sit(key(1), Ok(limit("p/q/policy", 1, 10)), 0);
        assert_eq!((seats.due(0).len(), seats.due(5).len()), (1, 0));
        seats.granted(&key(1), 9);
        assert_eq!((seats.due(8).len(), seats.due(9).len(), seats.due(10).len()), (0, 1, 0));
        seats.look_at(&limit("p/q/policy", 1, 10), 12);
        assert_eq!((seats.due(11).len(), seats.due(12).len(), seats.due(13).len()), (0, 1, 0));
        assert_eq!(seats.due(12 + LOOK_EVERY_MS).len(), 1);
    }

    #[test]
    fn a_seat_that_was_forgotten_is_taken_back() {
        let mut seats = Seats::default();
        let (one, other) = (limit("p/q/parent/one", 1, 10), limit("p/q/parent/other", 1, 10));
        assert!(!seats.knows(&key(1)));
        seats.take_back(key(1), one.clone(), 0);
        assert!(seats.knows(&key(1)));
        let Place::Settles { limit: held, .. } = seats.sit(key(1), Ok(other), 0) else { panic!("it drew") };
        assert_eq!(*held, one);
        assert_eq!(seats.sit(key(1), Ok(one.clone()), 0), Place::Draws(Arc::new(one)));
    }

    #[test]
    fn what_was_silent_for_long_is_forgotten_and_there_is_always_room() {
        let mut seats = Seats::default();
        seats.sit(key(1), Ok(limit("p/q/policy", 1, 10)), 0);
        assert!(seats.due(IDLE_MS).is_empty() && seats.seats.is_empty());
        let mut map: HashMap<u64, u64> = (0..100).map(|at| (at, at)).collect();
        make_room(&mut map, 100, |used_ms| *used_ms);
        assert!(map.len() == 89 && !map.contains_key(&10) && map.contains_key(&11), "{}", map.len());
    }
}
