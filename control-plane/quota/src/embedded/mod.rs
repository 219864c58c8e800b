//! The embedded issuer: one SQLite file, one writer, many requests a transaction.

mod desk;
mod file;
mod load;
mod mark;
mod save;

use std::path::Path;

use async_trait::async_trait;
use creto_quota::Report;
use tokio::sync::{mpsc, oneshot};

use self::desk::{Answer, Desk, Done, QUEUE, Request, Work};
use crate::holder::{check_ask, check_holder, check_report};
use crate::limit::check_namespace;
use crate::{
    Ask, Expired, Granted, Holder, Issuer, IssuerError, QuotaEvent, QuotaLimit, Reported, Swept, WindowUsage,
};

/// Issues from a file of the control plane. Clones share it.
#[derive(Clone, Debug)]
pub struct EmbeddedIssuer {
    desk: mpsc::Sender<Request>,
}

impl EmbeddedIssuer {
    /// Opens the file, makes it (mode 0600) if it is not there, and starts answering. The file belongs to this process
    /// until [`EmbeddedIssuer::close`] or its end. A file that is new knows no namespaces: see
    /// [`Issuer::open_namespace`].
    ///
    /// # Errors
    /// [`IssuerError::InUse`] while another process has it, [`IssuerError::NewerSchema`] for a file of a later version,
    /// else why it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, IssuerError> {
        let (file, mark, count) = file::open(path).await?;
        let (desk, requests) = mpsc::channel(QUEUE);
        tokio::spawn(Desk::new(file, mark, count).run(requests));
        Ok(Self { desk })
    }

    /// Answers what was asked before, and closes the file. Whoever asks later is told that the issuer is away.
    ///
    /// # Errors
    /// [`IssuerError::Away`] when it was closed before, or the file does not close.
    pub async fn close(&self) -> Result<(), IssuerError> {
        self.ask(|answer| Request::Close { answer }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, IssuerError> {
        let closed = || IssuerError::Away("the issuer was closed".into());
        let (answer, answered) = oneshot::channel();
        self.desk.send(request(answer)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    async fn work(&self, limit: &QuotaLimit, now_ms: u64, work: Work) -> Result<Done, IssuerError> {
        limit.check()?;
        let window = limit.window_at(now_ms)?;
        self.ask(|answer| Request::Limit { limit: limit.clone(), window, now_ms, work, answer }).await
    }
}

/// What another kind of request is answered with; does not occur.
fn confused<T>() -> Result<T, IssuerError> {
    Err(IssuerError::Damaged("an answer of another kind".into()))
}

#[async_trait]
impl Issuer for EmbeddedIssuer {
    async fn open_namespace(&self, namespace: &str) -> Result<(), IssuerError> {
        check_namespace(namespace)?;
        self.ask(|answer| Request::OpenNamespace { namespace: namespace.to_owned(), answer }).await
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
        report.map_or(Ok(()), check_report)?;
        let work = Work::Grant { holder: holder.clone(), ask: *ask, report: report.cloned() };
        let Done::Granted(granted) = self.work(limit, now_ms, work).await? else { return confused() };
        Ok(granted)
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
        let work = Work::Report { holder: holder.clone(), report: report.clone() };
        let Done::Reported(reported) = self.work(limit, now_ms, work).await? else { return confused() };
        Ok(reported)
    }

    async fn expire(&self, limit: &QuotaLimit, now_ms: u64) -> Result<Expired, IssuerError> {
        let Done::Expired(expired) = self.work(limit, now_ms, Work::Expire).await? else { return confused() };
        Ok(expired)
    }

    async fn sweep(&self, namespace: &str, after: &str, now_ms: u64) -> Result<Swept, IssuerError> {
        check_namespace(namespace)?;
        let (namespace, after) = (namespace.to_owned(), after.to_owned());
        self.ask(|answer| Request::Sweep { namespace, after, now_ms, answer }).await
    }

    async fn drawn(
        &self,
        namespace: &str,
        holder: &Holder,
        prefix: &str,
    ) -> Result<Vec<QuotaLimit>, IssuerError> {
        check_namespace(namespace)?;
        check_holder(holder)?;
        let (namespace, prefix) = (namespace.to_owned(), prefix.to_owned());
        self.ask(|answer| Request::Drawn { namespace, holder: holder.to_string(), prefix, answer }).await
    }

    async fn usage(&self, limit: &QuotaLimit, at_ms: u64) -> Result<WindowUsage, IssuerError> {
        limit.check()?;
        let window = limit.window_at(at_ms)?;
        self.ask(|answer| Request::Usage { limit: limit.clone(), window, answer }).await
    }

    async fn settle_loss(
        &self,
        limit: &QuotaLimit,
        units: u64,
        now_ms: u64,
    ) -> Result<WindowUsage, IssuerError> {
        let Done::Usage(usage) = self.work(limit, now_ms, Work::SettleLoss { units }).await? else {
            return confused();
        };
        Ok(usage)
    }

    async fn events(&self, namespace: &str, after: u64) -> Result<Vec<QuotaEvent>, IssuerError> {
        check_namespace(namespace)?;
        self.ask(|answer| Request::Events { namespace: namespace.to_owned(), after, answer }).await
    }

    async fn forget_events(&self, namespace: &str, up_to: u64) -> Result<(), IssuerError> {
        check_namespace(namespace)?;
        self.ask(|answer| Request::ForgetEvents { namespace: namespace.to_owned(), up_to, answer }).await
    }
}
