//! Against AWS's own test suite, and against what botocore signs (`tests/golden/sigv4.py` makes the files).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Request;
use serde::Deserialize;

use super::*;

const SUITE: &str = include_str!("../../tests/golden/sigv4-suite.json");
const BOTOCORE: &str = include_str!("../../tests/golden/sigv4-botocore.json");
const CLIENTS: &str = include_str!("../../tests/golden/sigv4-clients.json");
/// When botocore signed.
const NOW: &str = "2026-11-21T07:30:05Z";

#[derive(Deserialize)]
struct SuiteCase {
    name: String,
    normalize: bool,
    sign_body: bool,
    key: (String, String),
    token: Option<String>,
    region: String,
    service: String,
    timestamp: Timestamp,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    canonical_request: String,
    string_to_sign: String,
    signature: String,
}

#[derive(Deserialize)]
struct SignedCase {
    name: String,
    service: String,
    region: String,
    token: Option<String>,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    authorization: String,
}

fn keys(id: &str, secret: &str, token: Option<&str>) -> AwsKeys {
    let json = serde_json::json!({
        "access_key_id": id, "secret_access_key": secret, "session_token": token.unwrap_or_default()
    });
    AwsKeys::read(json.to_string().as_bytes(), None).unwrap()
}

fn parts(method: &str, target: &str, headers: &[(String, String)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(name.as_str(), value.as_str());
    }
    request.body(()).unwrap().into_parts().0
}

#[test]
fn the_test_suite_of_aws_passes() {
    let cases: Vec<SuiteCase> = serde_json::from_str(SUITE).unwrap();
    assert_eq!(cases.len(), 34);
    for case in cases {
        let mut parts = parts(&case.method, &case.target, &case.headers);
        let time = case.timestamp.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
        let hash = hex::encode(Sha256::digest(&case.body));
        parts.headers.insert(DATE, value(&time).unwrap());
        if case.sign_body {
            parts.headers.insert(BODY_HASH, value(&hash).unwrap());
        }
        if let Some(token) = &case.token {
            parts.headers.insert(TOKEN, value(token).unwrap());
        }
        let host = parts.headers.remove(header::HOST).unwrap();
        let style = if case.normalize { PathStyle::Twice } else { PathStyle::TwiceAsIs };
        // The suite signs every header there is.
        let canonical = Canonical::of(&parts, host.to_str().unwrap(), &hash, style, &|_| true).unwrap();
        assert_eq!(*canonical.request, case.canonical_request, "{}", case.name);
        let scope = Scope { region: &case.region, service: &case.service };
        let path = format!("{}/{}/{}/aws4_request", &time[..8], case.region, case.service);
        assert_eq!(canonical.string_to_sign(&path, &time), case.string_to_sign, "{}", case.name);
        let keys = keys(&case.key.0, &case.key.1, case.token.as_deref());
        let authorization = canonical.authorization(&keys, &scope, &time);
        assert!(authorization.ends_with(&format!("Signature={}", case.signature)), "{}", case.name);
    }
}

#[test]
fn plain_requests_are_signed_as_botocore_signs_them() {
    agrees_with_botocore(BOTOCORE, 32);
}

#[test]
fn requests_of_real_clients_are_signed_again_as_their_clients_signed_them() {
    agrees_with_botocore(CLIENTS, 12);
}

fn agrees_with_botocore(golden: &str, count: usize) {
    let cases: Vec<SignedCase> = serde_json::from_str(golden).unwrap();
    assert_eq!(cases.len(), count);
    let now: Timestamp = NOW.parse().unwrap();
    for case in cases {
        let mut parts = parts(&case.method, &case.url, &case.headers);
        let host = parts.uri.authority().unwrap().to_string();
        // What the agent signed with must not matter.
        parts.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("AWS4-HMAC-SHA256 agent's own"));
        parts.headers.insert(DATE, HeaderValue::from_static("20010101T000000Z"));
        parts.headers.insert(TOKEN, HeaderValue::from_static("agent's own"));
        let body = STANDARD.decode(&case.body).unwrap();
        let keys = keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", case.token.as_deref());
        let scope = Scope { region: &case.region, service: &case.service };
        sign(&mut parts, &host, Some(&body), now.into(), &keys, &scope).unwrap();
        let signed = &parts.headers[header::AUTHORIZATION];
        assert_eq!(signed.to_str().unwrap(), case.authorization, "{}", case.name);
        assert!(signed.is_sensitive());
        assert_eq!(parts.headers.get(TOKEN).map(|token| token.to_str().unwrap()), case.token.as_deref());
    }
}

#[test]
fn presigned_parameters_of_the_agent_are_taken_off() {
    let keys = keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None);
    let scope = Scope { region: "us-east-1", service: "s3" };
    let url = "https://b.s3.amazonaws.com/k?x=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F1&\
               x-amz-date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&%58-Amz-Signature=aeee&y=2";
    let mut presigned = parts("GET", url, &[]);
    sign(&mut presigned, "b.s3.amazonaws.com", Some(b""), SystemTime::UNIX_EPOCH, &keys, &scope).unwrap();
    assert_eq!(presigned.uri, "https://b.s3.amazonaws.com/k?x=1&y=2");

    let mut old = parts("GET", "https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Expires=1&Signature=x%3D", &[]);
    sign(&mut old, "b.s3.amazonaws.com", Some(b""), SystemTime::UNIX_EPOCH, &keys, &scope).unwrap();
    assert_eq!(old.uri, "https://b.s3.amazonaws.com/k");

    let mut plain = parts("GET", "https://x.amazonaws.com/k?Expires=1&Signature=x%3D", &[]);
    sign(&mut plain, "x.amazonaws.com", Some(b""), SystemTime::UNIX_EPOCH, &keys, &scope).unwrap();
    assert_eq!(
        plain.uri.query(),
        Some("Expires=1&Signature=x%3D"),
        "without a key they are the caller's own"
    );
}

#[test]
fn a_body_is_asked_for_unless_s3_needs_none() {
    let keys = keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None);
    let attempt = |service, hash: &str| {
        let scope = Scope { region: "us-east-1", service };
        let mut parts = parts("PUT", "https://b.s3.amazonaws.com/k", &hash_header(hash));
        let needs = needs_body(&parts.headers, &scope);
        let outcome = sign(&mut parts, "b.s3.amazonaws.com", None, SystemTime::UNIX_EPOCH, &keys, &scope);
        (needs, outcome.map(|()| parts.headers[BODY_HASH].to_str().unwrap().to_owned()))
    };
    assert_eq!(attempt("bedrock", "abc"), (true, Err(SigningFault::BodyNeeded)));
    assert_eq!(attempt("bedrock", "UNSIGNED-PAYLOAD"), (true, Err(SigningFault::BodyNeeded)));
    assert_eq!(attempt("s3", "abc"), (true, Err(SigningFault::BodyNeeded)));
    for unsigned in ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"] {
        assert_eq!(attempt("s3", unsigned), (false, Ok(unsigned.to_owned())));
    }
    for pieces in ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-EVENTS"] {
        assert_eq!(attempt("s3", pieces), (true, Err(SigningFault::SignedPieces)));
        assert_eq!(attempt("transcribe", pieces), (true, Err(SigningFault::SignedPieces)));
    }
}

fn hash_header(hash: &str) -> [(String, String); 1] {
    [("x-amz-content-sha256".to_owned(), hash.to_owned())]
}

#[test]
fn a_host_that_is_no_header_and_a_clock_out_of_range_are_faults() {
    let keys = keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None);
    let scope = Scope { region: "us-east-1", service: "bedrock" };
    let mut request = parts("GET", "https://h/k", &[]);
    let now = SystemTime::UNIX_EPOCH;
    assert_eq!(sign(&mut request, "h\r\nx: y", Some(b""), now, &keys, &scope), Err(SigningFault::Host));
    let before = now - std::time::Duration::from_secs(86_400 * 400);
    assert_eq!(sign(&mut request, "h", Some(b""), before, &keys, &scope), Err(SigningFault::Clock));
}
