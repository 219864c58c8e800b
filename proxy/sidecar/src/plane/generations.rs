//! The last two good generations on disk.
//!
//! `generation.bin` is the newest, `generation.previous.bin` the one before, `epoch` the epochs they must at least have,
//! so that files put back from an older day are refused. Every step leaves a folder that loads, or one that refuses all
//! where it would otherwise give back what was taken away: see [`Step`].

use std::fs;
use std::io;

use creto_bundle::Generation;

use crate::plane::GenerationError;
use crate::state::{StateError, StateFolder};

const NEWEST: &str = "generation.bin";
const PREVIOUS: &str = "generation.previous.bin";
const EPOCHS: &str = "epoch";
/// Of versions before; it has no digests and is not read any more.
const OUTDATED: &str = "bundle.bin";

/// Least epochs that the two files may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epochs {
    /// Highest one that was in force.
    pub(crate) newest: u64,
    /// Of the generation before it.
    pub(crate) previous: u64,
}

/// What was found on disk.
#[derive(Debug)]
pub(crate) struct Loaded<T> {
    /// The generation to enforce, and whether it is the one before the newest.
    pub(crate) generation: Option<(T, bool)>,
    pub(crate) epochs: Epochs,
    /// What does not hold, and why.
    pub(crate) refused: Vec<(&'static str, GenerationError)>,
}

/// The files.
#[derive(Debug)]
pub(crate) struct Generations {
    state: StateFolder,
    /// Whether the newest file holds what is in force: a damaged one must not take the place of the one before.
    newest_holds: bool,
    /// Whether what is in force is in the newest file.
    current: bool,
    epochs: Epochs,
}

/// What becomes of the generation that was in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Former {
    /// It is fallen back on if the new one is damaged; its epoch, 0 if there is none.
    Falls(u64),
    /// The new one takes away what it gave: neither it nor any before it may come back.
    Dropped,
}

/// What is done to keep a generation, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The new one beside the others, on stable storage.
    WriteNewest,
    /// The one before goes, for good.
    DropPrevious,
    /// A second name for the one in force.
    LinkPrevious,
    /// It becomes the one before. The newest is still itself, so both names are the same file.
    RenamePrevious,
    /// The new one becomes the newest.
    RenameNewest,
    /// The names are on stable storage.
    SyncNames,
    /// From here on nothing older loads.
    KeepEpochs,
}

impl Step {
    const FALLING: &[Self] = &[
        Self::WriteNewest,
        Self::LinkPrevious,
        Self::RenamePrevious,
        Self::RenameNewest,
        Self::SyncNames,
        Self::KeepEpochs,
    ];
    /// Dropped before the new one takes its name: after that nothing but the new one may load.
    const DROPPING: &[Self] =
        &[Self::WriteNewest, Self::DropPrevious, Self::RenameNewest, Self::SyncNames, Self::KeepEpochs];

    fn all(former: Former) -> &'static [Self] {
        match former {
            Former::Falls(_) => Self::FALLING,
            Former::Dropped => Self::DROPPING,
        }
    }
}

impl Generations {
    /// Finds the newest that holds. `open` verifies and compiles; it is given the lowest epoch that it may take.
    pub(crate) fn load<T>(
        state: StateFolder,
        open: impl Fn(&[u8], u64) -> Result<T, GenerationError>,
    ) -> Result<(Self, Loaded<T>), StateError> {
        state.remove(OUTDATED)?;
        let epochs = match state.read(EPOCHS)? {
            None => Epochs::default(),
            // Without it, nothing on disk is known to be new enough.
            Some(text) => parse(&text).unwrap_or(Epochs { newest: u64::MAX, previous: u64::MAX }),
        };
        let mut loaded = Loaded { generation: None, epochs, refused: Vec::new() };
        for (file, least) in [(NEWEST, epochs.newest), (PREVIOUS, epochs.previous)] {
            let Some(bytes) = state.read(file)? else { continue };
            match open(&bytes, least) {
                Ok(generation) => {
                    loaded.generation = Some((generation, file == PREVIOUS));
                    break;
                }
                Err(error) => loaded.refused.push((file, error)),
            }
        }
        let newest_holds = matches!(loaded.generation, Some((_, false)));
        if loaded.refused.iter().any(|(file, _)| *file == PREVIOUS) {
            // What it may not be now it must not become again, as when the epochs are lost. A newest that is refused
            // stays for whoever asks why, and never takes the place of the one before.
            state.remove(PREVIOUS)?;
        }
        if loaded.epochs.newest == u64::MAX {
            // What the control plane sends next is new enough.
            loaded.epochs = Epochs::default();
        }
        Ok((Self { state, newest_holds, current: newest_holds, epochs: loaded.epochs }, loaded))
    }

    /// Whether a restart would go by what is in force.
    pub(crate) fn are_current(&self) -> bool {
        self.current
    }

    /// Keeps a generation as the newest.
    pub(crate) fn keep(&mut self, generation: &Generation, former: Former) -> Result<(), StateError> {
        self.current = false;
        let stored = generation.to_stored();
        let epochs = self.epochs_with(generation.epoch(), former);
        for step in Step::all(former) {
            if let Err(error) = self.take(*step, &stored, epochs) {
                if former == Former::Dropped {
                    self.drop_all(&error);
                }
                return Err(error);
            }
        }
        self.newest_holds = true;
        self.current = true;
        self.epochs = epochs;
        Ok(())
    }

    fn epochs_with(&self, epoch: u64, former: Former) -> Epochs {
        let previous = match former {
            Former::Falls(in_force) => in_force,
            Former::Dropped => epoch,
        };
        Epochs { newest: epoch.max(self.epochs.newest), previous: previous.max(self.epochs.previous) }
    }

    /// What takes away cannot be kept: then nothing is, and a restart refuses all until the control plane is heard.
    /// Removing works on a disk that is full.
    fn drop_all(&mut self, because: &StateError) {
        self.newest_holds = false;
        let dropped = self.state.remove(NEWEST).and_then(|()| self.state.remove(PREVIOUS));
        match dropped.and_then(|()| self.state.sync()) {
            Ok(()) => tracing::error!(
                error = %because,
                "a policy that takes away cannot be kept on disk; the ones before are removed, and a restart refuses all \
                 calls until the control plane is heard"
            ),
            Err(error) => tracing::error!(
                %error,
                "the policies before could not be removed from disk: a restart goes by them until the control plane is \
                 heard"
            ),
        }
    }

    fn take(&self, step: Step, stored: &[u8], epochs: Epochs) -> Result<(), StateError> {
        match step {
            Step::WriteNewest => self.state.write_new(NEWEST, stored),
            // On stable storage before anything else moves.
            Step::DropPrevious => self.state.remove(PREVIOUS).and_then(|()| self.state.sync()),
            Step::LinkPrevious | Step::RenamePrevious if !self.newest_holds => Ok(()),
            Step::LinkPrevious => self.link_previous(),
            Step::RenamePrevious => self.state.rename_new(PREVIOUS),
            Step::RenameNewest => self.state.rename_new(NEWEST),
            Step::SyncNames => self.state.sync(),
            Step::KeepEpochs => {
                self.state.write(EPOCHS, format!("{} {}\n", epochs.newest, epochs.previous).as_bytes())
            }
        }
    }

    fn link_previous(&self) -> Result<(), StateError> {
        let (newest, fresh) = (self.state.path().join(NEWEST), self.state.fresh(PREVIOUS));
        let linked = fs::remove_file(&fresh)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            // Some file systems have no second names.
            .and_then(|()| fs::hard_link(&newest, &fresh).or_else(|_| fs::copy(&newest, &fresh).map(drop)));
        linked.map_err(|source| StateError::File { path: fresh, source })
    }
}

fn parse(text: &[u8]) -> Option<Epochs> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
    let (newest, previous) = text.split_once(' ')?;
    Some(Epochs { newest: newest.parse().ok()?, previous: previous.parse().ok()? })
}

#[cfg(test)]
mod tests;
