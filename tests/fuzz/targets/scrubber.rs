//! Answers that echo a secret: every place is covered whatever the chunks, and nothing else.
#![no_main]
#![forbid(unsafe_code)]

use std::{io::Write, sync::LazyLock};

use bytes::Bytes;
use creto_credentials::{Credential, CredentialKind, Injection, Injector, SecretSource};
use creto_fuzz::Head;
use libfuzzer_sys::fuzz_target;

/// Some repeat themselves, some are long, some need escapes.
const SECRETS: [&str; 8] = [
    "sk-live-0123456789",
    "aaaaaaaa",
    "abababababab",
    "aabaabaaabaab",
    "\"\\/<>&'+`%\"\\/",
    "12345678",
    "ghp_ghp_ghp_ghp_x",
    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzy",
];
const MASK: u8 = b'*';

static INJECTIONS: LazyLock<Vec<(&str, Injection)>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let injector = Injector::new(None, None, None);
    let ready = SECRETS.iter().map(|secret| {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(secret.as_bytes()).expect("a file is written");
        let source = SecretSource::File(file.path().to_owned());
        let credential = Credential::new("fuzz", CredentialKind::Bearer, source);
        (*secret, runtime.block_on(injector.prepare(&credential)).expect("a secret is ready"))
    });
    ready.collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = Head::split(input) else { return };
    let (secret, injection) = head.pick(&INJECTIONS);
    let (out, found) = scrub(injection, &[body]);
    assert_eq!(out.len(), body.len());
    for (before, after) in body.iter().zip(&out) {
        assert!(before == after || *after == MASK);
    }
    for (at, place) in body.windows(secret.len()).enumerate() {
        if place == secret.as_bytes() {
            assert!(out[at..at + secret.len()].iter().all(|byte| *byte == MASK));
        }
    }
    if found == 0 {
        assert_eq!(out, body);
    }
    for pieces in head.chunkings(body) {
        assert_eq!(scrub(injection, &pieces).0, out);
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let scrubbed = injection.scrubber().scrub_text(text);
        assert_eq!(scrubbed.as_deref().unwrap_or(text).as_bytes(), out);
    }
});

fn scrub(injection: &Injection, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
    let mut scrubber = injection.scrubber();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&scrubber.finish());
    (out, scrubber.found())
}
