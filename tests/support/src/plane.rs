//! A real control plane, and an operator of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use creto_authz::{Link, SignedLink};
use creto_client::{OperatorClient, PlaneEndpoint};
use creto_proto::v1;
use parking_lot::Mutex;
use tempfile::TempDir;
use tonic::Status;

use crate::agent::Agent;
use crate::approver::Approver;
use crate::binaries::binary;
use crate::patience::{PATIENCE, eventually};
use crate::process::ServerProcess;
use crate::sidecar::SidecarBuilder;

/// The namespace that tests work in.
pub const NAMESPACE: &str = "default";
/// Name of the delegator that [`Plane::delegate`] signs as.
const ROOT: &str = "owner";
/// Life of a delegation, seconds.
const DELEGATION_LIFE_S: u64 = 3600;
/// How long an applied policy may leave a sidecar's epoch as it was, before that is taken for no change.
const NO_CHANGE: Duration = Duration::from_secs(2);

/// What a control plane is started with.
#[derive(Default)]
pub struct PlaneBuilder {
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl PlaneBuilder {
    /// An environment variable of the process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A further argument of the process.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts it and connects as operator.
    pub async fn start(self) -> Plane {
        let folder = tempfile::Builder::new().prefix("creto-plane-").tempdir().unwrap();
        let data = folder.path().join("data");
        let (process, address) = launch(folder.path(), "127.0.0.1:0", &self).await;
        let token = std::fs::read_to_string(data.join("operator.token")).unwrap();
        let endpoint = endpoint(&address, &data);
        let operator = OperatorClient::connect(&endpoint, &token).await.unwrap();
        Plane {
            process: Mutex::new(process),
            folder,
            address,
            operator,
            root: tokio::sync::OnceCell::new(),
            builder: self,
        }
    }
}

async fn launch(folder: &Path, listen: &str, builder: &PlaneBuilder) -> (ServerProcess, String) {
    let mut process = spawn(folder, listen, builder);
    let address = eventually("the control plane writes control-plane.json", || {
        process.assert_running();
        std::future::ready(address_written(folder))
    })
    .await;
    (process, address)
}

fn spawn(folder: &Path, listen: &str, builder: &PlaneBuilder) -> ServerProcess {
    let data = folder.join("data");
    // Left by a killed one.
    std::fs::remove_file(data.join("control-plane.json")).ok();
    let mut arguments =
        vec!["--data".to_owned(), data.display().to_string(), "--listen".to_owned(), listen.to_owned()];
    arguments.extend(builder.arguments.iter().cloned());
    let program = binary("creto-control-plane");
    let log = folder.join("control-plane.log");
    ServerProcess::start("control plane", &[], &program, &arguments, &builder.environment, &log)
}

/// What one that listens says of itself.
fn address_written(folder: &Path) -> Option<String> {
    let document = std::fs::read(folder.join("data").join("control-plane.json")).ok()?;
    let document: serde_json::Value = serde_json::from_slice(&document).ok()?;
    document["address"].as_str().map(str::to_owned)
}

fn endpoint(address: &str, data: &Path) -> PlaneEndpoint {
    let ca_pem = std::fs::read_to_string(data.join("ca.pem")).unwrap();
    PlaneEndpoint { address: address.to_owned(), ca_pem }
}

/// A running control plane.
pub struct Plane {
    // First, so that the process ends before its folder goes.
    process: Mutex<ServerProcess>,
    folder: TempDir,
    address: String,
    operator: OperatorClient,
    root: tokio::sync::OnceCell<Agent>,
    builder: PlaneBuilder,
}

impl Plane {
    /// One with defaults.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// One to be described.
    #[must_use]
    pub fn builder() -> PlaneBuilder {
        PlaneBuilder::default()
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap()
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its certificate authority's file.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.data().join("ca.pem")
    }

    /// The operator token made at its first start.
    #[must_use]
    pub fn operator_token(&self) -> String {
        std::fs::read_to_string(self.data().join("operator.token")).unwrap().trim().to_owned()
    }

    /// How a client reaches it.
    #[must_use]
    pub fn endpoint(&self) -> PlaneEndpoint {
        endpoint(&self.address, &self.data())
    }

    /// The operator's connection, for calls that have no short form here.
    #[must_use]
    pub fn operator(&self) -> &OperatorClient {
        &self.operator
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.lock().pid()
    }

    /// Everything it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.lock().log()
    }

    /// `kill -9`.
    pub fn kill9(&self) {
        self.process.lock().kill9();
    }

    /// SIGSTOP: it holds its connections and answers nothing.
    pub fn freeze(&self) {
        self.process.lock().freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.lock().thaw();
    }

    /// Kills what runs and starts it again on the same data and port.
    pub async fn restart(&self) {
        self.kill9();
        let (process, _) =
            launch(self.folder.path(), &format!("127.0.0.1:{}", self.port()), &self.builder).await;
        *self.process.lock() = process;
    }

    /// Kills what runs and starts it again on the same data and port, without waiting: it may end by itself, as while
    /// its database is away.
    pub fn start_again(&self) {
        self.kill9();
        let listen = format!("127.0.0.1:{}", self.port());
        *self.process.lock() = spawn(self.folder.path(), &listen, &self.builder);
    }

    /// Whether it has said that it listens, since it was started last.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        address_written(self.folder.path()).is_some()
    }

    /// Whether its process has ended, and how.
    pub fn try_wait(&self) -> Option<std::process::ExitStatus> {
        self.process.lock().try_wait()
    }

    /// Registers an agent: standard tier, trusted, without labels.
    pub async fn agent(&self, name: &str) -> Agent {
        self.agent_with(name, |_| {}).await
    }

    /// Registers an agent with another tier, trust level or labels.
    pub async fn agent_with(&self, name: &str, change: impl FnOnce(&mut v1::CreateAgentRequest)) -> Agent {
        let agent = Agent::unregistered(name);
        let mut request = v1::CreateAgentRequest {
            namespace: NAMESPACE.to_owned(),
            name: name.to_owned(),
            public_key: agent.public_key().to_vec(),
            tier: v1::Tier::Standard.into(),
            trust_level: v1::TrustLevel::Trusted.into(),
            ..v1::CreateAgentRequest::default()
        };
        change(&mut request);
        self.operator.agents().create_agent(request).await.unwrap();
        agent
    }

    /// An agent with delegation `*:*`.
    pub async fn trusted_agent(&self, name: &str) -> Agent {
        let agent = self.agent(name).await;
        self.delegate(&agent, &["*:*"]).await;
        agent
    }

    /// The registered root that [`Plane::delegate`] signs as.
    pub async fn root(&self) -> &Agent {
        self.root.get_or_init(|| self.agent_with(ROOT, |request| request.root = true)).await
    }

    /// Delegates to an agent for an hour, signed by [`Plane::root`], and waits until its sidecars have it.
    pub async fn delegate(&self, agent: &Agent, permissions: &[&str]) -> v1::Delegation {
        let root = self.root().await.clone();
        self.delegate_chain(&[(&root, agent)], permissions).await.unwrap_or_else(|status| panic!("{status}"))
    }

    /// Submits a chain in which every delegator signs the same permissions for the next.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn delegate_chain(
        &self,
        holders: &[(&Agent, &Agent)],
        permissions: &[&str],
    ) -> Result<v1::Delegation, Status> {
        let now = now_s();
        let links = holders
            .iter()
            .map(|(from, to)| signed_link(from, to, permissions, now - 5, now + DELEGATION_LIFE_S))
            .collect();
        self.submit_delegation(links).await
    }

    /// Submits signed links.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn submit_delegation(&self, links: Vec<SignedLink>) -> Result<v1::Delegation, Status> {
        let before = self.epochs().await;
        let links = links.into_iter().map(proto_link).collect();
        let request = v1::SubmitDelegationRequest { namespace: NAMESPACE.to_owned(), links };
        let delegation = self.operator.delegations().submit_delegation(request).await?.into_inner();
        self.wait_until_acknowledged(&before).await;
        Ok(delegation)
    }

    /// Revokes a delegation and waits until the sidecars know.
    pub async fn revoke_delegation(&self, delegation: &v1::Delegation) {
        let before = self.epochs().await;
        let request = v1::RevokeDelegationRequest {
            namespace: NAMESPACE.to_owned(),
            delegation_id: delegation.delegation_id.clone(),
        };
        self.operator.delegations().revoke_delegation(request).await.unwrap();
        self.wait_until_acknowledged(&before).await;
    }

    /// Suspends an agent and waits until its sidecars know.
    pub async fn suspend(&self, agent: &Agent) {
        let before = self.epochs().await;
        let request = v1::SuspendAgentRequest { namespace: NAMESPACE.to_owned(), name: agent.name.clone() };
        self.operator.agents().suspend_agent(request).await.unwrap();
        self.wait_until_acknowledged(&before).await;
    }

    /// Resumes an agent and waits until its sidecars know.
    pub async fn resume(&self, agent: &Agent) {
        let before = self.epochs().await;
        let request = v1::ResumeAgentRequest { namespace: NAMESPACE.to_owned(), name: agent.name.clone() };
        self.operator.agents().resume_agent(request).await.unwrap();
        self.wait_until_acknowledged(&before).await;
    }

    /// Revokes an agent; does not wait.
    pub async fn revoke(&self, agent: &Agent) {
        let request = v1::RevokeAgentRequest { namespace: NAMESPACE.to_owned(), name: agent.name.clone() };
        self.operator.agents().revoke_agent(request).await.unwrap();
    }

    /// Applies a policy document and waits until all connected sidecars acknowledged what came of it.
    pub async fn apply_policy(&self, document: &str) -> v1::Policy {
        self.try_apply_policy(document).await.unwrap_or_else(|status| panic!("{}", status.message()))
    }

    /// As [`Plane::apply_policy`].
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn try_apply_policy(&self, document: &str) -> Result<v1::Policy, Status> {
        let before = self.epochs().await;
        let request =
            v1::ApplyPolicyRequest { namespace: NAMESPACE.to_owned(), document: document.to_owned() };
        let policy = self.operator.policies().apply_policy(request).await?.into_inner();
        self.wait_until_acknowledged(&before).await;
        Ok(policy)
    }

    /// Keeps a secret in the control plane's store.
    pub async fn put_secret(&self, name: &str, value: &[u8]) {
        let request =
            v1::PutSecretRequest { namespace: NAMESPACE.into(), name: name.into(), value: value.to_vec() };
        self.operator().secrets().put_secret(request).await.expect("the secret is kept");
    }

    /// Deletes a policy and waits until the sidecars know.
    pub async fn delete_policy(&self, name: &str) {
        let before = self.epochs().await;
        let request = v1::DeletePolicyRequest { namespace: NAMESPACE.to_owned(), name: name.to_owned() };
        self.operator.policies().delete_policy(request).await.unwrap();
        self.wait_until_acknowledged(&before).await;
    }

    /// The state of all sidecars.
    pub async fn sidecars(&self) -> Vec<v1::SidecarStatus> {
        let request = v1::ListSidecarsRequest {
            namespace: NAMESPACE.to_owned(),
            page_size: 1000,
            page_token: String::new(),
        };
        self.operator.policies().list_sidecars(request).await.unwrap().into_inner().sidecars
    }

    /// A sidecar of an agent, to be described and started.
    #[must_use]
    pub fn sidecar<'p>(&'p self, agent: &'p Agent) -> SidecarBuilder<'p> {
        SidecarBuilder::new(self, agent)
    }

    /// A person who decides what policy holds; `name` is what policy calls them.
    pub async fn approver(&self, name: &str) -> Approver {
        Approver::new(self, name).await
    }

    /// A single-use enrolment token for an agent's sidecar.
    pub async fn enrollment_token(&self, agent: &Agent) -> String {
        let request = v1::CreateEnrollmentTokenRequest {
            namespace: NAMESPACE.to_owned(),
            agent_name: agent.name.clone(),
            ttl_s: 0,
        };
        self.operator.enrollment().create_enrollment_token(request).await.unwrap().into_inner().token
    }

    /// All calls on record, oldest first.
    pub async fn calls(&self) -> Vec<v1::CallRecord> {
        let mut calls = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListCallsRequest {
                namespace: NAMESPACE.to_owned(),
                filter: None,
                page_size: 1000,
                page_token,
            };
            let page = self.operator.calls().list_calls(request).await.unwrap().into_inner();
            calls.extend(page.calls);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        calls.reverse();
        calls
    }

    /// Waits until a call on record has begun and is as `wanted`.
    pub async fn wait_for_call(
        &self,
        what: &str,
        wanted: impl Fn(&v1::CallRecord) -> bool,
    ) -> v1::CallRecord {
        let wanted = &wanted;
        eventually(&format!("a call on record: {what}"), || async move {
            self.calls().await.into_iter().find(|call| call.begun.is_some() && wanted(call))
        })
        .await
    }

    /// Waits until a call to this path is on record with its end.
    pub async fn wait_for_ended(&self, path: &str) -> v1::CallRecord {
        self.wait_for_call(&format!("{path}, ended"), |call| {
            call.ended.is_some() && call.begun.as_ref().is_some_and(|begun| begun.path == path)
        })
        .await
    }

    async fn epochs(&self) -> Vec<(String, u64)> {
        self.sidecars().await.into_iter().map(|sidecar| (sidecar.sidecar_id, sidecar.offered_epoch)).collect()
    }

    /// Waits until every connected sidecar has answered what it was offered after `before`.
    async fn wait_until_acknowledged(&self, before: &[(String, u64)]) {
        if before.is_empty() {
            return;
        }
        let begun = tokio::time::Instant::now();
        loop {
            let waited = begun.elapsed();
            let pending: Vec<_> = self
                .sidecars()
                .await
                .into_iter()
                .filter(|sidecar| sidecar.connected)
                .filter(|sidecar| {
                    let old = before
                        .iter()
                        .find(|(id, _)| *id == sidecar.sidecar_id)
                        .map_or(0, |(_, epoch)| *epoch);
                    let offered = sidecar.offered_epoch > old || waited > NO_CHANGE;
                    let answered =
                        sidecar.applied_epoch >= sidecar.offered_epoch || !sidecar.rejection.is_empty();
                    !(offered && answered)
                })
                .collect();
            if pending.is_empty() {
                return;
            }
            assert!(waited < PATIENCE, "sidecars do not acknowledge the change: {pending:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn signed_link(
    from: &Agent,
    to: &Agent,
    permissions: &[&str],
    not_before_s: u64,
    expires_at_s: u64,
) -> SignedLink {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).unwrap();
    let mut permissions: Vec<String> = permissions.iter().map(|text| (*text).to_owned()).collect();
    permissions.sort();
    permissions.dedup();
    let link = Link {
        delegator_id: from.id(),
        agent_id: to.id(),
        permissions,
        audience: NAMESPACE.to_owned(),
        not_before_s,
        expires_at_s,
        nonce,
    };
    link.sign(&from.key)
}

fn proto_link(signed: SignedLink) -> v1::DelegationLink {
    v1::DelegationLink {
        delegator_id: signed.link.delegator_id.as_bytes().to_vec(),
        agent_id: signed.link.agent_id.as_bytes().to_vec(),
        permissions: signed.link.permissions,
        audience: signed.link.audience,
        not_before_s: signed.link.not_before_s,
        expires_at_s: signed.link.expires_at_s,
        nonce: signed.link.nonce.to_vec(),
        signature: signed.signature.to_vec(),
    }
}
