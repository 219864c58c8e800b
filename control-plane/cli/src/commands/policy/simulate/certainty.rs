//! What policies say of a call of which not everything is known.
//!
//! [`PolicySet::explain`] tells of each rule about the host what its conditions make of the call. Conditions that ask what
//! is never recorded (arguments, query, and the size of most bodies) are unknown here whatever they made of it, so a
//! verdict comes out only if it is the same for every call that has this record.

use creto_call::{Call, RefusalCode};
use creto_policy::{PolicySet, RuleTrace};

use super::record::{Before, Understood};
use super::side::Rules;
use crate::commands::policy::meaning::Meant;
use crate::commands::policy::outline::Field;
use crate::commands::policy::test::Verdict;

/// Attributes of expressions that no record tells.
const UNRECORDED: [&str; 2] = ["request.query", "mcp.tool.arguments"];

/// Whether a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    No,
    Unknown,
    Yes,
}

/// What came of a message.
#[derive(Debug)]
pub(super) struct Judged {
    /// None when it depends on what is not recorded.
    pub(super) verdict: Option<Before>,
    /// Whether the rule in it is the one that decides, whatever was not recorded.
    pub(super) rule_is_sure: bool,
    /// What it depends on: `policy/rule key`.
    pub(super) asks: Vec<String>,
    /// The rules about the host, by policy and name.
    pub(super) rules: Vec<(String, String)>,
}

/// Decides a message.
pub(super) fn judged(set: &PolicySet, rules: &Rules, call: &Call<'_>, understood: &Understood) -> Judged {
    let explanation = set.explain(call);
    let mut doubts: Vec<String> = Vec::new();
    let (mut denied, mut allowed) = (Side::default(), Side::default());
    for trace in &explanation.rules {
        let (truth, unknown) = truth(trace, rules, understood);
        let side = if trace.effect == "deny" { &mut denied } else { &mut allowed };
        side.take(truth, trace);
        if truth == Truth::Unknown {
            doubts.extend(unknown.iter().map(|key| format!("{}/{} {key}", trace.policy, trace.rule)));
        }
    }
    let refuse_as = |code: &str, by| {
        let verdict = if set.observes() { Verdict::Observe } else { Verdict::Deny };
        Some(Before::new(verdict, code, by))
    };
    let refuse = |code: RefusalCode, by| refuse_as(code.as_str(), by);
    // A rule before it that may match would be named in its place.
    let (denying, allowing) = (denied.named(), allowed.named());
    let (verdict, rule_is_sure) = if denied.first.is_some() {
        (refuse(RefusalCode::RuleDenies, denying), !denied.doubt_before)
    } else if denied.doubt && (allowed.first.is_some() || allowed.doubt) {
        (None, false)
    } else if allowed.first.is_some() {
        (Some(Before::new(Verdict::Allow, "", allowing)), !allowed.doubt_before)
    } else if allowed.doubt {
        (None, false)
    } else if denied.doubt {
        // Refused either way: by a deny rule, or since nothing allows it.
        (refuse_as("", None), false)
    } else if set.policies().len() == 0 {
        (Some(Before::new(Verdict::Deny, RefusalCode::NoPolicy.as_str(), None)), true)
    } else if set.destination(call.host, call.port).port_known {
        (refuse(RefusalCode::NoRuleAllows, None), true)
    } else {
        (refuse(RefusalCode::PortForbidden, None), true)
    };
    let rules = explanation.rules.into_iter().map(|trace| (trace.policy, trace.rule)).collect();
    Judged { verdict, rule_is_sure, asks: doubts, rules }
}

/// The rules of one effect, in the order in which they are considered.
#[derive(Debug, Default)]
struct Side {
    /// The first that matches for certain.
    first: Option<(String, String)>,
    /// One before it may match.
    doubt_before: bool,
    /// Any may match.
    doubt: bool,
}

impl Side {
    /// The rule that decides, where that is sure.
    fn named(&self) -> Option<(String, String)> {
        self.first.clone().filter(|_| !self.doubt_before)
    }

    fn take(&mut self, truth: Truth, trace: &RuleTrace) {
        match truth {
            Truth::No => {}
            Truth::Unknown => {
                self.doubt = true;
                self.doubt_before |= self.first.is_none();
            }
            Truth::Yes if self.first.is_none() => {
                self.first = Some((trace.policy.clone(), trace.rule.clone()));
            }
            Truth::Yes => {}
        }
    }
}

/// Whether a rule matches, and the keys of which it cannot be told.
fn truth(trace: &RuleTrace, rules: &Rules, understood: &Understood) -> (Truth, Vec<String>) {
    if !(trace.port && trace.method && trace.path) {
        return (Truth::No, Vec::new());
    }
    let mut all = Truth::Yes;
    let mut unknown = Vec::new();
    for condition in &trace.conditions {
        let truth = if is_unrecorded(&condition.key, trace, rules, understood) {
            Truth::Unknown
        } else {
            match (condition.holds, &condition.fault) {
                ("yes", _) => Truth::Yes,
                ("no", _) => Truth::No,
                // An expression that has no value counts as a match for what denies and as none for what allows.
                (_, Some(_)) if trace.effect == "deny" => Truth::Yes,
                (_, Some(_)) => Truth::No,
                _ => Truth::Unknown,
            }
        };
        if truth == Truth::Unknown {
            unknown.push(condition.key.clone());
        }
        all = all.min(truth);
    }
    (all, unknown)
}

/// Whether a condition asks what the record does not tell, though the facts given to policy look as if it did.
fn is_unrecorded(key: &str, trace: &RuleTrace, rules: &Rules, understood: &Understood) -> bool {
    if key.starts_with("arguments.") {
        return matches!(&understood.meant, Meant::Mcp(_)) && understood.size != Some(0);
    }
    if key != "when" {
        return false;
    }
    let Some(Field::One(text)) = rules.get(&trace.policy, &trace.rule).and_then(|fields| fields.get("when"))
    else {
        return false;
    };
    let asks = |name: &str| mentions(text, name);
    UNRECORDED.iter().any(|name| asks(name)) || asks("request.size") && understood.size != Some(0)
}

/// Whether an expression may read an attribute; said of too many rather than of too few.
fn mentions(expression: &str, attribute: &str) -> bool {
    // A comment may stand within a name: then its last part is looked for.
    if expression.contains("//") {
        return attribute.rsplit('.').next().is_some_and(|last| expression.contains(last));
    }
    let written: String =
        expression.chars().filter(|letter| !letter.is_whitespace() && *letter != '`').collect();
    written.contains(attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_found_however_it_is_written() {
        for text in ["request.query == ''", "request . query", "request.`query`", "request // a\n.query"] {
            assert!(mentions(text, "request.query"), "{text}");
        }
        assert!(!mentions("request.path == ''", "request.query"));
    }
}
