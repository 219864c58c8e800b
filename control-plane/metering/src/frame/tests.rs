//! Frames that are none: each is refused with what is wrong, and nothing panics.

use bytes::Bytes;
use creto_proto::v1::{IngestFrame, PropertyColumn};
use proptest::prelude::*;
use prost::Message as _;

use crate::conformance::{message, sample};
use crate::{Frame, FrameError};

fn good() -> IngestFrame {
    message(
        "p",
        1,
        1,
        &[sample().number("units", "1"), sample().text("model", "m"), sample().flag("f", true)],
    )
}

#[test]
fn what_is_wrong_with_a_frame_is_said() {
    Frame::new(good()).unwrap();
    type Break = fn(&mut IngestFrame);
    let table: [(&str, Break); 18] = [
        ("no producer", |frame| frame.producer.clear()),
        ("a producer with a space", |frame| frame.producer = "a b".into()),
        ("no events", |frame| frame.count = 0),
        ("too many events", |frame| frame.count = 8_193),
        ("sequence zero", |frame| frame.first_sequence = 0),
        ("the last sequences", |frame| frame.first_sequence = u64::MAX - 1),
        ("a short column", |frame| frame.agent.truncate(1)),
        ("a long column", |frame| frame.logical.push(1)),
        ("an index that leads nowhere", |frame| frame.customer[1] = 99),
        ("times that overflow", |frame| frame.at_us = vec![i64::MAX, 1, 1]),
        ("a property without a name", |frame| frame.properties[0].name = 0),
        ("a text that leads nowhere", |frame| {
            let texts = frame.properties.iter_mut().find(|column| !column.texts.is_empty());
            texts.unwrap().texts[0] = 99;
        }),
        ("a property of two kinds", |frame| {
            frame.properties[0].flags = vec![true];
            frame.properties[0].numbers = vec![1];
        }),
        ("a property without values", |frame| {
            frame.properties.push(PropertyColumn { name: 1, ..Default::default() });
        }),
        ("a property twice", |frame| {
            let again = frame.properties[0].clone();
            frame.properties.push(again);
        }),
        ("an event beyond the frame", |frame| frame.properties[0].events = vec![3]),
        ("too fine a scale", |frame| frame.properties[0].scale = 19),
        ("too many columns", |frame| {
            frame.properties = vec![frame.properties[0].clone(); 257];
        }),
    ];
    for (what, spoil) in table {
        let mut frame = good();
        spoil(&mut frame);
        let error = Frame::new(frame).expect_err(what).to_string();
        assert!(!error.is_empty(), "{what}");
    }
    let mut wide = good();
    wide.count = 8_192;
    wide.properties = vec![wide.properties[0].clone(); 65];
    assert_eq!(Frame::new(wide).unwrap_err(), FrameError::Cells { columns: 65, events: 8_192 });
    assert!(matches!(Frame::decode(Bytes::from(vec![0xff; 40])), Err(FrameError::Encoding(_))));
    assert!(matches!(Frame::decode(Bytes::from(vec![0; 5 << 20])), Err(FrameError::TooLarge(_))));
}

proptest! {
    #[test]
    fn a_frame_with_any_bytes_changed_is_refused_or_read_without_a_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = good().encode_to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(frame) = Frame::decode(bytes.into()) {
            let catalog = crate::Catalog::built_in();
            let rejected = catalog.judge_frame(&frame, crate::conformance::NOW_US, &crate::Acceptance::default());
            prop_assert!(rejected.len() <= frame.len());
            prop_assert_eq!(frame.events(|_| true).count(), frame.len());
        }
    }
}
