//! Every golden settles as its file says, however its bytes are cut and whatever they are coded in.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(dead_code, reason = "every test uses its own part of it")]
mod coding;
#[allow(dead_code, reason = "every test uses its own part of it")]
mod support;

use creto_metering::Encoding;
use support::goldens;

#[test]
fn a_golden_settles_as_its_file_says() {
    let mut wrong = Vec::new();
    for golden in goldens() {
        let settled = golden.replay(Encoding::Identity, [golden.body.as_slice()]);
        if settled != golden.expected {
            wrong.push(format!("{}\n  settled  {settled:?}\n  expected {:?}", golden.name, golden.expected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_golden_settles_the_same_byte_by_byte() {
    for golden in goldens() {
        let settled = golden.replay(Encoding::Identity, golden.body.chunks(1));
        assert_eq!(settled, golden.expected, "{}", golden.name);
    }
}

#[test]
fn a_golden_settles_the_same_cut_in_two_anywhere() {
    for golden in goldens() {
        for cut in 0..=golden.body.len() {
            let (first, second) = golden.body.split_at(cut);
            let settled = golden.replay(Encoding::Identity, [first, second]);
            assert_eq!(settled, golden.expected, "{} cut at {cut}", golden.name);
        }
    }
}

#[test]
fn a_golden_settles_the_same_in_every_coding() {
    for golden in goldens() {
        for (name, encoding, coded) in coding::codings(&golden.body) {
            // Where nothing can be read, the length of the coded bytes is part of the estimate.
            let settled = golden.replay(encoding, [coded.as_slice()]);
            assert_eq!(settled, golden.expected, "{} in {name}", golden.name);
            let settled = golden.replay(encoding, coded.chunks(1));
            assert_eq!(settled, golden.expected, "{} in {name}, byte by byte", golden.name);
            for cut in [1, 2, 3, 10, 11, coded.len() / 2, coded.len().saturating_sub(3)] {
                let (first, second) = coded.split_at(cut.min(coded.len()));
                let settled = golden.replay(encoding, [first, second]);
                assert_eq!(settled, golden.expected, "{} in {name}, cut at {cut}", golden.name);
            }
        }
    }
}

#[test]
fn a_broken_coding_is_estimated() {
    let golden = goldens().into_iter().find(|golden| golden.name == "openai/chat-stream.sse").unwrap();
    for (name, encoding, mut coded) in coding::codings(&golden.body) {
        coded.truncate(coded.len() / 2);
        coded.extend_from_slice(b"\xff\xff\xff\xff not what it was");
        let settled = golden.replay(encoding, [coded.as_slice()]);
        assert!(settled.usage.estimated, "{name}: {settled:?}");
        assert!(settled.usage.input_total() > 0 && settled.usage.output_total() > 0, "{name}: {settled:?}");
    }
}

#[test]
fn an_unknown_coding_is_estimated() {
    let golden = goldens().into_iter().find(|golden| golden.name == "openai/chat.json").unwrap();
    let settled = golden.replay(Encoding::Unknown, [golden.body.as_slice()]);
    assert!(settled.usage.estimated && !settled.complete);
    assert_eq!(settled.usage.input, 100);
    assert_eq!(settled.usage.output, (golden.body.len() as u64).div_ceil(4));
}

#[test]
fn a_long_stream_is_read_to_its_end_in_every_coding() {
    let golden = goldens().into_iter().find(|golden| golden.name == "openai/chat-stream.sse").unwrap();
    let mut body = Vec::new();
    for n in 0..5000 {
        body.extend_from_slice(
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}],\"n\":{n}}}\n\n", n * 7919)
                .as_bytes(),
        );
    }
    body.extend_from_slice(&golden.body);
    for (name, encoding, coded) in coding::codings(&body) {
        for size in [coded.len(), 16 << 10, 997] {
            let settled = golden.replay(encoding, coded.chunks(size));
            assert_eq!(settled, golden.expected, "{name} in pieces of {size}");
        }
    }
}
