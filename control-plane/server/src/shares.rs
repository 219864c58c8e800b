//! Room that callers share: a bound over all, one for each namespace and one for each caller in it, so that nobody who
//! takes all it may have leaves others without.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Who holds a share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Holder {
    pub(crate) namespace: Arc<str>,
    /// The sidecar or the token.
    pub(crate) caller: Arc<str>,
}

/// How many units may be held at once. `of_namespace` is below `all`: one namespace leaves room for others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    pub(crate) all: usize,
    pub(crate) of_namespace: usize,
    pub(crate) of_caller: usize,
}

/// Whose room is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    All,
    Namespace,
    Caller,
}

impl Spent {
    /// For whoever is refused.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::All => "the control plane is busy: try again later",
            Self::Namespace => "this namespace has as much under way as one may have: try again later",
            Self::Caller => "this caller has as much under way as one may have: try again later",
        }
    }
}

/// What is held. A caller that holds nothing is not remembered: the maps have at most `all` entries.
#[derive(Debug, Default)]
struct Held {
    all: usize,
    namespaces: HashMap<Arc<str>, usize>,
    callers: HashMap<Holder, usize>,
}

/// Room of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Shares(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: Most,
    held: Mutex<Held>,
    freed: Notify,
}

/// Units that are held, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<Inner>,
    holder: Holder,
    units: usize,
}

impl Shares {
    pub(crate) fn new(most: Most) -> Self {
        Self(Arc::new(Inner { most, held: Mutex::default(), freed: Notify::new() }))
    }

    /// Takes units, or says whose room is used up. More than a caller may have at all counts as all that it may have.
    pub(crate) fn take(&self, holder: &Holder, units: usize) -> Result<Share, Spent> {
        let most = self.0.most;
        let units = units.min(most.of_caller);
        let mut held = self.0.held.lock();
        let of = |held: Option<&usize>| held.copied().unwrap_or(0) + units;
        if of(held.callers.get(holder)) > most.of_caller {
            return Err(Spent::Caller);
        }
        if of(held.namespaces.get(&holder.namespace)) > most.of_namespace {
            return Err(Spent::Namespace);
        }
        if held.all + units > most.all {
            return Err(Spent::All);
        }
        held.all += units;
        *held.namespaces.entry(Arc::clone(&holder.namespace)).or_default() += units;
        *held.callers.entry(holder.clone()).or_default() += units;
        Ok(Share { of: Arc::clone(&self.0), holder: holder.clone(), units })
    }

    /// The same, waiting for room for some time.
    pub(crate) async fn wait(
        &self,
        holder: &Holder,
        units: usize,
        patience: Duration,
    ) -> Result<Share, Spent> {
        let mut spent = Spent::All;
        let waiting = async {
            loop {
                // Enlisted before it looks, so that nothing is freed between the two.
                let freed = self.0.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                match self.take(holder, units) {
                    Ok(share) => return share,
                    Err(now) => spent = now,
                }
                freed.await;
            }
        };
        let taken = timeout(patience, waiting).await;
        taken.map_err(|_| spent)
    }
}

/// Takes units from a count, which goes when nothing is left of it.
fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K, units: usize) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() = count.get().saturating_sub(units);
        if *count.get() == 0 {
            count.remove();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held.lock();
        held.all = held.all.saturating_sub(self.units);
        less(&mut held.namespaces, Arc::clone(&self.holder.namespace), self.units);
        less(&mut held.callers, self.holder.clone(), self.units);
        drop(held);
        self.of.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(namespace: &str, caller: &str) -> Holder {
        Holder { namespace: namespace.into(), caller: caller.into() }
    }

    fn shares() -> Shares {
        Shares::new(Most { all: 10, of_namespace: 6, of_caller: 4 })
    }

    #[test]
    fn a_caller_that_takes_all_it_may_leaves_room_for_its_namespace_and_that_for_others() {
        let shares = shares();
        let taken: Vec<_> = (0..4).map(|_| shares.take(&holder("a", "one"), 1).unwrap()).collect();
        assert_eq!(shares.take(&holder("a", "one"), 1).unwrap_err(), Spent::Caller);
        let other = shares.take(&holder("a", "two"), 2).unwrap();
        assert_eq!(shares.take(&holder("a", "two"), 1).unwrap_err(), Spent::Namespace);
        let third = shares.take(&holder("b", "one"), 4).unwrap();
        assert_eq!(shares.take(&holder("c", "one"), 1).unwrap_err(), Spent::All);
        drop((taken, other, third));
        let held = shares.0.held.lock();
        assert_eq!((held.all, held.namespaces.len(), held.callers.len()), (0, 0, 0));
    }

    #[test]
    fn more_than_a_caller_may_have_is_taken_alone() {
        let shares = shares();
        let all = shares.take(&holder("a", "one"), 100).unwrap();
        assert_eq!(shares.take(&holder("a", "one"), 1).unwrap_err(), Spent::Caller);
        drop(all);
        assert!(shares.take(&holder("a", "one"), 1).is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_has_its_share_once_another_gives_one_back() {
        let shares = shares();
        let one = holder("a", "one");
        let all = shares.take(&one, 4).unwrap();
        let refused = shares.wait(&one, 1, Duration::from_millis(20)).await;
        assert_eq!(refused.unwrap_err(), Spent::Caller);
        let waiting = tokio::spawn({
            let (shares, one) = (shares.clone(), one.clone());
            async move { shares.wait(&one, 1, Duration::from_secs(10)).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(all);
        assert!(waiting.await.unwrap().is_ok());
    }
}
