//! Quotas that an agent's labels say.

use std::sync::Arc;

use creto_quota::{Action, QuotaSpec};

use super::{Away, MAX_LIMIT_UNITS, Per, QuotaMeter, QuotaPeriod, QuotaRule};
use crate::AgentFacts;

/// The policy that quotas of labels are said to be of; no document of this name can have quotas.
pub const IMPLICIT_POLICY: &str = "agent";

/// What a label begins with that says a limit.
const PREFIX: &str = "quota.";

/// Name of the label after `quota.`, what it counts, its period, and units for one of what it says.
const LABELS: [(&str, QuotaMeter, QuotaPeriod, u64); 5] = [
    ("tokens-per-month", QuotaMeter::LlmTokens, QuotaPeriod::Monthly, 1),
    ("tokens-per-hour", QuotaMeter::LlmTokens, QuotaPeriod::Hourly, 1),
    ("egress-gb-per-month", QuotaMeter::EgressBytes, QuotaPeriod::Monthly, 1_000_000_000),
    ("messages-per-hour", QuotaMeter::Messages, QuotaPeriod::Hourly, 1),
    ("sandboxes", QuotaMeter::Sandboxes, QuotaPeriod::Monthly, 1),
];

/// The quotas that the labels `quota.tokens-per-month` and its like say, each for this agent alone, by UTC.
pub(crate) fn of_labels(agent: &AgentFacts) -> impl Iterator<Item = Arc<QuotaRule>> {
    LABELS.iter().filter_map(|(name, meter, period, units)| {
        let said = agent.labels.get(&format!("{PREFIX}{name}"))?;
        Some(Arc::new(QuotaRule {
            policy: IMPLICIT_POLICY.to_owned(),
            name: (*name).to_owned(),
            meter: *meter,
            limit: limit(said, *units),
            period: *period,
            zone: "UTC",
            per: Per::Agent,
            action: Action::Block,
            warn_percent: QuotaSpec::DEFAULT_WARN_PERCENT,
            away: Away::Refuse,
            cut_streams: false,
            hosts: Vec::new(),
            providers: Vec::new(),
            models: Vec::new(),
            line: 0,
        }))
    })
}

/// What is no whole number allows nothing: whoever set the label wanted a limit.
fn limit(said: &str, units: u64) -> u64 {
    let digits = !said.is_empty() && said.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return 0;
    }
    said.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(units).min(MAX_LIMIT_UNITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tier, Trust};

    #[test]
    fn labels_say_quotas_and_what_is_no_number_allows_nothing() {
        let labels = [
            ("quota.tokens-per-month", "2000000"),
            ("quota.tokens-per-hour", "2e6"),
            ("quota.egress-gb-per-month", "3"),
            ("quota.sandboxes", "99999999999999999999"),
            ("quota.other", "7"),
        ];
        let agent = AgentFacts {
            name: "a".into(),
            tier: Tier::Basic,
            trust: Trust::Trusted,
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        };
        let found: Vec<_> = of_labels(&agent).map(|quota| (quota.name.clone(), quota.limit)).collect();
        let expected = [
            ("tokens-per-month", 2_000_000),
            ("tokens-per-hour", 0),
            ("egress-gb-per-month", 3_000_000_000),
            ("sandboxes", MAX_LIMIT_UNITS),
        ];
        assert_eq!(found, expected.map(|(name, limit)| (name.to_owned(), limit)));
    }
}
