//! A real sidecar without a control plane: it starts from the last good policy on disk, which a test writes and signs
//! itself. What is tested with it needs no plane, and is quicker without.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use creto_authz::{AgentId, ChainKey, CompactChain, DelegatorKey, Link, MasterKey, Scope, verify_links};
use creto_bundle::{BundleSigner, Content, SharedResource, policy_resource};
use creto_proto::v1;
use ed25519_dalek::SigningKey;
use prost::Message as _;
use tempfile::TempDir;

use crate::binaries::binary;
use crate::fake_plane::FakePlane;

/// What a detached sidecar starts with.
#[derive(Clone, Debug)]
pub struct Detached {
    policies: Vec<(String, String)>,
    permissions: Vec<String>,
    upstream_cas: Vec<String>,
    flags: Vec<String>,
    state: v1::AgentState,
    /// When it was described: what it starts with is the same however often it is asked for.
    made_at_s: u64,
    expires_in_s: i64,
    delegated: bool,
    chain_of: String,
    epoch: u64,
    on_disk: bool,
    plane: Option<(String, String)>,
}

/// A running one; killed when dropped.
#[derive(Debug)]
pub struct DetachedSidecar {
    child: Child,
    folder: TempDir,
    proxy: SocketAddr,
    transparent: Option<SocketAddr>,
    admin: SocketAddr,
    flags: Vec<String>,
}

impl Detached {
    /// With this policy document, everything delegated.
    #[must_use]
    pub fn policy(document: impl Into<String>) -> Self {
        Self {
            policies: vec![("test".into(), document.into())],
            permissions: vec!["*:*".into()],
            upstream_cas: Vec::new(),
            flags: Vec::new(),
            state: v1::AgentState::Active,
            made_at_s: now_s(),
            expires_in_s: 3600,
            delegated: true,
            chain_of: Self::SIDECAR.into(),
            epoch: 1,
            on_disk: true,
            plane: None,
        }
    }

    /// Id of every detached sidecar.
    pub const SIDECAR: &'static str = "detached";

    /// Signs what detached sidecars enforce.
    #[must_use]
    pub fn signer() -> BundleSigner {
        BundleSigner::from_seed(&[1; 32])
    }

    /// With one more policy.
    #[must_use]
    pub fn also(mut self, name: &str, document: impl Into<String>) -> Self {
        self.policies.push((name.into(), document.into()));
        self
    }

    /// The chain was minted for another sidecar, under the key of that one.
    #[must_use]
    pub fn chain_minted_for(mut self, sidecar: &str) -> Self {
        self.chain_of = sidecar.into();
        self
    }

    /// What it starts with has this epoch; 1 unless told.
    #[must_use]
    pub fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// It has never had a policy.
    #[must_use]
    pub fn with_nothing_on_disk(mut self) -> Self {
        self.on_disk = false;
        self
    }

    /// Its control plane; without this there is none.
    #[must_use]
    pub fn under(mut self, plane: &FakePlane) -> Self {
        self.plane = Some((plane.address(), plane.ca_pem().to_owned()));
        self
    }

    /// Trusts this authority in upstreams.
    #[must_use]
    pub fn trusting(mut self, ca_pem: &str) -> Self {
        self.upstream_cas.push(ca_pem.to_owned());
        self
    }

    /// Starts with one more flag of `creto-proxy`.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// The delegation carries these permissions.
    #[must_use]
    pub fn permissions(mut self, permissions: &[&str]) -> Self {
        self.permissions = permissions.iter().map(|&text| text.to_owned()).collect();
        self
    }

    /// The agent stands so.
    #[must_use]
    pub fn agent_state(mut self, state: v1::AgentState) -> Self {
        self.state = state;
        self
    }

    /// The delegation ends so many seconds from now; negative is ended.
    #[must_use]
    pub fn delegation_ends_in(mut self, seconds: i64) -> Self {
        self.expires_in_s = seconds;
        self
    }

    /// The agent holds no delegation.
    #[must_use]
    pub fn without_delegation(mut self) -> Self {
        self.delegated = false;
        self
    }

    /// Starts it and waits until it listens.
    pub async fn start(self) -> DetachedSidecar {
        let folder = TempDir::new().expect("a temporary folder");
        let state = folder.path().join("state");
        std::fs::create_dir_all(&state).expect("the state folder");
        self.write_state(&state);
        let mut flags = self.flags.clone();
        for (n, ca) in self.upstream_cas.iter().enumerate() {
            let path = folder.path().join(format!("upstream-{n}.pem"));
            std::fs::write(&path, ca).expect("an upstream authority");
            flags.extend(["--upstream-ca".into(), path.to_string_lossy().into_owned()]);
        }
        // Without a plane its place is taken by nobody: port 1 of loopback refuses.
        let nobody =
            || ("https://127.0.0.1:1".to_owned(), crate::TestAuthority::new("nobody").pem().to_owned());
        let (address, authority) = self.plane.unwrap_or_else(nobody);
        let plane_ca = folder.path().join("plane.pem");
        std::fs::write(&plane_ca, authority).expect("a plane authority");
        for (flag, value) in [
            ("--control-plane", address),
            ("--control-plane-ca", plane_ca.to_string_lossy().into_owned()),
            ("--state", state.to_string_lossy().into_owned()),
            ("--listen", "127.0.0.1:0".to_owned()),
            ("--admin", "127.0.0.1:0".to_owned()),
        ] {
            flags.extend([flag.to_owned(), value]);
        }
        let (child, ready) = launch(folder.path(), &flags).await;
        let address = |field: &str| ready[field].as_str().and_then(|text| text.parse().ok());
        DetachedSidecar {
            child,
            proxy: address("proxy").expect("a proxy address"),
            transparent: address("transparent"),
            admin: address("admin").expect("an admin address"),
            folder,
            flags,
        }
    }

    /// What its generations consist of.
    ///
    /// # Panics
    /// When the delegation is not one that holds.
    #[must_use]
    pub fn resources(&self) -> Vec<SharedResource> {
        let agent = SigningKey::from_bytes(&[3; 32]);
        let message = v1::Agent {
            namespace: "default".into(),
            name: "tester".into(),
            agent_id: id(&agent).0.to_vec(),
            public_key: agent.verifying_key().to_bytes().to_vec(),
            tier: v1::Tier::Standard as i32,
            trust_level: v1::TrustLevel::Trusted as i32,
            state: self.state as i32,
            ..v1::Agent::default()
        };
        let mut resources = vec![SharedResource::new(creto_bundle::AGENT, message.encode_to_vec())];
        if self.delegated {
            resources.push(SharedResource::new(creto_bundle::CHAIN, self.chain(&agent).encode_to_vec()));
        }
        for (name, document) in &self.policies {
            let body = v1::PolicyBody { name: name.clone(), document: document.clone() };
            resources.push(SharedResource::new(&policy_resource(name), body.encode_to_vec()));
        }
        resources
    }

    /// What it consists of, under one version.
    #[must_use]
    pub fn content(&self) -> Content {
        Content::new(self.resources(), 0)
    }

    fn chain(&self, agent: &SigningKey) -> v1::MintedChain {
        let root = SigningKey::from_bytes(&[2; 32]);
        let now = self.made_at_s;
        let expires_at_s = now.checked_add_signed(self.expires_in_s).expect("a time");
        let link = Link {
            delegator_id: id(&root),
            agent_id: id(agent),
            permissions: self.permissions.clone(),
            audience: "default".into(),
            not_before_s: now - 7200,
            expires_at_s,
            nonce: [9; 16],
        };
        let verified = verify_links(&[link.sign(&root)], "default", now - 7100, |wanted| {
            (*wanted == id(&root))
                .then(|| DelegatorKey { public_key: root.verifying_key().to_bytes(), root: true })
        })
        .expect("a delegation that holds");
        let chain = CompactChain::mint(&verified, &chain_key(&self.chain_of), 0);
        Scope::parse(&self.permissions).expect("permissions that parse");
        v1::MintedChain {
            chain: chain.as_bytes().to_vec(),
            permissions: self.permissions.clone(),
            expires_at_s,
            delegation_id: vec![5; 32],
        }
    }

    fn write_state(&self, state: &Path) {
        let identity = serde_json::json!({
            "schema": 1, "sidecar_id": Self::SIDECAR, "namespace": "default", "agent_name": "tester",
            "certificate": hex::encode(client_certificate(&[6; 32])),
            "bundle_key": hex::encode(Self::signer().public_key()), "chain_key_id": 1,
        });
        let mut keys = vec![6; 32];
        keys.extend_from_slice(chain_key(Self::SIDECAR).secret_bytes());
        std::fs::write(state.join("sidecar.json"), identity.to_string()).expect("the identity");
        std::fs::write(state.join("identity.key"), keys).expect("the keys");
        if self.on_disk {
            let content = self.content();
            let manifest = content.manifest(Self::SIDECAR, self.epoch, now_s() as i64 * 1000);
            let delta = Self::signer().delta(String::new(), &manifest, content.missing(&HashMap::new()));
            let stored = v1::StoredGeneration {
                manifest: delta.manifest,
                signature: delta.signature,
                resources: delta.resources,
            };
            std::fs::write(state.join("generation.bin"), stored.encode_to_vec()).expect("the generation");
            std::fs::write(state.join("epoch"), format!("{} 0\n", self.epoch)).expect("the epochs");
        }
    }
}

fn now_s() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs()
}

fn id(key: &SigningKey) -> AgentId {
    AgentId::of_key(&key.verifying_key().to_bytes())
}

fn chain_key(sidecar: &str) -> ChainKey {
    MasterKey::from_bytes([4; 32]).derive(sidecar, 1)
}

impl DetachedSidecar {
    /// Where the agent reaches it.
    #[must_use]
    pub fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    /// Where redirected connections arrive, if it was started so.
    #[must_use]
    pub fn transparent(&self) -> Option<SocketAddr> {
        self.transparent
    }

    /// Where operators reach it.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its state folder.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The authority that its agent must trust, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        std::fs::read_to_string(self.state().join("ca.pem")).expect("ca.pem")
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Every entry of its spool, oldest first. Stops the sidecar: the spool has one owner.
    #[must_use]
    pub fn into_entries(mut self) -> Vec<v1::CallEntry> {
        self.kill9();
        spooled(&self.state())
    }

    /// kill -9.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for its end.
    pub fn terminate(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a process to end");
        let _ = self.child.wait();
    }

    /// GET of an admin path: the body.
    pub async fn admin_get(&self, path: &str) -> String {
        self.http_agent().get_direct(self.admin, path).await.text()
    }

    /// An HTTP client beside it that trusts its authority.
    #[must_use]
    pub fn http_agent(&self) -> crate::HttpAgent {
        crate::HttpAgent::new(self.proxy, &self.ca_pem(), None)
    }

    /// Starts it again on the same state folder.
    pub async fn start_again(&mut self) {
        let (child, ready) = launch(self.folder.path(), &self.flags).await;
        self.child = child;
        let address = |field: &str| ready[field].as_str().and_then(|text| text.parse().ok());
        self.proxy = address("proxy").expect("a proxy address");
        self.admin = address("admin").expect("an admin address");
    }
}

impl Drop for DetachedSidecar {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            println!("--- log of the sidecar\n{}", self.log());
        }
    }
}

/// A certificate for the key with this seed: the TLS library asks that they match, the absent plane never sees it.
fn client_certificate(seed: &[u8; 32]) -> Vec<u8> {
    let key = rcgen::KeyPair::from_pem(&creto_client::ed25519_pkcs8_pem(seed)).expect("an Ed25519 key");
    let params = rcgen::CertificateParams::new(vec!["sidecar".to_owned()]).expect("a name");
    params.self_signed(&key).expect("a certificate").der().to_vec()
}

/// The entries in a state folder's spool.
fn spooled(state: &Path) -> Vec<v1::CallEntry> {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(state.join("spool"))
        .expect("a spool")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "seg") && !path.ends_with("spare.seg"))
        .collect();
    segments.sort();
    let mut entries = Vec::new();
    for segment in segments {
        let bytes = std::fs::read(segment).expect("a segment");
        let first = u64::from_le_bytes(bytes[16..24].try_into().expect("8 bytes"));
        let mut at = 24;
        let mut sequence = first;
        while at + 17 <= bytes.len() {
            let length = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize;
            if length == 0 {
                break;
            }
            let payload = &bytes[at + 17..at + 8 + length];
            let mut entry = v1::CallEntry::decode(payload).expect("an entry that decodes");
            entry.sequence = sequence;
            entries.push(entry);
            sequence += 1;
            at += 8 + length;
        }
    }
    entries
}

/// A child that is killed unless it is taken: a wait that is given up must leave no process behind.
struct Launching(Option<Child>);

impl Drop for Launching {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn launch(folder: &Path, flags: &[String]) -> (Child, serde_json::Value) {
    let log =
        std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("a log file");
    let ready_path = folder.join("state/ready.json");
    let _ = std::fs::remove_file(&ready_path);
    let child = Command::new(binary("creto-proxy"))
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("creto-proxy starts");
    let mut launching = Launching(Some(child));
    let start = Instant::now();
    loop {
        let child = launching.0.as_mut().expect("a child that was not taken");
        let gone = child.try_wait().expect("a child to ask");
        let ready = std::fs::read(&ready_path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        if let Some(ready) = ready {
            return (launching.0.take().expect("a child that was not taken"), ready);
        }
        if gone.is_some() || start.elapsed() > Duration::from_secs(20) {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            panic!("the sidecar did not come up ({gone:?}):\n{log}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
