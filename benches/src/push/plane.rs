//! The control plane under measurement: the program itself, over a folder of its own.

use std::path::PathBuf;
use std::process::Command;

use creto_authz::{AgentId, Link};
use creto_client::{OperatorClient, PlaneEndpoint};
use creto_proto::v1::{
    ApplyPolicyRequest, CreateAgentRequest, CreateEnrollmentTokenRequest, DelegationLink, ResumeAgentRequest,
    SubmitDelegationRequest, SuspendAgentRequest,
};
use creto_test_support::binary;
use ed25519_dalek::SigningKey;

use super::Outcome;
use crate::process::{Process, free_port, wait_for};

const NAMESPACE: &str = "default";
/// Policies that do not change beside the one that does.
const OTHERS: usize = 3;

/// A control plane that runs.
pub(super) struct Plane {
    process: Process,
    folder: tempfile::TempDir,
    port: u16,
    operator: OperatorClient,
    endpoint: PlaneEndpoint,
    root: SigningKey,
}

impl Plane {
    pub(super) async fn start() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let process = run(&data(&folder), port)?;
        wait_for(port)?;
        let endpoint = PlaneEndpoint {
            address: format!("https://127.0.0.1:{port}"),
            ca_pem: std::fs::read_to_string(data(&folder).join("ca.pem"))?,
        };
        let token = std::fs::read_to_string(data(&folder).join("operator.token"))?;
        let operator = OperatorClient::connect(&endpoint, token.trim()).await?;
        let root = SigningKey::from_bytes(&[1; 32]);
        let plane = Self { process, folder, port, operator, endpoint, root };
        plane.create_agent("root", &plane.root, true).await?;
        for other in 0..OTHERS {
            plane.apply_document(document(&format!("other-{other}"), 20, 0)).await?;
        }
        Ok(plane)
    }

    /// Ends it as a crash does and starts it again on the same port.
    pub(super) fn restart(&mut self) -> Outcome<()> {
        self.process.end();
        self.process = run(&data(&self.folder), self.port)?;
        wait_for(self.port)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn endpoint(&self) -> &PlaneEndpoint {
        &self.endpoint
    }

    /// Applies the policy whose revision sidecars can tell by deciding a call.
    pub(super) async fn apply(&self, revision: usize) -> Outcome<()> {
        self.apply_document(document("edited", 10, revision)).await
    }

    async fn apply_document(&self, document: String) -> Outcome<()> {
        let request = ApplyPolicyRequest { namespace: NAMESPACE.into(), document };
        self.operator.policies().apply_policy(request).await?;
        Ok(())
    }

    pub(super) async fn create_agent(&self, name: &str, key: &SigningKey, root: bool) -> Outcome<()> {
        let request = CreateAgentRequest {
            namespace: NAMESPACE.into(),
            name: name.into(),
            public_key: key.verifying_key().to_bytes().to_vec(),
            root,
            ..CreateAgentRequest::default()
        };
        self.operator.agents().create_agent(request).await?;
        Ok(())
    }

    pub(super) async fn enrollment_token(&self, agent: &str) -> Outcome<String> {
        let request = CreateEnrollmentTokenRequest {
            namespace: NAMESPACE.into(),
            agent_name: agent.into(),
            ttl_s: 600,
        };
        Ok(self.operator.enrollment().create_enrollment_token(request).await?.into_inner().token)
    }

    /// Delegates from the root to an agent.
    pub(super) async fn delegate(&self, to: &SigningKey) -> Outcome<()> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let id = |key: &SigningKey| AgentId::of_key(&key.verifying_key().to_bytes());
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&id(to).0[..16]);
        let signed = Link {
            delegator_id: id(&self.root),
            agent_id: id(to),
            permissions: vec!["*:*".into()],
            audience: NAMESPACE.into(),
            not_before_s: now - 1,
            expires_at_s: now + 86_400,
            nonce,
        }
        .sign(&self.root);
        let link = DelegationLink {
            delegator_id: signed.link.delegator_id.0.to_vec(),
            agent_id: signed.link.agent_id.0.to_vec(),
            permissions: signed.link.permissions,
            audience: signed.link.audience,
            not_before_s: signed.link.not_before_s,
            expires_at_s: signed.link.expires_at_s,
            nonce: signed.link.nonce.to_vec(),
            signature: signed.signature.to_vec(),
        };
        let request = SubmitDelegationRequest { namespace: NAMESPACE.into(), links: vec![link] };
        self.operator.delegations().submit_delegation(request).await?;
        Ok(())
    }

    pub(super) async fn suspend(&self, name: &str) -> Outcome<()> {
        let request = SuspendAgentRequest { namespace: NAMESPACE.into(), name: name.into() };
        self.operator.agents().suspend_agent(request).await?;
        Ok(())
    }

    pub(super) async fn resume(&self, name: &str) -> Outcome<()> {
        let request = ResumeAgentRequest { namespace: NAMESPACE.into(), name: name.into() };
        self.operator.agents().resume_agent(request).await?;
        Ok(())
    }
}

/// A policy of `rules` rules, of which one names a host after the revision.
fn document(name: &str, rules: usize, revision: usize) -> String {
    let mut text = format!(
        "version = 1\nname = \"{name}\"\n[[allow]]\nname = \"revision\"\nhost = \"{name}-{revision}.example.com\"\n"
    );
    for rule in 1..rules {
        text.push_str(&format!(
            "[[allow]]\nname = \"r{rule}\"\nhost = \"{name}-host-{rule}.example.com\"\nmethod = [\"GET\", \"POST\"]\n\
             path = \"/v1/**\"\n"
        ));
    }
    text
}

fn data(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("plane")
}

fn run(data: &std::path::Path, port: u16) -> Outcome<Process> {
    let mut command = Command::new(binary("creto-control-plane"));
    command.arg("--data").arg(data).arg("--listen").arg(format!("127.0.0.1:{port}"));
    Process::start(&mut command)
}

/// Ten thousand connections are ten thousand files here, and as many there: takes what the system gives.
pub(super) fn raise_file_limit() -> Outcome<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(())
}
