//! A real sidecar.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::binaries::binary;
use crate::environment::{agent_environment, write_bundle};
use crate::http_agent::HttpAgent;
use crate::netns::TestNetwork;
use crate::patience::eventually;
use crate::plane::Plane;
use crate::process::ServerProcess;
use crate::raw_upstream::RawUpstream;
use crate::upstream::Upstream;

/// What a sidecar is started with.
pub struct SidecarBuilder<'p> {
    plane: &'p Plane,
    agent: &'p Agent,
    authorities: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    network: Option<&'p TestNetwork>,
    state: Option<PathBuf>,
}

impl<'p> SidecarBuilder<'p> {
    pub(crate) fn new(plane: &'p Plane, agent: &'p Agent) -> Self {
        Self {
            plane,
            agent,
            authorities: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            network: None,
            state: None,
        }
    }

    /// Trusts an upstream's authority.
    #[must_use]
    pub fn trusts(self, upstream: &Upstream) -> Self {
        self.upstream_ca(upstream.ca_pem())
    }

    /// Trusts a raw upstream's authority.
    #[must_use]
    pub fn trusts_raw(self, upstream: &RawUpstream) -> Self {
        self.upstream_ca(upstream.ca_pem())
    }

    /// Trusts an authority (PEM) in upstreams.
    #[must_use]
    pub fn upstream_ca(mut self, pem: &str) -> Self {
        self.authorities.push(pem.to_owned());
        self
    }

    /// A further argument of the process, such as `--response-timeout`.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Further arguments of the process.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// An environment variable of the process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs inside a network namespace, as [`crate::SIDECAR_UID`], and captures what agents there connect to.
    #[must_use]
    pub fn inside(mut self, network: &'p TestNetwork) -> Self {
        self.network = Some(network);
        self
    }

    /// Keeps its state in a folder of the test's own, such as one on a small disk.
    #[must_use]
    pub fn state(mut self, folder: &Path) -> Self {
        self.state = Some(folder.to_owned());
        self
    }

    /// Enrols and starts it; the first policy is in force when this returns.
    pub async fn start(self) -> Sidecar {
        let token = self.plane.enrollment_token(self.agent).await;
        let sidecar = self.prepare(&token);
        sidecar.launch().await;
        sidecar
    }

    /// As [`SidecarBuilder::start`], but does not wait until it is ready: for sidecars that are to fail.
    pub async fn start_without_waiting(self) -> Sidecar {
        let token = self.plane.enrollment_token(self.agent).await;
        let sidecar = self.prepare(&token);
        sidecar.spawn();
        sidecar
    }

    fn prepare(self, token: &str) -> Sidecar {
        let folder = tempfile::Builder::new().prefix("creto-sidecar-").tempdir().unwrap();
        let inside = folder.path();
        let state = self.state.unwrap_or_else(|| inside.join("state"));
        std::fs::create_dir_all(&state).unwrap();
        let token_file = inside.join("enrollment.token");
        std::fs::write(&token_file, token).unwrap();
        let plane_ca = inside.join("control-plane-ca.pem");
        std::fs::copy(self.plane.ca_file(), &plane_ca).unwrap();
        let mut arguments = vec![
            "--control-plane".to_owned(),
            self.plane.address().to_owned(),
            "--control-plane-ca".to_owned(),
            plane_ca.display().to_string(),
            "--state".to_owned(),
            state.display().to_string(),
            "--enrollment-token-file".to_owned(),
            token_file.display().to_string(),
        ];
        for (index, pem) in self.authorities.iter().enumerate() {
            let file = inside.join(format!("upstream-ca-{index}.pem"));
            std::fs::write(&file, pem).unwrap();
            arguments.extend(["--upstream-ca".to_owned(), file.display().to_string()]);
        }
        arguments.extend(self.arguments);
        let mut program = binary("creto-proxy");
        let mut before = Vec::new();
        let mut forward = None;
        if let Some(network) = self.network {
            forward = Some(network.forward_to_host(self.plane.port()));
            program = network.hand_over(&program, inside, &state);
            before = network.sidecar_command();
        }
        Sidecar {
            process: Mutex::new(None),
            listen: Mutex::new(Listen {
                proxy: "127.0.0.1:0".to_owned(),
                admin: "127.0.0.1:0".to_owned(),
                transparent: self.network.map(TestNetwork::transparent_listen),
            }),
            program,
            before,
            arguments,
            environment: self.environment,
            state,
            folder,
            _forward: forward,
            network: self.network.map(TestNetwork::handle),
        }
    }
}

#[derive(Clone)]
struct Listen {
    proxy: String,
    admin: String,
    transparent: Option<String>,
}

/// A running sidecar.
pub struct Sidecar {
    // First, so that the process ends before its folder goes.
    process: Mutex<Option<ServerProcess>>,
    listen: Mutex<Listen>,
    program: PathBuf,
    before: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    state: PathBuf,
    folder: TempDir,
    _forward: Option<crate::netns::Forward>,
    network: Option<crate::netns::NetworkHandle>,
}

impl Sidecar {
    fn spawn(&self) {
        std::fs::remove_file(self.state.join("ready.json")).ok();
        let listen = self.listen.lock().clone();
        let mut arguments = self.arguments.clone();
        arguments.extend(["--listen".to_owned(), listen.proxy, "--admin".to_owned(), listen.admin]);
        if let Some(transparent) = listen.transparent {
            arguments.extend(["--transparent".to_owned(), transparent]);
        }
        let log = self.folder.path().join("sidecar.log");
        *self.process.lock() = Some(ServerProcess::start(
            "sidecar",
            &self.before,
            &self.program,
            &arguments,
            &self.environment,
            &log,
        ));
    }

    async fn launch(&self) {
        self.spawn();
        self.wait_until_ready().await;
    }

    /// Waits for `ready.json`; from then on its ports stay the same over restarts.
    pub async fn wait_until_ready(&self) {
        let file = self.state.join("ready.json");
        let ready = eventually("the sidecar writes ready.json", || {
            if let Some(process) = self.process.lock().as_mut() {
                process.assert_running();
            }
            let document = std::fs::read(&file).ok();
            std::future::ready(
                document.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok()),
            )
        })
        .await;
        let text = |key: &str| ready[key].as_str().map(str::to_owned);
        *self.listen.lock() = Listen {
            proxy: text("proxy").expect("ready.json has `proxy`"),
            admin: text("admin").expect("ready.json has `admin`"),
            transparent: text("transparent"),
        };
    }

    /// Where agents reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listen.lock().proxy.parse().unwrap()
    }

    /// `http://127.0.0.1:PORT`, for `HTTPS_PROXY`.
    #[must_use]
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// `http://127.0.0.1:PORT`, in front of the prefix of a route.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.proxy_url()
    }

    /// Where its admin endpoints are.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.listen.lock().admin.parse().unwrap()
    }

    /// Where redirected connections arrive.
    #[must_use]
    pub fn transparent(&self) -> Option<SocketAddr> {
        self.listen.lock().transparent.as_ref().map(|text| text.parse().unwrap())
    }

    /// GET of an admin path: status and body.
    pub async fn admin_get(&self, path: &str) -> (u16, String) {
        let answer = self.http_agent().get_direct(self.admin(), path).await;
        (answer.status, answer.text())
    }

    /// Its interception authority's certificate: what agents must trust.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.state.join("ca.pem")
    }

    /// Its interception authority's certificate.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        std::fs::read_to_string(self.ca_file()).unwrap()
    }

    /// A file with the system's authorities and its own.
    #[must_use]
    pub fn bundle_file(&self) -> PathBuf {
        let file = self.folder.path().join("bundle.pem");
        write_bundle(&self.ca_file(), &file);
        file
    }

    /// The variables that bring an unmodified program to it.
    #[must_use]
    pub fn agent_environment(&self) -> Vec<(String, String)> {
        agent_environment(&self.proxy_url(), &self.ca_file(), &self.bundle_file())
    }

    /// Its state folder.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.lock().as_ref().map(ServerProcess::pid).expect("the sidecar was started")
    }

    /// Everything it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.lock().as_ref().map(ServerProcess::log).unwrap_or_default()
    }

    /// Panics, with its log, when its process has ended.
    pub fn assert_running(&self) {
        if let Some(process) = self.process.lock().as_mut() {
            process.assert_running();
        }
    }

    /// Whether its process has ended, and how.
    pub fn try_wait(&self) -> Option<std::process::ExitStatus> {
        self.process.lock().as_mut().and_then(ServerProcess::try_wait)
    }

    /// `kill -9`.
    pub fn kill9(&self) {
        if let Some(process) = self.process.lock().as_mut() {
            process.kill9();
        }
    }

    /// SIGTERM, and waits for its end.
    pub async fn terminate(&self) -> std::process::ExitStatus {
        let mut process = self.process.lock().take().expect("the sidecar was started");
        process.terminate().await
    }

    /// Kills what runs and starts it again on the same state and ports.
    pub async fn restart(&self) {
        self.kill9();
        self.launch().await;
    }

    /// Kills what runs and starts it again on the same state and ports, without waiting.
    pub fn start_again(&self) {
        self.kill9();
        self.spawn();
    }

    /// Whether it has said that it is ready, since it was started last.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state.join("ready.json").is_file()
    }

    /// Resident memory of its process, KiB (`VmRSS`).
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }

    /// An HTTP client beside it that trusts its authority.
    #[must_use]
    pub fn http_agent(&self) -> HttpAgent {
        HttpAgent::new(self.address(), &self.ca_pem(), self.network.clone())
    }
}
