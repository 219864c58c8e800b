//! From a call to the rules that could be about it: by host, then by what else they ask.

use std::{collections::HashMap, ops::ControlFlow};

use creto_authz::CallPath;
use creto_call::{Meaning, Method};
use foldhash::fast::RandomState;

use crate::{Effect, Rule, facts::Facts, host_map::HostMap};

/// Rule numbers, ascending.
type Numbers = Vec<u32>;

/// Lists up to this long are walked; in longer ones what else they ask finds the rules.
const WALKED: usize = 8;
/// Longest model name that finds its rules; for a longer one all rules about models are walked.
const MAX_FOLDED: usize = 128;
/// Bits of a [`Method`].
const METHODS: usize = 16;

/// Rules by the literal head of what they ask for.
#[derive(Clone, Debug, Default)]
struct Heads {
    all: Numbers,
    by: HashMap<Box<[u8]>, Numbers, RandomState>,
    /// Lengths of the heads, ascending.
    lengths: Vec<usize>,
}

impl Heads {
    fn add<'h>(&mut self, number: u32, heads: impl IntoIterator<Item = &'h [u8]>) {
        append(&mut self.all, number);
        for head in heads {
            if let Err(at) = self.lengths.binary_search(&head.len()) {
                self.lengths.insert(at, head.len());
            }
            append(self.by.entry(head.into()).or_default(), number);
        }
    }

    /// Calls `visit` with lists that hold every rule of which some head begins the text.
    #[inline]
    fn each(&self, text: &[u8], visit: &mut impl FnMut(&[u32])) {
        for length in &self.lengths {
            let Some(head) = text.get(..*length) else { return };
            if let Some(numbers) = self.by.get(head) {
                visit(numbers);
            }
        }
    }
}

/// The rules of one `host` entry.
#[derive(Clone, Debug, Default)]
struct Rules {
    all: Numbers,
    /// The same, found by what they ask; only where there are too many to walk.
    finer: Option<Box<Finer>>,
}

/// Rules by name of what they ask for.
type Names = HashMap<Box<str>, Numbers, RandomState>;

/// Many rules of one `host` entry. Each stands in one of these, and some in `houses` too.
#[derive(Clone, Debug, Default)]
struct Finer {
    /// Those that ask for nothing by which they are found.
    any: Numbers,
    tools: Heads,
    /// Allow rules about tools that let through what comes before and after the calls too.
    houses: Numbers,
    /// Heads in lower case.
    models: Heads,
    providers: Names,
    mcp_servers: Names,
    a2a_agents: Names,
    paths: Heads,
    /// By bit of [`creto_call::Method`]; empty when no rule is here.
    methods: Vec<Numbers>,
}

impl Finer {
    fn add(&mut self, number: u32, rule: &Rule) {
        if let Some(conditions) = &rule.conditions {
            if !conditions.tools.is_empty() {
                if rule.effect == Effect::Allow && conditions.keep_house() {
                    append(&mut self.houses, number);
                }
                return self.tools.add(number, conditions.tools.iter().map(|glob| glob.head().as_bytes()));
            }
            if !conditions.models.is_empty() {
                let heads: Vec<String> =
                    conditions.models.iter().map(|glob| glob.head().to_ascii_lowercase()).collect();
                return self.models.add(number, heads.iter().map(String::as_bytes));
            }
            for (names, asked) in [
                (&mut self.providers, &conditions.providers),
                (&mut self.mcp_servers, &conditions.mcp_servers),
                (&mut self.a2a_agents, &conditions.a2a_agents),
            ] {
                if !asked.is_empty() {
                    for name in asked {
                        append(names.entry(name.as_str().into()).or_default(), number);
                    }
                    return;
                }
            }
        }
        if !rule.paths.is_empty() {
            return self.paths.add(number, rule.paths.iter().map(creto_authz::PathGlob::head));
        }
        if rule.methods == Method::ANY_MASK {
            return append(&mut self.any, number);
        }
        self.methods.resize_with(METHODS, Numbers::default);
        for (bit, numbers) in self.methods.iter_mut().enumerate() {
            if rule.methods & 1 << bit != 0 {
                append(numbers, number);
            }
        }
    }

    /// Calls `visit` with lists that hold every rule whose conditions the call could meet.
    fn each_list(&self, asked: &Asked<'_, '_>, visit: &mut impl FnMut(&[u32])) {
        let Asked { path, facts, method } = asked;
        visit(&self.any);
        if let Some(numbers) = self.methods.get(method.trailing_zeros() as usize) {
            visit(numbers);
        }
        // The head of a path that is not plain depends on how it is read.
        if path.is_plain() {
            self.paths.each(path.raw().as_bytes(), visit);
        } else {
            visit(&self.paths.all);
        }
        let named = |names: &Names, name: &str, visit: &mut dyn FnMut(&[u32])| {
            if !names.is_empty()
                && let Some(numbers) = names.get(name)
            {
                visit(numbers);
            }
        };
        match facts.call.details.meaning {
            Meaning::Plain if facts.may_be_message() => visit(&self.tools.all),
            Meaning::Plain => {}
            Meaning::A2a(call) => named(&self.a2a_agents, &call.agent, visit),
            Meaning::Mcp(call) => {
                named(&self.mcp_servers, &call.server, visit);
                match &call.tool {
                    _ if !facts.body_known => visit(&self.tools.all),
                    _ if call.method != "tools/call" => visit(&self.houses),
                    Some(tool) => self.tools.each(tool.as_bytes(), visit),
                    None => visit(&self.tools.all),
                }
            }
            Meaning::Model(call) => {
                named(&self.providers, &call.provider, visit);
                let mut folded = [0; MAX_FOLDED];
                let name = call.model.as_deref().and_then(|name| {
                    let folded = folded.get_mut(..name.len())?;
                    folded.copy_from_slice(name.as_bytes());
                    folded.make_ascii_lowercase();
                    Some(&*folded)
                });
                match name {
                    Some(name) => self.models.each(name, visit),
                    None => visit(&self.models.all),
                }
            }
        }
    }
}

/// A call, as far as rules are found by it.
pub(crate) struct Asked<'q, 'c> {
    pub(crate) path: &'q CallPath<'c>,
    pub(crate) facts: &'q Facts<'c>,
    /// [`Method`] bit.
    pub(crate) method: u16,
}

/// Rules come in ascending order, and one may name the same thing twice.
fn append(numbers: &mut Numbers, number: u32) {
    if numbers.last() != Some(&number) {
        numbers.push(number);
    }
}

/// Rules by what their `host` entries name.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostIndex(HostMap<Rules>);

impl HostIndex {
    /// Adds a rule; numbers come in ascending order.
    pub(crate) fn add(&mut self, number: u32, rule: &Rule) {
        for host in &rule.hosts {
            append(&mut self.0.entry(host).all, number);
        }
    }

    /// Makes long lists quick to search, once all rules are there.
    pub(crate) fn finish<'r>(&mut self, rule: impl Fn(u32) -> Option<&'r Rule>) {
        for rules in self.0.values_mut().filter(|rules| rules.all.len() > WALKED) {
            let mut finer = Box::<Finer>::default();
            for number in &rules.all {
                if let Some(rule) = rule(*number) {
                    finer.add(*number, rule);
                }
            }
            rules.finer = Some(finer);
        }
    }

    /// The lowest-numbered rule about this call's host for which `holds`; rules that its method, path or meaning
    /// rules out may be left out.
    #[inline]
    pub(crate) fn first(&self, asked: &Asked<'_, '_>, mut holds: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut best = None;
        self.0.each(asked.facts.call.host, |_, rules| match &rules.finer {
            None => best = lower(best, &rules.all, &mut holds),
            Some(finer) => finer.each_list(asked, &mut |numbers| best = lower(best, numbers, &mut holds)),
        });
        best
    }

    /// Calls `visit` with every rule about this call's host, until it breaks; some may come more than once, and rules that
    /// the call's method, path or meaning rules out may be left out.
    #[inline]
    pub(crate) fn each(&self, asked: &Asked<'_, '_>, mut visit: impl FnMut(u32) -> ControlFlow<()>) {
        let mut flow = ControlFlow::Continue(());
        let mut walk = |numbers: &[u32]| {
            if flow.is_continue() {
                flow = numbers.iter().copied().try_for_each(&mut visit);
            }
        };
        self.0.each(asked.facts.call.host, |_, rules| match &rules.finer {
            None => walk(&rules.all),
            Some(finer) => finer.each_list(asked, &mut walk),
        });
    }

    /// The lowest-numbered rule about this host for which `holds`, whatever else it asks for.
    pub(crate) fn first_for_any_path(&self, host: &str, mut holds: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut best = None;
        self.0.each(host, |_, rules| best = lower(best, &rules.all, &mut holds));
        best
    }
}

/// The first of the numbers that is lower than the best so far and holds, else the best so far.
fn lower(best: Option<u32>, numbers: &[u32], holds: &mut impl FnMut(u32) -> bool) -> Option<u32> {
    let limit = best.unwrap_or(u32::MAX);
    numbers.iter().copied().take_while(|number| *number < limit).find(|number| holds(*number)).or(best)
}
