//! All documents of one agent, compiled.

use std::{net::IpAddr, sync::Arc};

use creto_authz::CallPath;
use creto_call::{Call, Decision, Kind, Method, NormalHost, Refusal, RefusalCode, RuleName};

use crate::{
    AgentFacts, Destination, Document, Effect, Mode, PortRange, Route, RouteMatch, Rule, index::HostIndex,
};

/// What decides an agent's calls.
///
/// Rules are numbered with all deny rules before all allow rules, so the lowest number that matches decides.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    policies: Vec<Box<str>>,
    rules: Vec<Slot>,
    /// Numbers below are deny rules.
    denies: u32,
    hosts: HostIndex,
    /// Ports that some allow rule is about: ascending, apart.
    ports: Vec<PortRange>,
    /// Longest prefix first.
    routes: Vec<(u32, Arc<Route>)>,
    observes: bool,
}

/// A rule, with what most often rules it out in front.
#[derive(Clone, Debug)]
struct Slot {
    /// The span of all ports of the rule.
    ports: PortRange,
    methods: u16,
    /// Number of the policy.
    policy: u32,
    rule: Arc<Rule>,
}

impl Slot {
    fn port_matches(&self, port: u16) -> bool {
        self.ports.contains(port) && (self.rule.ports.len() == 1 || self.rule.port_matches(port))
    }
}

impl PolicySet {
    /// Compiles documents; all of them are taken to be the agent's ([`PolicySet::for_agent`] picks them).
    #[must_use]
    pub fn compile<'d>(documents: impl IntoIterator<Item = &'d Document>) -> Self {
        let mut documents: Vec<&Document> = documents.into_iter().collect();
        documents.sort_by(|one, other| one.name.cmp(&other.name));
        let mut set = Self {
            observes: !documents.is_empty()
                && documents.iter().all(|document| document.mode == Mode::Observe),
            ..Self::default()
        };
        for effect in [Effect::Deny, Effect::Allow] {
            for (policy, document) in (0_u32..).zip(&documents) {
                for rule in document.rules.iter().filter(|rule| rule.effect == effect) {
                    set.add_rule(policy, rule);
                }
            }
        }
        let allowed: Vec<&Slot> = set.rules.iter().filter(|slot| slot.rule.effect == Effect::Allow).collect();
        set.ports = merged(allowed.iter().flat_map(|slot| slot.rule.ports.iter().copied()).collect());
        for (policy, document) in (0_u32..).zip(&documents) {
            set.routes.extend(document.routes.iter().map(|route| (policy, Arc::clone(route))));
        }
        // A stable sort: of two policies with the same prefix, the one whose name comes first has it.
        set.routes.sort_by_key(|(_, route)| std::cmp::Reverse(route.prefix.len()));
        set.policies = documents.iter().map(|document| document.name.as_str().into()).collect();
        set
    }

    /// Compiles those of the documents that are for the agent.
    #[must_use]
    pub fn for_agent<'d>(documents: impl IntoIterator<Item = &'d Document>, agent: &AgentFacts) -> Self {
        Self::compile(documents.into_iter().filter(|document| document.selector.matches(agent)))
    }

    fn add_rule(&mut self, policy: u32, rule: &Arc<Rule>) {
        // Documents are bounded at 10,000 rules, so numbers stay far from the end.
        let Ok(number) = u32::try_from(self.rules.len()) else { return };
        self.hosts.add(number, rule);
        let first = rule.ports.iter().map(|range| range.first).min().unwrap_or(1);
        let last = rule.ports.iter().map(|range| range.last).max().unwrap_or(0);
        let ports = PortRange { first, last };
        self.rules.push(Slot { ports, methods: rule.methods, policy, rule: Arc::clone(rule) });
        if rule.effect == Effect::Deny {
            self.denies = number + 1;
        }
    }

    /// Whether there is any rule at all.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// Names of the policies compiled in, sorted.
    pub fn policies(&self) -> impl ExactSizeIterator<Item = &str> {
        self.policies.iter().map(|name| &**name)
    }

    /// Whether what would be refused is let through and recorded: every document says `observe`, and there is one.
    #[must_use]
    pub fn observes(&self) -> bool {
        self.observes
    }

    /// Decides a call. Allocates only for a path that is not plain and that some rule asks about.
    ///
    /// Any matching deny rule wins. Without a matching allow rule the call is refused: with
    /// [`RefusalCode::PortForbidden`] if no allow rule at all is about its port, else [`RefusalCode::NoRuleAllows`].
    #[must_use]
    pub fn decide(&self, call: &Call<'_>) -> Decision<'_> {
        let opaque = call.kind == Kind::Opaque;
        let method = if opaque { Method::parse("CONNECT") } else { Method::parse(call.method) }.mask();
        let path = CallPath::new(call.path);
        let number = self.hosts.first(call.host, &path, |number| {
            self.slot(number).is_some_and(|slot| {
                slot.methods & method != 0
                    && slot.port_matches(call.port)
                    && slot.rule.request_matches(opaque, &path)
            })
        });
        let refusal = match number.and_then(|number| Some((number, self.name(number)?))) {
            Some((number, by)) if number >= self.denies => return Decision::Allow { by },
            Some((_, by)) => Refusal::by_rule(RefusalCode::RuleDenies, by),
            None if self.names_port(call.port) => Refusal::of(RefusalCode::NoRuleAllows),
            None => Refusal::of(RefusalCode::PortForbidden),
        };
        if self.observes { Decision::Observe(refusal) } else { Decision::Deny(refusal) }
    }

    /// What is known before a request has been read. `host` is in normal form.
    #[must_use]
    pub fn destination(&self, host: &str, port: u16) -> Destination<'_> {
        let denied = self
            .first_about(host, port, |rule| rule.effect == Effect::Deny && rule.is_about_destination_only());
        let allowed = |wanted: fn(&Rule) -> bool| {
            if denied.is_some() {
                return None;
            }
            self.first_about(host, port, |rule| rule.effect == Effect::Allow && wanted(rule))
        };
        Destination {
            port_known: self.names_port(port),
            may_allow: allowed(|_| true).is_some(),
            denied,
            pass: allowed(|rule| rule.pass),
            private: allowed(|rule| rule.private).is_some(),
            observes: self.observes,
        }
    }

    /// Whether a call to this host and port may go to this address. `host` is in normal form.
    ///
    /// Not if a deny rule about this port, and no method or path, names the address or a network around it. Else public
    /// addresses always are. A private one needs an allow rule about host and port that says `private = true`,
    /// or whose `host` names the address or a network around it; one of the metadata services needs the latter.
    #[must_use]
    pub fn address_allowed(&self, host: &str, port: u16, address: IpAddr) -> bool {
        let named = NormalHost::from_ip(address);
        let refused = self.first_about(named.as_str(), port, |rule| {
            rule.effect == Effect::Deny
                && rule.is_about_destination_only()
                && rule.hosts.iter().any(|entry| entry.names_address(address))
        });
        if refused.is_some() {
            return false;
        }
        let metadata = creto_call::is_metadata_address(address);
        if !metadata && !creto_call::is_private_address(address) {
            return true;
        }
        self.first_about(host, port, |rule| {
            rule.effect == Effect::Allow
                && ((rule.private && !metadata)
                    || rule.hosts.iter().any(|entry| entry.names_address(address)))
        })
        .is_some()
    }

    /// The base-URL route of a path on the sidecar's own address: the longest prefix, ending where a segment ends.
    #[must_use]
    pub fn route<'s, 'p>(&'s self, path: &'p str) -> Option<RouteMatch<'s, 'p>> {
        self.routes.iter().find_map(|(policy, route)| {
            let rest = route.rest(path)?;
            Some(RouteMatch {
                by: RuleName { policy: self.policy_name(*policy), rule: &route.name },
                scheme: route.scheme,
                host: &route.host,
                port: route.port,
                base: &route.base,
                rest,
            })
        })
    }

    /// The rules in the order in which they are considered, each with the name of its policy.
    pub(crate) fn named_rules(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|slot| (self.policy_name(slot.policy), &*slot.rule))
    }

    pub(crate) fn names_port(&self, port: u16) -> bool {
        let after = self.ports.partition_point(|range| range.first <= port);
        after.checked_sub(1).and_then(|at| self.ports.get(at)).is_some_and(|range| range.contains(port))
    }

    fn first_about(&self, host: &str, port: u16, holds: impl Fn(&Rule) -> bool) -> Option<RuleName<'_>> {
        let number = self.hosts.first_for_any_path(host, |number| {
            self.slot(number).is_some_and(|slot| slot.port_matches(port) && holds(&slot.rule))
        })?;
        self.name(number)
    }

    fn slot(&self, number: u32) -> Option<&Slot> {
        self.rules.get(usize::try_from(number).ok()?)
    }

    fn name(&self, number: u32) -> Option<RuleName<'_>> {
        let slot = self.slot(number)?;
        Some(RuleName { policy: self.policy_name(slot.policy), rule: &slot.rule.name })
    }

    fn policy_name(&self, policy: u32) -> &str {
        usize::try_from(policy).ok().and_then(|at| self.policies.get(at)).map_or("", |name| name)
    }
}

/// The same ports in ascending ranges that neither touch nor overlap.
fn merged(mut ranges: Vec<PortRange>) -> Vec<PortRange> {
    ranges.sort_unstable();
    let mut out: Vec<PortRange> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.first <= last.last.saturating_add(1) => last.last = last.last.max(range.last),
            _ => out.push(range),
        }
    }
    out
}
