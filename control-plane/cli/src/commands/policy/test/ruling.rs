//! Deciding a call that people describe, in the order in which a sidecar does.

use std::fmt;
use std::net::IpAddr;

use creto_authz::Scope;
use creto_call::{Decision, RefusalCode};
use creto_policy::PolicySet;

use crate::commands::policy::whole_call::WholeCall;

/// What is done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    /// Allowed once people have said so.
    Hold,
    Deny,
    Observe,
}

impl Verdict {
    /// As written in test files.
    pub(crate) const NAMES: [&'static str; 4] = ["allow", "hold", "deny", "observe"];

    /// As written in test files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
            Self::Observe => "observe",
        }
    }

    /// Reads a name as written in test files.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Allow, Self::Hold, Self::Deny, Self::Observe]
            .into_iter()
            .find(|verdict| verdict.as_str() == name)
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ruled {
    pub(crate) verdict: Verdict,
    /// Of a refusal, and of what would be one.
    pub(crate) code: Option<RefusalCode>,
    /// Policy and rule.
    pub(crate) by: Option<(String, String)>,
    /// Policy and name of the holds that it waits for.
    pub(crate) held: Vec<(String, String)>,
    /// For people, several lines.
    pub(crate) explanation: String,
}

impl Ruled {
    fn refused(code: RefusalCode, explanation: String) -> Self {
        Self { verdict: Verdict::Deny, code: Some(code), by: None, held: Vec::new(), explanation }
    }
}

impl fmt::Display for Ruled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict.as_str())?;
        if let Some((policy, rule)) = &self.by {
            write!(f, " by {policy}/{rule}")?;
        }
        for (number, (policy, hold)) in self.held.iter().enumerate() {
            write!(f, "{} {policy}/{hold}", if number == 0 { ", waits for" } else { "," })?;
        }
        if let Some(code) = self.code {
            write!(f, " ({})", code.as_str())?;
        }
        Ok(())
    }
}

/// Decides: the delegation's scope, then policy and its holds, then the address. `cost` is the most that it can cost, in
/// billionths of a dollar, where that is said. A call whose headers put other methods in the place of
/// its own is decided with each, and the first refusal counts.
pub(crate) fn ruled(
    set: &PolicySet,
    call: &WholeCall,
    scope: Option<&Scope>,
    address: Option<IpAddr>,
    cost: Option<u64>,
) -> Ruled {
    let overriding = call.overriding_methods();
    let mut overall: Option<Ruled> = None;
    for method in std::iter::once(call.method.as_str()).chain(overriding.iter().map(String::as_str)) {
        let ruled = ruled_as(set, call, method, scope, cost);
        let first = match &overall {
            None => true,
            Some(held) => held.verdict == Verdict::Allow,
        };
        if ruled.verdict == Verdict::Deny {
            return ruled;
        }
        if first {
            overall = Some(ruled);
        }
    }
    // There is always the method of the call itself.
    let ruled = overall.unwrap_or_else(|| Ruled::refused(RefusalCode::NoRuleAllows, String::new()));
    match address.or_else(|| call.target.host.as_str().parse().ok()) {
        Some(address) if !may_go_to(set, call, &ruled, address) => Ruled::refused(
            RefusalCode::AddressForbidden,
            format!("{} The address is {address}.", RefusalCode::AddressForbidden.title()),
        ),
        _ => ruled,
    }
}

/// As the sidecar looks at addresses: what is only observed is not let through to private ones.
fn may_go_to(set: &PolicySet, call: &WholeCall, ruled: &Ruled, address: IpAddr) -> bool {
    (ruled.verdict == Verdict::Observe && !creto_call::is_private_address(address))
        || set.address_allowed(call.target.host.as_str(), call.target.port, address)
}

fn ruled_as(
    set: &PolicySet,
    call: &WholeCall,
    method: &str,
    scope: Option<&Scope>,
    cost: Option<u64>,
) -> Ruled {
    let call = call.with_method(method);
    if let Some(scope) = scope
        && !scope.permits(&call)
    {
        let held: Vec<&str> = scope.permissions().iter().map(|one| one.as_str()).collect();
        let explanation =
            format!("{} It permits {}.", RefusalCode::PermissionMissing.title(), held.join(", "));
        return Ruled::refused(RefusalCode::PermissionMissing, explanation);
    }
    // Without a document for its agent a sidecar has nothing to decide by.
    if set.policies().len() == 0 {
        let explanation = "No document of the test file is for this agent.".to_owned();
        return Ruled::refused(RefusalCode::NoPolicy, explanation);
    }
    let explanation = set.explain_costing(&call, cost).to_string();
    let named = |by: creto_call::RuleName<'_>| (by.policy.to_owned(), by.rule.to_owned());
    let (verdict, code, by) = match set.decide(&call) {
        Decision::Allow { by } => (Verdict::Allow, None, Some(named(by))),
        Decision::Deny(refusal) => (Verdict::Deny, Some(refusal.code), refusal.by.map(named)),
        Decision::Observe(refusal) => (Verdict::Observe, Some(refusal.code), refusal.by.map(named)),
    };
    if verdict != Verdict::Allow {
        return Ruled { verdict, code, by, held: Vec::new(), explanation };
    }
    let holds = set.holds(&call, cost);
    let held: Vec<(String, String)> = holds.held().map(|held| named(held.by)).collect();
    if holds.too_many() {
        let explanation =
            format!("{explanation}More holds match than can be asked for one call: it is refused.");
        return Ruled { held, ..Ruled::refused(RefusalCode::CannotBeHeld, explanation) };
    }
    let verdict = if held.is_empty() { Verdict::Allow } else { Verdict::Hold };
    Ruled { verdict, code, by, held, explanation }
}
