//! From a host to the rules that could be about it.

use std::{collections::HashMap, net::IpAddr};

use creto_authz::{CallPath, HostPattern};
use foldhash::fast::RandomState;

use crate::{HostEntry, Rule, network::masked};

/// Rule numbers, ascending.
type Numbers = Vec<u32>;

/// Lists up to this long are walked; in longer ones the path finds the rules.
const WALKED: usize = 8;

/// The rules of one `host` entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    all: Numbers,
    /// Those that ask for no path.
    any_path: Numbers,
    /// By the literal head of a path glob.
    heads: HashMap<Box<[u8]>, Numbers, RandomState>,
    /// Lengths of the heads, ascending.
    lengths: Vec<usize>,
}

impl Rules {
    fn add(&mut self, number: u32, rule: &Rule) {
        append(&mut self.all, number);
        if rule.paths.is_empty() {
            append(&mut self.any_path, number);
        }
        for glob in &rule.paths {
            if let Err(at) = self.lengths.binary_search(&glob.head().len()) {
                self.lengths.insert(at, glob.head().len());
            }
            append(self.heads.entry(glob.head().into()).or_default(), number);
        }
    }

    /// Calls `visit` with lists that hold every rule whose path conditions the path could meet.
    #[inline]
    fn each_list(&self, path: &CallPath<'_>, visit: &mut impl FnMut(&[u32])) {
        // The head of a path that is not plain depends on how it is read.
        if self.all.len() <= WALKED || !path.is_plain() {
            return visit(&self.all);
        }
        visit(&self.any_path);
        for length in &self.lengths {
            let Some(head) = path.raw().as_bytes().get(..*length) else { return };
            if let Some(numbers) = self.heads.get(head) {
                visit(numbers);
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
pub(crate) struct HostIndex {
    any: Rules,
    exact: HashMap<Box<str>, Rules, RandomState>,
    /// By the name behind `*.`.
    under: HashMap<Box<str>, Rules, RandomState>,
    /// Bit n: there is a wildcard with n dots in its name; the last bit stands for 63 and more.
    under_dots: u64,
    networks: HashMap<IpAddrPrefix, Rules, RandomState>,
    /// Prefix lengths in use, by family: false for IPv4.
    prefixes: Vec<(bool, u8)>,
}

type IpAddrPrefix = (IpAddr, u8);

impl HostIndex {
    /// Adds a rule; numbers come in ascending order.
    pub(crate) fn add(&mut self, number: u32, rule: &Rule) {
        for host in &rule.hosts {
            let rules = match host {
                HostEntry::Pattern(HostPattern::Any) => &mut self.any,
                HostEntry::Pattern(HostPattern::Exact(name)) => self.exact.entry(name.clone()).or_default(),
                HostEntry::Pattern(HostPattern::Under(suffix)) => {
                    let name = suffix.trim_start_matches('.');
                    self.under_dots |= dots_bit(name.matches('.').count());
                    self.under.entry(name.into()).or_default()
                }
                HostEntry::Network(network) => {
                    let kind = (network.first().is_ipv6(), network.prefix());
                    if !self.prefixes.contains(&kind) {
                        self.prefixes.push(kind);
                    }
                    self.networks.entry((network.first(), network.prefix())).or_default()
                }
            };
            rules.add(number, rule);
        }
    }

    /// Calls `visit` with the rules of every entry that is about this host in normal form. A rule may come more than
    /// once.
    fn each(&self, host: &str, mut visit: impl FnMut(&Rules)) {
        if !self.any.all.is_empty() {
            visit(&self.any);
        }
        if !self.exact.is_empty()
            && let Some(rules) = self.exact.get(host)
        {
            visit(rules);
        }
        if self.under_dots != 0 {
            for (dots, (at, _)) in host.rmatch_indices('.').enumerate() {
                // One or more labels must stand before the dot.
                if self.under_dots & dots_bit(dots) != 0
                    && at > 0
                    && let Some(rules) = self.under.get(&host[at + 1..])
                {
                    visit(rules);
                }
            }
        }
        if !self.prefixes.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'))
            && let Ok(address) = host.parse::<IpAddr>()
        {
            for (six, prefix) in &self.prefixes {
                if *six == address.is_ipv6()
                    && let Some(first) = masked(address, *prefix)
                    && let Some(rules) = self.networks.get(&(first, *prefix))
                {
                    visit(rules);
                }
            }
        }
    }

    /// The lowest-numbered rule about this host for which `holds`; rules that the path rules out may be left out.
    #[inline]
    pub(crate) fn first(
        &self,
        host: &str,
        path: &CallPath<'_>,
        mut holds: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut best = None;
        self.each(host, |rules| {
            rules.each_list(path, &mut |numbers| best = lower(best, numbers, &mut holds));
        });
        best
    }

    /// The lowest-numbered rule about this host for which `holds`, whatever paths it asks for.
    pub(crate) fn first_for_any_path(&self, host: &str, mut holds: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut best = None;
        self.each(host, |rules| best = lower(best, &rules.all, &mut holds));
        best
    }
}

/// The first of the numbers that is lower than the best so far and holds, else the best so far.
fn lower(best: Option<u32>, numbers: &[u32], holds: &mut impl FnMut(u32) -> bool) -> Option<u32> {
    let limit = best.unwrap_or(u32::MAX);
    numbers.iter().copied().take_while(|number| *number < limit).find(|number| holds(*number)).or(best)
}

/// A name has at most 126 dots; those past 62 share a bit.
fn dots_bit(dots: usize) -> u64 {
    1 << dots.min(63)
}
