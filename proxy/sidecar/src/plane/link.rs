//! The sidecar's link to the control plane, as a service of the server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use creto_client::{PlaneEndpoint, SidecarClient};
use creto_spool::Spool;
use parking_lot::Mutex;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::background::BackgroundService;
use tokio::sync::mpsc;

use crate::approvals;
use crate::credentials::{SecretAsk, answer_asks};
use crate::options::Options;
use crate::plane::enforcer::Enforcer;
use crate::plane::{KeptAge, leases, report, sync};
use crate::sidecar::Sidecar;
use crate::state::{Identity, Ready, Secrets, StateFolder};

/// Longest time given to the last records at a stop.
const LAST_FLUSH: Duration = Duration::from_millis(800);

/// How often the age of policy is looked at.
const LOOK_AT_CLOCKS: Duration = Duration::from_secs(1);

/// Keeps policy current and records moving.
pub(crate) struct PlaneLink {
    endpoint: PlaneEndpoint,
    certificate: Vec<u8>,
    secrets: Secrets,
    /// Whoever keeps the stream has it.
    enforcer: tokio::sync::Mutex<Enforcer>,
    state: StateFolder,
    pub(crate) sidecar: Arc<Sidecar>,
    spool: Arc<Spool>,
    /// Names this run of the process to the one who grants leases.
    process: u64,
    asks: tokio::sync::Mutex<mpsc::Receiver<SecretAsk>>,
    approval_asks: tokio::sync::Mutex<approvals::Asks>,
    /// Taken when it is announced.
    ready: Mutex<Option<Ready>>,
}

/// What a link is made from.
pub(crate) struct LinkParts {
    pub(crate) ca_pem: String,
    pub(crate) identity: Identity,
    pub(crate) secrets: Secrets,
    pub(crate) enforcer: Enforcer,
    pub(crate) state: StateFolder,
    pub(crate) spool: Arc<Spool>,
    /// Random: names this run of the process.
    pub(crate) process: u64,
    /// Secrets that calls wait for.
    pub(crate) asks: mpsc::Receiver<SecretAsk>,
    /// Approvals that calls wait for.
    pub(crate) approval_asks: approvals::Asks,
    pub(crate) ready: Ready,
}

impl PlaneLink {
    pub(crate) fn new(options: &Options, parts: LinkParts, sidecar: &Arc<Sidecar>) -> Self {
        Self {
            endpoint: PlaneEndpoint { address: options.control_plane.clone(), ca_pem: parts.ca_pem },
            certificate: parts.identity.certificate_der(),
            secrets: parts.secrets,
            enforcer: tokio::sync::Mutex::new(parts.enforcer),
            state: parts.state,
            sidecar: Arc::clone(sidecar),
            spool: parts.spool,
            process: parts.process,
            asks: tokio::sync::Mutex::new(parts.asks),
            approval_asks: tokio::sync::Mutex::new(parts.approval_asks),
            ready: Mutex::new(Some(parts.ready)),
        }
    }

    /// Tells whoever started the sidecar where it listens; once, when there is a policy to go by.
    pub(crate) fn announce(&self) {
        if let Some(ready) = self.ready.lock().take()
            && let Err(error) = self.state.announce(&ready)
        {
            tracing::error!(%error, "ready.json could not be written");
        }
    }

    /// Looks at the clocks each second, and keeps the age on disk now and then.
    async fn watch_age(&self) {
        let freshness = &self.sidecar.freshness;
        loop {
            freshness.renew();
            if let Some(age) = freshness.due() {
                self.keep_age(age);
            }
            tokio::time::sleep(LOOK_AT_CLOCKS).await;
        }
    }

    fn keep_age(&self, age: KeptAge) {
        if let Err(error) = self.state.keep_age(&age) {
            tracing::warn!(%error, "the age of the policy could not be kept");
        }
    }
}

#[async_trait]
impl BackgroundService for PlaneLink {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        if self.sidecar.enforced.load().epoch > 0 {
            self.announce();
        }
        // Made here, since it belongs to this service's runtime.
        let client = match SidecarClient::connect_when_used(
            &self.endpoint,
            &self.certificate,
            &self.secrets.seed,
        ) {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "there is no way to the control plane; the last good policy stays");
                // Policy ages all the same.
                return self.watch_age().await;
            }
        };
        let mut asks = self.asks.lock().await;
        let mut approval_asks = self.approval_asks.lock().await;
        let mut enforcer = self.enforcer.lock().await;
        tokio::select! {
            () = answer_asks(&mut asks, &client) => {}
            () = approvals::answer(&mut approval_asks, &client) => {}
            () = approvals::watch(&self.sidecar.approvals, &client) => {}
            () = sync::run(self, &mut enforcer, &client) => {}
            () = self.watch_age() => {}
            () = report::run(&self.sidecar, &self.spool, &client) => {}
            () = report::sync(Arc::clone(&self.spool)) => {}
            () = leases::run(&self.sidecar.leases, self.process, &client) => {}
            _ = shutdown.wait_for(|stop| *stop) => {}
        }
        self.sidecar.stopping.send_replace(true);
        if let Err(error) = self.state.withdraw() {
            tracing::warn!(%error, "ready.json could not be removed");
        }
        self.keep_age(self.sidecar.freshness.to_keep());
        tokio::join!(
            report::flush(&self.spool, &client, LAST_FLUSH),
            leases::give_back(&self.sidecar.leases, self.process, &client, LAST_FLUSH),
            approvals::finish(&self.sidecar.approvals, &mut approval_asks, &client, LAST_FLUSH),
        );
    }
}
