//! identify, authorize and the beginning of the record, in one: whatever leaves goes through here, opened or not.

use std::sync::Arc;
use std::time::SystemTime;

use creto_call::{Call, Decision, Meaning, Refusal, RefusalCode};
use creto_policy::{Held, PolicySet, RiskClass};
use creto_proto::v1::Verdict;
use creto_spool::SpoolError;
use http::HeaderMap;

use crate::enforcement::Enforcement;
use crate::http::refuse::{Refused, Voice};
use crate::path::hold::HeldBy;
use crate::path::identify::Identified;
use crate::path::record::{Asked, CallRecord, Decided};
use crate::path::tenure::Tenure;
use crate::path::{authorize, identify};
use crate::quota::{Bound, Reach};
use crate::sidecar::Sidecar;
use crate::upstream::Guard;

/// A call that is decided and on record.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) record: Arc<CallRecord>,
    /// What it may go on by; or why it may not leave.
    pub(crate) verdict: Result<Leave, Refused>,
}

/// What a call that may leave goes on by.
#[derive(Debug)]
pub(crate) struct Leave {
    /// Which addresses its destination may have.
    pub(crate) guard: Guard,
    /// For how long.
    pub(crate) tenure: Arc<Tenure>,
}

/// Everything that a decision goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) call: &'a Call<'a>,
    /// The messages of the call, each decided: one that is refused refuses all.
    pub(crate) meanings: &'a [Meaning<'a>],
    pub(crate) voice: &'a Voice,
    /// Name of the credential that would be put in; empty if none would.
    pub(crate) credential: &'a str,
    /// What speaks against the call whatever policy says.
    pub(crate) objection: Option<&'a Refused>,
    /// How far it can go, if it is a model's.
    pub(crate) reach: Option<&'a Reach>,
}

/// What a call comes to, before it is on record.
#[derive(Debug)]
pub(crate) struct Weighed<'e> {
    decision: Decision<'e>,
    identified: Result<Identified<'e>, RefusalCode>,
    class: RiskClass,
    /// What else is to be said of a refusal.
    detail: Option<String>,
    /// Whom it waits for. Nobody, when it is refused.
    held: HeldBy<'e>,
}

impl<'e> Weighed<'e> {
    /// The holds that it waits for.
    pub(crate) fn held(&self) -> &[Held<'e>] {
        self.held.names()
    }

    /// Under what it is made, if that is known.
    pub(crate) fn identified(&self) -> Option<Identified<'e>> {
        self.identified.ok()
    }

    /// What it risks.
    pub(crate) fn class(&self) -> RiskClass {
        self.class
    }

    /// Refused where people would be asked, for what cannot be shown to them.
    pub(crate) fn without_waiting(mut self) -> Self {
        if let Some(first) = self.held.names().first() {
            self.decision = Decision::Deny(Refusal::by_rule(RefusalCode::CannotBeHeld, first.by));
            self.held = HeldBy::default();
        }
        self
    }
}

/// Decides on the finished facts; nothing after it changes them.
pub(crate) fn weigh<'e>(sidecar: &Sidecar, enforcement: &'e Enforcement, case: Case<'_>) -> Weighed<'e> {
    // identify: before policy, because policy speaks of an agent that is known and in good standing.
    let now_s = now_s();
    let identified = identify::identify(enforcement, case.headers, now_s);
    let overriding = overriding_methods(case.headers);
    let class = class_of(case, &overriding);
    // authorize: the delegation's scope, then the rules; then what no rule can allow.
    let mut decision = decide(enforcement, identified, case, &overriding);
    let mut detail = None;
    let mut held = HeldBy::default();
    if decision.lets_through() {
        let expired = expired(sidecar, class, now_s);
        if let Some(objection) = expired.or_else(|| case.objection.cloned()) {
            decision = Decision::Deny(Refusal::of(objection.code));
            detail = Some(objection.detail);
        } else if let Some(policy) = enforcement.policy.as_deref().filter(|policy| policy.has_holds()) {
            held = held_by(policy, case, &overriding);
            if held.is_too_much() {
                decision = Decision::Deny(Refusal::of(RefusalCode::CannotBeHeld));
                detail = Some("more decisions of people would be needed than one call can wait for".into());
                held = HeldBy::default();
            }
        }
    }
    Weighed { decision, identified, class, detail, held }
}

/// As [`weigh`] and [`record`], for what cannot be shown to people.
///
/// # Errors
/// As [`record`].
pub(crate) fn judge(
    sidecar: &Sidecar,
    enforcement: &Enforcement,
    case: Case<'_>,
) -> Result<Judged, SpoolError> {
    record(sidecar, enforcement, case, weigh(sidecar, enforcement, case).without_waiting())
}

/// The beginning of the record, before anything leaves. Whoever calls it has seen to it that people were asked.
///
/// # Errors
/// [`SpoolError`]: what cannot be recorded does not leave.
pub(crate) fn record(
    sidecar: &Sidecar,
    enforcement: &Enforcement,
    case: Case<'_>,
    weighed: Weighed<'_>,
) -> Result<Judged, SpoolError> {
    let Weighed { decision, identified, class, detail, held } = weighed;
    let footing = identified.as_ref().map(Identified::footing).map_err(|code| *code);
    let delegation_id = identified.as_ref().map_or(&[][..], |known| known.delegation_id);
    let (verdict, code, by) = match (decision, held.observed()) {
        // Nobody is asked, but somebody would have been.
        (Decision::Allow { .. }, Some(by)) => {
            (Verdict::Observed, RefusalCode::ApprovalPending.as_str(), Some(by))
        }
        (Decision::Allow { by }, None) => (Verdict::Allowed, "", Some(by)),
        (Decision::Observe(refusal), _) => (Verdict::Observed, refusal.code.as_str(), refusal.by),
        (Decision::Deny(refusal), _) => (Verdict::Denied, refusal.code.as_str(), refusal.by),
    };
    let decided = Decided {
        verdict,
        code,
        policy: by.map_or("", |by| by.policy),
        rule: by.map_or("", |by| by.rule),
        policy_epoch: enforcement.epoch,
        delegation_id,
        credential: if decision.lets_through() { case.credential } else { "" },
        most: match case.reach {
            Some(reach) if decision.lets_through() => reach.bound(),
            _ => Bound::default(),
        },
    };
    let asked = Asked { call: case.call, meanings: case.meanings, voice: case.voice };
    let record = sidecar.recorder.begin(asked, decided)?;
    let leave = |footing, observed| Leave {
        guard: Guard::of(&sidecar.enforced, enforcement.epoch, observed),
        tenure: Tenure::new(&sidecar.enforced, &sidecar.freshness, footing, class),
    };
    let refused = |code| Refused {
        policy: decided.policy.to_owned(),
        rule: decided.rule.to_owned(),
        ..Refused::of(code, detail.unwrap_or_else(|| described(case.call, case.meanings)))
    };
    let verdict = match (decision, footing) {
        (Decision::Deny(refusal), _) => Err(refused(refusal.code)),
        // Who is not known is let through by no decision.
        (_, Err(code)) => Err(refused(code)),
        (Decision::Allow { .. }, Ok(footing)) => Ok(leave(footing, false)),
        (Decision::Observe(_), Ok(footing)) => Ok(leave(footing, true)),
    };
    Ok(Judged { record, verdict })
}

/// The holds that match any of the call's messages and methods.
fn held_by<'e>(policy: &'e PolicySet, case: Case<'_>, overriding: &[String]) -> HeldBy<'e> {
    let cost = case.reach.and_then(Reach::nanodollars);
    let mut held = HeldBy::default();
    for method in std::iter::once(case.call.method).chain(overriding.iter().map(String::as_str)) {
        for meaning in case.meanings {
            let mut call = *case.call;
            call.method = method;
            call.details.meaning = *meaning;
            held.add(policy.holds(&call, cost));
        }
    }
    held
}

/// Whether a tunnel that was let through would be by the policy now; its delegation is looked at elsewhere.
pub(crate) fn still(enforcement: &Enforcement, call: &Call<'_>) -> Result<(), RefusalCode> {
    let Some(policy) = &enforcement.policy else { return Err(RefusalCode::NoPolicy) };
    match policy.decide(call) {
        Decision::Allow { .. } | Decision::Observe(_) => Ok(()),
        Decision::Deny(refusal) => Err(refusal.code),
    }
}

/// Policy decides what it may decide by its age. Nothing is let through that it is too old for, not even observed.
fn expired(sidecar: &Sidecar, class: RiskClass, now_s: u64) -> Option<Refused> {
    sidecar.freshness.level(now_s).expired(class).then(|| {
        let age = sidecar.freshness.age().as_secs();
        let words =
            format!("a call of class {}; the control plane was last heard {age} s ago", class.as_str());
        Refused::of(RefusalCode::PolicyExpired, words)
    })
}

/// What the call risks: the most that any of its messages and methods does.
fn class_of(case: Case<'_>, overriding: &[String]) -> RiskClass {
    let methods = || std::iter::once(case.call.method).chain(overriding.iter().map(String::as_str));
    let classes = case.meanings.iter().flat_map(|meaning| {
        methods().map(|method| {
            let mut call = *case.call;
            call.method = method;
            call.details.meaning = *meaning;
            RiskClass::of(&call, !case.credential.is_empty())
        })
    });
    classes.max().unwrap_or(RiskClass::Spend)
}

/// The decision on all messages and methods: the first that is refused, else the first that is only observed, else the
/// allowed one.
fn decide<'e>(
    enforcement: &'e Enforcement,
    identified: Result<Identified<'e>, RefusalCode>,
    case: Case<'_>,
    overriding: &[String],
) -> Decision<'e> {
    let mut overall: Option<Decision<'e>> = None;
    for method in std::iter::once(case.call.method).chain(overriding.iter().map(String::as_str)) {
        for meaning in case.meanings {
            let mut call = *case.call;
            call.method = method;
            call.details.meaning = *meaning;
            let decision = authorize::authorize(enforcement, identified, &call);
            match (&overall, decision) {
                (_, Decision::Deny(_)) => return decision,
                (None | Some(Decision::Allow { .. }), _) => overall = Some(decision),
                _ => {}
            }
        }
    }
    // A call has at least one meaning, be it none in particular.
    overall.unwrap_or_else(|| Decision::Deny(Refusal::of(RefusalCode::NoRuleAllows)))
}

/// Methods that headers put in the place of the one sent. Some servers take them (Rack, Google's) and some do not, so the
/// call must be allowed with each.
fn overriding_methods(headers: &HeaderMap) -> Vec<String> {
    ["x-http-method-override", "x-http-method", "x-method-override"]
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_uppercase())
        .filter(|method| !method.is_empty())
        .collect()
}

/// What was asked, for the agent to recognise.
fn described(call: &Call<'_>, meanings: &[Meaning<'_>]) -> String {
    let mut text =
        format!("{} {}://{}:{}{:.256}", call.method, call.scheme.as_str(), call.host, call.port, call.path);
    for meaning in meanings.iter().take(8) {
        let (what, subject) = match meaning {
            Meaning::Plain => continue,
            Meaning::Model(model) => ("model", model.model.as_deref().unwrap_or_default()),
            Meaning::Mcp(mcp) => (mcp.method.as_str(), mcp.tool.as_deref().unwrap_or_default()),
            Meaning::A2a(a2a) => (a2a.method.as_str(), a2a.skill.as_deref().unwrap_or_default()),
        };
        text.push_str(&format!(", {what:.64} {subject:.128}"));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
