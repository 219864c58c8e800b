//! Requests as operators are shown them.

use creto_approvals::{Context, Kept, Payload, StepNote};
use creto_oversight::{
    Denied, DeniedBy, Execution, ExecutionEnd, Open, Quorum, RequestId, Status, Tier, Vote,
};
use creto_proto::v1::{
    Approval, ApprovalContext, ApprovalHeader, ApprovalQuestion, ApprovalStep, ApprovalTier, ApprovalUse,
    ApprovalVote,
};

use super::told::unescaped;

/// A request in a list.
pub(crate) fn listed(kept: &Kept) -> Approval {
    let request = &kept.facts.request;
    let mut shown = Approval {
        namespace: kept.facts.namespace.clone(),
        id: request.id.to_string(),
        agent_name: kept.facts.agent.clone(),
        policy: kept.facts.policy.clone(),
        rule: kept.facts.rule.clone(),
        state: kept.status.word().to_owned(),
        version: kept.version,
        created_at_ms: signed(request.created_at_ms),
        changed_at_ms: signed(kept.changed_ms),
        digest: request.digest.0.to_vec(),
        context: Some(context(&kept.context)),
        excluded: request.excluded.iter().map(ToString::to_string).collect(),
        most_uses: request.most_uses.into(),
        most_ms: request.most_ms,
        delegation: kept.context.delegation.clone(),
        ..Approval::default()
    };
    match &kept.status {
        Status::Open(open) => show_open(&mut shown, open),
        Status::Approved(approved) => {
            shown.until_ms = signed(approved.not_after_ms());
            shown.expires_at_ms = shown.until_ms;
            shown.uses_left = approved.uses_left().into();
            shown.uses = approved.executions().iter().map(used).collect();
            shown.votes = votes(approved.votes());
        }
        Status::Denied(denied) => {
            shown.reason = denial(denied);
            shown.votes = votes(&denied.votes);
        }
        Status::TimedOut(ended) => shown.votes = votes(&ended.votes),
        Status::Cancelled(cancelled) => {
            shown.reason.clone_from(&cancelled.reason);
            shown.votes = votes(&cancelled.votes);
        }
        Status::Revoked(revoked) => {
            shown.reason.clone_from(&revoked.reason);
            shown.votes = votes(revoked.was.votes());
            shown.uses = revoked.was.executions().iter().map(used).collect();
        }
    }
    shown
}

/// A request with every step that is shown.
pub(crate) fn whole(kept: &Kept, steps: Vec<StepNote>) -> Approval {
    let id = kept.id();
    Approval { steps: steps.into_iter().map(|note| step(id, note)).collect(), ..listed(kept) }
}

/// A step.
pub(super) fn step(id: RequestId, note: StepNote) -> ApprovalStep {
    ApprovalStep {
        id: id.to_string(),
        version: note.version,
        at_ms: signed(note.at_ms),
        by: note.by,
        what: note.what,
        state: note.word,
        ..ApprovalStep::default()
    }
}

/// Why it was not allowed.
pub(crate) fn denial(denied: &Denied) -> String {
    match &denied.by {
        DeniedBy::Person(_) => denied.reason.clone().unwrap_or_default(),
        DeniedBy::NobodyMayDecide => {
            "nobody may decide it: everybody who could approve asks for it themselves, or handed it on"
                .to_owned()
        }
    }
}

fn show_open(shown: &mut Approval, open: &Open) {
    shown.until_ms = signed(open.until_ms());
    shown.expires_at_ms = signed(open.expires_at_ms());
    shown.tiers = open.panel().tiers().iter().map(tier).collect();
    shown.tier = open.tier().into();
    shown.votes = votes(open.votes());
    let questions = open.questions().iter().map(|question| ApprovalQuestion {
        by: question.by.to_string(),
        text: question.text.clone(),
        at_ms: signed(question.at_ms),
        answer: question.answer.clone().unwrap_or_default(),
    });
    shown.questions = questions.collect();
}

fn context(context: &Context) -> ApprovalContext {
    ApprovalContext {
        action: context.action.clone(),
        method: context.method.clone(),
        url: context.url.clone(),
        headers: context
            .headers
            .iter()
            .map(|header| ApprovalHeader { name: header.name.clone(), value: unescaped(&header.value) })
            .collect(),
        body: match &context.body {
            Payload::Nothing => Vec::new(),
            Payload::Text(text) => text.clone().into_bytes(),
            // Written by this control plane: digits.
            Payload::Binary(digits) => hex::decode(digits).unwrap_or_default(),
        },
        trigger: context.trigger.clone(),
        risks: context.risks.clone(),
        cost: context.cost.clone(),
        said_by_agent: context.said_by_agent.clone().unwrap_or_default(),
    }
}

fn tier(tier: &Tier) -> ApprovalTier {
    ApprovalTier {
        people: tier.people.iter().map(ToString::to_string).collect(),
        quorum: match tier.quorum {
            Quorum::Any => "any".to_owned(),
            Quorum::All => "all".to_owned(),
            Quorum::Threshold(required) => required.to_string(),
        },
        wait_ms: tier.wait_ms,
    }
}

fn votes(votes: &[Vote]) -> Vec<ApprovalVote> {
    let shown = votes.iter().map(|vote| ApprovalVote {
        person: vote.person.to_string(),
        decision: vote.decision.name().to_owned(),
        reason: vote.reason.clone().unwrap_or_default(),
        channel: vote.channel.name().to_owned(),
        tier: vote.tier.into(),
        at_ms: signed(vote.at_ms),
    });
    shown.collect()
}

fn used(execution: &Execution) -> ApprovalUse {
    ApprovalUse {
        number: execution.number.into(),
        sidecar_id: execution.by.clone(),
        call_id: execution.call.clone(),
        taken_at_ms: signed(execution.taken_at_ms),
        end: match &execution.end {
            None => String::new(),
            Some(ExecutionEnd::Answered { status }) => format!("answered {status}"),
            Some(ExecutionEnd::NeverLeft { cause }) => format!("never left: {cause}"),
            Some(ExecutionEnd::Ambiguous { cause }) => format!("ambiguous: {cause}"),
        },
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
