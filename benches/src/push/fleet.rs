//! The simulated sidecars, and waiting for all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use creto_bundle::PinnedKey;
use creto_client::{SidecarClient, enroll};
use ed25519_dalek::SigningKey;
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Outcome;
use super::plane::Plane;
use super::sidecar::{Compiled, Simulated, State};

/// Agents enrolled at once.
const AT_ONCE: usize = 32;

/// The name of an agent.
pub(super) fn agent_name(at: usize) -> String {
    format!("agent-{at:05}")
}

/// All of them.
pub(super) struct Fleet {
    states: Vec<watch::Receiver<State>>,
    waiting: Mutex<Vec<Simulated>>,
}

/// When each came to enforce a revision, in order.
pub(super) struct Enforced(Vec<Instant>);

impl Enforced {
    pub(super) fn percentile(&self, since: Instant, percent: f64) -> Duration {
        let at = ((self.0.len() as f64 - 1.0) * percent / 100.0).round() as usize;
        self.0[at].saturating_duration_since(since)
    }
}

impl Fleet {
    /// Registers agents, delegates to each and enrols a sidecar for each.
    pub(super) async fn enrol(plane: &Plane, count: usize) -> Outcome<Self> {
        let compiled = Compiled::default();
        let made: Vec<Outcome<(watch::Receiver<State>, Simulated)>> = futures::stream::iter(0..count)
            .map(|at| one(plane, at, Arc::clone(&compiled)))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let (mut states, mut waiting) = (Vec::new(), Vec::new());
        for one in made {
            let (state, simulated) = one?;
            states.push(state);
            waiting.push(simulated);
        }
        Ok(Self { states, waiting: Mutex::new(waiting) })
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// All open their streams at once.
    pub(super) fn open(&self) {
        for simulated in self.waiting.lock().drain(..) {
            tokio::spawn(simulated.live());
        }
    }

    /// Waits until every sidecar decides by this revision.
    pub(super) async fn enforced(&self, revision: usize, patience: Duration) -> Outcome<Enforced> {
        let mut times = Vec::with_capacity(self.states.len());
        let reached = |state: &State| state.revision.is_some_and(|(known, _)| known == revision);
        self.all(patience, reached, |state| times.extend(state.revision.map(|(_, at)| at))).await?;
        times.sort_unstable();
        Ok(Enforced(times))
    }

    /// Waits until every sidecar has opened at least this many streams.
    pub(super) async fn connected(&self, streams: usize, patience: Duration) -> Outcome<()> {
        self.all(patience, |state| state.stream >= streams, |_| {}).await
    }

    /// When a sidecar came to refuse its agent.
    pub(super) async fn suspended(&self, at: usize, patience: Duration) -> Outcome<Instant> {
        let mut state = self.states[at].clone();
        let state = timeout(patience, state.wait_for(|state| state.suspended.is_some())).await??;
        state.suspended.ok_or_else(|| "not suspended".into())
    }

    pub(super) async fn resumed(&self, at: usize, patience: Duration) -> Outcome<()> {
        let mut state = self.states[at].clone();
        timeout(patience, state.wait_for(|state| state.suspended.is_none())).await??;
        Ok(())
    }

    pub(super) fn total(&self, of: impl Fn(&State) -> usize) -> usize {
        self.states.iter().map(|state| of(&state.borrow())).sum()
    }

    pub(super) fn least_streams(&self) -> usize {
        self.states.iter().map(|state| state.borrow().stream).min().unwrap_or(0)
    }

    async fn all(
        &self,
        patience: Duration,
        reached: impl Fn(&State) -> bool,
        mut take: impl FnMut(&State),
    ) -> Outcome<()> {
        let until = tokio::time::Instant::now() + patience;
        for (at, state) in self.states.iter().enumerate() {
            let mut state = state.clone();
            let found = tokio::time::timeout_at(until, state.wait_for(|state| reached(state))).await;
            take(&*found.map_err(|_| format!("{} is lost", agent_name(at)))??);
        }
        Ok(())
    }
}

async fn one(plane: &Plane, at: usize, compiled: Compiled) -> Outcome<(watch::Receiver<State>, Simulated)> {
    let name = agent_name(at);
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(at as u64).to_be_bytes());
    let agent = SigningKey::from_bytes(&seed);
    plane.create_agent(&name, &agent, false).await?;
    plane.delegate(&agent).await?;
    let token = plane.enrollment_token(&name).await?;
    seed[31] = 8;
    let public_key = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    let enrolled = enroll(plane.endpoint(), &token, public_key).await?;
    let client = SidecarClient::connect_when_used(plane.endpoint(), &enrolled.certificate, &seed)?;
    let pinned: [u8; 32] = enrolled.bundle_key.as_slice().try_into()?;
    let key = PinnedKey::from_bytes(&pinned)?;
    let (state, seen) = watch::channel(State::default());
    Ok((seen, Simulated { client, sidecar_id: enrolled.sidecar_id, key, state, compiled }))
}
