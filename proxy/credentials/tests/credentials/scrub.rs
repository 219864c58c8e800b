//! An answer that echoes a secret comes without it.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use creto_credentials::{CredentialKind, Scrubber};
use proptest::prelude::*;

use crate::support::{header, injection};

async fn scrubber(kind: CredentialKind, secret: &str) -> Scrubber {
    injection(kind, secret).await.unwrap().scrubber()
}

fn all(scrubber: &mut Scrubber, text: &str, size: usize) -> String {
    let mut out = Vec::new();
    for chunk in text.as_bytes().chunks(size) {
        out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(chunk)));
    }
    out.extend_from_slice(&scrubber.finish());
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn an_echoed_key_is_covered_in_every_form() {
    let key = r#"sk-"0/1+2\3=4&5"#;
    for echoed in [
        key.to_owned(),
        serde_json::to_string(key).unwrap().trim_matches('"').to_owned(),
        r#"sk-\"0\/1+2\\3=4&5"#.into(),
        r#"sk-\"0/1+2\\3=4\u00265"#.into(),
        "sk-%220%2F1%2B2%5C3%3D4%265".into(),
        "sk-%220%2f1%2b2%5c3%3d4%265".into(),
        hex::encode(key),
        hex::encode_upper(key),
        STANDARD.encode(key).trim_end_matches('=').to_owned(),
    ] {
        let text = format!("HTTP/1.1 echo <{echoed}> and <{echoed}> end");
        let covered = "*".repeat(echoed.len());
        for size in [1, 7, 1000] {
            let mut scrubber = scrubber(CredentialKind::Bearer, key).await;
            let scrubbed = all(&mut scrubber, &text, size);
            assert_eq!(scrubbed, format!("HTTP/1.1 echo <{covered}> and <{covered}> end"), "{echoed}");
            assert_eq!(scrubber.found(), 2);
        }
    }
}

#[tokio::test]
async fn a_basic_pair_its_password_and_its_base64_are_covered() {
    let mut scrubber = scrubber(CredentialKind::Basic, "alice:password-of-alice-0").await;
    let encoded = STANDARD.encode("alice:password-of-alice-0");
    assert!(encoded.ends_with("=="), "the padding says nothing and stays");
    let text = format!("alice {{\"auth\":\"Basic {encoded}\",\"pass\":\"password-of-alice-0\"}}");
    let (auth, pass) = ("*".repeat(encoded.len() - 2), "*".repeat(19));
    let wanted = format!("alice {{\"auth\":\"Basic {auth}==\",\"pass\":\"{pass}\"}}");
    assert_eq!(all(&mut scrubber, &text, 5), wanted);
}

#[tokio::test]
async fn a_key_that_was_put_into_a_basic_value_is_covered_when_that_is_echoed() {
    let key = "ghp_0123456789abcdefghij";
    let scrubber = scrubber(CredentialKind::Bearer, key).await;
    for user in ["", "x", "ab", "abc", "x-access-token"] {
        for after in ["", ":", ":y", ":yz"] {
            let encoded = STANDARD.encode(format!("{user}:{key}{after}"));
            let scrubbed = scrubber.scrub_text(&encoded).unwrap();
            assert_eq!(scrubbed.len(), encoded.len());
            let covered = scrubbed.bytes().filter(|byte| *byte == b'*').count();
            assert!(covered >= key.len() * 8 / 6 - 2, "{user} {after}: {scrubbed}");
        }
    }
}

#[tokio::test]
async fn aws_keys_are_covered() {
    let kind = CredentialKind::AwsSigV4 { region: "us-east-1".into(), service: "s3".into(), profile: None };
    let secret = r#"{"access_key_id":"AKIDEXAMPLE","secret_access_key":"wJalr/Utn+FEMI","session_token":"IQoJb3JpZ2lu=="}"#;
    let scrubber = scrubber(kind, secret).await;
    let echoed = "AKIDEXAMPLE wJalr/Utn+FEMI IQoJb3JpZ2lu== wJalr%2FUtn%2BFEMI";
    let wanted = "AKIDEXAMPLE ************** ************** ******************";
    assert_eq!(scrubber.scrub_text(echoed).unwrap(), wanted);
}

#[tokio::test]
async fn each_answer_has_its_own_state() {
    let injection = injection(header("x-api-key"), "sk-0123456789").await.unwrap();
    let (mut one, mut other) = (injection.scrubber(), injection.scrubber());
    assert!(one.push(Bytes::from_static(b"sk-01234")).is_empty());
    assert_eq!(other.push(Bytes::from_static(b"56789")), "56789");
    assert_eq!(one.push(Bytes::from_static(b"56789")), "*************");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_secret_never_comes_through(
        secret in "[!-~]{8,40}",
        before in "[ -~]{0,60}",
        after in "[ -~]{0,60}",
        size in 1..40_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        prop_assume!(!secret.contains("creto-placeholder-"));
        let mut scrubber = runtime.block_on(scrubber(CredentialKind::Bearer, &secret));
        let text = format!("{before}{secret}{after}");
        let scrubbed = all(&mut scrubber, &text, size);
        prop_assert_eq!(scrubbed.len(), text.len());
        // One of stars could stand in what is covered.
        prop_assert!(!scrubbed.contains(&secret) || secret.bytes().all(|byte| byte == b'*'));
        let covered = before.len()..before.len() + secret.len();
        prop_assert!(scrubbed[covered].bytes().all(|byte| byte == b'*'));
    }
}
