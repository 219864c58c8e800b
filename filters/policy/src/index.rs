//! From a call to the rules that could be about it: by host, then by path, tool or model.

use std::collections::HashMap;

use creto_authz::CallPath;
use creto_call::Meaning;
use foldhash::fast::RandomState;

use crate::{Effect, Rule, facts::Facts, host_map::HostMap};

/// Rule numbers, ascending.
type Numbers = Vec<u32>;

/// Lists up to this long are walked; in longer ones the path, tool or model finds the rules.
const WALKED: usize = 8;
/// Longest model name that finds its rules; for a longer one all rules about models are walked.
const MAX_FOLDED: usize = 128;

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

/// The rules of one `host` entry. Beside `all` and `any`, each rule stands in one of the others.
#[derive(Clone, Debug, Default)]
struct Rules {
    all: Numbers,
    /// Those that ask for no path, tool or model.
    any: Numbers,
    paths: Heads,
    tools: Heads,
    /// Allow rules about tools that let through what comes before and after the calls too.
    houses: Numbers,
    /// Heads in lower case.
    models: Heads,
}

impl Rules {
    fn add(&mut self, number: u32, rule: &Rule) {
        append(&mut self.all, number);
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
        }
        if rule.paths.is_empty() {
            append(&mut self.any, number);
        } else {
            self.paths.add(number, rule.paths.iter().map(creto_authz::PathGlob::head));
        }
    }

    /// Calls `visit` with lists that hold every rule whose conditions the call could meet.
    #[inline]
    fn each_list(&self, path: &CallPath<'_>, facts: &Facts<'_>, visit: &mut impl FnMut(&[u32])) {
        if self.all.len() <= WALKED {
            return visit(&self.all);
        }
        visit(&self.any);
        // The head of a path that is not plain depends on how it is read.
        if path.is_plain() {
            self.paths.each(path.raw().as_bytes(), visit);
        } else {
            visit(&self.paths.all);
        }
        match facts.call.details.meaning {
            Meaning::Plain if facts.may_be_message() => visit(&self.tools.all),
            Meaning::Plain | Meaning::A2a(_) => {}
            Meaning::Mcp(call) => match &call.tool {
                _ if !facts.body_known => visit(&self.tools.all),
                _ if call.method != "tools/call" => visit(&self.houses),
                Some(tool) => self.tools.each(tool.as_bytes(), visit),
                None => visit(&self.tools.all),
            },
            Meaning::Model(call) => {
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
            self.0.entry(host).add(number, rule);
        }
    }

    /// The lowest-numbered rule about this call's host for which `holds`; rules that its path, tool or model rules
    /// out may be left out.
    #[inline]
    pub(crate) fn first(
        &self,
        path: &CallPath<'_>,
        facts: &Facts<'_>,
        mut holds: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut best = None;
        self.0.each(facts.call.host, |_, rules| {
            rules.each_list(path, facts, &mut |numbers| best = lower(best, numbers, &mut holds));
        });
        best
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
