//! From a host to what is kept for the `host` entries that mean it.

use std::{collections::HashMap, net::IpAddr};

use creto_authz::HostPattern;
use foldhash::fast::RandomState;

use crate::{HostEntry, network::masked};

type IpAddrPrefix = (IpAddr, u8);

/// Values by `host` entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostMap<V> {
    any: Option<V>,
    exact: HashMap<Box<str>, V, RandomState>,
    /// By the name behind `*.`.
    under: HashMap<Box<str>, V, RandomState>,
    /// Bit n: there is a wildcard with n dots in its name; the last bit stands for 63 and more.
    under_dots: u64,
    networks: HashMap<IpAddrPrefix, V, RandomState>,
    /// Prefix lengths in use, by family: false for IPv4.
    prefixes: Vec<(bool, u8)>,
}

/// How closely an entry says which host it means: the higher the closer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Closeness(u16);

impl Closeness {
    const EXACT: Self = Self(u16::MAX);

    fn of_network(prefix: u8) -> Self {
        Self(512 + u16::from(prefix))
    }

    /// A name has at most 253 bytes.
    fn of_suffix(name: &str) -> Self {
        Self(1 + u16::try_from(name.len()).unwrap_or(254).min(254))
    }
}

impl<V: Default> HostMap<V> {
    /// The value of an entry, made if it is not there.
    pub(crate) fn entry(&mut self, host: &HostEntry) -> &mut V {
        match host {
            HostEntry::Pattern(HostPattern::Any) => self.any.get_or_insert_default(),
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
        }
    }

    /// The values of all entries.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.any
            .iter_mut()
            .chain(self.exact.values_mut())
            .chain(self.under.values_mut())
            .chain(self.networks.values_mut())
    }

    /// Calls `visit` with the value of every entry that means this host in normal form.
    #[inline]
    pub(crate) fn each(&self, host: &str, mut visit: impl FnMut(Closeness, &V)) {
        if let Some(value) = &self.any {
            visit(Closeness::default(), value);
        }
        if !self.exact.is_empty()
            && let Some(value) = self.exact.get(host)
        {
            visit(Closeness::EXACT, value);
        }
        if self.under_dots != 0 {
            for (dots, (at, _)) in host.rmatch_indices('.').enumerate() {
                // One or more labels must stand before the dot.
                if self.under_dots & dots_bit(dots) != 0
                    && at > 0
                    && let Some(value) = self.under.get(&host[at + 1..])
                {
                    visit(Closeness::of_suffix(&host[at + 1..]), value);
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
                    && let Some(value) = self.networks.get(&(first, *prefix))
                {
                    visit(Closeness::of_network(*prefix), value);
                }
            }
        }
    }
}

/// A name has at most 126 dots; those past 62 share a bit.
fn dots_bit(dots: usize) -> u64 {
    1 << dots.min(63)
}
