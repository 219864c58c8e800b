//! The last two good generations on disk.
//!
//! `generation.bin` is the newest, `generation.previous.bin` the one before, `epoch` the epochs they must at least have,
//! so that files put back from an older day are refused. Every step leaves a folder that loads: see [`Step`].

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
    epochs: Epochs,
}

/// What is done to keep a generation, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The new one beside the others, on stable storage.
    WriteNewest,
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
    const ALL: [Self; 6] = [
        Self::WriteNewest,
        Self::LinkPrevious,
        Self::RenamePrevious,
        Self::RenameNewest,
        Self::SyncNames,
        Self::KeepEpochs,
    ];
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
        if loaded.epochs.newest == u64::MAX {
            // What the control plane sends next is new enough.
            loaded.epochs = Epochs::default();
        }
        Ok((Self { state, newest_holds, epochs: loaded.epochs }, loaded))
    }

    /// Keeps a generation as the newest; `in_force` is the epoch of the one that it takes the place of, 0 if none.
    pub(crate) fn keep(&mut self, generation: &Generation, in_force: u64) -> Result<(), StateError> {
        let stored = generation.to_stored();
        let epochs = Epochs { newest: generation.epoch().max(self.epochs.newest), previous: in_force };
        for step in Step::ALL {
            self.take(step, &stored, epochs)?;
        }
        self.newest_holds = true;
        self.epochs = epochs;
        Ok(())
    }

    fn take(&self, step: Step, stored: &[u8], epochs: Epochs) -> Result<(), StateError> {
        match step {
            Step::WriteNewest => self.state.write_new(NEWEST, stored),
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
mod tests {
    use creto_bundle::{BundleError, BundleSigner, Content, Floor, PinnedKey, SharedResource};

    use super::*;

    fn signer() -> BundleSigner {
        BundleSigner::from_seed(&[1; 32])
    }

    fn generation(epoch: u64) -> Generation {
        let content = Content::new(vec![SharedResource::new("agent", format!("at {epoch}"))], 0);
        let delta = signer().delta(
            "n".into(),
            &content.manifest("s", epoch, 1),
            content.missing(&Default::default()),
        );
        Generation::assemble(&key(), "s", &delta, None, Floor::default()).unwrap()
    }

    fn key() -> PinnedKey {
        PinnedKey::from_bytes(&signer().public_key()).unwrap()
    }

    fn load(folder: &tempfile::TempDir) -> (Generations, Loaded<u64>) {
        let state = StateFolder::open(folder.path()).unwrap();
        Generations::load(state, |bytes, epoch| {
            Ok(Generation::from_stored(&key(), "s", bytes, Floor { epoch, version: None })?.epoch())
        })
        .unwrap()
    }

    /// A folder in which the generations of epochs 1 to `newest` were kept one after the other.
    fn folder(newest: u64) -> (tempfile::TempDir, Generations) {
        let folder = tempfile::tempdir().unwrap();
        let (mut generations, loaded) = load(&folder);
        assert!(loaded.generation.is_none() && loaded.refused.is_empty());
        for epoch in 1..=newest {
            generations.keep(&generation(epoch), epoch - 1).unwrap();
        }
        (folder, generations)
    }

    fn damage(folder: &tempfile::TempDir, file: &str) {
        let path = folder.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn the_newest_of_two_loads() {
        let (folder, _) = folder(3);
        let (_, loaded) = load(&folder);
        assert_eq!(loaded.generation, Some((3, false)));
        assert_eq!(loaded.epochs, Epochs { newest: 3, previous: 2 });
        assert!(loaded.refused.is_empty());
    }

    #[test]
    fn a_kill_after_any_step_leaves_one_that_loads() {
        for first in 0..=2 {
            for killed_after in 0..=Step::ALL.len() {
                let (folder, generations) = folder(first);
                let next = generation(first + 1);
                let epochs = Epochs { newest: first + 1, previous: first };
                for step in &Step::ALL[..killed_after] {
                    generations.take(*step, &next.to_stored(), epochs).unwrap();
                }
                drop(generations);
                let (mut generations, loaded) = load(&folder);
                let renamed = killed_after > 3;
                let expected = if renamed { first + 1 } else { first };
                let found = loaded.generation.map_or(0, |(epoch, previous)| {
                    assert!(!previous);
                    epoch
                });
                assert_eq!(found, expected, "from {first}, killed after {killed_after} steps");
                assert!(loaded.refused.is_empty(), "{:?}", loaded.refused);
                // And the next is kept as ever.
                generations.keep(&generation(9), found).unwrap();
                assert_eq!(load(&folder).1.generation, Some((9, false)));
                damage(&folder, NEWEST);
                let previous = load(&folder).1.generation;
                assert_eq!(previous, (found > 0).then_some((found, true)));
            }
        }
    }

    #[test]
    fn half_written_files_beside_the_good_ones_do_no_harm() {
        let (folder, _) = folder(2);
        for file in ["generation.bin.new", "generation.previous.bin.new", "epoch.new"] {
            fs::write(folder.path().join(file), "half").unwrap();
        }
        let (mut generations, loaded) = load(&folder);
        assert_eq!(loaded.generation, Some((2, false)));
        generations.keep(&generation(3), 2).unwrap();
        assert_eq!(load(&folder).1.generation, Some((3, false)));
    }

    #[test]
    fn a_damaged_newest_gives_way_to_the_one_before_and_does_not_replace_it() {
        let (folder, _) = folder(3);
        damage(&folder, NEWEST);
        let (mut generations, loaded) = load(&folder);
        assert_eq!(loaded.generation, Some((2, true)));
        assert_eq!(loaded.refused.len(), 1);
        generations.keep(&generation(4), 2).unwrap();
        damage(&folder, NEWEST);
        assert_eq!(load(&folder).1.generation, Some((2, true)));
        damage(&folder, PREVIOUS);
        let (_, loaded) = load(&folder);
        assert!(loaded.generation.is_none());
        assert_eq!(loaded.refused.len(), 2);
    }

    #[test]
    fn files_put_back_from_an_older_day_are_refused() {
        let (old, _) = folder(2);
        let (folder, _) = folder(5);
        for file in [NEWEST, PREVIOUS] {
            fs::copy(old.path().join(file), folder.path().join(file)).unwrap();
        }
        let (_, loaded) = load(&folder);
        assert!(loaded.generation.is_none());
        for (_, error) in &loaded.refused {
            let GenerationError::Bundle(BundleError::Rollback { .. }) = error else { panic!("{error}") };
        }
        assert_eq!((loaded.refused.len(), loaded.epochs.newest), (2, 5));
    }

    #[test]
    fn without_readable_epochs_nothing_on_disk_is_enforced() {
        for text in ["", "3", "3 x\n", "3 2", "-1 0\n", "\u{0}"] {
            let (folder, _) = folder(3);
            fs::write(folder.path().join(EPOCHS), text).unwrap();
            let (_, loaded) = load(&folder);
            assert!(loaded.generation.is_none(), "{text:?}");
            assert_eq!(loaded.epochs, Epochs::default());
        }
    }

    #[test]
    fn the_file_of_an_older_version_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(OUTDATED), "old").unwrap();
        load(&folder);
        assert!(!folder.path().join(OUTDATED).try_exists().unwrap());
    }
}
