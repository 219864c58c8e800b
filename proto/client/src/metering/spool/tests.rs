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
fn a_flipped_bit_costs_the_frame_that_it_is_in_and_is_told_apart_from_a_torn_end() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = open(folder.path());
    let frames: Vec<_> = (1..=3).map(|at| frame(9, at, 1)).collect();
    let places = spool.append(&frames).unwrap();
    drop(spool);
    let path = segments(folder.path()).remove(0);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let hit = places.iter().filter(|place| usize::try_from(place.offset).unwrap() <= at).count() as u64;
        let (mut spool, left, recovered) = open(folder.path());
        let sequences: Vec<_> = left.iter().map(|left| left.first_sequence).collect();
        let expected: Vec<_> = (1..=3).filter(|nth| *nth != hit).collect();
        assert_eq!(sequences, expected, "flipped at {at}");
        let (last, middle) = (hit == 3, hit == 2);
        assert_eq!(recovered.torn_bytes > 0, last, "flipped at {at}");
        assert_eq!((recovered.set_aside, recovered.damaged_bytes > 0), (u64::from(!last), !last));
        assert_eq!(recovered.missing, u64::from(middle));
        for left in left {
            assert_eq!(spool.read(left.place).unwrap().first_sequence, left.first_sequence);
            spool.done(left.place);
        }
        assert!(segments(folder.path()).is_empty(), "all of it is acknowledged");
        let aside = path.with_extension(SET_ASIDE);
        assert_eq!(aside.is_file(), !last, "what is damaged is kept");
        drop(spool);
        let _ = std::fs::remove_file(aside);
    }
}

#[test]
fn what_reads_of_a_damaged_segment_is_there_for_every_process_until_it_is_acknowledged() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = open(folder.path());
    let places = spool.append(&[frame(9, 1, 1), frame(9, 2, 1), frame(9, 3, 1)]).unwrap();
    drop(spool);
    let path = segments(folder.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[usize::try_from(places[1].offset).unwrap() + 10] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    for _ in 0..3 {
        let (_, left, recovered) = open(folder.path());
        assert_eq!(left.iter().map(|left| left.first_sequence).collect::<Vec<_>>(), [1, 3]);
        assert_eq!((recovered.set_aside, recovered.missing), (1, 1));
    }
}

#[test]
fn a_record_within_the_text_of_a_damaged_one_is_no_record() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = open(folder.path());
    let mut forged = Vec::new();
    record::write(&mut forged, &frame(77, 1, 1)).unwrap();
    let mut hiding = frame(9, 1, 1);
    hiding.strings = vec![String::from_utf8_lossy(&forged).into_owned()];
    spool.append(&[hiding, frame(9, 2, 1)]).unwrap();
    drop(spool);
    let path = segments(folder.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    // A text cannot hold every byte; a damaged disk block can.
    bytes.splice(20..20 + forged.len(), forged);
    std::fs::write(&path, &bytes).unwrap();
    let (_, left, recovered) = open(folder.path());
    assert_eq!(left.iter().map(|left| left.epoch).collect::<Vec<_>>(), [9]);
    assert_eq!(recovered.set_aside, 1);
}

#[test]
fn what_was_numbered_anew_is_sent_under_the_same_number_by_every_process() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = open(folder.path());
    spool.append(&[frame(9, 10, 2), frame(9, 12, 1)]).unwrap();
    spool.renumber(9, 9, 5).unwrap();
    spool.append(&[frame(5, 4, 1)]).unwrap();
    drop(spool);
    for _ in 0..2 {
        let (_, left, _) = open(folder.path());
        let places: Vec<_> = left.iter().map(|left| (left.epoch, left.first_sequence)).collect();
        assert_eq!(places, [(5, 1), (5, 3), (5, 4)]);
    }
    let (mut spool, left, _) = open(folder.path());
    spool.renumber(5, 2, 6).unwrap();
    drop(spool);
    let (mut spool, again, _) = open(folder.path());
    let places: Vec<_> = again.iter().map(|left| (left.epoch, left.first_sequence)).collect();
    assert_eq!(places, [(5, 1), (6, 1), (6, 2)]);
    assert_eq!(left.len(), again.len());
    for left in again {
        spool.done(left.place);
    }
    spool.end();
    drop(spool);
    let (mut spool, ..) = open(folder.path());
    spool.renumber(1, 1, 2).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("renumbered")).unwrap().lines().count(), 1);
}

#[test]
fn what_comes_after_a_hole_between_segments_is_sent_and_the_hole_is_told() {
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
    assert_eq!(sequences, [(9, 1), (9, 3), (8, 5), (8, 6)]);
    assert_eq!((recovered.set_aside, recovered.missing), (0, 1));
}

#[test]
fn a_spool_that_is_full_says_so() {
    let folder = tempdir().unwrap();
    let (mut spool, ..) = Spool::open(folder.path(), 9, 100).unwrap();
    spool.append(&[frame(9, 1, 100)]).unwrap();
    assert!(!spool.has_room());
    assert!(matches!(spool.append(&[frame(9, 101, 1)]), Err(SpoolError::Full { .. })));
}
