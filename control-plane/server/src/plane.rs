//! A running control plane.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use creto_approvals::ApprovalDesk;
use creto_authz::MasterKey;
use creto_bundle::BundleSigner;
use creto_calls::{CallJournal, CallMeter};
use creto_identity::{Delegations, EnrollmentDesk, IdentityError, OperatorDesk, Registry};
use creto_policy_store::{Changes, PolicyDocuments, PolicySync, SyncLimits};
use creto_prices::PriceList;
use creto_proto::v1::OperatorRole;
use creto_proto::v1::agent_registry_server::AgentRegistryServer;
use creto_proto::v1::approval_inbox_server::ApprovalInboxServer;
use creto_proto::v1::approvals_server::ApprovalsServer;
use creto_proto::v1::billing_server::BillingServer;
use creto_proto::v1::call_log_server::CallLogServer;
use creto_proto::v1::delegation_authority_server::DelegationAuthorityServer;
use creto_proto::v1::enrollment_server::EnrollmentServer;
use creto_proto::v1::meter_view_server::MeterViewServer;
use creto_proto::v1::metering_server::MeteringServer;
use creto_proto::v1::operator_tokens_server::OperatorTokensServer;
use creto_proto::v1::policy_store_server::PolicyStoreServer;
use creto_proto::v1::policy_sync_server::PolicySyncServer;
use creto_proto::v1::quota_leases_server::QuotaLeasesServer;
use creto_proto::v1::quota_view_server::QuotaViewServer;
use creto_proto::v1::secret_store_server::SecretStoreServer;
use creto_secrets::{Resealed, Vault};
use creto_store::{SecretStore as _, SqliteStore, Store};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::approvals::{Approving, Watches};
use crate::billing::{Billing, Working};
use crate::credential_names::CredentialNames;
use crate::dashboard::Page;
use crate::data_folder::{DataFolder, Keys, reachable};
use crate::doors::{BACKLOG, Doors};
use crate::event_store::Events;
use crate::events_http::EventsHttp;
use crate::guard::GuardLayer;
use crate::quotas::{QuotaDesk, Source};
use crate::services::{
    Agents, Asking, Bills, Calls, DelegationDesk, Enrolling, Inbox, Metering, Operators, Policies, Quotas,
    Secrets, Syncing,
};
use crate::{Options, StartError, approvals};

/// How long open calls may take to end when the control plane stops.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(4);

/// Largest message of a call.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// Largest frame of events.
const MAX_FRAME: usize = creto_event_store::MAX_FRAME_BYTES;
/// Largest message of a stream's sidecar: hello names what it has, up to 1,024 resources.
const MAX_SAID: usize = 256 * 1024;
/// Largest message of an enrolment, which comes from anybody.
const MAX_ENROLLMENT: usize = 64 * 1024;
/// Largest message about a secret: a value over its own bound is refused with its size, up to here.
const MAX_SECRET_MESSAGE: usize = 256 * 1024;
/// Largest headers of a call, in bytes.
const MAX_HEADERS: u32 = 16 * 1024;
/// Calls open at once on one connection.
const MAX_CALLS_A_CONNECTION: u32 = 256;
/// How long a unary call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent connection is asked whether it is there, and how long it may take to say so.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// Name of the operator token made at the first start, and its namespace.
const FIRST_TOKEN: &str = "first";
const FIRST_NAMESPACE: &str = "default";

/// Starts control planes.
pub struct ControlPlane;

impl ControlPlane {
    /// Starts a control plane; it listens when this returns.
    ///
    /// # Errors
    /// [`StartError`], which says what to do.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        raise_file_limit();
        let folder = DataFolder::take(&options.data)?;
        let keys = folder.keys()?;
        let store = SqliteStore::open(&folder.database()).await?;
        match Self::serve(&options, folder, keys, store.clone()).await {
            Ok(running) => Ok(running),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    async fn serve(
        options: &Options,
        folder: DataFolder,
        keys: Keys,
        sqlite: SqliteStore,
    ) -> Result<Running, StartError> {
        let store: Arc<dyn Store> = Arc::new(sqlite.clone());
        let operators = OperatorDesk::new(Arc::clone(&store));
        let operator_token = folder.operator_token()?;
        if !operators.is_known(&operator_token).await? {
            // The file is what the owner of the folder has; an earlier one is void.
            match operators.revoke(FIRST_NAMESPACE, FIRST_TOKEN).await {
                Ok(()) | Err(IdentityError::NoOperatorToken(_)) => {}
                Err(error) => return Err(error.into()),
            }
            operators.keep(FIRST_NAMESPACE, FIRST_TOKEN, OperatorRole::Admin, &operator_token).await?;
        }
        let vault = vault(&folder, &sqlite).await?;
        let events = Events::open(&folder.events(), options.database_url.as_deref()).await?;
        let (stop, stopping) = watch::channel(false);
        let billing = Billing::open(&folder, options, events.store(), stopping.clone()).await?;
        let approvals = approvals::open(&folder, options).await?;
        let prices = Arc::new(PriceList::built_in()?);
        let redis = options.redis_url.as_deref();
        let quotas = Source::open(redis, &folder.quotas(), &folder.quota_namespaces()).await?;
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        names.extend(options.advertise.iter().cloned());
        let issued = keys.authority.issue_server(&names)?;
        folder.keep_server(&issued.certificate_pem, &issued.key_pem)?;
        let ca_pem = keys.authority.certificate_pem().to_owned();
        let doors = Doors::new(&issued.certificate_pem, &issued.key_pem, &ca_pem, KEEPALIVE.0)?;

        let (routes, sync, quotas) = routes(
            &store,
            keys,
            (operators, vault, quotas, approvals.clone()),
            (&billing, prices),
            (options.sync, stopping.clone()),
        );
        tokio::spawn(sync.clone().keep_notes());
        let moving = tokio::spawn(quotas.clone().keep_moving(stopping.clone()));
        let page = Page::start(options, &folder, approvals.clone()).await?;
        let approving = Approving::start(approvals, stopping.clone());
        tokio::spawn(events.clone().keep_within_retention(stopping.clone()));
        let billed = billing.keep_going(quotas.clone(), &stopping);
        let router = Server::builder()
            .timeout(CALL_TIMEOUT)
            .max_concurrent_streams(MAX_CALLS_A_CONNECTION)
            .http2_max_header_list_size(MAX_HEADERS)
            .http2_keepalive_interval(Some(KEEPALIVE.0))
            .http2_keepalive_timeout(Some(KEEPALIVE.1))
            .accept_http1(true)
            .layer(GuardLayer::new(Arc::clone(&store), EventsHttp::new(store, billing.events())))
            .add_routes(routes);
        let refused = |source| StartError::Listen { address: options.listen, source };
        let listener = listen(options.listen).map_err(refused)?;
        let address = reachable(listener.local_addr().map_err(refused)?);
        folder.announce(address)?;
        let incoming = ReceiverStream::new(doors.open(listener, stopping.clone()));
        let mut stopped = stopping;
        let server = tokio::spawn(async move {
            let until = async move {
                // A sender that is gone is a control plane that is gone.
                let _ = stopped.wait_for(|stops| *stops).await;
            };
            if let Err(error) = router.serve_with_incoming_shutdown(incoming, until).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the server ended");
            }
        });
        tracing::info!(%address, data = %options.data.display(), "control plane listens");
        Ok(Running {
            address,
            ca_pem,
            operator_token: operator_token.to_string(),
            folder,
            store: sqlite,
            sync,
            events,
            quotas,
            stop,
            server,
            moving,
            billed,
            approving,
            page,
        })
    }
}

/// All services over one store.
fn routes(
    store: &Arc<dyn Store>,
    keys: Keys,
    (operators, (vault, names), quotas, approvals): (
        OperatorDesk,
        (Vault, Arc<CredentialNames>),
        Source,
        ApprovalDesk,
    ),
    (billing, prices): (&Billing, Arc<PriceList>),
    (limits, stopping): (SyncLimits, watch::Receiver<bool>),
) -> (Routes, PolicySync, QuotaDesk) {
    let changes = Changes::default();
    let signer = Arc::new(BundleSigner::from_seed(&keys.bundle_seed));
    let delegations = Delegations::new(Arc::clone(store), MasterKey::from_bytes(*keys.chain_master));
    let authority = Arc::new(keys.authority);
    let desk = EnrollmentDesk::new(Arc::clone(store), authority, delegations.clone(), signer.public_key());
    let sync = PolicySync::new(
        Arc::clone(store),
        delegations.clone(),
        (signer, approvals.public_key()),
        changes.clone(),
        (limits, stopping.clone()),
    );
    let agents = Agents {
        registry: Registry::new(Arc::clone(store)),
        changes: changes.clone(),
        approvals: approvals.clone(),
    };
    let asking = Asking::new(approvals.clone(), Arc::clone(store), delegations.clone(), stopping.clone());
    let watches = Watches::new(approvals.clone(), Arc::clone(store), stopping.clone());
    let inbox = Inbox { desk: approvals, watches };
    let quotas = QuotaDesk::new(Arc::clone(store), delegations.clone(), quotas);
    let delegating = DelegationDesk { delegations, changes: changes.clone() };
    let documents = PolicyDocuments::new(Arc::clone(store));
    let policies = Policies { documents, changes, sync: sync.clone(), names, quotas: quotas.clone() };
    let leasing = Quotas { desk: quotas.clone() };
    let syncing = Syncing { sync: sync.clone() };
    let metering = Metering::new(Arc::clone(store), billing.events(), stopping.clone());
    let meter = CallMeter::new(Arc::clone(store), billing.events(), prices);
    let journal = CallJournal::new(Arc::clone(store)).metered(meter);
    let calls = Calls { journal, store: Arc::clone(store), stopping };
    let routes = Routes::new(AgentRegistryServer::new(agents).max_decoding_message_size(MAX_MESSAGE))
        .add_service(DelegationAuthorityServer::new(delegating).max_decoding_message_size(MAX_MESSAGE))
        .add_service(EnrollmentServer::new(Enrolling { desk }).max_decoding_message_size(MAX_ENROLLMENT))
        .add_service(OperatorTokensServer::new(Operators { desk: operators }))
        .add_service(PolicyStoreServer::new(policies).max_decoding_message_size(MAX_MESSAGE))
        .add_service(PolicySyncServer::new(syncing).max_decoding_message_size(MAX_SAID))
        .add_service(CallLogServer::new(calls).max_decoding_message_size(MAX_MESSAGE))
        .add_service(SecretStoreServer::new(Secrets { vault }).max_decoding_message_size(MAX_SECRET_MESSAGE))
        .add_service(QuotaLeasesServer::new(leasing.clone()).max_decoding_message_size(MAX_MESSAGE))
        .add_service(QuotaViewServer::new(leasing))
        .add_service(MeteringServer::new(metering.clone()).max_decoding_message_size(MAX_FRAME))
        .add_service(MeterViewServer::new(metering))
        .add_service(ApprovalsServer::new(asking).max_decoding_message_size(MAX_MESSAGE))
        .add_service(ApprovalInboxServer::new(inbox).max_decoding_message_size(MAX_MESSAGE))
        .add_service(
            BillingServer::new(Bills { billing: billing.clone() }).max_decoding_message_size(MAX_MESSAGE),
        );
    (routes, sync, quotas)
}

/// The vault, all its secrets under the newest key as far as they open, and what says which agent may have which.
async fn vault(
    folder: &DataFolder,
    sqlite: &SqliteStore,
) -> Result<(Vault, Arc<CredentialNames>), StartError> {
    let store: Arc<dyn Store> = Arc::new(sqlite.clone());
    let keys = folder.secrets_keys(sqlite.any_secret().await?)?;
    let names = Arc::new(CredentialNames::new(Arc::clone(&store)));
    let vault = Vault::new(store, keys, Arc::clone(&names) as Arc<dyn creto_secrets::NamedBy>);
    match vault.reseal().await {
        Ok(Resealed { moved: 0, stuck: 0 }) => {}
        Ok(Resealed { moved, stuck: 0 }) => {
            tracing::info!(moved, "all secrets are under the newest key: older lines of secrets.key may go");
        }
        Ok(Resealed { moved, stuck }) => {
            tracing::warn!(
                moved,
                stuck,
                "not all secrets are under the newest key: the lines above say which"
            );
        }
        // Older keys open what they sealed: the next start tries again.
        Err(error) => tracing::error!(%error, "secrets could not be moved to the newest key"),
    }
    Ok((vault, names))
}

/// A control plane that listens.
pub struct Running {
    address: SocketAddr,
    ca_pem: String,
    operator_token: String,
    folder: DataFolder,
    store: SqliteStore,
    sync: PolicySync,
    events: Events,
    quotas: QuotaDesk,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    moving: JoinHandle<()>,
    billed: Working,
    approving: Approving,
    page: Option<Page>,
}

impl Running {
    /// Where it can be reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as `https://host:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Where people reach the approvals page, if there is one.
    #[must_use]
    pub fn dashboard_url(&self) -> Option<&str> {
        self.page.as_ref().map(Page::url)
    }

    /// The authority that its clients pin.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The operator token of the data folder: role admin.
    #[must_use]
    pub fn operator_token(&self) -> &str {
        &self.operator_token
    }

    /// Waits until the server ends by itself, which it does when its listener fails.
    pub async fn ended(&mut self) {
        // A panic in the server is an end like any other.
        let _ = (&mut self.server).await;
    }

    /// Stops: ends the streams, lets open calls end for [`SHUTDOWN_GRACE`], closes the store.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        self.folder.withdraw();
        if !self.server.is_finished() && tokio::time::timeout(SHUTDOWN_GRACE, &mut self.server).await.is_err()
        {
            self.server.abort();
        }
        // Before the desk that it decides over.
        if let Some(page) = self.page {
            page.close().await;
        }
        self.sync.write_notes().await;
        // It looks at nothing more once it was told to stop.
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.moving).await;
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, self.billed.close()).await;
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, self.approving.close()).await;
        let _ = tokio::time::timeout(Duration::from_secs(1), self.quotas.close()).await;
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, self.events.close()).await;
        // Every acknowledged change is on disk already; closing only tidies the log.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.store.close()).await;
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Every stream is a file descriptor: takes as many as the system lets this process have.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files stays");
        }
    }
}
