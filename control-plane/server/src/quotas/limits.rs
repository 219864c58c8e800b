//! From a quota and an agent to the limit that the issuer keeps.

use creto_identity::Delegations;
use creto_policy::{Per, QuotaPeriod, QuotaRule};
use creto_proto::v1::Delegation;
use creto_quota_issuer::{LeaseTerms, Period, QuotaLimit, Spike, Zone};
use creto_store::{KeptAgent, Store, StoreError};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::QuotaError;
use super::documents::KnownRule;

/// How long a lease lasts, in milliseconds: for how long a sidecar that is cut off may spend what it holds. What one that died
/// holds counts as used whatever the life; what one that is idle holds it gives back by itself.
pub(crate) const LEASE_LIFE_MS: u64 = 300_000;
/// The label by which agents are one customer's.
const CUSTOMER: &str = "customer";
/// Longest label that stands in the name of a limit as it is, in bytes; of others its hash does.
const MAX_PLAIN_SHARE: usize = 96;
/// Use of an hour is no spike below this part of the limit.
const SPIKE_FLOOR_PART: u64 = 100;

/// Units below which no lease is cut while there are as many: some calls' worth.
pub(crate) fn least_lease(unit: &str) -> u64 {
    match unit {
        "token" => 1_000,
        "byte" => 1 << 20,
        "nanodollar" => 1_000_000,
        "call" => 10,
        "message" => 5,
        _ => 1,
    }
}

/// Whose share of each quota an agent's use is.
pub(super) struct Shares<'a> {
    store: &'a dyn Store,
    delegations: &'a Delegations,
    agent: &'a KeptAgent,
    /// Name of who delegated to it; looked up when first asked for.
    parent: Option<Option<String>>,
}

impl<'a> Shares<'a> {
    pub(super) fn new(store: &'a dyn Store, delegations: &'a Delegations, agent: &'a KeptAgent) -> Self {
        Self { store, delegations, agent, parent: None }
    }

    /// The limit of a quota that the agent's use counts on, or in words why there is none.
    pub(super) async fn limit(
        &mut self,
        known: &KnownRule,
    ) -> Result<Result<QuotaLimit, String>, QuotaError> {
        let share = match known.rule.per() {
            Per::Agent => Ok(format!("agent/{}", self.agent.name)),
            Per::Policy => Ok("policy".to_owned()),
            Per::Customer => match self.agent.labels.get(CUSTOMER) {
                Some(label) => Ok(format!("customer/{}", plain(label))),
                None => Err(format!(
                    "this quota is per customer, and the agent has no label `{CUSTOMER}`: create it with one"
                )),
            },
            Per::Parent => match self.parent().await? {
                Some(parent) => Ok(format!("parent/{parent}")),
                None => {
                    Err("this quota is per parent, and nobody delegates to the agent now: `creto delegate`"
                        .to_owned())
                }
            },
        };
        match share {
            Ok(share) => Ok(limit(&self.agent.namespace, known, &share).map_err(|error| error.to_string())),
            Err(why) => Ok(Err(why)),
        }
    }

    async fn parent(&mut self) -> Result<Option<String>, QuotaError> {
        if let Some(parent) = &self.parent {
            return Ok(parent.clone());
        }
        let parent = self.look_up_parent().await?;
        self.parent = Some(parent.clone());
        Ok(parent)
    }

    /// Who signed the last link of the delegation that the agent calls under.
    async fn look_up_parent(&self) -> Result<Option<String>, QuotaError> {
        // Only which delegation it is counts here, not what is minted of it.
        let current = self.delegations.current_chain(self.agent, &self.agent.name, 0).await?;
        let Some(id) = current.chain.and_then(|chain| <[u8; 32]>::try_from(chain.delegation_id).ok()) else {
            return Ok(None);
        };
        let kept = self.store.delegation(&self.agent.namespace, &id).await?;
        let damaged = |_| StoreError::Damaged("delegations.links does not decode".into());
        let links = Delegation::decode(kept.encoded_links.as_slice()).map_err(damaged)?.links;
        let Some(signer) = links.last().and_then(|link| <[u8; 32]>::try_from(&*link.delegator_id).ok())
        else {
            return Ok(None);
        };
        Ok(self.store.agent_by_id(&self.agent.namespace, &signer).await?.map(|found| found.name))
    }
}

/// A label as part of a name: itself if it is short and visible ASCII, else its hash.
fn plain(label: &str) -> String {
    let is_plain = !label.is_empty()
        && label.len() <= MAX_PLAIN_SHARE
        && !label.starts_with('~')
        && label.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain {
        return label.to_owned();
    }
    let hash = Sha256::digest(label.as_bytes());
    format!("~{}", hex::encode(hash.get(..16).unwrap_or_default()))
}

/// The name of a limit: policy, quota and whose share.
pub(super) fn limit_name(rule: &QuotaRule, share: &str) -> String {
    format!("{}/{}/{share}", rule.policy(), rule.name())
}

/// How the names of all limits of a quota begin, whosever share they are.
pub(super) fn name_begins(policy: &str, quota: &str) -> String {
    format!("{policy}/{quota}/")
}

/// Policy, quota and share of a limit's name.
pub(super) fn named_parts(limit: &str) -> (&str, &str, &str) {
    let mut parts = limit.splitn(3, '/');
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

fn limit(
    namespace: &str,
    known: &KnownRule,
    share: &str,
) -> Result<QuotaLimit, creto_quota_issuer::PeriodError> {
    let rule = &known.rule;
    let unit = rule.unit();
    let period = match rule.period() {
        QuotaPeriod::Hourly => Period::Hourly,
        QuotaPeriod::Daily => Period::Daily,
        QuotaPeriod::Weekly => Period::Weekly,
        QuotaPeriod::Monthly => Period::Monthly,
        QuotaPeriod::Custom { seconds, anchor_ms } => Period::Custom { seconds, anchor_ms },
    };
    let floor = (rule.limit() / SPIKE_FLOOR_PART).max(1);
    Ok(QuotaLimit {
        revision: known.revision,
        zone: Zone::named(rule.zone())?,
        action: rule.action(),
        warn_percent: rule.warn_percent(),
        spike: Some(Spike { floor, ..Spike::default() }),
        leases: LeaseTerms { life_ms: LEASE_LIFE_MS, minimum: least_lease(unit) },
        ..QuotaLimit::new(namespace, &limit_name(rule, share), unit, rule.limit(), period)
    })
}

#[cfg(test)]
mod tests {
    use creto_policy::{Document, MAX_LIMIT_UNITS, MAX_PERIOD_S, MIN_PERIOD_S};

    use super::*;

    #[test]
    fn every_limit_that_a_policy_can_say_is_one_of_the_issuers() {
        assert_eq!(MAX_LIMIT_UNITS, creto_quota_issuer::MAX_UNITS);
        assert_eq!(
            (MIN_PERIOD_S, MAX_PERIOD_S),
            (creto_quota_issuer::MIN_CUSTOM_S, creto_quota_issuer::MAX_CUSTOM_S)
        );
        let name = "x".repeat(63);
        let text = format!(
            "version = 1\nname = \"{name}\"\n[[quota]]\nname = \"{name}\"\nmeter = \"llm.tokens\"\n\
             limit = {MAX_LIMIT_UNITS}\nperiod = \"monthly\"\nzone = \"Europe/Berlin\"\n\
             [[quota]]\nname = \"custom\"\nmeter = \"calls\"\nlimit = 0\n\
             period = {{ seconds = 60, from = \"2026-01-01T00:00:00Z\" }}\n"
        );
        let document = Document::parse("p.toml", &text).unwrap();
        let shares = [format!("agent/{}", "y".repeat(63)), format!("customer/{}", plain(&"z".repeat(256)))];
        for rule in document.quotas() {
            for share in &shares {
                let known = KnownRule { rule: rule.clone(), revision: 1 };
                limit("default", &known, share).unwrap().check().unwrap();
            }
        }
    }

    #[test]
    fn a_label_of_any_form_is_part_of_a_name_and_no_two_are_the_same() {
        assert_eq!(plain("acme"), "acme");
        for label in ["a b", "", "~acme", "é", &"x".repeat(97)] {
            let part = plain(label);
            assert!(part.starts_with('~') && part.len() == 33, "{label}: {part}");
        }
        assert_ne!(plain("a b"), plain("a  b"));
    }

    #[test]
    fn a_limits_name_tells_what_it_was_made_of() {
        assert_eq!(named_parts("p/q/customer/a/b"), ("p", "q", "customer/a/b"));
        assert_eq!(named_parts("p/q/policy"), ("p", "q", "policy"));
    }
}
