//! Whom a document is for.

use std::collections::BTreeMap;

use crate::{
    text_glob::{Case, TextGlob},
    truth::Truth,
};

/// What is known of an agent when its policies are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFacts {
    /// Its name in its namespace.
    pub name: String,
    /// Its tier.
    pub tier: Tier,
    /// How far it is trusted.
    pub trust: Trust,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Tier of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// `basic`
    Basic,
    /// `standard`
    Standard,
    /// `premium`
    Premium,
}

impl Tier {
    /// All names as written in documents.
    pub(crate) const NAMES: [&'static str; 3] = ["basic", "standard", "premium"];

    /// Reads a name as written in documents.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "basic" => Some(Self::Basic),
            "standard" => Some(Self::Standard),
            "premium" => Some(Self::Premium),
            _ => None,
        }
    }

    /// Name as written in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Standard => "standard",
            Self::Premium => "premium",
        }
    }
}

/// Trust level of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// `trusted`
    Trusted,
    /// `untrusted`
    Untrusted,
    /// `suspended`
    Suspended,
}

impl Trust {
    /// All names as written in documents.
    pub(crate) const NAMES: [&'static str; 3] = ["trusted", "untrusted", "suspended"];

    /// Reads a name as written in documents.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "trusted" => Some(Self::Trusted),
            "untrusted" => Some(Self::Untrusted),
            "suspended" => Some(Self::Suspended),
            _ => None,
        }
    }

    /// Name as written in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Untrusted => "untrusted",
            Self::Suspended => "suspended",
        }
    }
}

/// Which agents a document is for: all conditions that are given must hold; none given means every agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Names, with `*` for any characters; empty for any name.
    pub(crate) names: Vec<TextGlob>,
    /// Tiers; empty for any.
    pub(crate) tiers: Vec<Tier>,
    /// Trust levels; empty for any.
    pub(crate) trust: Vec<Trust>,
    /// Labels that must be there with exactly these values.
    pub(crate) labels: BTreeMap<String, String>,
}

impl Selector {
    /// Whether the document is for this agent.
    #[must_use]
    pub fn matches(&self, agent: &AgentFacts) -> bool {
        (self.names.is_empty() || TextGlob::any(&self.names, &agent.name, Case::Counts) == Truth::True)
            && (self.tiers.is_empty() || self.tiers.contains(&agent.tier))
            && (self.trust.is_empty() || self.trust.contains(&agent.trust))
            && self.labels.iter().all(|(key, value)| agent.labels.get(key) == Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> AgentFacts {
        AgentFacts {
            name: "researcher-7".into(),
            tier: Tier::Standard,
            trust: Trust::Trusted,
            labels: [("team".to_owned(), "search".to_owned())].into(),
        }
    }

    #[test]
    fn an_empty_selector_means_every_agent() {
        assert!(Selector::default().matches(&agent()));
    }

    #[test]
    fn every_condition_that_is_given_must_hold() {
        let selector = Selector {
            names: vec![TextGlob::new("researcher-*")],
            tiers: vec![Tier::Standard, Tier::Premium],
            trust: vec![Trust::Trusted],
            labels: [("team".to_owned(), "search".to_owned())].into(),
        };
        assert!(selector.matches(&agent()));
        assert!(!selector.matches(&AgentFacts { name: "writer".into(), ..agent() }));
        assert!(!selector.matches(&AgentFacts { tier: Tier::Basic, ..agent() }));
        assert!(!selector.matches(&AgentFacts { trust: Trust::Untrusted, ..agent() }));
        assert!(!selector.matches(&AgentFacts { labels: BTreeMap::new(), ..agent() }));
    }
}
