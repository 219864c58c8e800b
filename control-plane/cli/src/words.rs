//! The API's values as words, for tables, JSON and the command line.

use clap::ValueEnum;
use creto_proto::v1;
use serde_json::{Value, json};

use crate::output::moment;

/// Service tier of an agent.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub(crate) enum Tier {
    Basic,
    Standard,
    Premium,
}

impl From<Tier> for v1::Tier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Basic => Self::Basic,
            Tier::Standard => Self::Standard,
            Tier::Premium => Self::Premium,
        }
    }
}

/// Trust level of an agent; `suspend` sets the third.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub(crate) enum Trust {
    Trusted,
    Untrusted,
}

impl From<Trust> for v1::TrustLevel {
    fn from(trust: Trust) -> Self {
        match trust {
            Trust::Trusted => Self::Trusted,
            Trust::Untrusted => Self::Untrusted,
        }
    }
}

/// What was decided of a call.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
    Observed,
}

impl From<Verdict> for v1::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allowed => Self::Allowed,
            Verdict::Denied => Self::Denied,
            Verdict::Observed => Self::Observed,
        }
    }
}

/// The word of an API value: `TIER_BASIC` of `TIER_` becomes `basic`.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', "-")
}

/// Name of a tier.
#[must_use]
pub(crate) fn tier(agent: &v1::Agent) -> String {
    word(agent.tier().as_str_name(), "TIER_")
}

/// Name of a trust level.
#[must_use]
pub(crate) fn trust(agent: &v1::Agent) -> String {
    word(agent.trust_level().as_str_name(), "TRUST_LEVEL_")
}

/// Name of an agent's state.
#[must_use]
pub(crate) fn state(agent: &v1::Agent) -> String {
    word(agent.state().as_str_name(), "AGENT_STATE_")
}

/// An agent as JSON.
#[must_use]
pub(crate) fn agent(agent: &v1::Agent) -> Value {
    json!({
        "namespace": agent.namespace,
        "name": agent.name,
        "agent_id": hex::encode(&agent.agent_id),
        "public_key": hex::encode(&agent.public_key),
        "tier": tier(agent),
        "trust": trust(agent),
        "state": state(agent),
        "labels": agent.labels,
        "root": agent.root,
        "created_at": moment(agent.created_at_ms),
        "updated_at": moment(agent.updated_at_ms),
    })
}

/// A delegation as JSON.
#[must_use]
pub(crate) fn delegation(delegation: &v1::Delegation) -> Value {
    let links: Vec<Value> = delegation
        .links
        .iter()
        .map(|link| {
            json!({
                "delegator_id": hex::encode(&link.delegator_id),
                "agent_id": hex::encode(&link.agent_id),
                "permissions": link.permissions,
                "audience": link.audience,
                "not_before": seconds(link.not_before_s),
                "expires_at": seconds(link.expires_at_s),
            })
        })
        .collect();
    json!({
        "namespace": delegation.namespace,
        "delegation_id": hex::encode(&delegation.delegation_id),
        "revoked": delegation.revoked,
        "created_at": moment(delegation.created_at_ms),
        "links": links,
    })
}

/// A time in seconds since the Unix epoch, as RFC 3339.
#[must_use]
pub(crate) fn seconds(at_s: u64) -> String {
    moment(i64::try_from(at_s).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// A policy as JSON.
#[must_use]
pub(crate) fn policy(policy: &v1::Policy) -> Value {
    json!({
        "namespace": policy.namespace,
        "name": policy.name,
        "version": policy.version,
        "revision": policy.revision,
        "updated_at": moment(policy.updated_at_ms),
        "document": policy.document,
    })
}

/// A secret, without its value, as JSON.
#[must_use]
pub(crate) fn secret(secret: &v1::SecretMetadata) -> Value {
    json!({
        "namespace": secret.namespace,
        "name": secret.name,
        "version": secret.version,
        "created_at": moment(secret.created_at_ms),
        "updated_at": moment(secret.updated_at_ms),
    })
}

/// What happened in a sidecar, in one word.
#[must_use]
pub(crate) fn sidecar_event(event: &v1::SidecarEvent) -> &'static str {
    match event.kind() {
        v1::SidecarEventKind::Unspecified => "unknown",
        v1::SidecarEventKind::GenerationRefused => "policy_refused",
        v1::SidecarEventKind::StoredGenerationRefused => "stored_policy_refused",
        v1::SidecarEventKind::StalenessChanged => "staleness_changed",
        v1::SidecarEventKind::Revoked => "revoked",
        v1::SidecarEventKind::ClockJumped => "clock_jumped",
    }
}

/// What happened in a sidecar as JSON.
#[must_use]
pub(crate) fn sidecar_event_record(record: &v1::SidecarEventRecord) -> Value {
    let event = record.event.clone().unwrap_or_default();
    json!({
        "at": moment(event.at_ms),
        "kept_at": moment(record.kept_at_ms),
        "sidecar_id": record.sidecar_id,
        "agent": record.agent_name,
        "event": sidecar_event(&event),
        "epoch": event.epoch,
        "detail": event.detail,
    })
}

/// A sidecar as JSON.
#[must_use]
pub(crate) fn sidecar(sidecar: &v1::SidecarStatus) -> Value {
    json!({
        "sidecar_id": sidecar.sidecar_id,
        "agent": sidecar.agent_name,
        "connected": sidecar.connected,
        "state": sidecar_state(sidecar),
        "offered_epoch": sidecar.offered_epoch,
        "applied_epoch": sidecar.applied_epoch,
        "rejection": sidecar.rejection,
        "last_seen": moment(sidecar.last_seen_ms),
    })
}

/// Whether a sidecar enforces what it was offered last.
#[must_use]
pub(crate) fn sidecar_state(sidecar: &v1::SidecarStatus) -> &'static str {
    if !sidecar.rejection.is_empty() {
        "rejected"
    } else if !sidecar.connected {
        "away"
    } else if sidecar.applied_epoch == sidecar.offered_epoch {
        "synced"
    } else {
        "pending"
    }
}

/// Verdict of a call.
#[must_use]
pub(crate) fn verdict(begun: &v1::CallBegun) -> String {
    word(begun.verdict().as_str_name(), "VERDICT_")
}

/// Outcome of a call; open while it has not ended.
#[must_use]
pub(crate) fn outcome(call: &v1::CallRecord) -> String {
    call.ended
        .as_ref()
        .map_or_else(|| "open".to_owned(), |ended| word(ended.outcome().as_str_name(), "OUTCOME_"))
}

/// `scheme://host:port/path`, the port left out when it is the scheme's own.
#[must_use]
pub(crate) fn target(begun: &v1::CallBegun) -> String {
    let own = matches!((begun.scheme.as_str(), begun.port), ("https", 443) | ("http", 80));
    let host = if begun.host.contains(':') { format!("[{}]", begun.host) } else { begun.host.clone() };
    let port = if own { String::new() } else { format!(":{}", begun.port) };
    format!("{}://{host}{port}{}", begun.scheme, begun.path)
}

/// What a call asks of the service that it goes to: `chat gpt-5`, `tools/call search`; empty for plain HTTP.
#[must_use]
pub(crate) fn asks(begun: &v1::CallBegun) -> String {
    let Some(meaning) = &begun.meaning else { return String::new() };
    let mut text = meaning.operation.clone();
    if !meaning.subjects.is_empty() {
        text.push(' ');
        text.push_str(&meaning.subjects.join(","));
    }
    text
}

/// What an answer used, in tokens: `120+8 in, 40 out`, with a `~` in front when it is estimated.
#[must_use]
pub(crate) fn used(ended: &v1::CallEnded) -> String {
    let Some(usage) = &ended.usage else { return String::new() };
    let cached = usage.cached_input + usage.cache_write + usage.cache_write_1h;
    let fresh = usage.input + usage.audio_input + usage.image_input;
    let output = usage.output + usage.reasoning + usage.audio_output;
    let input = if cached == 0 { fresh.to_string() } else { format!("{fresh}+{cached}") };
    format!("{}{input} in, {output} out", if usage.estimated { "~" } else { "" })
}

fn usage(usage: &v1::Usage) -> Value {
    json!({
        "input": usage.input,
        "cached_input": usage.cached_input,
        "cache_write": usage.cache_write,
        "cache_write_1h": usage.cache_write_1h,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "audio_input": usage.audio_input,
        "audio_output": usage.audio_output,
        "image_input": usage.image_input,
        "images": usage.images,
        "server_tool_calls": usage.server_tool_calls,
        "estimated": usage.estimated,
    })
}

/// A call as JSON.
#[must_use]
pub(crate) fn call(call: &v1::CallRecord) -> Value {
    let begun = call.begun.clone().unwrap_or_default();
    let ended = call.ended.as_ref();
    json!({
        "call_id": call.call_id,
        "namespace": call.namespace,
        "agent": call.agent_name,
        "sidecar_id": call.sidecar_id,
        "at": moment(begun.at_us / 1000),
        "at_us": begun.at_us,
        "capture": word(begun.capture().as_str_name(), "CAPTURE_MODE_"),
        "kind": begun.kind,
        "scheme": begun.scheme,
        "method": begun.method,
        "host": begun.host,
        "port": begun.port,
        "path": begun.path,
        "verdict": verdict(&begun),
        "code": begun.code,
        "policy": begun.policy,
        "rule": begun.rule,
        "outcome": outcome(call),
        "status": ended.map(|ended| ended.status),
        "request_bytes": ended.map(|ended| ended.request_bytes),
        "response_bytes": ended.map(|ended| ended.response_bytes),
        "duration_us": ended.map(|ended| ended.duration_us),
        "upstream_address": ended.map(|ended| ended.upstream_address.clone()),
        "protocol": begun.meaning.as_ref().map(|meaning| meaning.protocol.clone()),
        "service": begun.meaning.as_ref().map(|meaning| meaning.service.clone()),
        "operation": begun.meaning.as_ref().map(|meaning| meaning.operation.clone()),
        "subjects": begun.meaning.as_ref().map(|meaning| meaning.subjects.clone()),
        "credential": begun.credential,
        "usage": ended.and_then(|ended| ended.usage.as_ref()).map(usage),
        "response_model": ended.map(|ended| ended.response_model.clone()),
        "service_tier": ended.map(|ended| ended.service_tier.clone()),
        "ended_code": ended.map(|ended| ended.code.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_api_read_as_plain_words() {
        assert_eq!(word("OUTCOME_CLIENT_GONE", "OUTCOME_"), "client-gone");
        let begun = v1::CallBegun {
            scheme: "https".into(),
            host: "::1".into(),
            port: 8443,
            path: "/a".into(),
            ..Default::default()
        };
        assert_eq!(target(&begun), "https://[::1]:8443/a");
    }
}
