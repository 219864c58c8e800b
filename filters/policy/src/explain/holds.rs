//! What holds made of a call.

use std::{fmt, time::Duration};

use creto_authz::CallPath;
use serde::Serialize;

use super::{ConditionTrace, RuleTrace, trace, word};
use crate::{
    Hold,
    facts::Facts,
    hold::{HoldFacts, Length},
    truth::Truth,
};

/// What one hold made of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldTrace {
    /// The same as of a rule, its effect `hold`.
    #[serde(flatten)]
    pub rule: RuleTrace,
    /// Whether its document observes only, so that nobody is asked.
    pub observes: bool,
    /// Who decides: those who are asked first, then those to whom it is escalated.
    pub tiers: Vec<TierTrace>,
    /// Seconds that the call is held open.
    pub inline_s: u64,
    /// Most uses of one approval.
    pub uses: u16,
    /// Seconds that an approval holds at most.
    pub holds_for_s: u64,
    /// Why people are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in words.
    #[serde(skip)]
    asks: String,
}

/// People who decide together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TierTrace {
    /// Who.
    pub approvers: Vec<String>,
    /// How many of them must agree.
    pub required: usize,
    /// Seconds that they have.
    pub wait_s: u64,
}

/// None for a hold about other hosts.
pub(super) fn hold_trace(
    policy: &str,
    hold: &Hold,
    observes: bool,
    facts: &Facts<'_>,
    of_holds: HoldFacts<'_>,
    path: &CallPath<'_>,
) -> Option<HoldTrace> {
    let mut rule = trace(policy, &hold.rule, facts, path)?;
    rule.effect = "hold";
    for (asked, truth) in hold.asks.each(facts, of_holds) {
        rule.conditions.push(ConditionTrace { key: asked.to_string(), holds: word(truth), fault: None });
        rule.matches &= truth != Truth::False;
    }
    let tiers = hold.panel.tiers().iter().map(|tier| TierTrace {
        approvers: tier.people.iter().map(|person| person.as_str().to_owned()).collect(),
        required: tier.quorum.required(tier.people.len()),
        wait_s: tier.wait_ms / 1_000,
    });
    Some(HoldTrace {
        rule,
        observes,
        tiers: tiers.collect(),
        inline_s: hold.inline.as_secs(),
        uses: hold.most_uses,
        holds_for_s: hold.most_ms / 1_000,
        reason: hold.reason.clone(),
        asks: hold.to_string(),
    })
}

impl fmt::Display for HoldTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, observes, asks, inline_s, reason, .. } = self;
        write!(f, "{rule}")?;
        if !rule.matches {
            return Ok(());
        }
        if *observes {
            return write!(f, "; the policy observes only, else it would wait for {asks}");
        }
        let inline = Length(Duration::from_secs(*inline_s));
        write!(f, "; waits for {asks}; held open for {inline}")?;
        match reason {
            Some(reason) => write!(f, "; {reason}"),
            None => Ok(()),
        }
    }
}
