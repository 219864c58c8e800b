//! What is allowed to stand in documents and is probably not what was meant.

mod covers;
mod holds;
mod names;
mod overlap;
mod quotas;
mod shadow;
mod sheet;

use std::fmt;

use creto_authz::HostPattern;
use creto_call::Method;

use crate::{
    Document, Effect, Hold, HostEntry, Rule,
    problem::{Paint, Problem, frame},
};

/// Most findings; a last one says that there may be more.
const MAX_FINDINGS: usize = 1_000;
/// Most steps of comparing rules with each other: one for a pair of entries looked at.
const MAX_STEPS: u64 = 5_000_000;
/// From more rules on that no index finds, they are worth a word: each call considers them all.
const MAX_UNINDEXED: usize = 100;

/// What is strange about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// An allow rule that can let nothing through: one deny rule is about every call that it is about.
    ///
    /// Compared are hosts, ports, methods, paths and every condition, each as a set: of each the deny rule asks nothing, or
    /// has an entry around every entry of the allow rule. `when` has to be the same text. Several deny rules that do it
    /// only together are not found.
    Shadowed,
    /// An allow and a deny rule that cross: they ask the same but for one key, and of that key's entries some stand in both, some
    /// only in the allow rule and some only in the deny rule (which no entry of the other covers).
    ///
    /// The deny rule wins for what stands in both. A deny rule that is narrower than an allow rule is an exception, and
    /// not reported.
    Conflict,
    /// A rule that asks what an earlier rule of the same effect asks, entry by entry in any order.
    Duplicate,
    /// A rule that no call meets: its `when` is false whatever the call; or that names a provider, MCP server or agent of
    /// which no call is: none of the documents say where it is, or it is elsewhere than the rule.
    Unsatisfiable,
    /// More than 100 allow and deny rules, or more than 100 holds, with `host = "*"` and none of the keys by which rules are found, so that every call is compared
    /// with all of them; shown with the first one.
    Unindexed,
    /// A hold that holds nothing: no allow rule of the documents is about any host, port and method that it is about, or one
    /// deny rule refuses every call that it is about.
    Unreached,
    /// A quota or budget that counts no call: it names a provider that none of the documents and nothing built in is, or
    /// hosts that no allow rule of the documents is about.
    Uncounted,
    /// More quotas and budgets than can be held for one call ([`creto_quota::MAX_SET`]) count the same calls, in documents
    /// that are for the same agents: every such call is refused.
    Crowded,
    /// Not everything was looked at: the documents are too much for the bound on the work, or there are more findings than are shown.
    Incomplete,
}

impl FindingKind {
    /// Machine name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shadowed => "shadowed",
            Self::Conflict => "conflict",
            Self::Duplicate => "duplicate",
            Self::Unsatisfiable => "unsatisfiable",
            Self::Unindexed => "unindexed",
            Self::Unreached => "unreached",
            Self::Uncounted => "uncounted",
            Self::Crowded => "crowded",
            Self::Incomplete => "incomplete",
        }
    }
}

/// Where a rule, quota or budget stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RulePlace {
    /// Name of the policy.
    pub policy: String,
    /// Line on which the rule begins, from 1.
    pub line: usize,
    /// Name of the rule.
    pub rule: String,
}

impl fmt::Display for RulePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.policy, self.rule)
    }
}

/// One thing that is strange; nothing is refused for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The rule it is about.
    pub rule: RulePlace,
    /// The other rule, when it is about two.
    pub other: Option<RulePlace>,
    /// What is strange.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Finding {
    /// Shows it with the line of the rule, carets under it and help, as [`crate::Problems::render`] does; `file` and `text`
    /// are those of the document in which [`Finding::rule`] stands, and `color` adds ANSI colours.
    #[must_use]
    pub fn render(&self, file: &str, text: &str, color: bool) -> String {
        let paint = Paint::warning(color);
        let mut out = String::new();
        paint.headline(&mut out, &format!("warning[{}]", self.kind.as_str()), &self.message);
        let other = self.other.as_ref().filter(|other| other.policy == self.rule.policy);
        frame(&mut out, &self.at(&self.rule, text, other.is_none()), file, text, &paint);
        if let Some(other) = other {
            frame(&mut out, &self.at(other, text, true), file, text, &paint);
        }
        out.push('\n');
        out
    }

    fn at(&self, place: &RulePlace, text: &str, help: bool) -> Problem {
        let begins = match place.line {
            0 | 1 => 0,
            line => text.match_indices('\n').nth(line - 2).map_or(text.len(), |(at, _)| at + 1),
        };
        let line = text.get(begins..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        Problem {
            message: self.message.clone(),
            span: begins..begins + line.trim_end().len(),
            line: place.line.max(1),
            column: 1,
            help: help.then(|| self.help.clone()),
        }
    }
}

/// Looks for what is probably not meant in documents that hold beside each other. Two rules are compared when they stand
/// in one document or in two that are for the same agents, and an allow rule also with the deny rules for every agent.
///
/// The answer is in the order of policies and lines. Work is bounded: near linear in the size of the documents, and at
/// most 5,000,000 steps for comparing allow rules with the deny rules about their hosts; at most 1,000 findings. What is
/// left out then is said in one of the kind [`FindingKind::Incomplete`].
#[must_use]
pub fn findings(documents: &[Document]) -> Vec<Finding> {
    let mut documents: Vec<&Document> = documents.iter().collect();
    documents.sort_by(|one, other| one.name.cmp(&other.name));
    let rules: Vec<Known<'_>> = documents
        .iter()
        .flat_map(|document| document.rules.iter().map(|rule| Known { document, rule, hold: None }))
        .collect();
    let held: Vec<Known<'_>> = documents
        .iter()
        .flat_map(|document| {
            document.holds.iter().map(|hold| Known { document, rule: &hold.rule, hold: Some(hold) })
        })
        .collect();
    let mut work = Work { left: MAX_STEPS };
    let every: Vec<Known<'_>> = rules.iter().chain(&held).copied().collect();
    let mut out = names::unsatisfiable(&documents, &every, &mut work);
    let shadowed = shadow::shadowed(&rules, &mut work, &mut out);
    overlap::overlapping(&rules, &shadowed, &mut work, &mut out);
    holds::unreached(&held, &rules, &mut work, &mut out);
    holds::repeated(&held, &mut out);
    out.extend(unindexed(&rules));
    out.extend(unindexed(&held));
    out.extend(quotas::uncounted(&documents, &mut work));
    out.extend(quotas::crowded(&documents));
    out.sort_by(|one, other| (&one.rule, one.kind).cmp(&(&other.rule, other.kind)));
    let more = out.len() > MAX_FINDINGS;
    out.truncate(MAX_FINDINGS);
    if let Some(first) = every.first().filter(|_| more || work.left == 0) {
        out.push(Finding {
            kind: FindingKind::Incomplete,
            rule: first.place(),
            other: None,
            message: match more {
                true => format!("there are more than {MAX_FINDINGS} findings, and only those are shown"),
                false => "there are too many rules about the same hosts to compare each with each".to_owned(),
            },
            help: "settle the others first, or check fewer documents at once".to_owned(),
        });
    }
    out
}

/// A rule and where it stands.
#[derive(Clone, Copy)]
struct Known<'d> {
    document: &'d Document,
    rule: &'d Rule,
    /// None for an allow or deny rule.
    hold: Option<&'d Hold>,
}

impl Known<'_> {
    /// What to call it in a sentence.
    fn kind(&self) -> &'static str {
        match (self.hold, self.rule.effect) {
            (Some(_), _) => "hold",
            (None, Effect::Allow) => "allow rule",
            (None, Effect::Deny) => "deny rule",
        }
    }

    fn place(&self) -> RulePlace {
        RulePlace { policy: self.document.name.clone(), line: self.rule.line, rule: self.rule.name.clone() }
    }
}

/// What may still be spent on comparing.
struct Work {
    left: u64,
}

impl Work {
    /// Whether so many steps may still be taken.
    fn spend(&mut self, steps: usize) -> bool {
        self.left = self.left.saturating_sub(u64::try_from(steps).unwrap_or(u64::MAX).max(1));
        self.left > 0
    }
}

fn unindexed(rules: &[Known<'_>]) -> Option<Finding> {
    let everywhere: Vec<&Known<'_>> = rules.iter().filter(|known| is_unindexed(known.rule)).collect();
    let first = everywhere.first().filter(|_| everywhere.len() > MAX_UNINDEXED)?;
    Some(Finding {
        kind: FindingKind::Unindexed,
        rule: first.place(),
        other: None,
        message: format!(
            "{} {} are about every host and name nothing else by which rules are found, so every call is compared \
             with each",
            everywhere.len(),
            if first.hold.is_some() { "holds" } else { "rules" }
        ),
        help: "name the hosts that they are about, or a method, path, provider, model, server, tool or agent"
            .to_owned(),
    })
}

fn is_unindexed(rule: &Rule) -> bool {
    let everywhere = rule.hosts.iter().any(|host| matches!(host, HostEntry::Pattern(HostPattern::Any)));
    let named = rule.conditions.as_ref().is_some_and(|conditions| {
        !(conditions.tools.is_empty()
            && conditions.models.is_empty()
            && conditions.providers.is_empty()
            && conditions.mcp_servers.is_empty()
            && conditions.a2a_agents.is_empty())
    });
    everywhere && rule.paths.is_empty() && rule.methods == Method::ANY_MASK && !named
}
