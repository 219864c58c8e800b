//! Calls between their API form and the one that is kept.

use std::collections::HashMap;

use creto_proto::v1::{self, CallBegun, CallEnded, CallEntry, CallFilter, CallRecord, Outcome, Verdict};
use creto_store::{Begun, CallPosition, CallSelection, Ended, KeptCall, Meaning, ReportEntry, TokenUsage};

use crate::CallsError;

/// Sequences stay where every store can order them.
const MAX_SEQUENCE: u64 = i64::MAX.unsigned_abs();
/// Most subjects of one call.
const MAX_SUBJECTS: usize = 16;
/// Largest count of tokens: a million such calls still add up in 64 bits.
const MAX_COUNT: u64 = 1 << 42;

/// Costs that sidecars knew a bound of, by the sequence of an entry.
pub(crate) type MostCosts = HashMap<u64, u64>;

/// Reads a reported entry.
pub(crate) fn entry(entry: CallEntry) -> Result<(u64, ReportEntry), CallsError> {
    let sequence = entry.sequence;
    if sequence == 0 || sequence > MAX_SEQUENCE {
        return Err(CallsError::invalid("entries.sequence", "sequences begin with 1 and stay below 2^63"));
    }
    match entry.entry {
        Some(v1::call_entry::Entry::Begun(begun)) => Ok((sequence, ReportEntry::Begun(begun_kept(begun)?))),
        Some(v1::call_entry::Entry::Ended(ended)) => {
            Ok((sequence, ReportEntry::Ended(ended_kept(ended, sequence)?)))
        }
        None => Err(CallsError::invalid("entries.entry", "say begun or ended")),
    }
}

/// What ambiguous calls cost at most, in billionths of a dollar, by the sequence of the entry that ends them.
pub(crate) fn most_costs(entries: &[CallEntry]) -> MostCosts {
    let ambiguous = entries.iter().filter_map(|entry| match &entry.entry {
        Some(v1::call_entry::Entry::Ended(ended)) if ended.outcome() == Outcome::Ambiguous => {
            Some((entry.sequence, ended.most_nanodollars))
        }
        _ => None,
    });
    ambiguous.filter(|(_, most)| *most > 0).collect()
}

fn begun_kept(begun: CallBegun) -> Result<Begun, CallsError> {
    if !matches!(Verdict::try_from(begun.verdict), Ok(verdict) if verdict != Verdict::Unspecified) {
        return Err(CallsError::invalid("entries.begun.verdict", "say what was decided"));
    }
    if begun.port > u32::from(u16::MAX) {
        return Err(CallsError::invalid("entries.begun.port", "ports are 0 to 65535"));
    }
    Ok(Begun {
        at_us: begun.at_us,
        capture: begun.capture,
        kind: begun.kind,
        scheme: begun.scheme,
        method: begun.method,
        host: begun.host,
        port: begun.port,
        path: begun.path,
        verdict: begun.verdict,
        code: begun.code,
        policy: begun.policy,
        rule: begun.rule,
        policy_epoch: begun.policy_epoch,
        delegation_id: begun.delegation_id,
        meaning: meaning_kept(begun.meaning.unwrap_or_default())?,
        credential: begun.credential,
    })
}

fn meaning_kept(meaning: v1::CallMeaning) -> Result<Meaning, CallsError> {
    if meaning.subjects.len() > MAX_SUBJECTS {
        return Err(CallsError::invalid(
            "entries.begun.meaning.subjects",
            format!("send at most {MAX_SUBJECTS}"),
        ));
    }
    // A line feed is what parts subjects in the store.
    let plain = |subject: String| subject.replace('\n', " ");
    Ok(Meaning {
        protocol: meaning.protocol,
        service: meaning.service,
        operation: meaning.operation,
        subjects: meaning.subjects.into_iter().map(plain).collect(),
    })
}

fn usage_kept(usage: v1::Usage) -> TokenUsage {
    // Counts stay where every store can add them up.
    let count = |count: u64| count.min(MAX_COUNT);
    TokenUsage {
        input: count(usage.input),
        cached_input: count(usage.cached_input),
        cache_write: count(usage.cache_write),
        cache_write_1h: count(usage.cache_write_1h),
        output: count(usage.output),
        reasoning: count(usage.reasoning),
        audio_input: count(usage.audio_input),
        audio_output: count(usage.audio_output),
        image_input: count(usage.image_input),
        images: count(usage.images),
        server_tool_calls: count(usage.server_tool_calls),
        estimated: usage.estimated,
    }
}

fn usage_shown(usage: TokenUsage) -> v1::Usage {
    v1::Usage {
        input: usage.input,
        cached_input: usage.cached_input,
        cache_write: usage.cache_write,
        cache_write_1h: usage.cache_write_1h,
        output: usage.output,
        reasoning: usage.reasoning,
        audio_input: usage.audio_input,
        audio_output: usage.audio_output,
        image_input: usage.image_input,
        images: usage.images,
        server_tool_calls: usage.server_tool_calls,
        estimated: usage.estimated,
    }
}

fn ended_kept(ended: CallEnded, sequence: u64) -> Result<Ended, CallsError> {
    if ended.begun_sequence == 0 || ended.begun_sequence >= sequence {
        return Err(CallsError::invalid(
            "entries.ended.begun_sequence",
            "name the earlier entry that began the call",
        ));
    }
    let outcome = Outcome::try_from(ended.outcome);
    if !matches!(outcome, Ok(outcome) if !matches!(outcome, Outcome::Unspecified | Outcome::Open)) {
        return Err(CallsError::invalid("entries.ended.outcome", "say how the call ended"));
    }
    Ok(Ended {
        begun_sequence: ended.begun_sequence,
        at_us: ended.at_us,
        outcome: ended.outcome,
        status: ended.status,
        request_bytes: ended.request_bytes,
        response_bytes: ended.response_bytes,
        duration_us: ended.duration_us,
        upstream: ended.upstream_address,
        usage: ended.usage.map(usage_kept),
        response_model: ended.response_model,
        service_tier: ended.service_tier,
        code: ended.code,
    })
}

/// A call as the API shows it.
pub(crate) fn record(kept: KeptCall) -> CallRecord {
    let key = kept.key;
    CallRecord {
        call_id: format!("{}/{:016x}/{}", key.sidecar_id, key.spool_epoch, key.sequence),
        namespace: key.namespace,
        agent_name: kept.agent_name,
        sidecar_id: key.sidecar_id,
        begun: Some(CallBegun {
            at_us: kept.begun.at_us,
            capture: kept.begun.capture,
            kind: kept.begun.kind,
            scheme: kept.begun.scheme,
            method: kept.begun.method,
            host: kept.begun.host,
            port: kept.begun.port,
            path: kept.begun.path,
            verdict: kept.begun.verdict,
            code: kept.begun.code,
            policy: kept.begun.policy,
            rule: kept.begun.rule,
            policy_epoch: kept.begun.policy_epoch,
            delegation_id: kept.begun.delegation_id,
            meaning: (!kept.begun.meaning.protocol.is_empty()).then_some(v1::CallMeaning {
                protocol: kept.begun.meaning.protocol,
                service: kept.begun.meaning.service,
                operation: kept.begun.meaning.operation,
                subjects: kept.begun.meaning.subjects,
            }),
            credential: kept.begun.credential,
            // Not kept: what the call came to is in its end, be it this.
            most_input_tokens: 0,
            most_output_tokens: 0,
            most_nanodollars: 0,
        }),
        ended: kept.ended.map(|ended| CallEnded {
            begun_sequence: ended.begun_sequence,
            at_us: ended.at_us,
            outcome: ended.outcome,
            status: ended.status,
            request_bytes: ended.request_bytes,
            response_bytes: ended.response_bytes,
            duration_us: ended.duration_us,
            upstream_address: ended.upstream,
            usage: ended.usage.map(usage_shown),
            response_model: ended.response_model,
            service_tier: ended.service_tier,
            code: ended.code,
            most_nanodollars: 0,
        }),
    }
}

/// Reads a filter; empty fields select everything.
pub(crate) fn selection(filter: CallFilter) -> Result<CallSelection, CallsError> {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let verdict = match Verdict::try_from(filter.verdict) {
        Ok(Verdict::Unspecified) => None,
        Ok(verdict) => Some(verdict.into()),
        Err(_) => return Err(CallsError::invalid("filter.verdict", "use allowed, denied or observed")),
    };
    let time = |ms: i64| Some(ms).filter(|ms| *ms != 0).map(|ms| ms.saturating_mul(1000));
    Ok(CallSelection {
        agent_name: text(filter.agent_name),
        host: text(filter.host),
        verdict,
        rule: text(filter.rule),
        method: text(filter.method),
        since_us: time(filter.since_ms),
        until_us: time(filter.until_ms),
        protocol: text(filter.protocol),
        service: text(filter.service),
        subject: text(filter.subject),
    })
}

/// Whether a call is one of those selected; the same as the store's own selection.
pub(crate) fn selects(selection: &CallSelection, call: &KeptCall) -> bool {
    let begun = &call.begun;
    let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    same(&selection.agent_name, &call.agent_name)
        && same(&selection.host, &begun.host)
        && same(&selection.rule, &begun.rule)
        && same(&selection.method, &begun.method)
        && same(&selection.protocol, &begun.meaning.protocol)
        && same(&selection.service, &begun.meaning.service)
        && selection.subject.as_ref().is_none_or(|wanted| begun.meaning.subjects.contains(wanted))
        && selection.verdict.is_none_or(|verdict| verdict == begun.verdict)
        && selection.since_us.is_none_or(|since| begun.at_us >= since)
        && selection.until_us.is_none_or(|until| begun.at_us < until)
}

/// Where a page ended, as text: when the call began, and its id.
pub(crate) fn page_token(last: &CallRecord) -> String {
    format!("{}/{}", last.begun.as_ref().map_or(0, |begun| begun.at_us), last.call_id)
}

/// Reads a page token.
pub(crate) fn position(token: &str) -> Result<Option<CallPosition>, CallsError> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts: Vec<&str> = token.split('/').collect();
    let read = || -> Option<CallPosition> {
        let [at, sidecar_id, epoch, sequence] = parts.as_slice() else { return None };
        Some(CallPosition {
            at_us: at.parse().ok()?,
            sidecar_id: (*sidecar_id).to_owned(),
            spool_epoch: u64::from_str_radix(epoch, 16).ok()?,
            sequence: sequence.parse().ok()?,
        })
    };
    read()
        .map(Some)
        .ok_or_else(|| CallsError::invalid("page_token", "send the last answer's next_page_token"))
}
