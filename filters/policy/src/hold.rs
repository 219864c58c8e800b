//! `[[hold]]`: an allowed call that waits for people.

use std::{fmt, sync::Arc, time::Duration};

use creto_call::{Meaning, ModelOperation};
use creto_oversight::{MAX_GRANT_MS, Panel, Quorum};

use crate::{
    HostEntry, McpServer, PortRange, Reversibility, Rule, facts::Facts, quota::dollars, read::read_dollars,
    reversibility, truth::Truth,
};

/// A rule that lets an allowed call wait until the people it names have decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Decides as a deny rule does, in doubt too.
    pub(crate) rule: Arc<Rule>,
    pub(crate) asks: Asks,
    pub(crate) panel: Panel,
    pub(crate) inline: Duration,
    pub(crate) most_uses: u16,
    pub(crate) most_ms: u64,
    pub(crate) reason: Option<String>,
}

impl Hold {
    /// How long a call is held open before it is answered with 202, where nothing is said.
    pub const DEFAULT_INLINE: Duration = Duration::from_secs(50);
    /// The longest that a call is held open.
    pub const MAX_INLINE: Duration = Duration::from_secs(600);
    /// How long an approval holds, where nothing is said.
    pub const DEFAULT_HOLDS_FOR: Duration = Duration::from_secs(900);
    /// The longest that an approval holds: [`MAX_GRANT_MS`].
    pub const MAX_HOLDS_FOR: Duration = Duration::from_millis(MAX_GRANT_MS);

    /// Billionths of a dollar in an amount as `cost_over` writes it: `5.00 USD`.
    #[must_use]
    pub fn parse_cost(text: &str) -> Option<u64> {
        text.strip_suffix(" USD").and_then(read_dollars)
    }

    /// Its name, unique in its document over all rules.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.rule.name
    }

    /// Line of the document on which it begins.
    #[must_use]
    pub fn line(&self) -> usize {
        self.rule.line
    }

    /// Destinations it is about.
    #[must_use]
    pub fn hosts(&self) -> &[HostEntry] {
        &self.rule.hosts
    }

    /// Ports it is about.
    #[must_use]
    pub fn ports(&self) -> &[PortRange] {
        &self.rule.ports
    }

    /// Who decides: the tiers of its escalation chain. Whoever stands in the call's own chain is still among them.
    #[must_use]
    pub fn panel(&self) -> &Panel {
        &self.panel
    }

    /// How long a call is held open before it is answered with 202; zero for not at all.
    #[must_use]
    pub fn inline(&self) -> Duration {
        self.inline
    }

    /// Most uses that one approval may give.
    #[must_use]
    pub fn most_uses(&self) -> u16 {
        self.most_uses
    }

    /// How long an approval holds at most, in milliseconds.
    #[must_use]
    pub fn most_ms(&self) -> u64 {
        self.most_ms
    }

    /// Why, for people.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Billionths of a dollar above which a call of a model is held, if it asks.
    #[must_use]
    pub fn cost_over(&self) -> Option<u64> {
        self.asks.cost_over
    }

    /// Classes of tools that it is about; empty where it does not ask.
    #[must_use]
    pub fn reversibility(&self) -> &[Reversibility] {
        &self.asks.reversibility
    }
}

/// What a hold asks beyond what every rule can ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    /// Billionths of a dollar.
    pub(crate) cost_over: Option<u64>,
    /// Empty for any.
    pub(crate) reversibility: Vec<Reversibility>,
}

/// One of them, as it is named to people.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    CostOver,
    Reversibility,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CostOver => "cost_over",
            Self::Reversibility => "reversibility",
        })
    }
}

/// What holds ask of a call and no other rule does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HoldFacts<'s> {
    /// The most that it can cost, in billionths of a dollar, once that is known.
    pub(crate) cost: Option<u64>,
    /// The server that policy names at the call's place; looked for only where some hold asks.
    pub(crate) server: Option<&'s McpServer>,
}

impl Asks {
    /// Whether it asks nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.cost_over.is_none() && self.reversibility.is_empty()
    }

    /// Whether all of it holds: false if any is, else unknown if any is.
    pub(crate) fn truth(&self, facts: &Facts<'_>, of_holds: HoldFacts<'_>) -> Truth {
        self.each(facts, of_holds).fold(Truth::True, |all, (_, truth)| all.min(truth))
    }

    /// Each with its truth.
    pub(crate) fn each(
        &self,
        facts: &Facts<'_>,
        of_holds: HoldFacts<'_>,
    ) -> impl Iterator<Item = (Asked, Truth)> {
        let cost = self.cost_over.map(|most| (Asked::CostOver, is_over(most, facts, of_holds.cost)));
        let wanted = self.reversibility.as_slice();
        let class = (!wanted.is_empty()).then(|| {
            let classes = of_holds.server.map(|server| &server.reversibility);
            (Asked::Reversibility, reversibility::is_one_of(wanted, facts, classes))
        });
        [cost, class].into_iter().flatten()
    }
}

/// Whether a call of a model may cost more. What it can cost at most is not known before it was reserved; then it may.
fn is_over(most: u64, facts: &Facts<'_>, cost: Option<u64>) -> Truth {
    match (facts.call.details.meaning, cost) {
        // As for budgets: counting tokens costs nothing.
        (Meaning::Model(call), _) if call.operation == ModelOperation::CountTokens => Truth::False,
        (Meaning::Model(_), None) => Truth::Unknown,
        (Meaning::Model(_), Some(cost)) => Truth::of(cost > most),
        _ => Truth::False,
    }
}

impl fmt::Display for Hold {
    /// Who must approve, and what an approval gives.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, tier) in self.panel.tiers().iter().enumerate() {
            if number > 0 {
                f.write_str(", then ")?;
            }
            let people = tier.people.len();
            match tier.quorum {
                _ if people == 1 => {}
                Quorum::Any => f.write_str("any of ")?,
                Quorum::All => f.write_str("all of ")?,
                Quorum::Threshold(required) => write!(f, "{required} of ")?,
            }
            let named: Vec<&str> = tier.people.iter().map(creto_oversight::Person::as_str).collect();
            write!(f, "{} for {}", named.join(", "), Length(Duration::from_millis(tier.wait_ms)))?;
        }
        let (uses, held) = (self.most_uses, Length(Duration::from_millis(self.most_ms)));
        let noun = if uses == 1 { "use" } else { "uses" };
        write!(f, "; an approval gives {uses} {noun} within {held}")?;
        if let Some(most) = self.asks.cost_over {
            write!(f, "; asks above {} USD", dollars(most))?;
        }
        Ok(())
    }
}

/// A length of time as policies write it.
pub(crate) struct Length(pub(crate) Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (unit, letter) = [(86_400, 'd'), (3_600, 'h'), (60, 'm')]
            .into_iter()
            .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit))
            .unwrap_or((1, 's'));
        write!(f, "{}{letter}", seconds / unit)
    }
}
