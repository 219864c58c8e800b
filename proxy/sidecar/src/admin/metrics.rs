//! Counters of the data path: fixed atomics, so that counting neither locks nor allocates.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use creto_metering::Usage;
use creto_proto::v1::Verdict;

use crate::admin::tokens::TokenCounters;
use crate::path::record::Outcome;

/// Upper bounds of the latency histogram, milliseconds.
const BUCKETS_MS: [u64; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 30_000, 300_000];

/// Everything counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    allowed: AtomicU64,
    denied: AtomicU64,
    observed: AtomicU64,
    outcomes: [AtomicU64; 4],
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    duration: [AtomicU64; BUCKETS_MS.len() + 1],
    duration_us: AtomicU64,
    unrecorded: AtomicU64,
    connections: AtomicI64,
    connections_total: AtomicU64,
    connections_refused: AtomicU64,
    upstream_dials: AtomicU64,
    tokens: TokenCounters,
    quota_waits: AtomicU64,
    quota_refused: AtomicU64,
}

/// Gauges read from elsewhere when metrics are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readings {
    pub(crate) policy_epoch: u64,
    pub(crate) policy_staleness: Duration,
    /// `fresh`, `stale` or `expired`.
    pub(crate) policy_state: &'static str,
    /// Resources of kinds that this version does not know.
    pub(crate) unknown_resources: usize,
    pub(crate) documents_read: u64,
    pub(crate) events_dropped: u64,
    pub(crate) control_plane_connected: bool,
    pub(crate) spool_pending: u64,
}

impl Metrics {
    pub(crate) fn begun(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Denied => &self.denied,
            Verdict::Observed => &self.observed,
            Verdict::Allowed | Verdict::Unspecified => &self.allowed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, outcome: Outcome, request: u64, response: u64, duration: Duration) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.request_bytes.fetch_add(request, Ordering::Relaxed);
        self.response_bytes.fetch_add(response, Ordering::Relaxed);
        let micros = duration.as_micros() as u64;
        let bucket = BUCKETS_MS.partition_point(|bound| bound * 1000 < micros);
        self.duration[bucket].fetch_add(1, Ordering::Relaxed);
        self.duration_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// What a model call used.
    pub(crate) fn used(&self, usage: &Usage) {
        self.tokens.add(usage);
    }

    /// A call waits for a lease.
    pub(crate) fn quota_waits(&self) {
        self.quota_waits.fetch_add(1, Ordering::Relaxed);
    }

    /// A call is refused for a quota or a budget.
    pub(crate) fn quota_refused(&self) {
        self.quota_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unrecorded(&self) {
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dialed(&self) {
        self.upstream_dials.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection; false at the bound, and then it is not counted.
    pub(crate) fn connection_opened(&self, bound: i64) -> bool {
        if self.connections.fetch_add(1, Ordering::Relaxed) >= bound {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            self.connections_refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.connections_total.fetch_add(1, Ordering::Relaxed);
        true
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Prometheus text format 0.0.4.
    pub(crate) fn render(&self, readings: &Readings) -> String {
        let mut out = String::with_capacity(4096);
        let mut family = |name: &str, kind: &str, help: &str, rows: &[(&str, f64)]| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in rows {
                let _ = writeln!(out, "{name}{labels} {value}");
            }
        };
        let tokens = self.tokens.by_kind();
        let tokens: Vec<_> = tokens.iter().map(|(labels, value)| (labels.as_str(), *value)).collect();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        family(
            "creto_calls_total",
            "counter",
            "Calls by verdict.",
            &[
                ("{verdict=\"allowed\"}", count(&self.allowed)),
                ("{verdict=\"denied\"}", count(&self.denied)),
                ("{verdict=\"observed\"}", count(&self.observed)),
            ],
        );
        family(
            "creto_calls_ended_total",
            "counter",
            "Calls by outcome.",
            &[
                ("{outcome=\"completed\"}", count(&self.outcomes[Outcome::Completed as usize])),
                ("{outcome=\"refused\"}", count(&self.outcomes[Outcome::Refused as usize])),
                ("{outcome=\"upstream_failed\"}", count(&self.outcomes[Outcome::UpstreamFailed as usize])),
                ("{outcome=\"client_gone\"}", count(&self.outcomes[Outcome::ClientGone as usize])),
            ],
        );
        family(
            "creto_request_bytes_total",
            "counter",
            "Body bytes sent to upstreams.",
            &[("", count(&self.request_bytes))],
        );
        family(
            "creto_response_bytes_total",
            "counter",
            "Body bytes sent to the agent.",
            &[("", count(&self.response_bytes))],
        );
        family(
            "creto_quota_waits_total",
            "counter",
            "Calls that waited for a lease.",
            &[("", count(&self.quota_waits))],
        );
        family(
            "creto_quota_refused_total",
            "counter",
            "Calls refused for a quota or a budget.",
            &[("", count(&self.quota_refused))],
        );
        family(
            "creto_unrecorded_total",
            "counter",
            "Entries that could not be recorded.",
            &[("", count(&self.unrecorded))],
        );
        family(
            "creto_connections",
            "gauge",
            "Open connections from the agent.",
            &[("", self.connections.load(Ordering::Relaxed) as f64)],
        );
        family(
            "creto_connections_total",
            "counter",
            "Connections from the agent.",
            &[("", count(&self.connections_total))],
        );
        family(
            "creto_connections_refused_total",
            "counter",
            "Connections refused at the bound.",
            &[("", count(&self.connections_refused))],
        );
        family(
            "creto_upstream_dials_total",
            "counter",
            "Connections opened to upstreams.",
            &[("", count(&self.upstream_dials))],
        );
        family(
            "creto_model_tokens_total",
            "counter",
            "Tokens of model calls; the types are disjoint.",
            &tokens,
        );
        family(
            "creto_model_calls_total",
            "counter",
            "Model calls that were metered, by how their usage is known.",
            &self.tokens.calls(),
        );
        family(
            "creto_policy_epoch",
            "gauge",
            "Epoch of the policy in force; 0 is none.",
            &[("", readings.policy_epoch as f64)],
        );
        family(
            "creto_policy_staleness_seconds",
            "gauge",
            "Since the control plane last confirmed the policy.",
            &[("", readings.policy_staleness.as_secs_f64())],
        );
        let state = |state| f64::from(u8::from(readings.policy_state == state));
        family(
            "creto_policy_state",
            "gauge",
            "1 for what the age of the policy makes it; expired is too old for some class of calls.",
            &[
                ("{state=\"fresh\"}", state("fresh")),
                ("{state=\"stale\"}", state("stale")),
                ("{state=\"expired\"}", state("expired")),
            ],
        );
        family(
            "creto_policy_unknown_resources",
            "gauge",
            "Resources that this version of the sidecar does not know and leaves out.",
            &[("", readings.unknown_resources as f64)],
        );
        family(
            "creto_policy_documents_compiled_total",
            "counter",
            "Documents that were compiled because they changed.",
            &[("", readings.documents_read as f64)],
        );
        family(
            "creto_sidecar_events_dropped_total",
            "counter",
            "Events for the control plane that were pushed out by later ones.",
            &[("", readings.events_dropped as f64)],
        );
        family(
            "creto_control_plane_connected",
            "gauge",
            "1 while the stream is up.",
            &[("", f64::from(u8::from(readings.control_plane_connected)))],
        );
        family(
            "creto_spool_pending",
            "gauge",
            "Entries the control plane has not taken.",
            &[("", readings.spool_pending as f64)],
        );
        let _ = writeln!(
            out,
            "# HELP creto_call_duration_seconds From the request's head to the answer's end.\n# TYPE creto_call_duration_seconds histogram"
        );
        let mut sum = 0;
        for (bucket, counter) in self.duration.iter().enumerate() {
            sum += counter.load(Ordering::Relaxed);
            let bound =
                BUCKETS_MS.get(bucket).map_or("+Inf".to_owned(), |ms| (*ms as f64 / 1000.0).to_string());
            let _ = writeln!(out, "creto_call_duration_seconds_bucket{{le=\"{bound}\"}} {sum}");
        }
        let _ = writeln!(out, "creto_call_duration_seconds_sum {}", count(&self.duration_us) / 1e6);
        let _ = writeln!(out, "creto_call_duration_seconds_count {sum}");
        out
    }
}
