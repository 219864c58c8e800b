//! Why a call is decided as it is.

use std::fmt;

use creto_authz::CallPath;
use creto_call::{Call, Decision, Kind, Method, RuleName};
use serde::Serialize;

use crate::{PolicySet, Rule};

/// A decision with every rule that had a say in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `allowed`, `denied`, or `observed`: let through though it would be denied.
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
}

/// What one rule made of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// Name of the policy.
    pub policy: String,
    /// Name of the rule.
    pub rule: String,
    /// `allow` or `deny`.
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
    /// Whether all of it matches.
    pub matches: bool,
}

impl PolicySet {
    /// Decides a call and says why; for people, not for the path of a call.
    #[must_use]
    pub fn explain(&self, call: &Call<'_>) -> Explanation {
        let path = CallPath::new(call.path);
        let rules: Vec<RuleTrace> =
            self.named_rules().filter_map(|(policy, rule)| trace(policy, rule, call, &path)).collect();
        let decision = self.decide(call);
        let (verdict, refusal, by) = match decision {
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
        }
    }
}

/// None for a rule about other hosts.
fn trace(policy: &str, rule: &Rule, call: &Call<'_>, path: &CallPath<'_>) -> Option<RuleTrace> {
    let entry = rule.hosts.iter().find(|entry| entry.matches(call.host))?;
    let opaque = call.kind == Kind::Opaque;
    let verb = if opaque { Method::parse("CONNECT") } else { Method::parse(call.method) };
    let port = rule.port_matches(call.port);
    let method = rule.methods & verb.mask() != 0;
    let path = rule.request_matches(opaque, path);
    Some(RuleTrace {
        policy: policy.to_owned(),
        rule: rule.name.clone(),
        effect: rule.effect.as_str(),
        line: rule.line,
        host: entry.to_string(),
        port,
        method,
        path,
        matches: port && method && path,
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
            0 => Ok(()),
            1 => writeln!(f, "  1 other rule is about other hosts"),
            count => writeln!(f, "  {count} other rules are about other hosts"),
        }
    }
}

impl fmt::Display for RuleTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, rule, effect, line, host, .. } = self;
        write!(f, "{effect:5} {policy}/{rule} (line {line}): host {host} matches")?;
        if self.matches {
            return write!(f, ", so does the rest");
        }
        let missing = [(self.port, "port"), (self.method, "method"), (self.path, "path")];
        let missing: Vec<&str> =
            missing.iter().filter(|(matches, _)| !matches).map(|(_, what)| *what).collect();
        write!(f, ", but not {}", missing.join(" and "))
    }
}
