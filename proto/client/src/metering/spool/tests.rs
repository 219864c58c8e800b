use std::path::Path;

use creto_proto::v1::IngestFrame;
use tempfile::tempdir;

use super::*;

const MOST: u64 = 1 << 30;

fn frame(epoch: u64, first_sequence: u64, count: u32) -> IngestFrame {
    IngestFrame {
        namespace: "default".into(),
        producer: "test".into(),
        epoch,
        first_sequence,
        count,
        at_us: (0..i64::from(count)).collect(),
        ..IngestFrame::default()
    }
}

fn open(folder: &Path) -> (Spool, Vec<Left>, Recovered) {
    Spool::open(folder, 9, MOST).unwrap()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|suffix| suffix == SUFFIX)).collect()
}

#[test]
fn frames_that_were_not_acknowledged_are_there_for_the_next_process_in_order() {
    let folder = tempdir().unwrap();
    let (mut spool, left, recovered) = open(folder.path());
    assert!(left.is_empty() && recovered == Recovered::default());
    let first = spool.append(&[frame(9, 1, 3), frame(9, 4, 2)]).unwrap();
    spool.append(&[frame(9, 6, 1)]).unwrap();
    spool.done(first[0]);
    drop(spool);

    let (spool, left, recovered) = open(folder.path());
    assert_eq!(left.iter().map(|left| left.first_sequence).collect::<Vec<_>>(), [1, 4, 6]);
    assert_eq!((recovered.frames, recovered.events), (3, 6));
    for left in &left {
        let read = spool.read(left.place).unwrap();
        assert_eq!(read, frame(9, left.first_sequence, u32::try_from(left.count).unwrap()));
    }
}

#[test]
fn a_segment_goes_when_all_of_it_is_acknowledged() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = open(folder.path());
    let places = spool.append(&[frame(9, 1, 1), frame(9, 2, 1)]).unwrap();
    spool.done(places[0]);
    spool.end();
    assert_eq!(segments(folder.path()).len(), 1);
    spool.done(places[1]);
    assert!(segments(folder.path()).is_empty());
    assert!(open_is_refused(folder.path()), "the folder is still in use");
    drop(spool);
    assert!(open(folder.path()).1.is_empty());
}

fn open_is_refused(folder: &Path) -> bool {
    matches!(Spool::open(folder, 9, MOST), Err(SpoolError::InUse(_)))
}

#[test]
fn a_segment_cut_at_any_byte_leaves_the_frames_before_the_cut() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = open(folder.path());
    let frames: Vec<_> = (1..=4).map(|at| frame(9, at, 1)).collect();
    let places = spool.append(&frames).unwrap();
    drop(spool);
    let path = segments(folder.path()).remove(0);
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let ends = places.iter().skip(1).map(|place| usize::try_from(place.offset).unwrap());
        let expected = ends.chain([whole.len()]).filter(|end| *end <= cut).count();
        let (spool, left, recovered) = open(folder.path());
        assert_eq!(left.len(), expected, "cut at {cut}");
        assert_eq!(recovered.set_aside, 0);
        drop(spool);
        // A segment of which nothing is left goes; it is made again for the next cut.
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_flipped_bit_ends_what_is_read_and_damage_in_the_middle_is_set_aside() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = open(folder.path());
    let frames: Vec<_> = (1..=3).map(|at| frame(9, at, 1)).collect();
    let places = spool.append(&frames).unwrap();
    drop(spool);
    let path = segments(folder.path()).remove(0);
    let whole = std::fs::read(&path).unwrap();
    let last = usize::try_from(places[2].offset).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let before = places.iter().filter(|place| usize::try_from(place.offset).unwrap() <= at).count() - 1;
        let (spool, left, recovered) = open(folder.path());
        assert_eq!(left.len(), before, "flipped at {at}");
        assert!(left.iter().zip(1..).all(|(left, nth)| left.first_sequence == nth));
        assert!(recovered.set_aside + recovered.torn_bytes > 0, "flipped at {at}: damage is told");
        // A length that became longer than the file looks like one that was being written.
        let lengthened = whole.len() - at > 4 && recovered.torn_bytes > 0;
        assert!(recovered.set_aside == 1 || at >= last || lengthened, "flipped at {at}");
        drop(spool);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

#[test]
fn a_hole_between_segments_ends_what_is_sent_of_that_epoch() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = open(folder.path());
    spool.append(&[frame(9, 1, 1)]).unwrap();
    spool.current = None;
    spool.append(&[frame(9, 3, 1)]).unwrap();
    spool.current = None;
    spool.append(&[frame(8, 5, 1), frame(8, 6, 1)]).unwrap();
    drop(spool);
    let (_, left, recovered) = open(folder.path());
    let sequences: Vec<_> = left.iter().map(|left| (left.epoch, left.first_sequence)).collect();
    assert_eq!(sequences, [(9, 1), (8, 5), (8, 6)]);
    assert_eq!(recovered.set_aside, 1);
}

#[test]
fn a_spool_that_is_full_says_so() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = Spool::open(folder.path(), 9, 100).unwrap();
    spool.append(&[frame(9, 1, 100)]).unwrap();
    assert!(!spool.has_room());
    assert!(matches!(spool.append(&[frame(9, 101, 1)]), Err(SpoolError::Full { .. })));
}
