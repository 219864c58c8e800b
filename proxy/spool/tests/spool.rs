//! The spool keeps what it was given, in order, whatever happens to the process.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_spool::{Limits, Spool, SpoolError};
use proptest::prelude::*;

fn small() -> Limits {
    Limits { segment_bytes: 4096, segments: 4 }
}

fn all(spool: &Spool) -> Vec<(u64, Vec<u8>)> {
    let mut reader = spool.reader();
    let mut out = Vec::new();
    loop {
        let batch = reader.read(7, 1 << 20).unwrap();
        if batch.is_empty() {
            return out;
        }
        out.extend(batch.into_iter().map(|entry| (entry.sequence, entry.payload)));
    }
}

#[test]
fn entries_come_back_in_order_without_gaps_over_many_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, left) = Spool::open(folder.path(), Limits { segment_bytes: 4096, segments: 64 }).unwrap();
    assert!(left.is_empty());
    for n in 0..500u32 {
        let begun = spool.begin(format!("begin {n}").as_bytes()).unwrap();
        spool.end(begun, format!("end {n}").as_bytes()).unwrap();
    }
    let entries = all(&spool);
    assert_eq!(entries.len(), 1000);
    for (at, (sequence, _)) in entries.iter().enumerate() {
        assert_eq!(*sequence, at as u64 + 1);
    }
    assert_eq!(entries[998].1, b"begin 499");
}

#[test]
fn calls_left_open_are_given_back_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let epoch = {
        let (spool, _) = Spool::open(folder.path(), small()).unwrap();
        let first = spool.begin(b"one").unwrap();
        spool.begin(b"two").unwrap();
        spool.end(first, b"done").unwrap();
        spool.epoch()
    };
    let (spool, left) = Spool::open(folder.path(), small()).unwrap();
    assert_eq!(spool.epoch(), epoch);
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].begun, left[0].payload.as_slice()), (2, b"two".as_slice()));
    assert_eq!(spool.end(2, b"ambiguous").unwrap(), 4);
}

#[test]
fn at_its_bound_it_refuses_beginnings_but_takes_every_end() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(folder.path(), small()).unwrap();
    let mut begun = Vec::new();
    let refused = loop {
        match spool.begin(&[7; 600]) {
            Ok(sequence) => begun.push(sequence),
            Err(error) => break error,
        }
        assert!(begun.len() < 100, "the bound never held");
    };
    assert!(matches!(refused, SpoolError::Full { .. }), "{refused}");
    for sequence in &begun {
        spool.end(*sequence, &[1; 160]).unwrap();
    }
    assert_eq!(all(&spool).len(), begun.len() * 2);
}

#[test]
fn what_was_taken_is_deleted_but_not_under_a_call_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(folder.path(), Limits { segment_bytes: 4096, segments: 8 }).unwrap();
    let held = spool.begin(b"long call").unwrap();
    for _ in 0..200 {
        let begun = match spool.begin(&[0; 300]) {
            Ok(begun) => begun,
            Err(SpoolError::Full { .. }) => break,
            Err(error) => panic!("{error}"),
        };
        spool.end(begun, b"").unwrap();
    }
    spool.release(spool.last_sequence()).unwrap();
    assert_eq!(all(&spool)[0].1, b"long call", "its segment is kept while it is under way");
    spool.end(held, b"").unwrap();
    spool.release(spool.last_sequence()).unwrap();
    assert!(all(&spool).len() < 30, "only the segment being written is left");
    assert!(spool.begin(&[0; 300]).is_ok());
}

#[test]
fn a_second_sidecar_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_spool, _) = Spool::open(folder.path(), small()).unwrap();
    assert!(matches!(Spool::open(folder.path(), small()), Err(SpoolError::InUse(_))));
}

#[test]
fn a_torn_entry_ends_the_log_and_the_next_run_goes_on_after_it() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (spool, _) = Spool::open(folder.path(), small()).unwrap();
        for _ in 0..3 {
            spool.begin(b"whole").unwrap();
        }
    }
    let segment = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("0000"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let third = bytes.windows(5).rposition(|window| window == b"whole").unwrap();
    bytes[third] ^= 1;
    std::fs::write(&segment, bytes).unwrap();

    let (spool, left) = Spool::open(folder.path(), small()).unwrap();
    assert_eq!(left.len(), 2);
    assert_eq!(spool.begin(b"after").unwrap(), 3);
    assert_eq!(all(&spool).last().unwrap(), &(3, b"after".to_vec()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_is_appended_is_read_while_it_is_written(
        sizes in proptest::collection::vec(0usize..900, 1..80),
        every in 1usize..9,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(folder.path(), Limits { segment_bytes: 4096, segments: 1000 }).unwrap();
        let mut reader = spool.reader();
        let mut read = Vec::new();
        let mut wrote = Vec::new();
        for (at, size) in sizes.iter().enumerate() {
            let payload = vec![at as u8; *size];
            let begun = spool.begin(&payload).unwrap();
            wrote.push(payload);
            spool.end(begun, &[9]).unwrap();
            wrote.push(vec![9]);
            if at % every == 0 {
                read.extend(reader.read(1000, 1 << 20).unwrap());
                spool.release(read.len() as u64).unwrap();
            }
        }
        read.extend(reader.read(1000, 1 << 20).unwrap());
        read.extend(reader.read(1000, 1 << 20).unwrap());
        prop_assert_eq!(read.len(), wrote.len());
        for (at, entry) in read.iter().enumerate() {
            prop_assert_eq!(entry.sequence, at as u64 + 1);
            prop_assert_eq!(&entry.payload, &wrote[at]);
        }
    }
}
