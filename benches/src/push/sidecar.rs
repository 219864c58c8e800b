//! A simulated sidecar: the wire, the verification and the reconnects of the real one, without its proxy.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use creto_bundle::{AGENT, CHAIN, Floor, Generation, Notice, PinnedKey};
use creto_call::{Call, Capture, Decision, Details, Kind, Scheme};
use creto_client::SidecarClient;
use creto_policy::{Document, PolicySet};
use creto_proto::v1::sync_request::Message as Said;
use creto_proto::v1::sync_response::Message as Answer;
use creto_proto::v1::{
    Ack, Agent, AgentState, Delta, Hello, MintedChain, PolicyBody, SyncRequest, SyncResponse,
};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// As the sidecar's own.
const SILENCE: Duration = Duration::from_secs(20);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LAST_BACKOFF: Duration = Duration::from_secs(30);
/// Revisions that a policy is asked for.
const REVISIONS: usize = 64;

/// What a sidecar has come to.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Revision of the edited policy that decides, and since when.
    pub(super) revision: Option<(usize, Instant)>,
    /// Since when the agent is refused; none while it is not.
    pub(super) suspended: Option<Instant>,
    /// Stream that is open and confirmed; counts up.
    pub(super) stream: usize,
    /// Bytes of all deltas.
    pub(super) bytes: usize,
    /// Deltas that came.
    pub(super) deltas: usize,
    /// How often a stream was refused and told when to come again.
    pub(super) pushed_back: usize,
}

/// Policies compiled once for all simulated sidecars; real ones have a processor each.
pub(super) type Compiled = Arc<Mutex<HashMap<Vec<u8>, Arc<OnceLock<usize>>>>>;

pub(super) struct Simulated {
    pub(super) client: SidecarClient,
    pub(super) sidecar_id: String,
    pub(super) key: PinnedKey,
    pub(super) state: watch::Sender<State>,
    pub(super) compiled: Compiled,
}

impl Simulated {
    /// Keeps its stream open.
    pub(super) async fn live(self) {
        let mut generation: Option<Generation> = None;
        let mut noticed = false;
        let mut bound = FIRST_BACKOFF;
        loop {
            let status = self.stream(&mut generation, &mut noticed, &mut bound).await;
            let pushback = status
                .metadata()
                .get("grpc-retry-pushback-ms")
                .and_then(|value| value.to_str().ok()?.parse().ok());
            if pushback.is_some() {
                self.state.send_modify(|state| state.pushed_back += 1);
            }
            let random = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
            let least = pushback.map_or(Duration::ZERO, Duration::from_millis);
            tokio::time::sleep(least + bound.mul_f64(random)).await;
            bound = (bound * 2).min(LAST_BACKOFF);
        }
    }

    async fn stream(
        &self,
        generation: &mut Option<Generation>,
        noticed: &mut bool,
        bound: &mut Duration,
    ) -> Status {
        let (up, outgoing) = mpsc::channel(4);
        let hello = generation.as_ref().map_or_else(Hello::default, |known| Hello {
            epoch: known.epoch(),
            version: if *noticed { String::new() } else { known.version().to_owned() },
            resources: known.resources(),
            delegation_id: delegation_of(known),
        });
        if up.send(SyncRequest { message: Some(Said::Hello(hello)) }).await.is_err() {
            return Status::internal("the stream closed before it began");
        }
        let mut incoming = match self.client.policy_sync().sync(ReceiverStream::new(outgoing)).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return status,
        };
        let mut confirmed = false;
        loop {
            let message = match tokio::time::timeout(SILENCE, incoming.message()).await {
                Ok(Ok(Some(SyncResponse { message: Some(message) }))) => message,
                Ok(Ok(Some(_))) => continue,
                Ok(Ok(None)) => return Status::unavailable("closed"),
                Ok(Err(status)) => return status,
                Err(_) => return Status::unavailable("silent"),
            };
            *bound = FIRST_BACKOFF;
            if !confirmed {
                confirmed = true;
                self.state.send_modify(|state| state.stream += 1);
            }
            match message {
                Answer::Heartbeat(_) => {}
                Answer::Revocation(sent) => {
                    let in_force = generation.as_ref().map_or(0, Generation::epoch);
                    match Notice::read(&self.key, &self.sidecar_id, &sent, in_force) {
                        Ok(notice) if notice.agent_state != AgentState::Active => {
                            *noticed = true;
                            self.state.send_modify(|state| state.suspended = Some(Instant::now()));
                        }
                        Ok(_) => *noticed = true,
                        Err(error) => return Status::internal(error.to_string()),
                    }
                }
                Answer::Delta(delta) => {
                    let next = match self.apply(&delta, generation.as_ref()) {
                        Ok(next) => next,
                        Err(error) => return Status::internal(error.to_string()),
                    };
                    let ack = Ack { nonce: delta.nonce, epoch: next.epoch() };
                    *generation = Some(next);
                    *noticed = false;
                    if up.send(SyncRequest { message: Some(Said::Ack(ack)) }).await.is_err() {
                        return Status::unavailable("closed");
                    }
                }
            }
        }
    }

    fn apply(
        &self,
        delta: &Delta,
        before: Option<&Generation>,
    ) -> Result<Generation, Box<dyn std::error::Error + Send + Sync>> {
        let floor = before.map_or_else(Floor::default, |before| Floor {
            epoch: before.epoch(),
            version: Some(before.version()),
        });
        let next = Generation::assemble(&self.key, &self.sidecar_id, delta, before, floor)?;
        let revision = self.revision(&next)?;
        let agent = Agent::decode(next.body(AGENT).ok_or("no agent")?.as_ref())?;
        let (now, bytes) = (Instant::now(), delta.encoded_len());
        self.state.send_modify(|state| {
            if state.revision.is_none_or(|(known, _)| known != revision) {
                state.revision = Some((revision, now));
            }
            let refused = agent.state() != AgentState::Active;
            state.suspended = refused.then(|| state.suspended.unwrap_or(now));
            state.bytes += bytes;
            state.deltas += 1;
        });
        Ok(next)
    }

    /// Which revision of the policy decides, found by deciding.
    fn revision(&self, generation: &Generation) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
        let key: Vec<u8> = generation.policies().flat_map(|(_, digest, _)| *digest).collect();
        let slot = Arc::clone(self.compiled.lock().entry(key).or_default());
        if let Some(known) = slot.get() {
            return Ok(*known);
        }
        let mut documents = Vec::new();
        for (_, _, body) in generation.policies() {
            let policy = PolicyBody::decode(body.as_ref())?;
            documents
                .push(Document::parse(&policy.name, &policy.document).map_err(|wrong| wrong.render(false))?);
        }
        let set = PolicySet::compile(&documents);
        let allowed = |revision: &usize| {
            let host = format!("edited-{revision}.example.com");
            matches!(set.decide(&call(&host)), Decision::Allow { .. })
        };
        let found = (0..REVISIONS).find(allowed).ok_or("no revision decides")?;
        Ok(*slot.get_or_init(|| found))
    }
}

fn call(host: &str) -> Call<'_> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method: "GET",
        host,
        port: 443,
        path: "/",
        details: Details::default(),
    }
}

fn delegation_of(generation: &Generation) -> Vec<u8> {
    let chain = generation.body(CHAIN).and_then(|body| MintedChain::decode(body.as_ref()).ok());
    chain.map(|chain| chain.delegation_id).unwrap_or_default()
}
