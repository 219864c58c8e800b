//! Quotas: which limits a sidecar's agent draws on, and leases of them from the issuer.
//!
//! A sidecar names a policy and a quota, never an agent: whose share it gets follows from its certificate. Limits are
//! those of the policies that are for its agent now, as the push sends them, and those of the agent's labels.

mod documents;
mod error;
mod expiry;
mod known_namespaces;
mod limits;
mod listing;
mod seats;
mod watch;
mod words;

use std::path::Path;
use std::sync::Arc;

use creto_identity::{Delegations, now_ms};
use creto_policy_store::SidecarIdentity;
use creto_proto::v1::lease_answer::Answer;
use creto_proto::v1::{
    ExchangeLeasesRequest, ExchangeLeasesResponse, ExhaustedQuota, GrantedLease, LeaseAccount, LeaseAnswer,
    LeaseExchange,
};
use creto_quota::{LeaseReport, Report};
use creto_quota_issuer::{
    Ask, EmbeddedIssuer, Granted, Holder, Issuer, IssuerError, QuotaLimit, RedisIssuer, RedisOptions,
    Reported,
};
use creto_store::{KeptState, Store};
use futures::future::try_join_all;
use parking_lot::Mutex;

use self::documents::QuotaDocuments;
pub use self::error::QuotaError;
use self::known_namespaces::KnownNamespaces;
use self::limits::Shares;
use self::seats::{Place, SeatKey, Seats};

/// Most exchanges in one request.
pub(crate) const MAX_EXCHANGES: usize = 256;

/// Answers sidecars and operators about quotas. Clones share everything.
#[derive(Clone)]
pub(crate) struct QuotaDesk {
    store: Arc<dyn Store>,
    delegations: Delegations,
    issuer: Arc<dyn Issuer>,
    /// The same, where it is a file of this control plane.
    embedded: Option<EmbeddedIssuer>,
    documents: Arc<QuotaDocuments>,
    namespaces: Arc<KnownNamespaces>,
    seats: Arc<Mutex<Seats>>,
}

/// Where leases come from.
pub(crate) struct Source {
    issuer: Arc<dyn Issuer>,
    embedded: Option<EmbeddedIssuer>,
    namespaces: KnownNamespaces,
}

impl Source {
    /// Opens the issuer: Redis where a URL is given, else the file.
    ///
    /// # Errors
    /// [`QuotaError`] when it does not open, or what namespaces were opened cannot be read.
    pub(crate) async fn open(
        redis_url: Option<&str>,
        database: &Path,
        namespaces: &Path,
    ) -> Result<Self, QuotaError> {
        let namespaces = KnownNamespaces::read(namespaces)?;
        Ok(match redis_url {
            Some(url) => {
                let issuer = RedisIssuer::connect(RedisOptions::new(url)).await?;
                Self { issuer: Arc::new(issuer), embedded: None, namespaces }
            }
            None => {
                let issuer = EmbeddedIssuer::open(database).await?;
                Self { issuer: Arc::new(issuer.clone()), embedded: Some(issuer), namespaces }
            }
        })
    }
}

impl QuotaDesk {
    pub(crate) fn new(store: Arc<dyn Store>, delegations: Delegations, source: Source) -> Self {
        let Source { issuer, embedded, namespaces } = source;
        Self {
            documents: Arc::new(QuotaDocuments::new(Arc::clone(&store))),
            store,
            delegations,
            issuer,
            embedded,
            namespaces: Arc::new(namespaces),
            seats: Arc::default(),
        }
    }

    /// A document of the namespace changed.
    pub(crate) fn note(&self, namespace: &str) {
        self.documents.note(namespace);
    }

    /// Refuses a document in which a quota counts something else than under the same name before: what sidecars hold of
    /// it would be taken for something it is not.
    ///
    /// # Errors
    /// [`QuotaError::CountsOtherwise`].
    pub(crate) async fn check_change(&self, namespace: &str, document: &str) -> Result<(), QuotaError> {
        self.documents.check_change(namespace, document).await
    }

    /// Reports and requests of one sidecar, item by item.
    ///
    /// # Errors
    /// [`QuotaError`] when nothing can be answered; what concerns one item is said in its answer.
    pub(crate) async fn exchange(
        &self,
        sidecar: &SidecarIdentity,
        request: ExchangeLeasesRequest,
    ) -> Result<ExchangeLeasesResponse, QuotaError> {
        let ExchangeLeasesRequest { process, exchanges } = request;
        if exchanges.len() > MAX_EXCHANGES {
            return Err(QuotaError::TooManyExchanges(exchanges.len()));
        }
        if process == 0 {
            return Err(QuotaError::NoProcess);
        }
        let agent = self.store.agent(&sidecar.namespace, &sidecar.agent_name).await?;
        self.namespaces.open(&sidecar.namespace, self.issuer.as_ref()).await?;
        let rules = self.documents.rules_for(&agent).await?;
        let mut shares = Shares::new(self.store.as_ref(), &self.delegations, &agent);
        let now_ms = u64::try_from(now_ms()).unwrap_or(0);
        let holder = Holder::new(&sidecar.sidecar_id, process);
        let mut work = Vec::with_capacity(exchanges.len());
        for exchange in exchanges {
            let rule = rules.iter().find(|known| known.is_called(&exchange.policy, &exchange.quota));
            let limit = match rule {
                Some(known) => shares.limit(known).await?,
                None => Err("no quota of this name applies to the agent".to_owned()),
            };
            let key = SeatKey::new(sidecar, process, &exchange);
            if rule.is_some() || exchange.account.is_some() {
                self.find_seat(&key, (&sidecar.namespace, &holder), &exchange, now_ms).await?;
            }
            let mut place = self.seats.lock().sit(key.clone(), limit, now_ms);
            if agent.state != KeptState::Active {
                place = place.refused("the agent is not active");
            }
            work.push(self.answer(key, place, &holder, exchange, now_ms));
        }
        Ok(ExchangeLeasesResponse { answers: try_join_all(work).await? })
    }

    /// Asks the issuer what a run draws on that is not known here: leases it got before this control plane was started.
    async fn find_seat(
        &self,
        key: &SeatKey,
        (namespace, holder): (&str, &Holder),
        exchange: &LeaseExchange,
        now_ms: u64,
    ) -> Result<(), QuotaError> {
        if self.seats.lock().knows(key) {
            return Ok(());
        }
        let prefix = limits::name_begins(&exchange.policy, &exchange.quota);
        let drawn = self.issuer.drawn(namespace, holder, &prefix).await?;
        if let Some(limit) = drawn.into_iter().next() {
            self.seats.lock().take_back(key.clone(), limit, now_ms);
        }
        Ok(())
    }

    async fn answer(
        &self,
        key: SeatKey,
        place: Place,
        holder: &Holder,
        exchange: LeaseExchange,
        now_ms: u64,
    ) -> Result<LeaseAnswer, QuotaError> {
        let report = exchange.account.map(report);
        let asked =
            exchange.ask.map(|ask| Ask { request: ask.request, wanted: ask.wanted, needed: ask.needed });
        let (limit, ask, refused) = match place {
            Place::Draws(limit) => (limit, asked, None),
            Place::Settles { limit, refused } => (limit, None, asked.map(|_| refused)),
            Place::None { refused } => {
                // The issuer never granted this run a lease of it, so there is nothing to settle: it is acknowledged that
                // it be not sent for ever. Should the quota come to be, numbers left out before do no harm there.
                let acknowledged = report.map_or(0, |report| report.sequence);
                return Ok(LeaseAnswer {
                    acknowledged,
                    answer: Some(Answer::Refused(refused)),
                    ..LeaseAnswer::default()
                });
            }
        };
        let mut answer = match self.ask(&limit, holder, ask, report.as_ref(), now_ms).await {
            Ok(answer) => answer,
            Err(error) if error.concerns_the_asker() => {
                LeaseAnswer { answer: Some(Answer::Refused(error.to_string())), ..LeaseAnswer::default() }
            }
            // Of the issuer itself, with addresses and files: for the log.
            Err(error) => return Err(error.into()),
        };
        if let Some(Answer::Lease(lease)) = &answer.answer {
            self.seats.lock().granted(&key, lease.not_after_s.saturating_mul(1_000));
        }
        if let Some(refused) = refused {
            answer.answer = Some(Answer::Refused(refused));
        }
        Ok(answer)
    }

    async fn ask(
        &self,
        limit: &QuotaLimit,
        holder: &Holder,
        ask: Option<Ask>,
        report: Option<&Report>,
        now_ms: u64,
    ) -> Result<LeaseAnswer, IssuerError> {
        match (ask, report) {
            (Some(ask), report) => {
                let Granted { answer, reported } =
                    match self.issuer.grant(limit, holder, &ask, report, now_ms).await {
                        Err(IssuerError::Outdated { revision, amount, .. }) => {
                            let limit = self.reconcile(limit, (revision, amount));
                            self.issuer.grant(&limit, holder, &ask, report, now_ms).await?
                        }
                        answered => answered?,
                    };
                Ok(LeaseAnswer { answer: Some(granted(answer)), ..taken_in(reported) })
            }
            (None, Some(report)) => {
                Ok(taken_in(Some(self.issuer.report(limit, holder, report, now_ms).await?)))
            }
            (None, None) => Ok(LeaseAnswer::default()),
        }
    }

    fn reconcile(&self, limit: &QuotaLimit, (revision, amount): (u64, u64)) -> Arc<QuotaLimit> {
        let is_shared = self.embedded.is_none();
        let is = self.seats.lock().reconcile(limit, (revision, amount), is_shared);
        tracing::warn!(
            namespace = %limit.namespace, limit = %limit.name, said = limit.amount, was = amount, is = is.amount,
            "another amount was in force: another control plane changed the limit, or this one's clock was put back"
        );
        is
    }

    /// Closes the issuer's file; whoever asks later is told that it is away.
    pub(crate) async fn close(&self) {
        if let Some(embedded) = &self.embedded
            && let Err(error) = embedded.close().await
        {
            tracing::warn!(%error, "the file of quotas was not closed cleanly");
        }
    }
}

fn report(account: LeaseAccount) -> Report {
    let leases = account.lines.into_iter().map(|line| LeaseReport {
        id: line.id,
        epoch: line.epoch,
        spent: line.spent,
        given_back: line.given_back,
        overrun: line.overrun,
        last: line.last,
    });
    Report { sequence: account.sequence, leases: leases.collect(), overage: account.overage }
}

fn taken_in(reported: Option<Reported>) -> LeaseAnswer {
    let Some(Reported { acknowledged, revoke, .. }) = reported else { return LeaseAnswer::default() };
    let (revoke_epoch, revoke_id) = revoke.unwrap_or_default();
    LeaseAnswer { acknowledged, revoke_epoch, revoke_id, answer: None }
}

fn granted(answer: creto_quota_issuer::Answer) -> Answer {
    match answer {
        creto_quota_issuer::Answer::Lease(lease) => Answer::Lease(GrantedLease {
            id: lease.id,
            epoch: lease.epoch,
            amount: lease.amount,
            not_after_s: lease.not_after_s,
        }),
        creto_quota_issuer::Answer::Impossible { amount } => Answer::ImpossibleAmount(amount),
        creto_quota_issuer::Answer::Exhausted { window_ends_ms, available, leased } => {
            Answer::Exhausted(ExhaustedQuota {
                window_ends_ms: i64::try_from(window_ends_ms).unwrap_or(i64::MAX),
                available,
                leased,
            })
        }
    }
}
