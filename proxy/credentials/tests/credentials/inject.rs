//! A secret gets to where its placeholder stands, and nothing else gets there.
use std::time::SystemTime;

use crate::support::{header, injection, request};
use base64::{Engine, engine::general_purpose::STANDARD};
use creto_credentials::{CredentialKind, InjectFault, Injection, MAX_PLACES, SigningFault, ValueFault};
use http::request::Parts;
use proptest::prelude::*;

const KEY: &str = "sk-real-0123456789/+=";
const P: &str = "creto-placeholder-openai";

async fn applied(kind: CredentialKind, secret: &str, mut parts: Parts) -> Result<Parts, InjectFault> {
    let injection = injection(kind, secret).await?;
    injection.apply(&mut parts, "api.example.com", None, SystemTime::now())?;
    Ok(parts)
}

fn value<'a>(parts: &'a Parts, name: &str) -> &'a str {
    let mut values = parts.headers.get_all(name).iter();
    let value = values.next().expect("the header is there");
    assert!(values.next().is_none(), "{name} is there once");
    value.to_str().unwrap()
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[tokio::test]
async fn an_agent_that_sends_nothing_gets_the_credentials_own_header() {
    let parts = applied(CredentialKind::Bearer, KEY, request("/v1", &[])).await.unwrap();
    assert_eq!(value(&parts, "authorization"), format!("Bearer {KEY}"));
    assert!(parts.headers["authorization"].is_sensitive());

    let parts = applied(header("x-api-key"), KEY, request("/v1", &[])).await.unwrap();
    assert_eq!(value(&parts, "x-api-key"), KEY);
    assert!(parts.headers["x-api-key"].is_sensitive());
    assert!(!parts.headers.contains_key("authorization"));

    let parts = applied(CredentialKind::Basic, "user:pass:word", request("/v1", &[])).await.unwrap();
    assert_eq!(value(&parts, "authorization"), basic("user:pass:word"));
    assert!(parts.headers["authorization"].is_sensitive());
}

#[tokio::test]
async fn a_placeholder_in_a_header_is_replaced_where_it_stands() {
    for (sent, wanted) in [
        (format!("Bearer {P}"), format!("Bearer {KEY}")),
        (format!("token {P}"), format!("token {KEY}")),
        (P.to_owned(), KEY.to_owned()),
        (format!("Token token=\"{P}\""), format!("Token token=\"{KEY}\"")),
        (basic(&format!("x-access-token:{P}")), basic(&format!("x-access-token:{KEY}"))),
        (basic(&format!("{P}:")), basic(&format!("{KEY}:"))),
        (basic(&format!("{P}:")).replace("Basic", "bAsIc"), basic(&format!("{KEY}:"))),
    ] {
        let parts =
            applied(CredentialKind::Bearer, KEY, request("/v1", &[("authorization", &sent)])).await.unwrap();
        assert_eq!(value(&parts, "authorization"), wanted, "{sent}");
        assert!(parts.headers["authorization"].is_sensitive());
    }
    let cookie = format!("theme=dark; session={P}; x=1");
    let parts = applied(header("cookie"), KEY, request("/v1", &[("cookie", &cookie)])).await.unwrap();
    assert_eq!(value(&parts, "cookie"), format!("theme=dark; session={KEY}; x=1"));
}

#[tokio::test]
async fn a_placeholder_in_another_header_is_replaced_there_and_none_is_added() {
    let parts = applied(CredentialKind::Bearer, KEY, request("/v1", &[("x-goog-api-key", P)])).await.unwrap();
    assert_eq!(value(&parts, "x-goog-api-key"), KEY);
    assert!(parts.headers["x-goog-api-key"].is_sensitive());
    assert!(!parts.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_placeholder_in_the_query_is_replaced_and_encoded() {
    let encoded = "sk-real-0123456789%2F%2B%3D";
    for (sent, wanted) in [
        (format!("/v1?key={P}"), format!("/v1?key={encoded}")),
        (format!("/v1?a=%20&key={P}&b=x+y"), format!("/v1?a=%20&key={encoded}&b=x+y")),
        (format!("/v1?key={}", P.replace('-', "%2D")), format!("/v1?key={encoded}")),
        (format!("/v1?key={}", P.replace('c', "%63")), format!("/v1?key={encoded}")),
        (format!("/v1?auth=Bearer%20{P}+x"), format!("/v1?auth=Bearer%20{encoded}+x")),
        (format!("https://h:1/v1?key={P}"), format!("https://h:1/v1?key={encoded}")),
    ] {
        let parts = applied(header("x-api-key"), KEY, request(&sent, &[])).await.unwrap();
        assert_eq!(parts.uri.to_string(), wanted, "{sent}");
        assert!(!parts.headers.contains_key("x-api-key"));
    }
}

#[tokio::test]
async fn a_query_without_the_placeholder_keeps_every_byte() {
    let uri =
        "/v1?%7e=%zz&&=&a=b%2&creto-placeholder-openai&x=creto-placeholder-openai2&y=creto%2Dplaceholder";
    let parts = applied(header("x-api-key"), KEY, request(uri, &[])).await.unwrap();
    assert_eq!(parts.uri.to_string(), uri);
    assert_eq!(value(&parts, "x-api-key"), KEY);
}

#[tokio::test]
async fn the_agents_own_key_never_wins() {
    let own = [
        "Bearer sk-agents-own".to_owned(),
        "sk-agents-own".to_owned(),
        basic("agent:own"),
        "Basic !!!".to_owned(),
        format!("Bearer sk-agents-own, Bearer {P}"),
        format!("Bearer {P} sk-agents-own"),
        format!("Digest username=\"agent\", response=\"{P}\""),
        format!("Bearer {P}2"),
        format!("Bearer sk-agents-own={P}"),
        format!("sk_agents_own {P}"),
        format!("Basic sk-agents-own:{P}"),
        basic(&format!("sk-agents-own:{P}")),
        basic(&format!("{P}:sk-agents-own")),
        basic(&format!("{P}:{P}:sk-agents-own")),
        String::new(),
    ];
    for sent in &own {
        let parts =
            applied(CredentialKind::Bearer, KEY, request("/v1", &[("authorization", sent)])).await.unwrap();
        assert_eq!(value(&parts, "authorization"), format!("Bearer {KEY}"), "{sent}");
        let parts =
            applied(CredentialKind::Basic, "user:password", request("/v1", &[("authorization", sent)])).await;
        assert_eq!(value(&parts.unwrap(), "authorization"), basic("user:password"), "{sent}");
    }
    let twice = [("authorization", &*format!("Bearer {P}")), ("authorization", "Bearer sk-agents-own")];
    let parts = applied(CredentialKind::Bearer, KEY, request("/v1", &twice)).await.unwrap();
    assert_eq!(value(&parts, "authorization"), format!("Bearer {KEY}"));
    // Even where the placeholder stands elsewhere.
    let elsewhere = [("x-other", P), ("authorization", "Bearer sk-agents-own")];
    let parts = applied(CredentialKind::Bearer, KEY, request("/v1", &elsewhere)).await.unwrap();
    assert_eq!(value(&parts, "authorization"), format!("Bearer {KEY}"));
    assert_eq!(value(&parts, "x-other"), KEY);
}

#[tokio::test]
async fn a_basic_secret_takes_the_whole_pair() {
    for sent in [basic(&format!("{P}:{P}")), basic(&format!("agent:{P}")), basic(P), format!("Basic {P}")] {
        let parts = request("/v1", &[("authorization", &sent), ("x-forwarded-auth", &sent)]);
        let parts = applied(CredentialKind::Basic, "user:password", parts).await.unwrap();
        assert_eq!(value(&parts, "authorization"), basic("user:password"), "{sent}");
    }
    let sent = basic(&format!("agent:{P}"));
    let parts =
        applied(CredentialKind::Basic, "user:password", request("/", &[("x-auth", &sent)])).await.unwrap();
    assert_eq!(value(&parts, "x-auth"), basic("user:password"));
    assert!(!parts.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_placeholder_that_is_the_beginning_of_another_is_not_it() {
    let longer = format!("{P}-eu");
    let parts = applied(CredentialKind::Bearer, KEY, request("/v1", &[("x-key", &longer)])).await.unwrap();
    assert_eq!(value(&parts, "x-key"), longer);
    assert_eq!(value(&parts, "authorization"), format!("Bearer {KEY}"));
}

#[tokio::test]
async fn a_secret_is_put_into_a_few_places_only() {
    let many = vec![P; MAX_PLACES].join(",");
    let parts = request("/v1", &[("x-keys", &many), ("authorization", "")]);
    applied(CredentialKind::Bearer, KEY, parts).await.unwrap();
    for parts in [
        request("/v1", &[("x-keys", &format!("{many},{P}"))]),
        request(&format!("/v1?k={P}"), &[("x-keys", &many)]),
        request("/v1", &[("x-keys", &many), ("authorization", &format!("Bearer {P}"))]),
        request("/v1", &[("x-keys", &basic(&format!("{many},{P}")))]),
        request(&format!("/v1?k={}", vec![P; 1000].join(".")), &[]),
    ] {
        let fault = applied(CredentialKind::Bearer, KEY, parts).await.err();
        assert_eq!(fault, Some(InjectFault::TooManyPlaces { credential: "openai".into() }));
    }
}

#[tokio::test]
async fn a_secret_is_not_sent_in_the_clear_unless_it_is_said_so() {
    let secrets = crate::support::Secrets::new();
    let mut credential = secrets.credential("openai", CredentialKind::Bearer, KEY);
    let injector = crate::support::injector();
    let apply = |injection: &Injection| {
        injection.apply(&mut request("http://api.example.com/v1", &[]), "h", None, SystemTime::now())
    };
    let refused = apply(&injector.prepare(&credential).await.unwrap());
    assert_eq!(refused, Err(InjectFault::PlainHttp { credential: "openai".into() }));
    credential.plain_http = true;
    assert_eq!(apply(&injector.prepare(&credential).await.unwrap()), Ok(()));
}

#[tokio::test]
async fn secrets_that_cannot_be_used_are_refused_with_what_to_do() {
    for (kind, secret, fault) in [
        (CredentialKind::Bearer, "sevenby".to_owned(), ValueFault::TooShort),
        (CredentialKind::Bearer, "x".repeat(16_385), ValueFault::TooLong),
        (CredentialKind::Bearer, "line one\nline two".into(), ValueFault::NotAHeader),
        (CredentialKind::Bearer, "bell\x07bell".into(), ValueFault::NotAHeader),
        (CredentialKind::Bearer, P.into(), ValueFault::IsPlaceholder),
        (CredentialKind::Basic, "no-colon-in-it".into(), ValueFault::NoColon),
        (CredentialKind::Basic, "administrator:short".into(), ValueFault::PasswordTooShort),
    ] {
        let outcome = injection(kind, &secret).await.err();
        assert_eq!(outcome, Some(InjectFault::Value { credential: "openai".into(), fault }));
    }
    injection(CredentialKind::Basic, "sk_live_key_as_user:").await.unwrap();
}

#[tokio::test]
async fn an_aws_request_asks_for_its_body_and_is_signed() {
    let kind =
        CredentialKind::AwsSigV4 { region: "us-east-1".into(), service: "bedrock".into(), profile: None };
    let secret =
        "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG\n";
    let injection = injection(kind, secret).await.unwrap();
    let sent = [
        ("authorization", "AWS4-HMAC-SHA256 Credential=creto-placeholder-openai/2026"),
        ("x-amz-security-token", "own"),
    ];
    let mut parts = request("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse", &sent);
    assert!(injection.needs_body(&parts));
    let host = "bedrock-runtime.us-east-1.amazonaws.com";
    let fault = injection.apply(&mut parts.clone(), host, None, SystemTime::now());
    assert_eq!(
        fault,
        Err(InjectFault::Signing { credential: "openai".into(), fault: SigningFault::BodyNeeded })
    );
    injection.apply(&mut parts, host, Some(b"{}"), SystemTime::now()).unwrap();
    assert!(value(&parts, "authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    assert!(!parts.headers.contains_key("x-amz-security-token"));
}

#[tokio::test]
async fn only_aws_needs_the_body() {
    let injection = injection(CredentialKind::Bearer, KEY).await.unwrap();
    assert!(!injection.needs_body(&request("/", &[])));
    assert_eq!(injection.credential(), "openai");
    assert!(!injection.allows_plain_http());
}

proptest! {
    /// Whatever an agent sends, the credential's header ends up with the secret and without the agent's own.
    #[test]
    fn no_header_of_an_agent_survives_in_the_credentials_header(
        values in prop::collection::vec("[ -~]{0,40}", 0..3),
        mixed in "(Bearer |Basic |token )(own|creto-placeholder-openai|,| |=|\"){0,6}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut sent: Vec<(&str, &str)> = values.iter().map(|value| ("authorization", value.as_str())).collect();
        sent.push(("authorization", &mixed));
        let parts = runtime.block_on(applied(CredentialKind::Bearer, KEY, request("/v1", &sent))).unwrap();
        let value = value(&parts, "authorization");
        prop_assert!(value.contains(KEY) || value.starts_with("Basic "), "{value}");
        prop_assert!(!value.contains("own"), "{value}");
    }

    #[test]
    fn queries_of_every_kind_are_no_panic(query in "[ -~]{0,60}", escaped in "(%[0-9a-f]{0,2}|creto-placeholder-openai|&|=){0,12}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let query = format!("/x?{query}{escaped}");
        if let Ok(uri) = query.parse::<http::Uri>() {
            let mut parts = request("/", &[]);
            parts.uri = uri;
            let _ = runtime.block_on(applied(CredentialKind::Bearer, KEY, parts));
        }
    }
}
