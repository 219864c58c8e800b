//! Deciding calls.

use creto_authz::CallPath;
use creto_call::{Call, Decision, Kind, Method, Refusal, RefusalCode};

use super::{PolicySet, Slot};
use crate::{Effect, facts::Facts, index::Asked, truth::Truth};

/// A call, with what every rule is asked about it.
pub(super) struct Question<'q, 'c> {
    pub(super) facts: &'q Facts<'c>,
    path: CallPath<'c>,
    /// [`Method`] bit.
    method: u16,
}

impl<'q, 'c> Question<'q, 'c> {
    pub(super) fn of(facts: &'q Facts<'c>) -> Self {
        Self { facts, path: CallPath::new(facts.call.path), method: method_bit(&facts.call) }
    }

    /// Whether a rule that is about the host matches the rest.
    #[inline]
    pub(super) fn truth(&self, slot: &Slot) -> Truth {
        let call = &self.facts.call;
        let about = slot.methods & self.method != 0
            && slot.port_matches(call.port)
            && slot.rule.request_matches(call.kind == Kind::Opaque, &self.path);
        if about { slot.conditions_truth(self.facts) } else { Truth::False }
    }
}

impl<'c> Question<'_, 'c> {
    /// The call, as far as rules are found by it.
    #[inline]
    pub(super) fn asked(&self) -> Asked<'_, 'c> {
        Asked { path: &self.path, facts: self.facts, method: self.method }
    }
}

/// The bit of a call's method; a tunnel's is CONNECT.
pub(crate) fn method_bit(call: &Call<'_>) -> u16 {
    if call.kind == Kind::Opaque { Method::parse("CONNECT") } else { Method::parse(call.method) }.mask()
}

impl Effect {
    /// Whether a rule takes part in a decision: one that denies also when it is not known whether it matches.
    pub(crate) fn counts(self, truth: Truth) -> bool {
        match self {
            Self::Allow => truth == Truth::True,
            Self::Deny => truth != Truth::False,
        }
    }
}

impl PolicySet {
    /// Decides a call. Allocates only for a path that is not plain and that some rule asks about, and for an
    /// expression that makes new values.
    ///
    /// Any matching deny rule wins. One of which it cannot be told whether it matches (a fact is not known, an argument
    /// is of another type, an expression has no value) wins too; an allow rule has to match. Without a matching allow
    /// rule the call is refused: with [`RefusalCode::PortForbidden`] if no allow rule at all is about its port, else
    /// [`RefusalCode::NoRuleAllows`].
    #[must_use]
    pub fn decide(&self, call: &Call<'_>) -> Decision<'_> {
        let facts = Facts::of_call(call, self.agent.as_deref());
        let question = Question::of(&facts);
        let mut found = Truth::True;
        let number = self.first(&question, |effect, truth| {
            if effect.counts(truth) {
                found = truth;
            }
            effect.counts(truth)
        });
        let number = if found == Truth::Unknown { self.in_doubt(&question, number) } else { number };
        let refusal = match number.and_then(|number| Some((number, self.name(number)?))) {
            Some((number, by)) if number >= self.denies => return Decision::Allow { by },
            Some((_, by)) => Refusal::by_rule(RefusalCode::RuleDenies, by),
            None if self.names_port(call.port) => Refusal::of(RefusalCode::NoRuleAllows),
            None => Refusal::of(RefusalCode::PortForbidden),
        };
        if self.observes { Decision::Observe(refusal) } else { Decision::Deny(refusal) }
    }

    /// Whether what stands in the body may change whether the call is let through, so that it has to be read before the
    /// call is decided: because a rule or hold asks, or because a quota counts what a model is asked for; or whether it
    /// may have to be shown to people, because the call may be held. Never once it has been
    /// read, when there is none ([`creto_call::Details::size`] is 0, a WebSocket, a tunnel), or when it is one of gRPC,
    /// which may be a stream both ways.
    #[must_use]
    pub fn needs_body(&self, call: &Call<'_>) -> bool {
        if !self.conditional && self.quotas.is_empty() && !self.has_holds() {
            return false;
        }
        let facts = Facts::of_call(call, self.agent.as_deref());
        if !facts.body_to_read() {
            return false;
        }
        let counted = self.quotas.iter().any(|quota| quota.needs_body(&facts));
        let counted = counted || self.holds_need_body(&facts);
        if !self.conditional && !counted {
            return false;
        }
        let mut denied = Truth::False;
        let mut allowed = Truth::False;
        let _ = self.first(&Question::of(&facts), |effect, truth| {
            match effect {
                Effect::Deny => denied = denied.max(truth),
                Effect::Allow => allowed = allowed.max(truth),
            }
            denied == Truth::True
        });
        let decides = match denied {
            Truth::True => false,
            Truth::Unknown => allowed != Truth::False,
            Truth::False => allowed == Truth::Unknown,
        };
        // What is refused uses nothing, unless it is only observed.
        let could_pass = self.observes || denied != Truth::True && allowed != Truth::False;
        decides || counted && could_pass
    }

    /// Whether some call like this one could be let through, whatever its arguments and its size, and whatever stands in
    /// its body where that has not been read: what tools a list shows, and whether reading a body could help. Unlike in
    /// [`PolicySet::decide`], a deny rule of which it cannot be told does not count, and an allow rule does.
    #[must_use]
    pub fn could_allow(&self, call: &Call<'_>) -> bool {
        let facts = Facts::of_any_such_call(call, self.agent.as_deref());
        let number = self.first(&Question::of(&facts), |effect, truth| match effect {
            Effect::Deny => truth == Truth::True,
            Effect::Allow => truth != Truth::False,
        });
        self.observes || number.is_some_and(|number| number >= self.denies)
    }

    /// What decides when it cannot be told whether the first deny rule matches: one that does match, if there is one;
    /// none if no rule would allow the call anyway; else the rule in doubt.
    fn in_doubt(&self, question: &Question<'_, '_>, doubtful: Option<u32>) -> Option<u32> {
        self.first(question, |effect, truth| effect == Effect::Deny && truth == Truth::True).or_else(|| {
            let allow =
                self.first(question, |effect, truth| effect == Effect::Allow && truth != Truth::False);
            doubtful.filter(|_| allow.is_some())
        })
    }

    /// The first rule about the call's host, with what its other conditions make of the call, that is wanted.
    #[inline]
    fn first(
        &self,
        question: &Question<'_, '_>,
        mut wanted: impl FnMut(Effect, Truth) -> bool,
    ) -> Option<u32> {
        self.hosts.first(&question.asked(), |number| {
            self.slot(number).is_some_and(|slot| wanted(slot.rule.effect, question.truth(slot)))
        })
    }
}
