//! Who may decide: the people of each tier of the escalation chain, with those left out who must not.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::quorum::{Quorum, QuorumError};

/// Tiers of one escalation chain.
pub const MAX_TIERS: usize = 8;
/// People of one tier.
pub const MAX_APPROVERS: usize = 100;
/// The shortest time a tier is given, in milliseconds.
pub const MIN_TIER_MS: u64 = 1_000;
/// The longest time a tier is given, in milliseconds: 30 days.
pub const MAX_TIER_MS: u64 = 30 * 86_400_000;
/// Bytes of a person's id.
const MAX_PERSON_BYTES: usize = 128;

/// A person, by the id they sign in with: 1 to 128 visible ASCII characters, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Person(String);

/// Why a text is no person.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` names nobody: a person is 1 to 128 visible ASCII characters in lower case, such as alice@example.com"
)]
pub struct PersonError(String);

impl Person {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Person {
    type Err = PersonError;

    fn from_str(text: &str) -> Result<Self, PersonError> {
        // One spelling for one person, or the same one could vote twice.
        let plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
        if text.is_empty() || text.len() > MAX_PERSON_BYTES || !text.bytes().all(plain) {
            return Err(PersonError(text.chars().take(MAX_PERSON_BYTES).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Person {
    type Error = PersonError;

    fn try_from(text: String) -> Result<Self, PersonError> {
        text.parse()
    }
}

impl From<Person> for String {
    fn from(person: Person) -> Self {
        person.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The people of one tier, how many of them must agree, and how long they have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Who.
    pub people: BTreeSet<Person>,
    /// How many.
    pub quorum: Quorum,
    /// How long, in milliseconds.
    pub wait_ms: u64,
}

/// What is wrong with a chain of tiers.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PanelProblem {
    /// No tier at all.
    #[error("nobody is named who may approve")]
    NoTier,
    /// Too many.
    #[error("{0} tiers are too many: at most {MAX_TIERS}")]
    TooManyTiers(usize),
    /// Too many people.
    #[error("tier {tier} has {people} people: at most {MAX_APPROVERS}")]
    TooManyPeople {
        /// From 1.
        tier: usize,
        /// How many.
        people: usize,
    },
    /// A quorum that cannot be.
    #[error("tier {tier}: {problem}")]
    Quorum {
        /// From 1.
        tier: usize,
        /// Why not.
        problem: QuorumError,
    },
    /// Too long or too short.
    #[error("tier {tier} waits {wait_ms} ms: between {MIN_TIER_MS} ms and {MAX_TIER_MS} ms (30 days)")]
    Wait {
        /// From 1.
        tier: usize,
        /// As written.
        wait_ms: u64,
    },
    /// A tier whose people were all asked before.
    #[error("tier {tier} only asks people that tier {before} asked: escalating to it changes nothing")]
    Loop {
        /// From 1.
        tier: usize,
        /// The tier with the same people.
        before: usize,
    },
}

/// The escalation chain of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Tier>", into = "Vec<Tier>")]
pub struct Panel {
    tiers: Vec<Tier>,
}

impl Panel {
    /// From its tiers, first asked first.
    ///
    /// # Errors
    /// The first problem.
    pub fn new(tiers: Vec<Tier>) -> Result<Self, PanelProblem> {
        if tiers.is_empty() {
            return Err(PanelProblem::NoTier);
        }
        if tiers.len() > MAX_TIERS {
            return Err(PanelProblem::TooManyTiers(tiers.len()));
        }
        for (place, tier) in tiers.iter().enumerate() {
            let number = place + 1;
            if tier.people.len() > MAX_APPROVERS {
                return Err(PanelProblem::TooManyPeople { tier: number, people: tier.people.len() });
            }
            if !(MIN_TIER_MS..=MAX_TIER_MS).contains(&tier.wait_ms) {
                return Err(PanelProblem::Wait { tier: number, wait_ms: tier.wait_ms });
            }
            if let Err(problem) = tier.quorum.check(tier.people.len()) {
                return Err(PanelProblem::Quorum { tier: number, problem });
            }
            if let Some(before) = tiers[..place].iter().position(|other| other.people == tier.people) {
                return Err(PanelProblem::Loop { tier: number, before: before + 1 });
            }
        }
        Ok(Self { tiers })
    }

    /// The same without those who must not decide. Tiers that cannot reach their quorum any more fall away; none is left when
    /// nobody may decide.
    #[must_use]
    pub fn without(&self, excluded: &BTreeSet<Person>) -> Option<Self> {
        let left = self.tiers.iter().filter_map(|tier| {
            let people: BTreeSet<Person> = tier.people.difference(excluded).cloned().collect();
            // `All` of those who may: whoever is excluded is not waited for.
            tier.quorum.check(people.len()).ok()?;
            Some(Tier { people, ..tier.clone() })
        });
        let tiers: Vec<Tier> = left.collect();
        (!tiers.is_empty()).then_some(Self { tiers })
    }

    /// The tiers.
    #[must_use]
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// Whether somebody is asked at some tier.
    #[must_use]
    pub fn names(&self, person: &Person) -> bool {
        self.tiers.iter().any(|tier| tier.people.contains(person))
    }

    /// How long all of it takes at most, in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> u64 {
        self.tiers.iter().map(|tier| tier.wait_ms).sum()
    }

    /// Puts one person in the place of another at a tier.
    ///
    /// # Errors
    /// What would be wrong then.
    pub(crate) fn reassigned(&self, tier: usize, from: &Person, to: Person) -> Result<Self, PanelProblem> {
        let mut tiers = self.tiers.clone();
        if let Some(tier) = tiers.get_mut(tier)
            && tier.people.remove(from)
        {
            tier.people.insert(to);
        }
        Self::new(tiers)
    }
}

impl TryFrom<Vec<Tier>> for Panel {
    type Error = PanelProblem;

    fn try_from(tiers: Vec<Tier>) -> Result<Self, PanelProblem> {
        Self::new(tiers)
    }
}

impl From<Panel> for Vec<Tier> {
    fn from(panel: Panel) -> Self {
        panel.tiers
    }
}
