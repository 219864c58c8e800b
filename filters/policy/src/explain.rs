//! Why a call is decided as it is.

mod holds;

use std::{fmt, ops::ControlFlow};

use creto_authz::CallPath;
use creto_call::{Call, Decision, Kind, RuleName};
use serde::Serialize;

use self::holds::hold_trace;
pub use self::holds::{HoldTrace, TierTrace};
use crate::{
    PolicySet, QuotaRule, Rule, conditions::Condition, facts::Facts, quota::dollars, set::method_bit,
    truth::Truth,
};

/// A decision with every rule that had a say in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `allowed`, `held`: allowed once people have said so, `denied`, or `observed`: let through though it would be denied.
    pub verdict: &'static str,
    /// Machine code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The refusal in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Policy of the rule that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The rule that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The path in normal form, when it is not plain and can be read in more than one way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normal_path: Option<String>,
    /// The rules about this host, deny rules first.
    pub rules: Vec<RuleTrace>,
    /// How many rules are about other hosts only.
    pub other_rules: usize,
    /// The holds about this host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldTrace>,
    /// The quotas and budgets that count the call, if it is let through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaTrace>,
}

/// A quota or budget that counts a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaTrace {
    /// Name of the policy; `agent` for one of the agent's labels.
    pub policy: String,
    /// Name of the quota.
    pub quota: String,
    /// What it counts: `llm.tokens` and so on.
    pub meter: &'static str,
    /// Units in each window, of [`QuotaTrace::unit`].
    pub limit: u64,
    /// The unit: `token`, `call`, `byte`, `message`, `nanodollar`.
    pub unit: &'static str,
    /// How often it starts over.
    pub period: String,
    /// Whose use is counted together: `agent`, `parent`, `customer` or `policy`.
    pub per: &'static str,
    /// What happens when it is used up: `block`, `allow-with-overage` or `notify-only`.
    pub action: &'static str,
    /// Whether it can be told that it counts the call; if not, it does.
    pub certain: bool,
}

/// What one rule made of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// Name of the policy.
    pub policy: String,
    /// Name of the rule.
    pub rule: String,
    /// `allow`, `deny` or `hold`.
    pub effect: &'static str,
    /// Line of the document on which the rule begins.
    pub line: usize,
    /// The `host` entry that matches.
    pub host: String,
    /// Whether the port matches.
    pub port: bool,
    /// Whether the method matches.
    pub method: bool,
    /// Whether the path matches, for a tunnel: whether the rule can speak for tunnels.
    pub path: bool,
    /// What else it asks: `model`, `arguments.limit`, `when` and so on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionTrace>,
    /// Whether all of it matches, so far as can be told: a deny rule or hold of which it cannot be told counts as matching.
    pub matches: bool,
}

/// What one condition made of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionTrace {
    /// The key of the rule.
    pub key: String,
    /// `yes`, `no`, or `unknown`: a fact that it asks is not known, is of another type, or the expression has no value.
    pub holds: &'static str,
    /// Why an expression has no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl PolicySet {
    /// Decides a call and says why; for people, not for the path of a call.
    #[must_use]
    pub fn explain(&self, call: &Call<'_>) -> Explanation {
        self.explain_costing(call, None)
    }

    /// The same of a call that can cost so much at most, in billionths of a dollar.
    #[must_use]
    pub fn explain_costing(&self, call: &Call<'_>, cost: Option<u64>) -> Explanation {
        let path = CallPath::new(call.path);
        let facts = Facts::of_call(call, self.agent());
        let rules: Vec<RuleTrace> =
            self.named_rules().filter_map(|(policy, rule)| trace(policy, rule, &facts, &path)).collect();
        let of_holds = self.hold_facts(call, cost);
        let holds: Vec<HoldTrace> = self
            .named_holds()
            .filter_map(|(policy, hold, observes)| {
                hold_trace(policy, hold, observes, &facts, of_holds, &path)
            })
            .collect();
        let held = holds.iter().any(|hold| hold.rule.matches && !hold.observes);
        let decision = self.decide(call);
        let (verdict, refusal, by) = match decision {
            Decision::Allow { by } if held => ("held", None, Some(by)),
            Decision::Allow { by } => ("allowed", None, Some(by)),
            Decision::Deny(refusal) => ("denied", Some(refusal), refusal.by),
            Decision::Observe(refusal) => ("observed", Some(refusal), refusal.by),
        };
        let owned = |part: fn(RuleName<'_>) -> &str| by.map(|name| part(name).to_owned());
        Explanation {
            verdict,
            code: refusal.map(|refusal| refusal.code.as_str()),
            reason: refusal.map(|refusal| refusal.code.title()),
            policy: owned(|name| name.policy),
            rule: owned(|name| name.rule),
            normal_path: (!path.is_plain()).then(|| path.normal()),
            other_rules: self.rule_count() - rules.len(),
            rules,
            holds,
            quotas: self.quotas().iter().filter_map(|quota| quota_trace(quota, &facts)).collect(),
        }
    }
}

/// None for one that does not count the call.
fn quota_trace(quota: &QuotaRule, facts: &Facts<'_>) -> Option<QuotaTrace> {
    let counts = quota.counts(facts);
    (counts != Truth::False).then(|| QuotaTrace {
        policy: quota.policy().to_owned(),
        quota: quota.name().to_owned(),
        meter: quota.meter().as_str(),
        limit: quota.limit(),
        unit: quota.unit(),
        period: quota.period().to_string(),
        per: quota.per().as_str(),
        action: quota.action().as_str(),
        certain: counts == Truth::True,
    })
}

fn word(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "yes",
        Truth::False => "no",
        Truth::Unknown => "unknown",
    }
}

/// None for a rule about other hosts.
fn trace(policy: &str, rule: &Rule, facts: &Facts<'_>, path: &CallPath<'_>) -> Option<RuleTrace> {
    let call = &facts.call;
    let entry = rule.hosts.iter().find(|entry| entry.matches(call.host))?;
    let port = rule.port_matches(call.port);
    let method = rule.methods & method_bit(call) != 0;
    let path = rule.request_matches(call.kind == Kind::Opaque, path);
    let mut conditions = Vec::new();
    if let Some(asked) = &rule.conditions {
        let _ = asked.each(rule.effect, facts, &[], &mut |condition, truth| {
            let fault = match condition {
                Condition::When => asked.when.as_ref().and_then(|when| when.fault(facts)),
                _ => None,
            };
            let holds = if fault.is_some() { "unknown" } else { word(truth) };
            let fault = fault.map(|fault| fault.to_string());
            conditions.push(ConditionTrace { key: condition.to_string(), holds, fault });
            ControlFlow::Continue(())
        });
    }
    let counts = rule.effect.counts(rule.conditions_truth(facts));
    Some(RuleTrace {
        policy: policy.to_owned(),
        rule: rule.name.clone(),
        effect: rule.effect.as_str(),
        line: rule.line,
        host: entry.to_string(),
        port,
        method,
        path,
        conditions,
        matches: port && method && path && counts,
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict)?;
        if let (Some(policy), Some(rule)) = (&self.policy, &self.rule) {
            write!(f, " by {policy}/{rule}")?;
        }
        if let (Some(code), Some(reason)) = (self.code, self.reason) {
            write!(f, " ({code}): {reason}")?;
        }
        writeln!(f)?;
        if let Some(path) = &self.normal_path {
            writeln!(f, "  the path is not plain; in normal form it is {path}")?;
        }
        for rule in &self.rules {
            writeln!(f, "  {rule}")?;
        }
        match self.other_rules {
            0 => {}
            1 => writeln!(f, "  1 other rule is about other hosts")?,
            count => writeln!(f, "  {count} other rules are about other hosts")?,
        }
        self.holds.iter().try_for_each(|hold| writeln!(f, "  {hold}"))?;
        self.quotas.iter().try_for_each(|quota| writeln!(f, "  {quota}"))
    }
}

impl fmt::Display for QuotaTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, quota, meter, limit, unit, period, per, action, certain } = self;
        write!(f, "quota {policy}/{quota}: ")?;
        match *unit {
            "nanodollar" => write!(f, "{} USD", dollars(*limit))?,
            unit => write!(f, "{limit} {unit}{}", if *limit == 1 { "" } else { "s" })?,
        }
        write!(f, " of {meter} {period} per {per}, then {action}")?;
        if *certain { Ok(()) } else { f.write_str("; it may count this call") }
    }
}

impl fmt::Display for RuleTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, rule, effect, line, host, .. } = self;
        write!(f, "{effect:5} {policy}/{rule} (line {line}): host {host} matches")?;
        let those = |wanted: &str| {
            let conditions = self.conditions.iter().filter(|condition| condition.holds == wanted);
            conditions.map(ToString::to_string).collect::<Vec<_>>()
        };
        let unknown = those("unknown").join(" and ");
        if self.matches && unknown.is_empty() {
            return write!(f, ", so does the rest");
        }
        if self.matches {
            let what = if *effect == "hold" { "holds" } else { "denies" };
            return write!(f, ", and {unknown} cannot be told, which counts as a match for what {what}");
        }
        let missing = [(self.port, "port"), (self.method, "method"), (self.path, "path")];
        let mut missing: Vec<String> =
            missing.iter().filter(|(matches, _)| !matches).map(|(_, what)| (*what).to_owned()).collect();
        missing.extend(those("no"));
        match (missing.is_empty(), unknown.is_empty()) {
            (false, _) => write!(f, ", but not {}", missing.join(" and ")),
            (true, false) => write!(f, ", but {unknown} cannot be told"),
            (true, true) => Ok(()),
        }
    }
}

impl fmt::Display for ConditionTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Some(fault) => write!(f, "{} ({fault})", self.key),
            None => f.write_str(&self.key),
        }
    }
}
