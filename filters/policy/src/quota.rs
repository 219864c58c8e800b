//! Quotas and budgets: how much of something may be used in each window of time.

mod labels;

use std::fmt;

use creto_call::ModelOperation;
use creto_quota::Action;

pub use self::labels::IMPLICIT_POLICY;
pub(crate) use self::labels::of_labels;
use crate::{
    HostEntry,
    conditions::asks_for_skill,
    facts::Facts,
    text_glob::{Case, TextGlob},
    truth::Truth,
};

/// Largest limit, in units of its meter: 2^53 - 1. For a budget, in billionths of a dollar, nine million dollars.
pub const MAX_LIMIT_UNITS: u64 = (1 << 53) - 1;
/// Shortest custom period, in seconds.
pub const MIN_PERIOD_S: u64 = 60;
/// Longest custom period, in seconds (366 days).
pub const MAX_PERIOD_S: u64 = 366 * 86_400;

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaMeter {
    /// Tokens that model calls take and give, together.
    LlmTokens,
    /// Tokens that model calls take.
    LlmInputTokens,
    /// Tokens that model calls give.
    LlmOutputTokens,
    /// Calls of any kind.
    Calls,
    /// Bytes of request bodies.
    EgressBytes,
    /// Messages to other agents (A2A).
    Messages,
    /// Sandboxes started; no call counts.
    Sandboxes,
    /// What model calls cost, in this currency (ISO 4217): a budget.
    Cost(&'static str),
}

impl QuotaMeter {
    /// The meters that a `[[quota]]` can name.
    pub(crate) const NAMED: [Self; 7] = [
        Self::LlmTokens,
        Self::LlmInputTokens,
        Self::LlmOutputTokens,
        Self::Calls,
        Self::EgressBytes,
        Self::Messages,
        Self::Sandboxes,
    ];

    /// Name as written in policies, and of the meter; a budget's is `llm.cost`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LlmTokens => "llm.tokens",
            Self::LlmInputTokens => "llm.input_tokens",
            Self::LlmOutputTokens => "llm.output_tokens",
            Self::Calls => "calls",
            Self::EgressBytes => "egress.bytes",
            Self::Messages => "messages",
            Self::Sandboxes => "sandboxes",
            Self::Cost(_) => "llm.cost",
        }
    }

    /// The unit of all amounts; money is counted in billionths of a dollar.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::LlmTokens | Self::LlmInputTokens | Self::LlmOutputTokens => "token",
            Self::Calls => "call",
            Self::EgressBytes => "byte",
            Self::Messages => "message",
            Self::Sandboxes => "sandbox",
            Self::Cost(_) => "nanodollar",
        }
    }

    /// Whether only calls of models count.
    #[must_use]
    pub fn is_about_models(self) -> bool {
        matches!(self, Self::LlmTokens | Self::LlmInputTokens | Self::LlmOutputTokens | Self::Cost(_))
    }
}

/// How often a quota starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaPeriod {
    /// At each full hour of the zone's clock.
    Hourly,
    /// When the zone's day begins.
    Daily,
    /// When the zone's Monday begins.
    Weekly,
    /// When the first of the zone's month begins.
    Monthly,
    /// Every so many seconds, whatever the zone.
    Custom {
        /// Length in seconds, [`MIN_PERIOD_S`] to [`MAX_PERIOD_S`].
        seconds: u64,
        /// A moment at which a window begins, in milliseconds since 1970; whole seconds.
        anchor_ms: u64,
    },
}

impl fmt::Display for QuotaPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hourly => f.write_str("hourly"),
            Self::Daily => f.write_str("daily"),
            Self::Weekly => f.write_str("weekly"),
            Self::Monthly => f.write_str("monthly"),
            Self::Custom { seconds, .. } => write!(f, "every {seconds} s"),
        }
    }
}

/// Whose use is counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Per {
    /// Each agent by itself.
    #[default]
    Agent,
    /// All agents that have their delegation from the same one.
    Parent,
    /// All agents with the same label `customer`.
    Customer,
    /// Everybody the document is for.
    Policy,
}

impl Per {
    /// Names as written in policies.
    pub(crate) const NAMES: [&'static str; 4] = ["agent", "parent", "customer", "policy"];

    /// Reads a name as written in policies.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "agent" => Some(Self::Agent),
            "parent" => Some(Self::Parent),
            "customer" => Some(Self::Customer),
            "policy" => Some(Self::Policy),
            _ => None,
        }
    }

    /// Name as written in policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Parent => "parent",
            Self::Customer => "customer",
            Self::Policy => "policy",
        }
    }
}

/// What happens once the lease is spent and the control plane is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Away {
    /// Calls are refused.
    #[default]
    Refuse,
    /// Calls go on, and what they use is counted as overage.
    Allow,
}

/// A `[[quota]]` or `[[budget]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaRule {
    pub(crate) policy: String,
    pub(crate) name: String,
    pub(crate) meter: QuotaMeter,
    pub(crate) limit: u64,
    pub(crate) period: QuotaPeriod,
    pub(crate) zone: &'static str,
    pub(crate) per: Per,
    pub(crate) action: Action,
    pub(crate) warn_percent: u8,
    pub(crate) away: Away,
    pub(crate) cut_streams: bool,
    /// Empty for any.
    pub(crate) hosts: Vec<HostEntry>,
    /// Empty for any.
    pub(crate) providers: Vec<String>,
    /// Empty for any.
    pub(crate) models: Vec<TextGlob>,
    /// Line of the document on which it begins; 0 for one of the agent's labels.
    pub(crate) line: usize,
}

impl QuotaRule {
    /// Name of its policy; [`IMPLICIT_POLICY`] for one of the agent's labels.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Its name, unique in its document over quotas and budgets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it counts.
    #[must_use]
    pub fn meter(&self) -> QuotaMeter {
        self.meter
    }

    /// Units in each window, 0 to [`MAX_LIMIT_UNITS`]; for a budget billionths of a dollar.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The unit of all amounts: [`QuotaMeter::unit`].
    #[must_use]
    pub fn unit(&self) -> &'static str {
        self.meter.unit()
    }

    /// How often it starts over.
    #[must_use]
    pub fn period(&self) -> QuotaPeriod {
        self.period
    }

    /// The clock that the period goes by: a name of the IANA time zone database.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.zone
    }

    /// Whose use is counted together.
    #[must_use]
    pub fn per(&self) -> Per {
        self.per
    }

    /// What happens to calls for which too little is left.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// Percent of the limit from which people are warned, 1 to 100.
    #[must_use]
    pub fn warn_percent(&self) -> u8 {
        self.warn_percent
    }

    /// What happens once the lease is spent and the control plane is away.
    #[must_use]
    pub fn away(&self) -> Away {
        self.away
    }

    /// Whether a stream ends once it has used up what was reserved for it.
    #[must_use]
    pub fn cut_streams(&self) -> bool {
        self.cut_streams
    }

    /// Line of the document on which it begins; 0 for one of the agent's labels.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether it counts every call of its kind, whatever its host, provider and model.
    #[must_use]
    pub fn is_unnarrowed(&self) -> bool {
        self.hosts.is_empty() && self.providers.is_empty() && self.models.is_empty()
    }

    /// Whether it counts the call; in doubt it does.
    pub(crate) fn counts(&self, facts: &Facts<'_>) -> Truth {
        let call = &facts.call;
        if !self.hosts.is_empty() && !self.hosts.iter().any(|host| host.matches(call.host)) {
            return Truth::False;
        }
        let kind = match self.meter {
            QuotaMeter::Calls | QuotaMeter::EgressBytes => Truth::True,
            QuotaMeter::Sandboxes => Truth::False,
            QuotaMeter::Messages => match call.details.meaning.a2a() {
                None => Truth::False,
                Some(message) if message.method.is_empty() && !facts.body_known => Truth::Unknown,
                Some(message) => Truth::of(asks_for_skill(&message.method)),
            },
            _ => match call.details.meaning.model() {
                Some(asked) => Truth::of(asked.operation != ModelOperation::CountTokens),
                None => Truth::False,
            },
        };
        if kind == Truth::False || self.providers.is_empty() && self.models.is_empty() {
            return kind;
        }
        let Some(asked) = call.details.meaning.model() else { return Truth::False };
        if !self.providers.is_empty() && !self.providers.contains(&asked.provider) {
            return Truth::False;
        }
        // Some providers fold case, so that another case must not get around a limit.
        let model = match &asked.model {
            _ if self.models.is_empty() => Truth::True,
            Some(model) => TextGlob::any(&self.models, model, Case::Folded),
            // Not read yet, or left to the provider: it may be any.
            None => Truth::Unknown,
        };
        kind.min(model)
    }

    /// Whether what stands in the unread body is needed to know whether, and how much of it, the call may use.
    pub(crate) fn needs_body(&self, facts: &Facts<'_>) -> bool {
        match self.counts(facts) {
            Truth::False => false,
            Truth::Unknown => true,
            Truth::True => self.meter.is_about_models(),
        }
    }
}

/// The most quotas that can count one call: those that ask nothing but what they count.
pub(crate) fn at_once<'q>(quotas: impl IntoIterator<Item = &'q QuotaRule>) -> usize {
    let (mut any, mut models, mut messages) = (0, 0, 0);
    for quota in quotas.into_iter().filter(|quota| quota.is_unnarrowed()) {
        match quota.meter {
            QuotaMeter::Sandboxes => {}
            QuotaMeter::Messages => messages += 1,
            meter if meter.is_about_models() => models += 1,
            _ => any += 1,
        }
    }
    any + models.max(messages)
}

/// Billionths of a dollar as dollars, with two digits after the point or as many as it takes.
pub(crate) fn dollars(nanodollars: u64) -> String {
    let (whole, rest) = (nanodollars / 1_000_000_000, nanodollars % 1_000_000_000);
    let digits = format!("{rest:09}");
    let shown = digits.trim_end_matches('0');
    format!("{whole}.{shown:0<2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_shown_to_the_cent_or_as_finely_as_it_is() {
        for (nanodollars, shown) in
            [(0, "0.00"), (250_000_000_000, "250.00"), (1_500_000_000, "1.50"), (1, "0.000000001")]
        {
            assert_eq!(dollars(nanodollars), shown);
        }
    }
}
