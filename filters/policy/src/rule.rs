//! One rule, and whether it matches.

use std::{fmt, net::IpAddr};

use creto_authz::{CallPath, HostPattern, PathGlob};
use creto_call::Method;

use crate::{Network, conditions::Conditions, facts::Facts, truth::Truth};

/// What a rule does with the calls that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Lets them through, unless a deny rule matches too.
    Allow,
    /// Refuses them.
    Deny,
}

impl Effect {
    /// As written in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// One entry of a rule's `host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEntry {
    /// A name, an address, a wildcard, or everything.
    Pattern(HostPattern),
    /// Addresses, when the call names one.
    Network(Network),
}

impl HostEntry {
    /// Whether a host in normal form is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(host),
            Self::Network(network) => host.parse().is_ok_and(|address| network.contains(address)),
        }
    }

    /// Whether the entry is this address, or a network that holds it, by itself.
    #[must_use]
    pub fn names_address(&self, address: IpAddr) -> bool {
        match self {
            Self::Pattern(HostPattern::Exact(host)) => host.parse() == Ok(address.to_canonical()),
            Self::Pattern(_) => false,
            Self::Network(network) => network.contains(address),
        }
    }
}

impl fmt::Display for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// Ports from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
}

impl PortRange {
    /// Every port.
    pub const ANY: Self = Self { first: 1, last: u16::MAX };

    /// Whether the port is in it.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// A rule as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(crate) name: String,
    pub(crate) effect: Effect,
    pub(crate) hosts: Vec<HostEntry>,
    pub(crate) ports: Vec<PortRange>,
    /// [`Method`] bits.
    pub(crate) methods: u16,
    /// Empty for any path.
    pub(crate) paths: Vec<PathGlob>,
    pub(crate) private: bool,
    pub(crate) pass: bool,
    /// None when it asks nothing more.
    pub(crate) conditions: Option<Box<Conditions>>,
    pub(crate) line: usize,
}

impl Rule {
    /// Its name, unique in its document.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Allow or deny.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Destinations it is about.
    #[must_use]
    pub fn hosts(&self) -> &[HostEntry] {
        &self.hosts
    }

    /// Ports it is about.
    #[must_use]
    pub fn ports(&self) -> &[PortRange] {
        &self.ports
    }

    /// Whether names may resolve to private addresses.
    #[must_use]
    pub fn private(&self) -> bool {
        self.private
    }

    /// Whether TLS is passed through unopened.
    #[must_use]
    pub fn passes_tls(&self) -> bool {
        self.pass
    }

    /// Line of the document on which it begins.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether it asks nothing about the request beyond host and port.
    pub(crate) fn is_about_destination_only(&self) -> bool {
        self.methods == Method::ANY_MASK
            && self.paths.is_empty()
            && self.conditions.as_ref().is_none_or(|conditions| conditions.are_about_destination_only())
    }

    /// Whether what it asks beyond host, port, method and path holds.
    #[inline]
    pub(crate) fn conditions_truth(&self, facts: &Facts<'_>) -> Truth {
        match &self.conditions {
            None => Truth::True,
            Some(conditions) => conditions.truth(self.effect, facts, &[]),
        }
    }

    pub(crate) fn port_matches(&self, port: u16) -> bool {
        self.ports.iter().any(|range| range.contains(port))
    }

    /// The path, and whether it can speak for a tunnel. What cannot be read in one way only must be allowed in all of them, and
    /// is denied in any of them. A tunnel that is not looked into is allowed only by a rule that says `tls = "pass"`,
    /// and has no path that a rule could match.
    pub(crate) fn request_matches(&self, opaque: bool, path: &CallPath<'_>) -> bool {
        if opaque {
            return self.paths.is_empty() && (self.effect == Effect::Deny || self.pass);
        }
        self.paths.is_empty()
            || match self.effect {
                Effect::Allow => self.paths.iter().any(|glob| glob.matches_every_reading(path)),
                Effect::Deny => self.paths.iter().any(|glob| glob.matches_any_reading(path)),
            }
    }
}
