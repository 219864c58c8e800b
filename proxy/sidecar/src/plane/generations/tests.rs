use creto_bundle::{BundleError, BundleSigner, Content, Floor, PinnedKey, SharedResource};

use super::*;

fn signer() -> BundleSigner {
    BundleSigner::from_seed(&[1; 32])
}

fn generation(epoch: u64) -> Generation {
    let content = Content::new(vec![SharedResource::new("agent", format!("at {epoch}"))], 0);
    let delta =
        signer().delta("n".into(), &content.manifest("s", epoch, 1), content.missing(&Default::default()));
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
        generations.keep(&generation(epoch), Former::Falls(epoch - 1)).unwrap();
    }
    (folder, generations)
}

fn damage_if_there(folder: &tempfile::TempDir, file: &str) {
    if folder.path().join(file).try_exists().unwrap() {
        damage(folder, file);
    }
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
        for killed_after in 0..=Step::FALLING.len() {
            let (folder, generations) = folder(first);
            let next = generation(first + 1);
            let epochs = Epochs { newest: first + 1, previous: first };
            for step in &Step::FALLING[..killed_after] {
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
            generations.keep(&generation(9), Former::Falls(found)).unwrap();
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
    generations.keep(&generation(3), Former::Falls(2)).unwrap();
    assert_eq!(load(&folder).1.generation, Some((3, false)));
}

#[test]
fn a_damaged_newest_gives_way_to_the_one_before_and_does_not_replace_it() {
    let (folder, _) = folder(3);
    damage(&folder, NEWEST);
    let (mut generations, loaded) = load(&folder);
    assert_eq!(loaded.generation, Some((2, true)));
    assert_eq!(loaded.refused.len(), 1);
    generations.keep(&generation(4), Former::Falls(2)).unwrap();
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
fn nothing_older_comes_back_once_what_it_gave_was_taken_away() {
    for first in 0..=3 {
        for killed_after in 0..=Step::DROPPING.len() {
            let (folder, generations) = folder(first);
            let next = generation(first + 1);
            let epochs = generations.epochs_with(first + 1, Former::Dropped);
            for step in &Step::DROPPING[..killed_after] {
                generations.take(*step, &next.to_stored(), epochs).unwrap();
            }
            drop(generations);
            let loaded = load(&folder).1.generation;
            let expected = if killed_after >= 3 { first + 1 } else { first };
            assert_eq!(loaded, (expected > 0).then_some((expected, false)), "{first}, {killed_after}");
            if killed_after >= 2 {
                damage_if_there(&folder, NEWEST);
                assert_eq!(load(&folder).1.generation, None, "from {first}, killed after {killed_after}");
            }
        }
    }
    let (folder, mut generations) = folder(3);
    let before = fs::read(folder.path().join(PREVIOUS)).unwrap();
    generations.keep(&generation(4), Former::Dropped).unwrap();
    assert!(generations.are_current());
    fs::write(folder.path().join(PREVIOUS), before).unwrap();
    damage(&folder, NEWEST);
    let loaded = load(&folder).1;
    assert_eq!((loaded.generation, loaded.refused.len()), (None, 2), "put back by hand");
}

#[test]
fn what_takes_away_and_cannot_be_kept_leaves_nothing_to_go_by() {
    let (folder, mut generations) = folder(3);
    fs::create_dir(folder.path().join("generation.bin.new")).unwrap();
    generations.keep(&generation(4), Former::Falls(3)).unwrap_err();
    assert_eq!(load(&folder).1.generation, Some((3, false)), "what takes nothing away leaves the one before");
    assert!(!generations.are_current());
    generations.keep(&generation(5), Former::Dropped).unwrap_err();
    assert!(load(&folder).1.generation.is_none());
    fs::remove_dir(folder.path().join("generation.bin.new")).unwrap();
    generations.keep(&generation(5), Former::Dropped).unwrap();
    assert!(generations.are_current());
    assert_eq!(load(&folder).1.generation, Some((5, false)));
}

#[test]
fn the_least_epoch_of_the_one_before_never_goes_back() {
    let (folder, mut generations) = folder(5);
    // As after a start from nothing that loads.
    generations.keep(&generation(6), Former::Falls(0)).unwrap();
    assert_eq!(load(&folder).1.epochs, Epochs { newest: 6, previous: 4 });
}

#[test]
fn a_refused_one_before_is_removed_and_a_refused_newest_stays_to_be_looked_at() {
    let (folder, _) = folder(3);
    for file in [NEWEST, PREVIOUS] {
        damage(&folder, file);
    }
    assert_eq!(load(&folder).1.refused.len(), 2);
    assert!(!folder.path().join(PREVIOUS).try_exists().unwrap());
    assert!(folder.path().join(NEWEST).try_exists().unwrap());
    let (mut generations, loaded) = load(&folder);
    assert_eq!(loaded.refused.len(), 1);
    generations.keep(&generation(4), Former::Falls(0)).unwrap();
    assert!(!folder.path().join(PREVIOUS).try_exists().unwrap(), "a damaged one takes nobody's place");
}

#[test]
fn the_file_of_an_older_version_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(OUTDATED), "old").unwrap();
    load(&folder);
    assert!(!folder.path().join(OUTDATED).try_exists().unwrap());
}
