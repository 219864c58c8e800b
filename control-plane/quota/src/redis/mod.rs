//! The issuer in Redis 7: one script a request, one round trip; any number of control planes beside each other.
//!
//! Redis runs one script after the other, which makes it the one serial place. With `appendonly yes` and `appendfsync
//! always` it answers after the script's effects are on disk; other settings are refused, unless `durable` is off. A
//! marker in each namespace counts requests, and each control plane keeps its own beside it. When the marker is gone, one
//! of the two is below what this control plane was answered, or it is of another run of a Redis that is not durable, data
//! was lost: the windows under way grant nothing, until they end or `settle_loss` is called.
//!
//! It is for one Redis: behind a failover to a replica, which may be behind, requests that were answered can be
//! forgotten; that is noticed by control planes that go on running.
//!
//! Keys begin with the namespace and carry it as hash tag, so all of a namespace is on one node of a cluster.

mod link;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::SystemTime;

use async_trait::async_trait;
use creto_quota::{MAX_LEASE_AMOUNT, Report};
use parking_lot::Mutex;

use self::link::Link;
use self::wire::{Fields, ask_arguments, limit_arguments, report_arguments};
use crate::holder::{check_ask, check_holder, check_report};
use crate::limit::check_namespace;
use crate::{
    Ask, Expired, Granted, Holder, Issuer, IssuerError, QuotaEvent, QuotaLimit, Reported, Swept, Window,
    WindowUsage, bounds,
};

/// Namespaces this process remembers the marker of; beyond that it starts over with none.
const MAX_MARKS: usize = 100_000;

/// Control planes (runs of their processes) whose marker a namespace keeps; beyond that the one silent the longest is
/// dropped. If it is still running, its next request takes that for a loss and closes the windows under way.
const MAX_CALLERS: u64 = 256;

/// Which Redis, and what is asked of it.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// `redis://[user:password@]host:port[/database]`.
    pub url: String,
    /// Whether it must keep what it answered through a crash. Without, every restart of Redis closes the windows under
    /// way.
    pub durable: bool,
}

impl RedisOptions {
    /// A durable Redis.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), durable: true }
    }
}

/// Issues from Redis.
pub struct RedisIssuer {
    link: Link,
    durable: bool,
    /// Names this run in the markers of namespaces.
    caller: String,
    /// By namespace.
    marks: Mutex<HashMap<String, Mark>>,
}

/// What this run knows of a namespace.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The highest marker it was answered with.
    version: u64,
    /// The latest moment it named in a request.
    latest_ms: u64,
}

impl fmt::Debug for RedisIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisIssuer").field("durable", &self.durable).finish_non_exhaustive()
    }
}

/// The script, with the bounds in front.
fn script() -> String {
    let bounds = [
        ("MAX_UNITS", bounds::MAX_UNITS),
        ("MAX_LEASE_AMOUNT", MAX_LEASE_AMOUNT),
        ("MAX_LIMITS", bounds::MAX_LIMITS),
        ("MAX_HOLDERS", bounds::MAX_HOLDERS),
        ("MAX_OPEN_LEASES", bounds::MAX_OPEN_LEASES),
        ("MAX_LEASES", bounds::MAX_LEASES),
        ("MAX_PROCESSES", bounds::MAX_PROCESSES as u64),
        ("MAX_DRAWN", bounds::MAX_DRAWN as u64),
        ("MAX_LEASE_MS", bounds::MAX_LEASE_MS),
        ("MAX_CALLERS", MAX_CALLERS),
        ("ACTIVE_LIVES", bounds::ACTIVE_LIVES),
        ("WRITE_OFF_AFTER_MS", bounds::WRITE_OFF_AFTER_MS),
        ("WINDOW_KEPT_MS", bounds::WINDOW_KEPT_MS),
        ("EXPIRE_BATCH", bounds::EXPIRE_BATCH as u64),
        ("FORGET_BATCH", bounds::FORGET_BATCH as u64),
        ("MAX_EVENTS", bounds::MAX_EVENTS),
        ("MAX_EVENTS_READ", u64::from(bounds::MAX_EVENTS_READ)),
        ("MAX_SPIKE_HOURS", u64::from(bounds::MAX_SPIKE_HOURS)),
        ("HOUR_MS", 3_600_000),
    ];
    let mut script: String = bounds.iter().map(|(name, value)| format!("local {name} = {value}\n")).collect();
    script.push_str(include_str!("quota.lua"));
    script
}

fn namespace_keys(namespace: &str) -> Vec<String> {
    ["run", "limits", "events"].map(|part| format!("{namespace}:{{{namespace}}}:quota:{part}")).to_vec()
}

fn limit_keys(limit: &QuotaLimit) -> Vec<String> {
    let QuotaLimit { namespace, name, .. } = limit;
    let mut keys = namespace_keys(namespace);
    let parts = ["head", "windows", "starts", "holders", "seen", "leases", "due", "hours", "processes"];
    keys.extend(parts.map(|part| format!("{namespace}:{{{namespace}}}:quota:limit:{name}:{part}")));
    keys
}

/// A name no other run has.
fn caller() -> String {
    let numbers = [(); 2].map(|()| RandomState::new().hash_one((std::process::id(), SystemTime::now())));
    format!("{:016x}{:016x}", numbers[0], numbers[1])
}

impl RedisIssuer {
    /// Connects, and makes sure that Redis keeps what it answers.
    ///
    /// # Errors
    /// [`IssuerError::NotDurable`] when it may not, [`IssuerError::Away`] when it does not answer.
    pub async fn connect(options: RedisOptions) -> Result<Self, IssuerError> {
        let durable = options.durable;
        let link = Link::new(options, script())?;
        link.check().await?;
        let caller = caller();
        Ok(Self { link, durable, caller, marks: Mutex::new(HashMap::new()) })
    }

    /// Runs the script for a namespace; the fields after the verdict, or the verdict's name and its fields.
    async fn run(
        &self,
        op: &str,
        namespace: &str,
        keys: &[String],
        now_ms: u64,
        arguments: &[String],
    ) -> Result<Result<Fields, (String, Fields)>, IssuerError> {
        let durable = u8::from(self.durable).to_string();
        let make = |run_id: &str| {
            // With each try, since other requests were answered meanwhile.
            let mark = self.marks.lock().get(namespace).copied().unwrap_or_default();
            let (op, run_id, caller) = (op.to_owned(), run_id.to_owned(), self.caller.clone());
            let mut all =
                vec![op, now_ms.to_string(), mark.version.to_string(), run_id, durable.clone(), caller];
            all.push(mark.latest_ms.to_string());
            all.extend_from_slice(arguments);
            all
        };
        let mut fields = Fields::new(self.link.run(keys, make).await?);
        let verdict = fields.text()?;
        let seen = fields.number()?;
        let mut marks = self.marks.lock();
        if marks.len() >= MAX_MARKS && !marks.contains_key(namespace) {
            marks.clear();
        }
        let mark = marks.entry(namespace.to_owned()).or_default();
        // Whoever looks may look at any time.
        let now_ms = if op == "usage" { 0 } else { now_ms };
        *mark = Mark { version: seen.max(mark.version), latest_ms: now_ms.max(mark.latest_ms) };
        Ok(if verdict == "ok" { Ok(fields) } else { Err((verdict, fields)) })
    }

    async fn run_namespace(
        &self,
        op: &str,
        namespace: &str,
        now_ms: u64,
        arguments: &[String],
    ) -> Result<Fields, IssuerError> {
        check_namespace(namespace)?;
        match self.run(op, namespace, &namespace_keys(namespace), now_ms, arguments).await? {
            Ok(fields) => Ok(fields),
            Err((verdict, _)) => Err(IssuerError::Damaged(format!("Redis refused {op}: {verdict}"))),
        }
    }

    async fn run_limit(
        &self,
        op: &str,
        limit: &QuotaLimit,
        now_ms: u64,
        (holder, request): (Option<&Holder>, u64),
        more: Vec<String>,
    ) -> Result<(Window, Fields), IssuerError> {
        limit.check()?;
        let window = limit.window_at(now_ms)?;
        let mut arguments = limit_arguments(limit, window);
        arguments.extend(holder.map(ToString::to_string));
        arguments.extend(more);
        match self.run(op, &limit.namespace, &limit_keys(limit), now_ms, &arguments).await? {
            Ok(fields) => Ok((window, fields)),
            Err((verdict, fields)) => Err(refusal(&verdict, fields, limit, now_ms, (holder, request))?),
        }
    }
}

/// What the script refused.
fn refusal(
    verdict: &str,
    mut fields: Fields,
    limit: &QuotaLimit,
    now_ms: u64,
    (holder, request): (Option<&Holder>, u64),
) -> Result<IssuerError, IssuerError> {
    let limit = limit.name.clone();
    Ok(match verdict {
        "changed" => IssuerError::Changed { limit, unit: fields.text()?, cycle: fields.text()? },
        "outdated" => IssuerError::Outdated { limit, revision: fields.number()?, amount: fields.number()? },
        "not-granted" => IssuerError::NotGranted { id: fields.number()?, epoch: fields.number()? },
        "clock" => IssuerError::ClockBehind { limit, now_ms, window_ms: fields.number()? },
        "early" => IssuerError::TooEarly { until_ms: fields.number()? },
        "stale" => {
            let holder = holder.map(ToString::to_string).unwrap_or_default();
            IssuerError::Stale { holder, request, last: fields.number()? }
        }
        "full" => match fields.text()?.as_str() {
            "limits" => IssuerError::limits_full(),
            "holders" => IssuerError::holders_full(),
            "open" => IssuerError::open_leases_full(),
            _ => IssuerError::leases_full(),
        },
        other => IssuerError::Damaged(format!("Redis refused with {other:?}")),
    })
}

#[async_trait]
impl Issuer for RedisIssuer {
    async fn open_namespace(&self, namespace: &str) -> Result<(), IssuerError> {
        self.run_namespace("open", namespace, 0, &[]).await.map(drop)
    }

    async fn grant(
        &self,
        limit: &QuotaLimit,
        holder: &Holder,
        ask: &Ask,
        report: Option<&Report>,
        now_ms: u64,
    ) -> Result<Granted, IssuerError> {
        check_holder(holder)?;
        check_ask(ask)?;
        let mut more = ask_arguments(ask);
        more.push(u8::from(report.is_some()).to_string());
        if let Some(report) = report {
            check_report(report)?;
            more.extend(report_arguments(report));
        }
        self.run_limit("grant", limit, now_ms, (Some(holder), ask.request), more).await?.1.granted()
    }

    async fn report(
        &self,
        limit: &QuotaLimit,
        holder: &Holder,
        report: &Report,
        now_ms: u64,
    ) -> Result<Reported, IssuerError> {
        check_holder(holder)?;
        check_report(report)?;
        let arguments = report_arguments(report);
        let (_, mut fields) = self.run_limit("report", limit, now_ms, (Some(holder), 0), arguments).await?;
        fields.reported()?.ok_or_else(|| IssuerError::Damaged("Redis did not acknowledge a report".into()))
    }

    async fn expire(&self, limit: &QuotaLimit, now_ms: u64) -> Result<Expired, IssuerError> {
        self.link.check_again().await?;
        self.run_limit("expire", limit, now_ms, (None, 0), Vec::new()).await?.1.expired()
    }

    async fn sweep(&self, namespace: &str, after: &str, now_ms: u64) -> Result<Swept, IssuerError> {
        self.run_namespace("sweep", namespace, now_ms, &[after.to_owned()]).await?.swept()
    }

    async fn drawn(
        &self,
        namespace: &str,
        holder: &Holder,
        prefix: &str,
    ) -> Result<Vec<QuotaLimit>, IssuerError> {
        check_holder(holder)?;
        let arguments = [holder.to_string(), prefix.to_owned()];
        self.run_namespace("drawn", namespace, 0, &arguments).await?.limits(namespace)
    }

    async fn usage(&self, limit: &QuotaLimit, at_ms: u64) -> Result<WindowUsage, IssuerError> {
        let (window, mut fields) = self.run_limit("usage", limit, at_ms, (None, 0), Vec::new()).await?;
        Ok(WindowUsage { window, usage: fields.usage()? })
    }

    async fn settle_loss(
        &self,
        limit: &QuotaLimit,
        units: u64,
        now_ms: u64,
    ) -> Result<WindowUsage, IssuerError> {
        let units = vec![units.min(bounds::MAX_UNITS).to_string()];
        let (window, mut fields) = self.run_limit("settle-loss", limit, now_ms, (None, 0), units).await?;
        Ok(WindowUsage { window, usage: fields.usage()? })
    }

    async fn events(&self, namespace: &str, after: u64) -> Result<Vec<QuotaEvent>, IssuerError> {
        self.run_namespace("events", namespace, 0, &[after.to_string()]).await?.events()
    }

    async fn forget_events(&self, namespace: &str, up_to: u64) -> Result<(), IssuerError> {
        self.run_namespace("forget", namespace, 0, &[up_to.to_string()]).await.map(drop)
    }
}
