//! All that calls go through, and what of it can be killed.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use creto_event_store::postgres::{PostgresEventStore, PostgresOptions};
use creto_event_store::{EmbeddedEventStore, EmbeddedOptions, EventStore};
use creto_test_support::{FakeProvider, Plane, PostgresServer, Sidecar, Upstream, binary};

/// Agents, each with a sidecar.
pub(crate) const AGENTS: [&str; 2] = ["reader", "writer"];
/// The model that has a quota of calls; the others have none.
pub(crate) const SCARCE: &str = "gpt-4o-mini";
/// The quota over it, for all agents together.
pub(crate) const QUOTA: &str = "scarce";

/// Where the control plane keeps events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventsIn {
    TheDataFolder,
    Postgres,
}

/// What can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Sidecar(usize),
    Plane,
    Postgres,
}

impl Target {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sidecar(_) => "sidecar",
            Self::Plane => "control plane",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A provider, a control plane over its database if it has one, and a sidecar for each agent.
pub(crate) struct System {
    pub(crate) sidecars: Vec<Sidecar>,
    pub(crate) plane: Plane,
    pub(crate) postgres: Option<PostgresServer>,
    pub(crate) provider: FakeProvider,
    pub(crate) upstream: Upstream,
    /// Calls that the quota allows.
    pub(crate) limit: u64,
}

impl System {
    pub(crate) async fn start(events_in: EventsIn, kills: u64) -> Self {
        let provider = FakeProvider::new();
        let upstream = provider.on(Upstream::builder()).plain().start().await;
        let mut postgres = None;
        let mut builder = Plane::builder();
        if events_in == EventsIn::Postgres {
            let server = PostgresServer::start().await;
            builder = builder.arg("--database-url").arg(&server.url());
            postgres = Some(server);
        }
        let plane = builder.start().await;
        // Used up somewhere on the way.
        let limit = 40 + 12 * kills;
        plane.apply_policy(&policy(upstream.port(), limit)).await;
        let mut sidecars = Vec::new();
        for name in AGENTS {
            let agent = plane.trusted_agent(name).await;
            sidecars.push(plane.sidecar(&agent).start().await);
        }
        Self { sidecars, plane, postgres, provider, upstream, limit }
    }

    /// All there is to kill here.
    pub(crate) fn targets(&self) -> Vec<Target> {
        // The control plane as often as both sidecars together, and so is the database.
        let mut targets = vec![Target::Sidecar(0), Target::Sidecar(1), Target::Plane, Target::Plane];
        if self.postgres.is_some() {
            targets.extend([Target::Postgres, Target::Postgres]);
        }
        targets
    }

    pub(crate) fn kill9(&mut self, target: Target) {
        match target {
            Target::Sidecar(which) => self.sidecars[which].kill9(),
            Target::Plane => self.plane.kill9(),
            Target::Postgres => self.postgres().kill9(),
        }
    }

    pub(crate) fn start_again(&mut self, target: Target) {
        match target {
            Target::Sidecar(which) => self.sidecars[which].start_again(),
            Target::Plane => self.plane.start_again(),
            Target::Postgres => self.postgres().start_again(),
        }
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self, target: Target) -> bool {
        match target {
            Target::Sidecar(which) => self.sidecars[which].try_wait().is_some(),
            Target::Plane => self.plane.try_wait().is_some(),
            Target::Postgres => self.postgres().try_wait().is_some(),
        }
    }

    pub(crate) fn is_ready(&mut self, target: Target) -> bool {
        match target {
            Target::Sidecar(which) => self.sidecars[which].is_ready(),
            Target::Plane => self.plane.is_ready(),
            Target::Postgres => self.postgres().answers(),
        }
    }

    pub(crate) fn log(&mut self, target: Target) -> String {
        match target {
            Target::Sidecar(which) => self.sidecars[which].log(),
            Target::Plane => self.plane.log(),
            Target::Postgres => self.postgres().log(),
        }
    }

    fn postgres(&mut self) -> &mut PostgresServer {
        self.postgres.as_mut().expect("PostgreSQL is a target only where there is one")
    }

    /// Entries that wait in the spools; none when a sidecar does not answer.
    pub(crate) async fn pending(&self) -> Option<Vec<u64>> {
        let mut pending = Vec::new();
        for sidecar in &self.sidecars {
            let (status, metrics) = sidecar.admin_get("/metrics").await;
            let line = metrics.lines().find_map(|line| line.strip_prefix("creto_spool_pending "));
            pending.push(line.filter(|_| status == 200)?.trim().parse::<f64>().ok()? as u64);
        }
        Some(pending)
    }

    /// `creto meter verify`: every producer's account adds up.
    pub(crate) async fn assert_producers_add_up(&self) {
        let token = self.plane.data().join("operator.token");
        let mut command = Command::new(binary("creto"));
        command.args(["meter", "verify", "--json", "--control-plane", self.plane.address()]);
        command.arg("--control-plane-ca").arg(self.plane.ca_file()).arg("--token-file").arg(token);
        let told = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(&told.stdout);
        let errors = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.success(), "creto meter verify: {}\n{text}{errors}", told.status);
        assert!(text.contains("calls/"), "no producer is told of: {text}{errors}");
    }

    /// Kills the control plane and gives its events as they are on disk.
    pub(crate) async fn open_events(&self) -> Arc<dyn EventStore> {
        self.plane.kill9();
        match &self.postgres {
            Some(server) => {
                Arc::new(PostgresEventStore::open(PostgresOptions::new(&server.url())).await.unwrap())
            }
            None => {
                let folder: PathBuf = self.plane.data().join("events");
                Arc::new(EmbeddedEventStore::open(&folder, EmbeddedOptions::default()).await.unwrap())
            }
        }
    }
}

/// Models of a provider on this port, one of them so many times; nothing under a path of secrets.
fn policy(port: u16, limit: u64) -> String {
    format!(
        r#"version = 1
name = "p"
[[provider]]
name = "openai"
host = "127.0.0.1"
port = {port}
api = "openai"
[[allow]]
name = "models"
host = "127.0.0.1"
port = {port}
[[deny]]
name = "no-secrets"
host = "*"
port = "any"
path = "/secret/**"
[[route]]
name = "up"
prefix = "/up"
to = "http://127.0.0.1:{port}"
[[quota]]
name = "{QUOTA}"
meter = "calls"
limit = {limit}
period = "monthly"
per = "policy"
model = ["{SCARCE}"]
"#
    )
}
