//! record: a call is on the spool before anything of it leaves, and again when it has ended.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use creto_call::{Call, Kind, Meaning, RefusalCode};
use creto_metering::{Ending, Settled};
use creto_proto::v1;
use creto_spool::{OpenCall, Spool, SpoolError};
use parking_lot::Mutex;

use crate::admin::metrics::Metrics;
use crate::approvals::Uses;
use crate::http::refuse::Voice;
use crate::path::entry::{Begun, Ended};
use crate::quota::{Bound, QuotaHold, Sending, Used};

/// How often bytes that wait for a lease look whether there is one.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(20);

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The whole answer went to the agent.
    Completed,
    /// Refused by us; after its beginning was let through, if that was taken back meanwhile.
    Refused,
    /// The upstream could not be reached, broke off or fell silent.
    UpstreamFailed,
    /// The agent left first.
    ClientGone,
}

impl Outcome {
    /// What the end of a call means to whoever read its answer.
    pub(crate) fn ending(self) -> Ending {
        match self {
            Self::Completed => Ending::Complete,
            Self::ClientGone => Ending::ClientGone,
            Self::Refused | Self::UpstreamFailed => Ending::Broken,
        }
    }

    fn number(self) -> i32 {
        match self {
            Self::Completed => v1::Outcome::Completed as i32,
            Self::Refused => v1::Outcome::Refused as i32,
            Self::UpstreamFailed => v1::Outcome::UpstreamFailed as i32,
            Self::ClientGone => v1::Outcome::ClientGone as i32,
        }
    }
}

/// What was decided, as the record keeps it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided<'a> {
    pub(crate) verdict: v1::Verdict,
    pub(crate) code: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) rule: &'a str,
    pub(crate) policy_epoch: u64,
    pub(crate) delegation_id: &'a [u8],
    /// Name of the credential that is put in; empty if none is.
    pub(crate) credential: &'a str,
    /// The most that the call can come to.
    pub(crate) most: Bound,
}

/// What is recorded of a call before anything of it leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) call: &'a Call<'a>,
    /// What it means; several for a batch.
    pub(crate) meanings: &'a [Meaning<'a>],
    /// How its caller is spoken to.
    pub(crate) voice: &'a Voice,
}

/// Opens records. One a sidecar.
#[derive(Debug)]
pub(crate) struct Recorder {
    spool: Arc<Spool>,
    metrics: Arc<Metrics>,
    /// "<sidecar id>/<spool epoch>/": the front of every call id.
    prefix: String,
    /// Second in which a failure was logged last.
    complained_s: AtomicU64,
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(1024));
}

impl Recorder {
    pub(crate) fn new(spool: Arc<Spool>, metrics: Arc<Metrics>, sidecar_id: &str) -> Arc<Self> {
        let prefix = format!("{sidecar_id}/{:016x}/", spool.epoch());
        Arc::new(Self { spool, metrics, prefix, complained_s: AtomicU64::new(0) })
    }

    /// Puts the beginning of a call on the spool.
    pub(crate) fn begin(
        self: &Arc<Self>,
        asked: Asked<'_>,
        decided: Decided<'_>,
    ) -> Result<Arc<CallRecord>, SpoolError> {
        let begun = Begun {
            at_us: now_us(),
            call: asked.call,
            meanings: asked.meanings,
            verdict: decided.verdict as i32,
            code: decided.code,
            policy: decided.policy,
            rule: decided.rule,
            policy_epoch: decided.policy_epoch,
            delegation_id: decided.delegation_id,
            credential: decided.credential,
            most: decided.most,
        };
        let sequence = SCRATCH.with_borrow_mut(|scratch| {
            begun.encode(scratch);
            self.spool.begin(scratch)
        });
        let sequence = match sequence {
            Ok(sequence) => sequence,
            Err(error) => {
                self.complain(&error);
                return Err(error);
            }
        };
        self.metrics.begun(decided.verdict);
        Ok(Arc::new(CallRecord {
            recorder: Arc::clone(self),
            sequence,
            kind: asked.call.kind,
            voice: asked.voice.clone(),
            started: Instant::now(),
            status: AtomicU16::new(0),
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            upstream: Mutex::new(None),
            settled: Mutex::new(None),
            quota: Mutex::new(None),
            uses: Mutex::new(None),
            answered: AtomicU16::new(0),
            counts_bytes: AtomicBool::new(false),
            cut_at: AtomicU64::new(u64::MAX),
            code: OnceLock::new(),
            ended: AtomicBool::new(false),
        }))
    }

    /// Counts every entry that is not kept; says so once a second, since the log may lie on the disk that is full.
    fn complain(&self, error: &SpoolError) {
        self.metrics.unrecorded();
        let now = now_us() as u64 / 1_000_000;
        if self.complained_s.swap(now, Ordering::Relaxed) != now {
            tracing::error!(%error, "calls cannot be recorded and are refused (creto_unrecorded_total counts them)");
        }
    }

    /// Ends a call that an earlier run left open: the upstream may have acted on it. What nobody knows is not nothing: it
    /// counts as the most that it can have come to.
    pub(crate) fn end_ambiguous(&self, call: &OpenCall) -> Result<(), SpoolError> {
        let most = Bound::on_record(&call.payload);
        let settled = most.as_settled();
        if let Some(settled) = &settled {
            self.metrics.used(&settled.usage);
        }
        self.end(&Ended {
            begun_sequence: call.begun,
            at_us: now_us(),
            outcome: v1::Outcome::Ambiguous as i32,
            status: 0,
            request_bytes: 0,
            response_bytes: 0,
            duration_us: 0,
            upstream_address: "",
            settled: settled.as_ref(),
            code: "",
            most_nanodollars: most.nanodollars,
        })
    }

    fn end(&self, ended: &Ended<'_>) -> Result<(), SpoolError> {
        SCRATCH.with_borrow_mut(|scratch| {
            ended.encode(scratch);
            self.spool.end(ended.begun_sequence, scratch)
        })?;
        Ok(())
    }
}

/// The record of one call under way. Dropped without an end, it ends as [`Outcome::ClientGone`]: hyper drops what it
/// was doing for an agent that left.
#[derive(Debug)]
pub(crate) struct CallRecord {
    recorder: Arc<Recorder>,
    sequence: u64,
    kind: Kind,
    voice: Voice,
    started: Instant,
    status: AtomicU16,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    upstream: Mutex<Option<SocketAddr>>,
    settled: Mutex<Option<Box<Settled>>>,
    /// What is reserved for it, until it has ended.
    quota: Mutex<Option<Box<QuotaHold>>>,
    /// The approvals it leaves by, until it has ended.
    uses: Mutex<Option<Uses>>,
    /// Status of the upstream's answer; 0 before there is one.
    answered: AtomicU16,
    /// Bytes are reserved too.
    counts_bytes: AtomicBool,
    /// Tokens of answer after which it is ended.
    cut_at: AtomicU64,
    /// Why it was ended by the sidecar after it was let through.
    code: OnceLock<RefusalCode>,
    ended: AtomicBool,
}

impl CallRecord {
    pub(crate) fn call_id(&self) -> String {
        format!("{}{}", self.recorder.prefix, self.sequence)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// How the caller is spoken to.
    pub(crate) fn voice(&self) -> &Voice {
        &self.voice
    }

    pub(crate) fn request_bytes(&self) -> u64 {
        self.request_bytes.load(Ordering::Relaxed)
    }

    /// Keeps what the answer used; the first word counts.
    pub(crate) fn settle(&self, settled: Settled) {
        let mut kept = self.settled.lock();
        if kept.is_none() {
            self.recorder.metrics.used(&settled.usage);
            *kept = Some(Box::new(settled));
        }
    }

    /// Keeps what was reserved for the call; it is settled with the end.
    pub(crate) fn hold(&self, quota: Box<QuotaHold>) {
        self.counts_bytes.store(quota.counts_bytes(), Ordering::Relaxed);
        self.cut_at.store(quota.cut_at(), Ordering::Relaxed);
        *self.quota.lock() = Some(quota);
    }

    /// Keeps the approvals that it leaves by; how it ends is told of them.
    pub(crate) fn taken(&self, uses: Uses) {
        *self.uses.lock() = Some(uses);
    }

    /// The upstream has answered.
    pub(crate) fn upstream_answered(&self, status: u16) {
        self.status(status);
        self.answered.store(status, Ordering::Relaxed);
    }

    /// Tokens of answer after which it is ended; without a quota that asks for it, none.
    pub(crate) fn cut_at(&self) -> u64 {
        self.cut_at.load(Ordering::Relaxed)
    }

    /// Whether the agent may send so many bytes more.
    ///
    /// # Errors
    /// A quota of bytes is used up, or nobody can be asked for more.
    pub(crate) fn may_send(&self, bytes: usize) -> Result<Sending, RefusalCode> {
        if !self.counts_bytes.load(Ordering::Relaxed) {
            return Ok(Sending::Goes);
        }
        let total = self.request_bytes().saturating_add(bytes as u64);
        match self.quota.lock().as_ref() {
            Some(quota) => quota.may_reach(total),
            None => Ok(Sending::Goes),
        }
    }

    /// As [`CallRecord::may_send`], waiting until it is known.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn sending(&self, bytes: usize) -> Result<(), RefusalCode> {
        while self.may_send(bytes)? == Sending::Waits {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(())
    }

    /// The sidecar ends the call for this, after it was let through.
    pub(crate) fn refused(&self, code: RefusalCode) {
        self.status(code.status());
        // The first counts.
        let _ = self.code.set(code);
    }

    /// Why the sidecar ended it, after it was let through.
    pub(crate) fn ended_for(&self) -> Option<RefusalCode> {
        self.code.get().copied()
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.request_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self, bytes: usize) {
        self.response_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn status(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn upstream(&self, address: SocketAddr) {
        *self.upstream.lock() = Some(address);
    }

    /// Whether it had a connection to leave by.
    pub(crate) fn may_have_left(&self) -> bool {
        self.upstream.lock().is_some()
    }

    /// What let the call through is taken away while it is under way: it ends as refused, with the status that says why.
    pub(crate) fn taken_away(&self, code: RefusalCode) {
        if !self.ended.load(Ordering::Acquire) {
            self.refused(code);
            let (call_id, code) = (self.call_id(), code.as_str());
            tracing::warn!(call_id, code, "a call under way is ended: what let it through is taken away");
        }
    }

    /// Ends the record; the first end counts.
    pub(crate) fn finish(&self, outcome: Outcome) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let duration = self.started.elapsed();
        let address = self.upstream.lock().map(|address| address.to_string()).unwrap_or_default();
        let request_bytes = self.request_bytes.load(Ordering::Relaxed);
        let response_bytes = self.response_bytes.load(Ordering::Relaxed);
        let settled = self.settled.lock();
        let status = self.status.load(Ordering::Relaxed);
        if let Some(uses) = self.uses.lock().take() {
            let answered = self.answered.load(Ordering::Relaxed);
            uses.end((answered > 0).then_some(answered), self.may_have_left());
        }
        // Before the end is on record: who reads that it ended may count on what it gave back.
        if let Some(quota) = self.quota.lock().take() {
            quota.settle(Used {
                left: self.may_have_left(),
                request_bytes,
                failed: outcome == Outcome::Completed && status >= 400,
                settled: settled.as_deref(),
            });
        }
        let ended = Ended {
            begun_sequence: self.sequence,
            at_us: now_us(),
            outcome: outcome.number(),
            status: u32::from(status),
            request_bytes,
            response_bytes,
            duration_us: duration.as_micros() as u64,
            upstream_address: &address,
            settled: settled.as_deref(),
            code: self.code.get().map_or("", |code| code.as_str()),
            most_nanodollars: 0,
        };
        if let Err(error) = self.recorder.end(&ended) {
            // Its room was set aside, so only a failing disk comes here; the next start ends the call as ambiguous.
            self.recorder.complain(&error);
        }
        self.recorder.metrics.ended(outcome, request_bytes, response_bytes, duration);
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.finish(Outcome::ClientGone);
    }
}

/// Microseconds since the Unix epoch.
pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_micros() as i64
}
