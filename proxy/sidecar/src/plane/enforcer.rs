//! Brings generations and revocation notices into force, and knows when the ones before are out of it.

use std::sync::Arc;
use std::time::Duration;

use creto_bundle::{Floor, Notice};
use creto_proto::v1::{Delta, Hello, Revocation, SidecarEventKind};
use creto_swap::Retired;
use parking_lot::Mutex;

use crate::enforcement::{AgentStanding, Enforcement};
use crate::plane::compiler::{Compiled, Compiler};
use crate::plane::generations::{Former, Generations};
use crate::plane::notices::Notices;
use crate::plane::{Events, GenerationError};
use crate::sidecar::Sidecar;
use crate::state::{StateError, StateFolder};

/// How often it is looked whether the snapshots before are gone: doubled from the first to the last of these.
const LOOK: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(20));

/// What a sidecar starts with.
#[derive(Debug)]
pub(crate) struct LastGood {
    compiled: Option<Arc<Compiled>>,
    is_previous: bool,
    generations: Generations,
    /// Highest epoch that was ever in force, and the version under it if that is known.
    floor: (u64, Option<String>),
    notices: Notices,
    cut_off: bool,
}

impl LastGood {
    /// What is on disk, as far as it verifies. What does not is told to the control plane.
    pub(crate) fn load(
        compiler: &Compiler,
        state: &StateFolder,
        events: &Events,
    ) -> Result<Self, StateError> {
        let (generations, loaded) =
            Generations::load(state.clone(), |bytes, epoch| compiler.open_stored(bytes, epoch))?;
        for (file, error) in &loaded.refused {
            tracing::error!(file, %error, "a generation on disk is not used");
            let words = format!("{file}: {error}");
            events.push(SidecarEventKind::StoredGenerationRefused, &words);
        }
        let (compiled, is_previous) = match loaded.generation {
            Some((compiled, is_previous)) => (Some(Arc::new(compiled)), is_previous),
            None => (None, false),
        };
        let epoch = compiled.as_ref().map_or(0, |compiled| compiled.generation.epoch());
        events.in_force(epoch);
        match (&compiled, is_previous) {
            (Some(_), false) => tracing::info!(epoch, "last good policy loaded from disk"),
            (Some(_), true) => tracing::error!(
                epoch,
                "the policy before the last is loaded from disk; until the control plane is heard, only calls that read are let through"
            ),
            (None, _) if !loaded.refused.is_empty() => {
                tracing::error!("no policy on disk is used; all calls are refused until one comes");
            }
            (None, _) => {}
        }
        let kept = state.revoked()?.unwrap_or_default();
        let (notices, problem) = Notices::from_bytes(compiler.key(), compiler.sidecar_id(), &kept, epoch);
        if let Some(error) = problem {
            let words =
                format!("revoked.bin: {error}; all calls are refused until the control plane is heard");
            tracing::error!("{words}");
            events.push(SidecarEventKind::StoredGenerationRefused, &words);
        }
        let cut_off = state.is_cut_off()?;
        if cut_off {
            tracing::warn!(
                "the control plane cut this sidecar off before; all calls are refused until it says otherwise"
            );
            events.push(SidecarEventKind::Revoked, "cut off by the control plane before this start");
        }
        let version =
            compiled.as_ref().filter(|_| !is_previous).map(|one| one.generation.version().to_owned());
        let floor = (loaded.epochs.newest.max(epoch), version);
        Ok(Self { compiled, is_previous, generations, floor, notices, cut_off })
    }

    /// What is enforced first.
    pub(crate) fn enforcement(&self, compiler: &Compiler) -> Enforcement {
        combine(compiler, self.compiled.as_deref(), &self.notices, self.cut_off)
    }

    /// When it was signed.
    pub(crate) fn issued_ms(&self) -> Option<i64> {
        self.compiled.as_ref().map(|compiled| compiled.generation.issued_at_ms())
    }

    /// Whether it is the one before the newest.
    pub(crate) fn is_previous(&self) -> bool {
        self.is_previous
    }
}

/// A generation that is verified, compiled and on disk.
#[derive(Debug)]
pub(crate) struct Prepared {
    compiled: Arc<Compiled>,
    kept: Result<(), StateError>,
}

/// The one who changes what is enforced.
#[derive(Debug)]
pub(crate) struct Enforcer {
    compiler: Arc<Compiler>,
    sidecar: Arc<Sidecar>,
    state: StateFolder,
    generations: Arc<Mutex<Generations>>,
    compiled: Option<Arc<Compiled>>,
    floor: (u64, Option<String>),
    notices: Notices,
    cut_off: bool,
    /// Files say less than what is enforced lets through, and stay until that is on disk.
    outlived: bool,
    /// Snapshots that may still be decided by.
    retired: Vec<Retired>,
}

impl Enforcer {
    pub(crate) fn new(
        compiler: Arc<Compiler>,
        last_good: LastGood,
        sidecar: &Arc<Sidecar>,
        state: StateFolder,
    ) -> Self {
        sidecar.plane.compiled(compiler.documents_read());
        Self {
            compiler,
            sidecar: Arc::clone(sidecar),
            state,
            generations: Arc::new(Mutex::new(last_good.generations)),
            compiled: last_good.compiled,
            floor: last_good.floor,
            notices: last_good.notices,
            cut_off: last_good.cut_off,
            outlived: false,
            retired: Vec::new(),
        }
    }

    /// What this sidecar has. The epoch is the highest that it has seen, for what is sent must be above it; the version
    /// claims that this is enforced, on every worker, and is said only if it is so.
    pub(crate) fn hello(&mut self) -> Hello {
        let mut hello = Hello { epoch: self.floor.0, ..Hello::default() };
        let Some(compiled) = &self.compiled else { return hello };
        let generation = &compiled.generation;
        hello.resources = generation.resources();
        // Of the generation, whatever a notice took from it since: what does not stand any more is then told again.
        hello.delegation_id =
            compiled.enforcement.chain.as_ref().map(|chain| chain.delegation_id.clone()).unwrap_or_default();
        self.retired.retain(|retired| !retired.is_gone());
        let is_newest = generation.epoch() == self.floor.0;
        if is_newest && self.retired.is_empty() && !self.cut_off && self.notices.is_empty() {
            hello.version = generation.version().to_owned();
        }
        hello
    }

    /// What verifies, compiles and keeps a delta: work for another thread, which takes long for a long policy.
    pub(crate) fn prepare(
        &self,
        delta: Delta,
    ) -> impl FnOnce() -> Result<Prepared, GenerationError> + Send + 'static {
        let (compiler, before) = (Arc::clone(&self.compiler), self.compiled.clone());
        let (generations, floor) = (Arc::clone(&self.generations), self.floor.clone());
        move || {
            let floor = Floor { epoch: floor.0, version: floor.1.as_deref() };
            let compiled = compiler.open_delta(&delta, before.as_deref(), floor)?;
            let generation = &compiled.generation;
            let mut generations = generations.lock();
            // Kept before it is enforced: whatever was refused once stays refused after kill -9.
            let kept = match &before {
                Some(before) if before.generation == *generation && generations.are_current() => Ok(()),
                _ => {
                    let before = before.as_deref();
                    let takes = compiled.enforcement.takes_away_from(before.map(|one| &one.enforcement));
                    let in_force = before.map_or(0, |before| before.generation.epoch());
                    generations
                        .keep(generation, if takes { Former::Dropped } else { Former::Falls(in_force) })
                }
            };
            Ok(Prepared { compiled: Arc::new(compiled), kept })
        }
    }

    /// Enforces what was prepared, and gives its epoch.
    pub(crate) fn enforce(&mut self, prepared: Prepared) -> u64 {
        let Prepared { compiled, kept } = prepared;
        let (epoch, version) = (compiled.generation.epoch(), compiled.generation.version().to_owned());
        self.compiled = Some(compiled);
        self.floor = (epoch, Some(version));
        self.outlived |= std::mem::take(&mut self.cut_off);
        self.outlived |= self.notices.settle(epoch);
        self.swap();
        self.sidecar.freshness.confirm();
        // Only now, and only if it is on disk: what these files take away is taken away by what a restart goes by, or
        // given back by it.
        if let Err(error) = kept.and_then(|()| self.clear_outlived()) {
            // Enforced all the same; a restart without the control plane goes by the one before and by these files.
            let words = format!("epoch {epoch} is in force, but could not be kept on disk: {error}");
            tracing::error!("{words}");
            self.sidecar.events.push(SidecarEventKind::StoredGenerationRefused, &words);
        }
        tracing::info!(epoch, "policy applied");
        epoch
    }

    /// Takes away at once.
    pub(crate) fn revoke(&mut self, sent: Revocation) {
        let in_force = self.compiled.as_ref().map_or(0, |compiled| compiled.generation.epoch());
        let notice = match Notice::read(self.compiler.key(), self.compiler.sidecar_id(), &sent, in_force) {
            Ok(notice) => notice,
            Err(error) => {
                tracing::error!(%error, "a revocation notice is refused");
                let words = format!("a revocation notice: {error}");
                self.sidecar.events.push(SidecarEventKind::GenerationRefused, &words);
                return;
            }
        };
        if !self.notices.add(notice, sent) {
            return;
        }
        // Kept before it is enforced: whatever was refused once stays refused after kill -9.
        if let Err(error) = self.keep_notices() {
            tracing::error!(%error, "the revocation could not be kept on disk; it holds until a restart");
        }
        self.swap();
        let standing = AgentStanding::from(notice.agent_state).as_str();
        let chain = if notice.chain_revoked { "revoked" } else { "left" };
        let words =
            format!("agent {standing}, delegation {chain}, for generations up to epoch {}", notice.epoch);
        tracing::warn!("revoked by the control plane: {words}");
        self.sidecar.events.push(SidecarEventKind::Revoked, &words);
    }

    /// The control plane knows this sidecar no more: its agent is revoked, or it was replaced. Everything is refused,
    /// across restarts too, until a generation comes.
    pub(crate) fn cut_off(&mut self, reason: &str) {
        if self.cut_off {
            return;
        }
        self.cut_off = true;
        // Kept before it is enforced: whatever was refused once stays refused after kill -9.
        if let Err(error) = self.state.set_cut_off(true) {
            tracing::error!(%error, "that this sidecar is refused could not be kept on disk");
        }
        self.swap();
        tracing::error!(reason, "the control plane refuses this sidecar; all calls are refused");
        self.sidecar.events.push(SidecarEventKind::Revoked, &format!("cut off: {reason}"));
    }

    /// Waits until nobody decides by an earlier snapshot any more. May be given up at any time.
    pub(crate) async fn drained(&mut self) {
        let mut look = LOOK.0;
        loop {
            self.retired.retain(|retired| !retired.is_gone());
            if self.retired.is_empty() {
                return;
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LOOK.1);
        }
    }

    fn swap(&mut self) {
        let next = combine(&self.compiler, self.compiled.as_deref(), &self.notices, self.cut_off);
        let limits = next.staleness();
        self.sidecar.events.in_force(next.epoch);
        let retired = self.sidecar.enforce(next);
        self.retired.retain(|retired| !retired.is_gone());
        self.retired.push(retired);
        self.sidecar.freshness.limit(limits);
        self.sidecar.plane.compiled(self.compiler.documents_read());
    }

    fn clear_outlived(&mut self) -> Result<(), StateError> {
        if self.outlived {
            self.state.set_cut_off(self.cut_off)?;
            self.keep_notices()?;
            self.outlived = false;
        }
        Ok(())
    }

    fn keep_notices(&self) -> Result<(), StateError> {
        self.state.keep_revoked(self.notices.to_bytes().as_deref())
    }
}

fn combine(
    compiler: &Compiler,
    compiled: Option<&Compiled>,
    notices: &Notices,
    cut_off: bool,
) -> Enforcement {
    let Some(compiled) = compiled else {
        let standing = if cut_off { AgentStanding::Revoked } else { AgentStanding::Active };
        let mut enforcement = compiler.empty(0, "", standing);
        notices.apply(&mut enforcement);
        return enforcement;
    };
    let mut enforcement = compiled.enforcement.clone();
    notices.apply(&mut enforcement);
    if cut_off {
        enforcement.standing = AgentStanding::Revoked;
        enforcement.revoke_chain();
        // Nothing is held ready for an agent that calls nothing.
        enforcement.credentials.clear();
    }
    enforcement
}
