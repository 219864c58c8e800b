//! The holds of a set: for which of its calls people are asked first.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use creto_call::{Call, RuleName};

use super::{PolicySet, Slot, decide::Question};
use crate::{Document, Hold, Mode, facts::Facts, hold::HoldFacts, index::HostIndex, truth::Truth};

/// Most holds that one call can wait for.
pub const MAX_HELD: usize = 8;
/// Most holds of all documents of an agent; of more none is known, and every call is refused ([`Holds::too_many`]).
pub const MAX_SET_HOLDS: usize = 10_000;

/// The holds of a set, with an index of their own: they are asked of calls that are allowed, and of no others.
#[derive(Clone, Debug, Default)]
pub(super) struct HoldSet {
    /// By name of policy, then as they stand in the document.
    slots: Vec<Slot>,
    /// At the same places.
    holds: Vec<Entry>,
    hosts: HostIndex,
    /// Whether some hold asks what a call costs.
    asks_cost: bool,
    /// Whether some hold asks what a tool does.
    asks_server: bool,
    overfull: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    hold: Arc<Hold>,
    /// Whether its document observes only.
    observes: bool,
}

impl HoldSet {
    /// Those of documents in the order of their names.
    pub(super) fn of(documents: &[&Document]) -> Self {
        let mut set = Self::default();
        let all = (0_u32..)
            .zip(documents)
            .flat_map(|(policy, document)| document.holds.iter().map(move |hold| (policy, document, hold)));
        for (number, (policy, document, hold)) in (0_u32..).zip(all) {
            if set.slots.len() >= MAX_SET_HOLDS {
                set.overfull = true;
                break;
            }
            set.hosts.add(number, &hold.rule);
            set.slots.push(Slot::of(policy, &hold.rule));
            set.asks_cost |= hold.asks.cost_over.is_some();
            set.asks_server |= !hold.asks.reversibility.is_empty();
            set.holds.push(Entry { hold: Arc::clone(hold), observes: document.mode == Mode::Observe });
        }
        let slots = &set.slots;
        set.hosts.finish(|number| slots.get(usize::try_from(number).ok()?).map(|slot| &*slot.rule));
        set
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    pub(super) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut()
    }

    fn get(&self, number: u32) -> Option<(&Slot, &Entry)> {
        let at = usize::try_from(number).ok()?;
        Some((self.slots.get(at)?, self.holds.get(at)?))
    }
}

/// The holds that match a call. Borrows from the set that found them.
#[derive(Clone, Copy, Debug)]
pub struct Holds<'s> {
    set: &'s PolicySet,
    held: Few,
    observed: Few,
}

/// One hold that matches a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<'s> {
    /// Policy and name of the hold.
    pub by: RuleName<'s>,
    /// How long the call is held open before it is answered with 202; zero for not at all.
    pub inline: Duration,
    /// Why people are asked, where the policy says so.
    pub reason: Option<&'s str>,
}

impl<'s> Holds<'s> {
    /// Whether nothing is to be waited for, refused or recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.observed.is_empty() && !self.too_many()
    }

    /// Those that the call waits for, each a request of its own: by name of policy, then as they stand in the document.
    /// At most [`MAX_HELD`].
    pub fn held(&self) -> impl Iterator<Item = Held<'s>> + use<'s> {
        self.named(self.held)
    }

    /// Those of documents that observe only: nobody is asked, it is recorded that somebody would have been. Of more than
    /// [`MAX_HELD`] the first.
    pub fn observed(&self) -> impl Iterator<Item = Held<'s>> + use<'s> {
        self.named(self.observed)
    }

    /// Whether more than [`MAX_HELD`] people's decisions would be needed, or the set has more holds than it can
    /// ([`MAX_SET_HOLDS`]): the call is refused then, since not all of them can be asked. [`Holds::held`] has some of them.
    #[must_use]
    pub fn too_many(&self) -> bool {
        self.held.more || self.set.holds.overfull
    }

    /// The shortest that any of them lets the call be held open.
    #[must_use]
    pub fn inline(&self) -> Option<Duration> {
        self.held().map(|held| held.inline).min()
    }

    fn named(&self, few: Few) -> impl Iterator<Item = Held<'s>> + use<'s> {
        let set = self.set;
        few.into_iter().filter_map(move |number| {
            let (slot, entry) = set.holds.get(number)?;
            Some(Held {
                by: RuleName { policy: set.policy_name(slot.policy), rule: &slot.rule.name },
                inline: entry.hold.inline,
                reason: entry.hold.reason.as_deref(),
            })
        })
    }
}

/// The lowest of a few numbers, ascending, each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Few {
    numbers: [u32; MAX_HELD],
    count: usize,
    /// Whether there were others.
    more: bool,
}

impl Few {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn add(&mut self, number: u32) {
        let here = self.numbers.get(..self.count).unwrap_or_default();
        let Err(at) = here.binary_search(&number) else { return };
        if self.count == MAX_HELD {
            self.more = true;
        } else {
            self.count += 1;
        }
        // The last falls out of a full list.
        let mut number = number;
        for place in self.numbers.iter_mut().take(self.count).skip(at) {
            std::mem::swap(place, &mut number);
        }
    }

    fn into_iter(self) -> impl Iterator<Item = u32> {
        self.numbers.into_iter().take(self.count)
    }
}

impl PolicySet {
    /// Whether there is any hold at all.
    #[must_use]
    pub fn has_holds(&self) -> bool {
        !self.holds.slots.is_empty()
    }

    /// Whether some hold asks what a call costs, so that [`PolicySet::holds`] should be told.
    #[must_use]
    pub fn holds_ask_cost(&self) -> bool {
        self.holds.asks_cost
    }

    /// The holds that match a call; to be asked of calls that [`PolicySet::decide`] lets through. `cost` is the most that a
    /// call of a model can cost, in billionths of a dollar (what was reserved for it), where that is known.
    ///
    /// As with deny rules, one of which it cannot be told whether it matches does: a body that was not read, a cost that is
    /// not known. Allocates nothing, but as [`PolicySet::decide`] does.
    #[must_use]
    pub fn holds(&self, call: &Call<'_>, cost: Option<u64>) -> Holds<'_> {
        let mut found = Holds { set: self, held: Few::default(), observed: Few::default() };
        if self.holds.slots.is_empty() {
            return found;
        }
        let facts = Facts::of_call(call, self.agent());
        self.each_hold(&facts, cost, |number, observes, truth| {
            if truth == Truth::False {
                return ControlFlow::Continue(());
            }
            let few = if observes { &mut found.observed } else { &mut found.held };
            few.add(number);
            // The call is refused, whatever else there is.
            if found.held.more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// Whether a call like this one could be held, whatever stands in its body where that has not been read, and whatever
    /// it costs. A `false` stands: [`PolicySet::holds`] will find none to wait for.
    #[must_use]
    pub fn could_hold(&self, call: &Call<'_>) -> bool {
        if self.holds.slots.is_empty() {
            return false;
        }
        let facts = Facts::of_call(call, self.agent());
        let mut could = self.holds.overfull;
        self.each_hold(&facts, None, |_, observes, truth| {
            could |= !observes && truth != Truth::False;
            if could { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        could
    }

    /// Whether what stands in the unread body is needed: to know whether a hold matches, or to show it to people, who decide
    /// about exactly these bytes.
    pub(super) fn holds_need_body(&self, facts: &Facts<'_>) -> bool {
        let mut need = false;
        self.each_hold(facts, None, |_, observes, truth| {
            need |= truth == Truth::Unknown || truth == Truth::True && !observes;
            if need { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        need
    }

    /// Every hold, with the name of its policy and whether that observes only.
    pub(crate) fn named_holds(&self) -> impl Iterator<Item = (&str, &Hold, bool)> {
        let entries = self.holds.slots.iter().zip(&self.holds.holds);
        entries.map(|(slot, entry)| (self.policy_name(slot.policy), &*entry.hold, entry.observes))
    }

    /// What holds ask of a call and other rules do not.
    pub(crate) fn hold_facts(&self, call: &Call<'_>, cost: Option<u64>) -> HoldFacts<'_> {
        let asked = self.holds.asks_server && call.details.meaning.mcp().is_some();
        let server = if asked { self.mcp_server(call.host, call.port, call.path) } else { None };
        HoldFacts { cost, server }
    }

    /// Shows what each hold about the call's host makes of it; one may come more than once.
    #[inline]
    fn each_hold(
        &self,
        facts: &Facts<'_>,
        cost: Option<u64>,
        mut visit: impl FnMut(u32, bool, Truth) -> ControlFlow<()>,
    ) {
        let of_holds = self.hold_facts(&facts.call, cost);
        let question = Question::of(facts);
        self.holds.hosts.each(&question.asked(), |number| {
            let Some((slot, entry)) = self.holds.get(number) else { return ControlFlow::Continue(()) };
            let mut truth = question.truth(slot);
            if truth != Truth::False && !entry.hold.asks.is_empty() {
                truth = truth.min(entry.hold.asks.truth(facts, of_holds));
            }
            visit(number, entry.observes, truth)
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_lowest_few_are_kept(numbers in proptest::collection::vec(0_u32..30, 0..40)) {
            let mut few = Few::default();
            numbers.iter().for_each(|number| few.add(*number));
            let all: BTreeSet<u32> = numbers.into_iter().collect();
            let lowest: Vec<u32> = all.iter().copied().take(MAX_HELD).collect();
            prop_assert_eq!(few.into_iter().collect::<Vec<_>>(), lowest);
            prop_assert_eq!(few.more, all.len() > MAX_HELD);
        }
    }
}
