//! The streaming scrubber against one that sees the whole answer at once and looks at every place.

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

fn patterns(texts: &[Vec<u8>]) -> Arc<Patterns> {
    Arc::new(Patterns::exactly(texts.iter().map(|text| Zeroizing::new(text.clone())).collect()))
}

fn oracle(texts: &[Vec<u8>], whole: &[u8]) -> Vec<u8> {
    let mut scrubbed = whole.to_vec();
    for text in texts {
        for (at, place) in whole.windows(text.len()).enumerate() {
            if place == text {
                scrubbed[at..at + text.len()].fill(MASK);
            }
        }
    }
    scrubbed
}

/// How many bytes at the end are the beginning of a text.
fn open(texts: &[Vec<u8>], seen: &[u8]) -> usize {
    let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
    (1..longest.min(seen.len() + 1))
        .rev()
        .find(|open| {
            texts.iter().any(|text| text.len() > *open && text.starts_with(&seen[seen.len() - open..]))
        })
        .unwrap_or(0)
}

fn in_chunks(patterns: &Arc<Patterns>, texts: &[Vec<u8>], whole: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut scrubber = Scrubber::new(Arc::clone(patterns));
    let mut out = Vec::new();
    let mut from = 0;
    let mut sizes = sizes.iter().cycle();
    while from < whole.len() {
        let to = (from + sizes.next().unwrap()).min(whole.len());
        let chunk = Bytes::copy_from_slice(&whole[from..to]);
        out.extend_from_slice(&scrubber.push(chunk));
        from = to;
        let held = from - out.len();
        assert!(held <= open(texts, &whole[..from]), "held back more than what may be a secret");
        assert_eq!(scrubber.held.bytes().len(), held);
    }
    out.extend_from_slice(&scrubber.finish());
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Two letters only: everything overlaps everything, and every chunk ends in a beginning.
    #[test]
    fn overlapping_secrets_are_found_at_every_chunking(
        texts in prop::collection::vec(prop::collection::vec(0..2_u8, 3..9), 1..5),
        whole in prop::collection::vec(0..2_u8, 0..200),
        sizes in prop::collection::vec(1..12_usize, 1..6),
    ) {
        let patterns = patterns(&texts);
        prop_assert_eq!(in_chunks(&patterns, &texts, &whole, &sizes), oracle(&texts, &whole));
    }

    /// Long texts inside noise, and long skips.
    #[test]
    fn secrets_in_noise_are_found_at_every_chunking(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 8..100), 1..4),
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..150), 0..4_usize, 0..100_usize, 0..100_usize), 0..8),
        sizes in prop::collection::vec(1..200_usize, 1..6),
    ) {
        let mut whole = Vec::new();
        for (noise, which, from, to) in pieces {
            whole.extend(noise);
            let text = &texts[which % texts.len()];
            // Whole ones, beginnings, ends and middles.
            let (from, to) = (from % text.len(), to % (text.len() + 1));
            whole.extend(if from % 3 == 0 { text } else { &text[from.min(to)..to] });
        }
        let patterns = patterns(&texts);
        prop_assert_eq!(in_chunks(&patterns, &texts, &whole, &sizes), oracle(&texts, &whole));
    }

    #[test]
    fn the_search_skips_nothing_that_begins_a_secret(
        text in prop::collection::vec(0..3_u8, 3..70),
        before in prop::collection::vec(0..3_u8, 0..300),
    ) {
        let texts = [text.clone()];
        let whole = [before, text].concat();
        let patterns = patterns(&texts);
        prop_assert_eq!(in_chunks(&patterns, &texts, &whole, &[whole.len()]), oracle(&texts, &whole));
    }
}

#[test]
fn a_secret_split_at_every_place_is_found() {
    let texts = [b"sk-live-0123456789".to_vec()];
    let patterns = patterns(&texts);
    let whole = b"{\"key\":\"sk-live-0123456789\"} sk-live-012345678 sk-live-sk-live-0123456789";
    let wanted = oracle(&texts, whole);
    assert!(wanted.starts_with(b"{\"key\":\"******************\"}"));
    for first in 1..whole.len() {
        for second in 1..20 {
            assert_eq!(in_chunks(&patterns, &texts, whole, &[first, second]), wanted);
        }
    }
}

#[test]
fn a_chunk_without_a_secret_leaves_without_a_copy() {
    let mut scrubber = Scrubber::new(patterns(&[b"sk-live-0123456789".to_vec()]));
    let chunk = Bytes::from(vec![b'x'; 10_000]);
    let at = chunk.as_ptr();
    let out = scrubber.push(chunk);
    assert_eq!((out.as_ptr(), out.len()), (at, 10_000));
    let chunk = Bytes::from([&[b'x'; 100][..], b"sk-l"].concat());
    let at = chunk.as_ptr();
    let out = scrubber.push(chunk);
    assert_eq!((out.as_ptr(), out.len()), (at, 100), "all but the beginning of a secret");
    assert_eq!(&scrubber.push(Bytes::from_static(b"x"))[..], b"sk-lx");
    assert_eq!(scrubber.found(), 0);
}

#[test]
fn a_secret_in_a_chunk_nobody_else_has_is_covered_in_place() {
    let mut scrubber = Scrubber::new(patterns(&[b"sk-live-0123456789".to_vec()]));
    let chunk = Bytes::from([b"key: ", &b"sk-live-0123456789"[..], b" end"].concat());
    let at = chunk.as_ptr();
    let out = scrubber.push(chunk);
    assert_eq!(out.as_ptr(), at);
    assert_eq!(&out[..], b"key: ****************** end");
    assert_eq!(scrubber.found(), 1);
}

#[test]
fn a_byte_at_a_time_costs_a_byte_at_a_time() {
    // A beginning that goes on and on: were it copied with each byte, this would be 16 GB.
    let text = [vec![b'a'; 20_000], vec![b'b']].concat();
    let texts = [text.clone()];
    let mut scrubber = Scrubber::new(patterns(&texts));
    let whole = [vec![b'a'; 400_000], text].concat();
    let mut out = Vec::new();
    let started = std::time::Instant::now();
    for byte in &whole {
        out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(&[*byte])));
    }
    out.extend_from_slice(&scrubber.finish());
    assert_eq!(out.len(), whole.len());
    assert!(out.ends_with(&[MASK; 20_001]) && !out[..400_000].contains(&MASK));
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn header_values_and_texts_are_scrubbed_whatever_the_body_has_held_back() {
    let mut scrubber = Scrubber::new(patterns(&[b"sk-live-0123456789".to_vec()]));
    assert_eq!(scrubber.push(Bytes::from_static(b"sk-live-")), Bytes::new());
    let value = HeaderValue::from_static("Bearer sk-live-0123456789");
    assert_eq!(scrubber.scrub_header_value(&value).unwrap(), "Bearer ******************");
    assert_eq!(scrubber.scrub_header_value(&HeaderValue::from_static("sk-live")), None);
    assert_eq!(scrubber.scrub_text("é sk-live-0123456789 é").unwrap(), "é ****************** é");
    let mut headers = HeaderMap::new();
    headers.append("a", HeaderValue::from_static("sk-live-0123456789"));
    headers.append("a", HeaderValue::from_static("b"));
    headers.append("a", HeaderValue::from_static("sk-live-0123456789sk-live-0123456789"));
    assert_eq!(scrubber.scrub_headers(&mut headers), 2);
    assert_eq!(
        headers.get_all("a").iter().cloned().collect::<Vec<_>>(),
        ["*".repeat(18), "b".into(), "*".repeat(36)]
    );
    assert_eq!(scrubber.push(Bytes::from_static(b"0123456789")), "*".repeat(18));
}

#[test]
fn a_pause_gives_out_three_bytes_of_a_secret_at_most() {
    let secret = b"sk-live-0123456789";
    let patterns = patterns(&[secret.to_vec()]);
    let mut scrubber = Scrubber::new(Arc::clone(&patterns));
    assert_eq!(scrubber.push(Bytes::from_static(b"a message that ends in s")), "a message that ends in ");
    assert_eq!(scrubber.pause(), "s", "its agent has to answer it");
    assert_eq!(scrubber.pause(), "");
    assert_eq!(scrubber.push(Bytes::from_static(b"o?")), "o?");
    // An upstream that pauses after each byte.
    let mut out = Vec::new();
    for byte in secret {
        out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(&[*byte])));
        out.extend_from_slice(&scrubber.pause());
    }
    assert_eq!(out, b"sk-***************");
    assert_eq!(scrubber.finish(), "");
    // And one that then goes on with something else.
    let mut out = scrubber.push(Bytes::from_static(b"sk")).to_vec();
    out.extend_from_slice(&scrubber.pause());
    out.extend_from_slice(&scrubber.push(Bytes::from_static(b"-liv")));
    out.extend_from_slice(&scrubber.pause());
    out.extend_from_slice(&scrubber.push(Bytes::from_static(b"ing room")));
    assert_eq!(out, b"sk-living room");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Nothing is lost, doubled or out of place, and no more than the beginnings of secrets come through.
    #[test]
    fn pauses_change_nothing_but_the_first_bytes_of_a_secret(
        texts in prop::collection::vec(prop::collection::vec(0..2_u8, 8..12), 1..4),
        whole in prop::collection::vec(0..2_u8, 0..200),
        sizes in prop::collection::vec((1..12_usize, any::<bool>()), 1..6),
    ) {
        let mut scrubber = Scrubber::new(patterns(&texts));
        let (mut out, mut from) = (Vec::new(), 0);
        for (size, pauses) in sizes.iter().cycle() {
            let to = (from + size).min(whole.len());
            out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(&whole[from..to])));
            if *pauses {
                out.extend_from_slice(&scrubber.pause());
            }
            from = to;
            if from == whole.len() {
                break;
            }
        }
        out.extend_from_slice(&scrubber.finish());
        let wanted = oracle(&texts, &whole);
        prop_assert_eq!(out.len(), wanted.len());
        for text in &texts {
            for (at, _) in whole.windows(text.len()).enumerate().filter(|(_, place)| place == text) {
                prop_assert!(out[at + 3..at + text.len()].iter().all(|byte| *byte == MASK));
            }
        }
        for (at, byte) in out.iter().enumerate() {
            prop_assert!(*byte == wanted[at] || *byte == whole[at]);
        }
    }
}
