//! Wiring: from options to a running server.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use creto_credentials::Injector;
use creto_proxy_tls::{Interception, InterceptionAuthority, TlsError, UpstreamTls};
use creto_spool::{Limits, Spool, SpoolError};
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{RunArgs, Server};
use pingora_core::services::background::background_service;
use thiserror::Error;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::admin::metrics::Metrics;
use crate::admin::server::Admin;
use crate::approvals::ApprovalDesk;
use crate::capture::ways_in::{BoundListener, OpenEntrance, RedirectedEntrance};
use crate::credentials::{RotatedFiles, SecretDesk, UpstreamTokens};
use crate::enforcement::Enforced;
use crate::options::{LogFormat, Options, Timeouts};
use crate::path::body_room::BodyRoom;
use crate::path::record::Recorder;
use crate::pins::ToolPins;
use crate::plane::compiler::Compiler;
use crate::plane::enforcer::{Enforcer, LastGood};
use crate::plane::{
    EnrollError, Events, FirstAge, Freshness, GenerationError, LinkParts, PlaneLink, PlaneStatus, SystemClock,
};
use crate::quota::LeaseDesk;
use crate::sidecar::Sidecar;
use crate::state::{Ready, StateError, StateFolder};
use crate::upstream::{Dialer, Upstreams};

/// Why the sidecar does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --{flag}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// The flag that names it.
        flag: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that a flag names cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state folder.
    #[error("state folder: {0}")]
    State(#[from] StateError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The control plane does not take the sidecar.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// The keys of this sidecar cannot be used.
    #[error(transparent)]
    Keys(#[from] GenerationError),
    /// The runtime cannot be made.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

/// Runs a sidecar until a signal: SIGTERM finishes calls under way for a second, SIGINT stops at once.
///
/// # Errors
/// [`StartError`].
pub fn run(options: &Options) -> Result<(), StartError> {
    log_to_stderr(options.log_format);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // First come, first served: tonic asks for the process's default. A second call changes nothing.
    let _ = rustls::crypto::CryptoProvider::install_default(provider.as_ref().clone());

    let state = StateFolder::open(&options.state)?;
    state.withdraw()?;
    let control_plane_ca = std::fs::read_to_string(&options.control_plane_ca)
        .map_err(|source| StartError::File { path: options.control_plane_ca.clone(), source })?;
    let (identity, secrets) = match state.identity()? {
        Some(known) => known,
        None => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(StartError::Runtime)?;
            let enrolled = crate::plane::enroll::enroll(options, &control_plane_ca);
            let (identity, secrets) = runtime.block_on(enrolled)?;
            state.keep_identity(&identity, &secrets)?;
            (identity, secrets)
        }
    };

    let proxy = bind(options.listen, "listen")?;
    let transparent = options.transparent.map(|address| bind(address, "transparent")).transpose()?;
    let admin = bind(options.admin, "admin")?;
    let ready =
        Ready { proxy: proxy.1, transparent: transparent.as_ref().map(|bound| bound.1), admin: admin.1 };

    let metrics = Arc::new(Metrics::default());
    // Segments of 1 MiB: the flag's unit is also the count.
    let limits = Limits { segments: options.spool_limit as usize, ..Limits::default() };
    let (spool, left_open) = Spool::open(&state.spool(), limits)?;
    let spool = Arc::new(spool);
    let recorder = Recorder::new(Arc::clone(&spool), Arc::clone(&metrics), &identity.sidecar_id);
    for call in left_open {
        recorder.end_ambiguous(&call)?;
    }

    let authority =
        InterceptionAuthority::load_or_make(state.path(), &identity.agent_name, Arc::clone(&provider))?;
    let timeouts = Timeouts::from_options(options);
    let own = [Some(ready.proxy), ready.transparent, Some(ready.admin)].into_iter().flatten().collect();
    let dialer = Dialer::new(UpstreamTls::new(&options.upstream_ca, &provider)?, timeouts, own);
    let leases = Arc::new(LeaseDesk::new());
    let compiler = Arc::new(Compiler::new(&identity, &secrets, &leases)?);
    let events = Arc::new(Events::default());
    let last_good = LastGood::load(&compiler, &state, &events)?;
    let upstreams = Arc::new(Upstreams::new(Arc::new(dialer), Arc::clone(&metrics)));
    let first = last_good.enforcement(&compiler);
    let first_age = FirstAge {
        kept: state.age()?,
        issued_ms: last_good.issued_ms(),
        is_previous: last_good.is_previous(),
        limits: first.staleness(),
    };
    let freshness = Freshness::new(SystemClock::default(), Arc::clone(&events), first_age);
    let enforced = Arc::new(Enforced::new(first));
    let pins = Arc::new(ToolPins::load(state.clone())?);
    pins.follow(enforced.load().policy.as_deref());
    let (desk, asks) = SecretDesk::open();
    let (approvals, approval_asks) = ApprovalDesk::open();
    let tokens = UpstreamTokens { upstreams: Arc::clone(&upstreams), enforced: Arc::clone(&enforced) };
    let sidecar = Arc::new(Sidecar {
        id: identity.sidecar_id.clone(),
        address: proxy.1,
        enforced,
        recorder,
        upstreams,
        injector: Injector::new(Some(Arc::new(desk)), Some(Arc::new(tokens)), Some(Arc::new(RotatedFiles))),
        approvals: Arc::new(approvals),
        leases,
        pins,
        answers: Arc::default(),
        interception: Interception::new(authority, provider),
        metrics,
        plane: PlaneStatus::default(),
        freshness: Arc::new(freshness),
        events,
        bodies: BodyRoom::new(
            (options.body_limit as usize) << 20,
            (options.body_memory as usize) << 20,
            timeouts.idle,
        ),
        timeouts,
        stopping: watch::Sender::new(false),
    });

    let conf = ServerConf {
        threads: usize::from(options.threads),
        // A call stays on one thread: its connections are there.
        work_stealing: false,
        grace_period_seconds: Some(1),
        graceful_shutdown_timeout_seconds: Some(2),
        // Name resolution is all that blocks.
        max_blocking_threads: Some(4),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    let listen_failed = |flag, address| move |source| StartError::Listen { address, flag, source };
    let open = BoundListener::new("proxy", proxy.0, OpenEntrance(Arc::clone(&sidecar)))
        .map_err(listen_failed("listen", proxy.1))?;
    server.add_service(open);
    if let Some((listener, own)) = transparent {
        let entrance = RedirectedEntrance { sidecar: Arc::clone(&sidecar), own };
        let redirected = BoundListener::new("transparent", listener, entrance)
            .map_err(listen_failed("transparent", own))?;
        server.add_service(redirected);
    }
    let enforcer = Enforcer::new(compiler, last_good, &sidecar, state.clone());
    let ca_pem = control_plane_ca;
    let process = getrandom::u64().map_err(|error| StartError::Runtime(std::io::Error::other(error)))?;
    let parts =
        LinkParts { ca_pem, identity, secrets, enforcer, state, spool, process, asks, approval_asks, ready };
    let link = PlaneLink::new(options, parts, &sidecar);
    let mut link = background_service("control-plane", link);
    link.threads = Some(1);
    server.add_service(link);
    let mut answers = background_service("admin", Admin::new(admin.0, Arc::clone(&sidecar)));
    answers.threads = Some(1);
    server.add_service(answers);
    server.run(RunArgs::default());
    Ok(())
}

fn bind(address: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, flag, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_env("CRETO_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,pingora=warn,pingora_core=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber is refused; the first goes on, as a test may have set one.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
