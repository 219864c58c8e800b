//! The one place where requests are answered, one after the other.
//!
//! A task owns the file and the accounts. It takes what has queued up, applies it in memory, writes what changed in one
//! transaction, and only then answers. When writing fails nothing is answered with a grant, and the accounts are read
//! again from the file: what counts is what is on disk.

use std::collections::{BTreeSet, HashMap};

use creto_quota::Report;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::file::away;
use super::load::{self, Namespace};
use super::mark::Mark;
use super::save::{self, Batch};
use crate::account::{Account, Turn};
use crate::bounds::{MAX_EVENTS_READ, MAX_LIMITS};
use crate::{
    Ask, Expired, Granted, Holder, IssuerError, QuotaEvent, QuotaLimit, Reported, Swept, Usage, Window,
    WindowUsage,
};

/// Requests that wait; who comes on top waits to be queued.
pub(super) const QUEUE: usize = 4_096;
/// Requests answered with one transaction.
const BATCH: usize = 512;
/// Accounts kept in memory; beyond that all are dropped, and read again as they are used.
const MAX_ACCOUNTS: usize = 16_384;
/// Namespaces kept in memory; beyond that the same.
const MAX_NAMESPACES: usize = 10_000;

/// A request about one limit.
pub(super) enum Work {
    Grant { holder: Holder, ask: Ask, report: Option<Report> },
    Report { holder: Holder, report: Report },
    Expire,
    SettleLoss { units: u64 },
}

/// What came of it.
#[derive(Clone)]
pub(super) enum Done {
    Granted(Granted),
    Reported(Reported),
    Expired(Expired),
    Usage(WindowUsage),
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, IssuerError>>;

/// A request.
pub(super) enum Request {
    OpenNamespace { namespace: String, answer: Answer<()> },
    Limit { limit: QuotaLimit, window: Window, now_ms: u64, work: Work, answer: Answer<Done> },
    Usage { limit: QuotaLimit, window: Window, answer: Answer<WindowUsage> },
    Drawn { namespace: String, holder: String, prefix: String, answer: Answer<Vec<QuotaLimit>> },
    Sweep { namespace: String, after: String, now_ms: u64, answer: Answer<Swept> },
    Events { namespace: String, after: u64, answer: Answer<Vec<QuotaEvent>> },
    ForgetEvents { namespace: String, up_to: u64, answer: Answer<()> },
    Close { answer: Answer<()> },
}

/// An answer that waits for the disk.
enum Waiting {
    Nothing(Answer<()>),
    Done(Answer<Done>, Result<Done, IssuerError>),
}

type Key = (String, String);

/// Owns the file and the accounts.
pub(super) struct Desk {
    file: SqliteConnection,
    mark: Mark,
    /// Transactions so far.
    count: u64,
    namespaces: HashMap<String, Namespace>,
    accounts: HashMap<Key, Account>,
    /// The latest moment of any request.
    latest_ms: u64,
}

impl Desk {
    pub(super) fn new(file: SqliteConnection, mark: Mark, count: u64) -> Self {
        Self { file, mark, count, namespaces: HashMap::new(), accounts: HashMap::new(), latest_ms: 0 }
    }

    /// Answers until nobody can ask any more.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut queued = Vec::with_capacity(BATCH);
        let mut closing = None;
        while closing.is_none() && requests.recv_many(&mut queued, BATCH).await > 0 {
            closing = self.answer(queued.drain(..)).await;
            if self.accounts.len() > MAX_ACCOUNTS || self.namespaces.len() > MAX_NAMESPACES {
                self.forget();
            }
        }
        let closed = self.file.close().await.map_err(|error| away(&error));
        if let Some(answer) = closing {
            let _ = answer.send(closed);
        }
    }

    async fn answer(&mut self, requests: impl Iterator<Item = Request>) -> Option<Answer<()>> {
        let mut batch = Batch::default();
        let mut waiting = Vec::new();
        let mut touched = BTreeSet::new();
        let mut reads = Vec::new();
        let mut closing = None;
        for request in requests {
            match request {
                Request::OpenNamespace { namespace, answer } => match self.load_namespace(&namespace).await {
                    Err(error) => drop(answer.send(Err(away(&error)))),
                    Ok(known) => {
                        if !known {
                            self.namespaces.insert(namespace.clone(), Namespace::default());
                            batch.put_namespace(&namespace, &Namespace::default());
                        }
                        waiting.push(Waiting::Nothing(answer));
                    }
                },
                Request::Limit { limit, window, now_ms, work, answer } => {
                    let key = (limit.namespace.to_string(), limit.name.to_string());
                    self.latest_ms = now_ms.max(self.latest_ms);
                    let result = match self.load(&key, now_ms, &touched, &mut batch).await {
                        Err(error) => Err(error),
                        Ok(lost_ms) => {
                            let grants = matches!(work, Work::Grant { .. });
                            let turn = Turn { limit: &limit, window, now_ms, lost_ms, grants };
                            self.work(&key, &turn, work)
                        }
                    };
                    touched.insert(key);
                    waiting.push(Waiting::Done(answer, result));
                }
                Request::ForgetEvents { namespace, up_to, answer } => {
                    batch.drop_events(&namespace, up_to);
                    waiting.push(Waiting::Nothing(answer));
                }
                Request::Close { answer } => closing = Some(answer),
                other => reads.push(other),
            }
        }
        for key in touched {
            let account = self.accounts.get_mut(&key).zip(self.namespaces.get_mut(&key.0));
            if let Some((account, namespace)) = account {
                batch.put_account(&key, account, namespace);
            }
        }
        let failed = batch
            .commit(&mut self.file, (&mut self.mark, &mut self.count))
            .await
            .err()
            .map(|error| away(&error));
        if failed.is_some() {
            self.forget();
        }
        for waiting in waiting {
            match waiting {
                Waiting::Nothing(answer) => drop(answer.send(failed.clone().map_or(Ok(()), Err))),
                Waiting::Done(answer, result) => drop(answer.send(failed.clone().map_or(result, Err))),
            }
        }
        for read in reads {
            self.read(read).await;
        }
        closing
    }

    fn forget(&mut self) {
        self.namespaces.clear();
        self.accounts.clear();
    }

    /// Whether a namespace is known, here or in the file.
    async fn load_namespace(&mut self, name: &str) -> Result<bool, sqlx::Error> {
        if !self.namespaces.contains_key(name) {
            let Some(row) = load::namespace(&mut self.file, name).await? else { return Ok(false) };
            self.namespaces.insert(name.to_owned(), row);
        }
        Ok(true)
    }

    /// Has the account of a limit in memory, and says when its namespace's data was lost.
    async fn load(
        &mut self,
        key: &Key,
        now_ms: u64,
        touched: &BTreeSet<Key>,
        batch: &mut Batch,
    ) -> Result<u64, IssuerError> {
        if !self.load_namespace(&key.0).await.map_err(|error| away(&error))? {
            let lost = Namespace { lost_ms: self.latest_ms, ..Namespace::default() };
            batch.put_namespace(&key.0, &lost);
            self.namespaces.insert(key.0.clone(), lost);
        }
        if !self.accounts.contains_key(key) {
            let account = load::account(&mut self.file, key).await.map_err(|error| away(&error))?;
            self.accounts.insert(key.clone(), account);
        }
        let (Some(namespace), Some(account)) = (self.namespaces.get(&key.0), self.accounts.get(key)) else {
            return Err(IssuerError::Damaged("the namespace vanished".into()));
        };
        let (lost_ms, full) = (namespace.lost_ms, account.is_new() && namespace.limits >= MAX_LIMITS);
        if full && !self.make_room(&key.0, now_ms, touched).await.map_err(|error| away(&error))? {
            self.accounts.remove(key);
            return Err(IssuerError::limits_full());
        }
        Ok(lost_ms)
    }

    /// Forgets limits of a namespace that nobody used for long; says whether there were any.
    async fn make_room(
        &mut self,
        namespace: &str,
        now_ms: u64,
        touched: &BTreeSet<Key>,
    ) -> Result<bool, sqlx::Error> {
        // One batch a request, going on where the last ended: a namespace that is full holds up nobody.
        let known = self.namespaces.get(namespace);
        let after = known.map(|known| known.looked_up_to.clone()).unwrap_or_default();
        let swept = self.sweep(namespace, &after, now_ms, touched).await?;
        if let Some(known) = self.namespaces.get_mut(namespace) {
            known.looked_up_to = swept.next;
        }
        Ok(swept.forgotten > 0)
    }

    async fn sweep(
        &mut self,
        namespace: &str,
        after: &str,
        now_ms: u64,
        touched: &BTreeSet<Key>,
    ) -> Result<Swept, sqlx::Error> {
        let (mut gone, next) = load::idle_limits(&mut self.file, namespace, after, now_ms).await?;
        // What this very batch uses is not in the file yet.
        gone.retain(|name| !touched.contains(&(namespace.to_owned(), name.clone())));
        save::forget_limits(&mut self.file, namespace, &gone).await?;
        for name in &gone {
            self.accounts.remove(&(namespace.to_owned(), name.clone()));
        }
        let forgotten = gone.len() as u64;
        if let Some(known) = self.namespaces.get_mut(namespace) {
            known.limits = known.limits.saturating_sub(forgotten);
        }
        Ok(Swept { forgotten, next })
    }

    fn work(&mut self, key: &Key, turn: &Turn<'_>, work: Work) -> Result<Done, IssuerError> {
        let Some(account) = self.accounts.get_mut(key) else {
            return Err(IssuerError::Damaged("the account vanished".into()));
        };
        let new = account.is_new();
        account.enter(turn)?;
        if new && let Some(namespace) = self.namespaces.get_mut(&key.0) {
            namespace.limits += 1;
        }
        Ok(match work {
            Work::Grant { holder, ask, report } => {
                let reported = report.map(|report| account.report(turn, &holder, &report)).transpose()?;
                Done::Granted(Granted { answer: account.grant(turn, &holder, &ask)?, reported })
            }
            Work::Report { holder, report } => Done::Reported(account.report(turn, &holder, &report)?),
            Work::Expire => Done::Expired(account.expire(turn)),
            Work::SettleLoss { units } => {
                account.settle_loss(turn, units)?;
                Done::Usage(WindowUsage {
                    window: turn.window,
                    usage: usage(account, turn.limit, turn.window, 0),
                })
            }
        })
    }

    async fn read(&mut self, request: Request) {
        match request {
            Request::Usage { limit, window, answer } => {
                let key = (limit.namespace.to_string(), limit.name.to_string());
                let known = match self.load_namespace(&key.0).await {
                    Ok(_) if self.accounts.contains_key(&key) => Ok(()),
                    Ok(_) => load::account(&mut self.file, &key).await.map(|account| {
                        self.accounts.insert(key.clone(), account);
                    }),
                    Err(error) => Err(error),
                };
                let lost_ms = self.namespaces.get(&key.0).map_or(u64::MAX, |namespace| namespace.lost_ms);
                let usage = self.accounts.get(&key).map(|account| usage(account, &limit, window, lost_ms));
                let usage = WindowUsage { window, usage: usage.unwrap_or_default() };
                let _ = answer.send(known.map(|()| usage).map_err(|error| away(&error)));
            }
            Request::Drawn { namespace, holder, prefix, answer } => {
                let drawn = load::drawn(&mut self.file, &namespace, &holder, &prefix).await;
                let _ = answer.send(drawn.map_err(|error| away(&error)));
            }
            Request::Sweep { namespace, after, now_ms, answer } => {
                let swept = self.sweep(&namespace, &after, now_ms, &BTreeSet::new()).await;
                let _ = answer.send(swept.map_err(|error| away(&error)));
            }
            Request::Events { namespace, after, answer } => {
                let events = load::events(&mut self.file, &namespace, after, MAX_EVENTS_READ).await;
                let _ = answer.send(events.map_err(|error| away(&error)));
            }
            _ => {}
        }
    }
}

/// A window's account; one that was not begun is as it would be.
fn usage(account: &Account, limit: &QuotaLimit, window: Window, lost_ms: u64) -> Usage {
    let amount = if account.is_new() { limit.amount } else { account.head.amount };
    let gone = account.is_gone() || account.head.window_ms == window.start_ms;
    match account.windows.get(&window.start_ms) {
        Some(row) => row.public(amount),
        None if lost_ms >= window.start_ms || gone => Usage { amount, assumed: amount, ..Usage::default() },
        None => Usage { amount, available: amount, ..Usage::default() },
    }
}
