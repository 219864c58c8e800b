//! Requests as tables, as text to review, and as JSON.

use creto_proto::v1;
use serde_json::{Value, json};

use crate::output::moment;
use crate::plain;

/// First digits of an id that tables show: they name it.
pub(super) const SHORT: usize = 12;

/// The digest as votes name it.
pub(super) fn digest(approval: &v1::Approval) -> String {
    format!("sha256:{}", hex::encode(&approval.digest))
}

/// A span in its two largest units.
pub(super) fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// Who of the tier that decides now has not voted.
pub(super) fn awaited(approval: &v1::Approval) -> Vec<&str> {
    let Some(tier) = (approval.tier as usize).checked_sub(1).and_then(|at| approval.tiers.get(at)) else {
        return Vec::new();
    };
    let voted =
        |name: &str| approval.votes.iter().any(|vote| vote.tier == approval.tier && vote.person == name);
    tier.people.iter().map(String::as_str).filter(|name| !voted(name)).collect()
}

/// How long people still have, or the approval still holds.
pub(super) fn left(approval: &v1::Approval, now_ms: i64) -> String {
    if approval.until_ms == 0 { String::new() } else { span(approval.until_ms - now_ms) }
}

/// What to know before saying yes, in a few lines.
pub(super) fn brief(approval: &v1::Approval, now_ms: i64) -> String {
    let context = approval.context.clone().unwrap_or_default();
    let mut lines = vec![
        format!("Request  {}  {}", approval.id, approval.state),
        format!("Agent    {}  (under {})", plain::line(&approval.agent_name), along(approval)),
        format!("What     {}", plain::line(&context.action)),
        format!("Why held {} [{}/{}]", plain::line(&context.trigger), approval.policy, approval.rule),
    ];
    if !context.cost.is_empty() {
        lines.push(format!("Cost     {}", plain::line(&context.cost)));
    }
    for risk in &context.risks {
        lines.push(format!("Risk     {}", plain::line(risk)));
    }
    if !awaited(approval).is_empty() {
        let (who, left) = (awaited(approval).join(", "), left(approval, now_ms));
        lines.push(format!("Decide   {} ({left} left)", plain::line(&who)));
    }
    lines.push(format!("Digest   {}", digest(approval)));
    lines.join("\n")
}

fn along(approval: &v1::Approval) -> String {
    plain::line(&approval.delegation.join(" > "))
}

/// Everything, untruncated.
pub(super) fn whole(approval: &v1::Approval, now_ms: i64) -> String {
    let context = approval.context.clone().unwrap_or_default();
    let mut text = brief(approval, now_ms);
    let mut add = |part: String| {
        text.push('\n');
        text.push_str(&part);
    };
    add(format!("Asked    {}", moment(approval.created_at_ms)));
    if approval.until_ms > 0 {
        add(format!("Until    {}", moment(approval.until_ms)));
    }
    add(format!("Gives    at most {} uses within {}", approval.most_uses, span(ms(approval.most_ms))));
    if !approval.reason.is_empty() {
        add(format!("Reason   {}", plain::line(&approval.reason)));
    }
    add(format!("\n{} {}", plain::line(&context.method), plain::line(&context.url)));
    for header in &context.headers {
        let value = String::from_utf8_lossy(&header.value);
        add(format!("  | {}: {}", plain::line(&header.name), plain::line(&value)));
    }
    match context.body.len() {
        0 => add("Body: none".to_owned()),
        length => add(format!("Body: {length} bytes\n{}", plain::body(&context.body))),
    }
    for (number, tier) in approval.tiers.iter().enumerate() {
        let now = if approval.tier as usize == number + 1 { ", decides now" } else { "" };
        let people = plain::line(&tier.people.join(", "));
        add(format!("Tier {}: {} of {people}, {}{now}", number + 1, tier.quorum, span(ms(tier.wait_ms))));
    }
    add(format!("Must not decide: {}", plain::line(&approval.excluded.join(", "))));
    for vote in &approval.votes {
        let reason = plain::line(&vote.reason);
        let (at, who, what) = (moment(vote.at_ms), plain::line(&vote.person), &vote.decision);
        add(format!("Vote: {at}  {who}: {what} over {} in tier {}  {reason}", vote.channel, vote.tier));
    }
    for question in &approval.questions {
        let answer = if question.answer.is_empty() { "no answer yet" } else { &question.answer };
        let (by, asked) = (plain::line(&question.by), plain::line(&question.text));
        add(format!("Question of {by}: {asked}\n  Answer: {}", plain::line(answer)));
    }
    for used in &approval.uses {
        let end = if used.end.is_empty() { "runs" } else { &used.end };
        let (at, call) = (moment(used.taken_at_ms), plain::line(&used.call_id));
        add(format!("Use {}: {at}  call {call} of {}: {}", used.number, used.sidecar_id, plain::line(end)));
    }
    for step in &approval.steps {
        add(format!("Step {}: {}", step.version, step_line(step)));
    }
    if !context.said_by_agent.is_empty() {
        add("\nThe agent says this. It may have been talked into it; do not trust it:".to_owned());
        add(plain::block(&context.said_by_agent));
    }
    text
}

/// A step in one line.
pub(super) fn step_line(step: &v1::ApprovalStep) -> String {
    format!("{}  {} by {}: {}", moment(step.at_ms), step.what, plain::line(&step.by), step.state)
}

/// A step as JSON.
pub(super) fn step_json(step: &v1::ApprovalStep) -> Value {
    json!({
        "id": step.id, "version": step.version, "at": moment(step.at_ms), "by": step.by, "what": step.what,
        "state": step.state, "agent": step.agent_name, "action": step.action,
    })
}

/// A request as JSON; a body that is no text in hexadecimal digits.
pub(super) fn to_json(approval: &v1::Approval) -> Value {
    let context = approval.context.clone().unwrap_or_default();
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let headers = context.headers.iter().map(|header| {
        json!({ "name": header.name, "value": text(&header.value), "value_hex": hex::encode(&header.value) })
    });
    let instant = |ms: i64| (ms > 0).then(|| moment(ms));
    json!({
        "namespace": approval.namespace,
        "id": approval.id,
        "agent": approval.agent_name,
        "delegation": approval.delegation,
        "policy": approval.policy,
        "rule": approval.rule,
        "state": approval.state,
        "version": approval.version,
        "created_at": moment(approval.created_at_ms),
        "changed_at": moment(approval.changed_at_ms),
        "until": instant(approval.until_ms),
        "expires_at": instant(approval.expires_at_ms),
        "digest": digest(approval),
        "action": context.action,
        "method": context.method,
        "url": context.url,
        "headers": headers.collect::<Vec<_>>(),
        "body": text(&context.body),
        "body_hex": if text(&context.body).is_some() { None } else { Some(hex::encode(&context.body)) },
        "why_held": context.trigger,
        "risks": context.risks,
        "cost": context.cost,
        "said_by_agent_untrusted": context.said_by_agent,
        "tier": approval.tier,
        "tiers": approval.tiers.iter().map(|tier| json!({
            "people": tier.people, "quorum": tier.quorum, "wait_ms": tier.wait_ms,
        })).collect::<Vec<_>>(),
        "awaited": awaited(approval),
        "excluded": approval.excluded,
        "votes": approval.votes.iter().map(|vote| json!({
            "person": vote.person, "decision": vote.decision, "reason": vote.reason, "channel": vote.channel,
            "tier": vote.tier, "at": moment(vote.at_ms),
        })).collect::<Vec<_>>(),
        "questions": approval.questions.iter().map(|question| json!({
            "by": question.by, "text": question.text, "at": moment(question.at_ms), "answer": question.answer,
        })).collect::<Vec<_>>(),
        "most_uses": approval.most_uses,
        "most_ms": approval.most_ms,
        "uses_left": approval.uses_left,
        "uses": approval.uses.iter().map(|used| json!({
            "number": used.number, "sidecar_id": used.sidecar_id, "call_id": used.call_id,
            "taken_at": moment(used.taken_at_ms), "end": used.end,
        })).collect::<Vec<_>>(),
        "reason": approval.reason,
        "steps": approval.steps.iter().map(step_json).collect::<Vec<_>>(),
    })
}

fn ms(span: u64) -> i64 {
    i64::try_from(span).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        for (ms, text) in
            [(-5, "0s"), (59_999, "59s"), (600_000, "10m 0s"), (7_380_000, "2h 3m"), (270_000_000, "3d 3h")]
        {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn whoever_voted_in_this_tier_is_not_awaited() {
        let tier = v1::ApprovalTier { people: vec!["bob".into(), "carol".into()], ..Default::default() };
        let vote = v1::ApprovalVote { person: "bob".into(), tier: 1, ..Default::default() };
        let mut approval =
            v1::Approval { tiers: vec![tier], tier: 1, votes: vec![vote], ..Default::default() };
        assert_eq!(awaited(&approval), ["carol"]);
        approval.tier = 0;
        assert!(awaited(&approval).is_empty());
    }

    #[test]
    fn nothing_that_others_wrote_reaches_the_terminal_as_it_is() {
        let evil = "x\x1b[2J\u{202e}\r\nDigest   sha256:00".to_owned();
        let header = v1::ApprovalHeader { name: evil.clone(), value: evil.clone().into_bytes() };
        let context = v1::ApprovalContext {
            action: evil.clone(),
            method: evil.clone(),
            url: evil.clone(),
            headers: vec![header],
            body: evil.clone().into_bytes(),
            trigger: evil.clone(),
            risks: vec![evil.clone()],
            cost: evil.clone(),
            said_by_agent: evil.clone(),
        };
        let approval = v1::Approval {
            agent_name: evil.clone(),
            context: Some(context),
            reason: evil.clone(),
            delegation: vec![evil.clone()],
            excluded: vec![evil],
            digest: vec![7; 32],
            ..Default::default()
        };
        let shown = whole(&approval, 0);
        assert!(!shown.chars().any(|character| character.is_control() && character != '\n'), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
        let digests: Vec<&str> = shown.lines().filter(|line| line.starts_with("Digest")).collect();
        assert_eq!(digests, [format!("Digest   {}", digest(&approval))]);
    }
}
