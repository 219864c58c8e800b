//! Heads of requests that get a secret: every placeholder is replaced or the request is refused, and a key that only
//! signs never leaves.
#![no_main]
#![forbid(unsafe_code)]

use std::{
    io::Write,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use creto_credentials::{Credential, CredentialKind, Injection, Injector, Place, Placeholders, SecretSource};
use creto_fuzz::Head;
use http::{HeaderName, HeaderValue, Request, Uri, request::Parts};
use libfuzzer_sys::fuzz_target;

const OWN: &str = "creto-placeholder-fuzz";
const SIGNING_KEY: &str = "wJalr/Utn+FEMI";

static INJECTIONS: LazyLock<Vec<(&str, Injection)>> = LazyLock::new(|| {
    let keys = format!(r#"{{"access_key_id":"AKIDEXAMPLE","secret_access_key":"{SIGNING_KEY}"}}"#);
    let aws = |service: &str| CredentialKind::AwsSigV4 {
        region: "us-east-1".to_owned(),
        service: service.to_owned(),
        profile: None,
    };
    let kinds = [
        (CredentialKind::Bearer, "sk-live-0123456789"),
        (CredentialKind::Header { name: HeaderName::from_static("x-api-key") }, "sk-live-0123456789"),
        (CredentialKind::Basic, "alice:p&ss =w/rd"),
        (aws("bedrock"), keys.as_str()),
        (aws("s3"), keys.as_str()),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let injector = Injector::new(None, None, None);
    let ready = kinds.map(|(kind, secret)| {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(secret.as_bytes()).expect("a file is written");
        let scheme = if matches!(kind, CredentialKind::AwsSigV4 { .. }) { "aws" } else { "text" };
        let credential = Credential::new("fuzz", kind, SecretSource::File(file.path().to_owned()));
        (scheme, runtime.block_on(injector.prepare(&credential)).expect("a secret is ready"))
    });
    ready.into()
});
static PLACEHOLDERS: LazyLock<Placeholders> =
    LazyLock::new(|| Placeholders::new([]).expect("none is chosen by hand"));

fuzz_target!(|input: &[u8]| {
    let Some((head, body)) = Head::split(input) else { return };
    let (scheme, injection) = head.pick(&INJECTIONS);
    // What the agent itself has said does not count.
    if contains(body, SIGNING_KEY) {
        return;
    }
    let Some(mut parts) = request(body) else { return };
    let foreign = PLACEHOLDERS.find_foreign(&parts.headers, &parts.uri, Some(OWN));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let _ = injection.needs_body(&parts);
    if injection.apply(&mut parts, "api.example.com", Some(b"{}"), now).is_err() {
        return;
    }
    if *scheme == "aws" {
        assert!(!contains(parts.uri.to_string().as_bytes(), SIGNING_KEY));
        assert!(parts.headers.values().all(|value| !contains(value.as_bytes(), SIGNING_KEY)));
    } else if foreign.is_none()
        && let Some(left) = PLACEHOLDERS.find_foreign(&parts.headers, &parts.uri, None)
    {
        match left.place {
            // Nothing is put there.
            Place::Path | Place::UserInfo => {}
            // Nor into names of parameters.
            Place::Query => assert!(!in_values(parts.uri.query().unwrap_or_default()), "{left} in {parts:?}"),
            _ => panic!("{left} in {parts:?}"),
        }
    }
});

/// The first line is the target, each other one a header.
fn request(body: &[u8]) -> Option<Parts> {
    let mut lines = body.split(|byte| *byte == b'\n');
    let uri = Uri::try_from(lines.next()?).ok()?;
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.uri = uri;
    for line in lines.take(20) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        parts.headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    Some(parts)
}

/// Whether the placeholder is in the value of a parameter, as a server reads it.
fn in_values(query: &str) -> bool {
    let values = query.split('&').filter_map(|pair| pair.split_once('='));
    values.map(|(_, value)| decoded(value.as_bytes())).any(|value| contains(&value, OWN))
}

fn decoded(mut text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut found = Vec::new();
    while let [first, rest @ ..] = text {
        text = rest;
        found.push(match rest {
            [high, low, after @ ..] if *first == b'%' => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    text = after;
                    high << 4 | low
                }
                _ => *first,
            },
            _ => *first,
        });
    }
    found
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|place| place == text.as_bytes())
}
