//! All documents of one agent, compiled.

mod decide;
mod holds;
mod quotas;

use std::{net::IpAddr, sync::Arc};

use creto_call::{NormalHost, RuleName};

use crate::{
    A2aAgent, AgentFacts, Credential, Destination, Document, Effect, McpServer, Mode, PortRange, Provider,
    QuotaRule, Route, RouteMatch, Rule, Staleness,
    facts::Facts,
    index::HostIndex,
    place::{Directory, Reading},
    terms::{self, Places},
    truth::Truth,
};

pub(crate) use self::decide::method_bit;
use self::holds::HoldSet;
pub use self::holds::{Held, Holds, MAX_HELD, MAX_SET_HOLDS};

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
    holds: HoldSet,
    /// Ports that some allow rule is about: ascending, apart.
    ports: Vec<PortRange>,
    /// Longest prefix first.
    routes: Vec<(u32, Arc<Route>)>,
    providers: Directory<Provider>,
    mcp_servers: Directory<McpServer>,
    a2a_agents: Directory<A2aAgent>,
    credentials: Directory<Credential>,
    /// Those of the documents by name of policy, then those of the agent's labels.
    quotas: Box<[Arc<QuotaRule>]>,
    /// Whose set it is, where that is known.
    agent: Option<Box<AgentFacts>>,
    /// Whether any rule asks more than host, port, method and path.
    conditional: bool,
    staleness: Staleness,
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
    /// Whether `when` is all that it asks beyond host, port, method and path.
    only_when: bool,
    /// Places of the terms of its `when`.
    places: Places,
    rule: Arc<Rule>,
}

impl Slot {
    fn of(policy: u32, rule: &Arc<Rule>) -> Self {
        let first = rule.ports.iter().map(|range| range.first).min().unwrap_or(1);
        let last = rule.ports.iter().map(|range| range.last).max().unwrap_or(0);
        let only_when =
            rule.conditions.as_ref().is_some_and(|asked| asked.when.is_some() && !asked.name_protocol());
        Self {
            ports: PortRange { first, last },
            methods: rule.methods,
            policy,
            only_when,
            places: Places::default(),
            rule: Arc::clone(rule),
        }
    }

    fn port_matches(&self, port: u16) -> bool {
        self.ports.contains(port) && (self.rule.ports.len() == 1 || self.rule.port_matches(port))
    }

    /// Whether what the rule asks beyond host, port, method and path holds.
    #[inline]
    fn conditions_truth(&self, facts: &Facts<'_>) -> Truth {
        match &self.rule.conditions {
            None => Truth::True,
            Some(conditions) => match &conditions.when {
                Some(when) if self.only_when => when.truth(self.rule.effect, facts, &self.places),
                _ => conditions.truth(self.rule.effect, facts, &self.places),
            },
        }
    }
}

impl PolicySet {
    /// Compiles documents; all of them are taken to be the agent's ([`PolicySet::for_agent`] picks them). Of the agent
    /// itself nothing is known to rules that ask.
    #[must_use]
    pub fn compile<'d>(documents: impl IntoIterator<Item = &'d Document>) -> Self {
        Self::compile_for(documents.into_iter(), None)
    }

    fn compile_for<'d>(documents: impl Iterator<Item = &'d Document>, agent: Option<&AgentFacts>) -> Self {
        let mut documents: Vec<&Document> = documents.collect();
        documents.sort_by(|one, other| one.name.cmp(&other.name));
        let mut set = Self {
            observes: !documents.is_empty()
                && documents.iter().all(|document| document.mode == Mode::Observe),
            providers: Directory::of(documents.iter().map(|document| document.providers.as_slice())),
            mcp_servers: Directory::of(documents.iter().map(|document| document.mcp_servers.as_slice())),
            a2a_agents: Directory::of(documents.iter().map(|document| document.a2a_agents.as_slice())),
            credentials: Directory::of(documents.iter().map(|document| document.credentials.as_slice())),
            quotas: quotas::of(&documents, agent),
            staleness: Staleness::of(&documents),
            agent: agent.cloned().map(Box::new),
            ..Self::default()
        };
        for effect in [Effect::Deny, Effect::Allow] {
            for (policy, document) in (0_u32..).zip(&documents) {
                for rule in document.rules.iter().filter(|rule| rule.effect == effect) {
                    set.add_rule(policy, rule);
                }
            }
        }
        set.holds = HoldSet::of(&documents);
        let rules = &set.rules;
        set.hosts.finish(|number| rules.get(usize::try_from(number).ok()?).map(|slot| &*slot.rule));
        // Rules and holds number their shared terms together, so that one call's facts serve both.
        let places = terms::places(set.rules.iter().chain(set.holds.slots()).map(|slot| &*slot.rule));
        for (slot, places) in set.rules.iter_mut().chain(set.holds.slots_mut()).zip(places) {
            slot.places = places;
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
        let meant = documents.into_iter().filter(|document| document.selector.matches(agent));
        Self::compile_for(meant, Some(agent))
    }

    fn add_rule(&mut self, policy: u32, rule: &Arc<Rule>) {
        // Documents are bounded at 10,000 rules, so numbers stay far from the end.
        let Ok(number) = u32::try_from(self.rules.len()) else { return };
        self.hosts.add(number, rule);
        self.conditional |= rule.conditions.is_some();
        self.rules.push(Slot::of(policy, rule));
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

    /// How old it may be for the calls that it decides: of each class of risk the smallest limit that any of the documents
    /// names, [`Staleness::DEFAULT`] where none does.
    #[must_use]
    pub fn staleness(&self) -> Staleness {
        self.staleness
    }

    /// What is known before a request has been read. `host` is in normal form.
    #[must_use]
    pub fn destination(&self, host: &str, port: u16) -> Destination<'_> {
        let facts = Facts::of_destination(host, port, self.agent.as_deref());
        let denied = self.first_about(host, port, |rule| {
            rule.effect == Effect::Deny
                && rule.is_about_destination_only()
                && rule.conditions_truth(&facts) != Truth::False
        });
        let allowed = |wanted: fn(&Rule, &Facts<'_>) -> bool| {
            if denied.is_some() {
                return None;
            }
            self.first_about(host, port, |rule| rule.effect == Effect::Allow && wanted(rule, &facts))
        };
        Destination {
            port_known: self.names_port(port),
            may_allow: allowed(may_hold).is_some(),
            denied,
            pass: allowed(|rule, facts| rule.pass && rule.conditions_truth(facts) == Truth::True),
            private: allowed(|rule, facts| rule.private && may_hold(rule, facts)).is_some(),
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
        let facts = Facts::of_destination(host, port, self.agent.as_deref());
        let refused = self.first_about(named.as_str(), port, |rule| {
            rule.effect == Effect::Deny
                && rule.is_about_destination_only()
                && rule.hosts.iter().any(|entry| entry.names_address(address))
                && rule.conditions_truth(&facts) != Truth::False
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
                && may_hold(rule, &facts)
        })
        .is_some()
    }

    /// The provider that policy names at this place. The one whose host is named most closely (exact before network
    /// before suffix, longer before shorter, `*` last); of those one with a path before one without; of those the
    /// first by name of policy and by its own. So it is for the others too.
    #[must_use]
    pub fn provider(&self, host: &str, port: u16, path: &str) -> Option<&Provider> {
        self.providers.find(host, port, path, Reading::Any)
    }

    /// The MCP server that policy names at this place ([`PolicySet::provider`] says which, if several are there).
    #[must_use]
    pub fn mcp_server(&self, host: &str, port: u16, path: &str) -> Option<&McpServer> {
        self.mcp_servers.find(host, port, path, Reading::Any)
    }

    /// All MCP servers, by name of policy and by their own.
    pub fn mcp_servers(&self) -> impl ExactSizeIterator<Item = &McpServer> {
        self.mcp_servers.iter()
    }

    /// The agent that policy names at this place ([`PolicySet::provider`] says which, if several are there).
    #[must_use]
    pub fn a2a_agent(&self, host: &str, port: u16, path: &str) -> Option<&A2aAgent> {
        self.a2a_agents.find(host, port, path, Reading::Any)
    }

    /// The credential for this place ([`PolicySet::provider`] says which, if several are). A path that can be read in
    /// more than one way must be the credential's in all of them.
    #[must_use]
    pub fn credential(&self, host: &str, port: u16, path: &str) -> Option<&Credential> {
        self.credentials.find(host, port, path, Reading::Every)
    }

    /// All credentials, by name of policy and by their own.
    pub fn credentials(&self) -> impl ExactSizeIterator<Item = &Credential> {
        self.credentials.iter()
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

    /// Whose set it is, where that is known.
    pub(crate) fn agent(&self) -> Option<&AgentFacts> {
        self.agent.as_deref()
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

/// Whether an allow rule could hold, as far as is known.
fn may_hold(rule: &Rule, facts: &Facts<'_>) -> bool {
    // Of a destination alone nothing of the protocol is known.
    rule.conditions.as_ref().is_none_or(|conditions| {
        conditions.when.as_ref().is_none_or(|when| when.truth(Effect::Allow, facts, &[]) != Truth::False)
    })
}

/// The same ports in ascending ranges that neither touch nor overlap.
pub(crate) fn merged(mut ranges: Vec<PortRange>) -> Vec<PortRange> {
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
