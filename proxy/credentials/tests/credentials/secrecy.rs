//! Nothing that is shown, by anything, has a secret in it.

use std::{
    fmt::{Debug, Display},
    sync::Arc,
    time::SystemTime,
};

use async_trait::async_trait;
use creto_credentials::{
    Credential, CredentialKind, InjectFault, Injector, RotatedToken, Secret, SecretSource, StoredSecret,
    TokenAnswer, TokenEndpoint,
};
use http::HeaderValue;
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::support::{Log, Secrets, header, request};

/// Says everything it was told, as a careless provider does.
struct Parrot {
    status: u16,
    fails: bool,
}

#[async_trait]
impl TokenEndpoint for Parrot {
    async fn post_form(
        &self,
        _: &str,
        form: &[(&str, &str)],
        basic: Option<&HeaderValue>,
    ) -> Result<TokenAnswer, String> {
        let echo = format!("{form:?} {:?}", basic.map(|basic| basic.to_str().unwrap_or_default().to_owned()));
        if self.fails {
            return Err(form.iter().map(|(name, value)| format!("{name}={value} ")).collect());
        }
        let error = if self.status == 200 { "unheard_of" } else { "invalid_grant" };
        let body = serde_json::json!({"error": error, "error_description": echo}).to_string();
        Ok(TokenAnswer { status: self.status, body: Zeroizing::new(body.into_bytes()) })
    }
}

fn hides(shown: &(impl Debug + Display), secret: &str) {
    for text in [format!("{shown}"), format!("{shown:?}"), format!("{shown:#?}")] {
        assert!(!text.contains(secret), "{text}");
    }
}

fn kinds() -> Vec<CredentialKind> {
    let aws = |service: &str| CredentialKind::AwsSigV4 {
        region: "us-east-1".into(),
        service: service.into(),
        profile: Some("p".into()),
    };
    let oauth = CredentialKind::OAuth2Refresh {
        token_url: "https://login.example.com/token".into(),
        client_id: "id".into(),
        scope: None,
    };
    vec![CredentialKind::Bearer, header("x-api-key"), CredentialKind::Basic, aws("s3"), aws("B@d"), oauth]
}

async fn every_fault(secret: &str, content: &str) {
    let secrets = Secrets::new();
    for kind in kinds() {
        for (status, fails) in [(400, false), (200, false), (0, true)] {
            let injector = Injector::new(None, Some(Arc::new(Parrot { status, fails })), None);
            let credential = secrets.credential("key", kind.clone(), content);
            match injector.prepare(&credential).await {
                Err(fault) => hides(&fault, secret),
                Ok(injection) => {
                    assert!(
                        !format!("{injection:?} {injector:?} {:?}", injection.scrubber()).contains(secret)
                    );
                    let parts = request("http://h/?k=creto-placeholder-key", &[]);
                    for (host, body) in [("h", None), ("h\n", Some(&b""[..])), ("h", Some(b""))] {
                        let mut parts = parts.clone();
                        if let Err(fault) = injection.apply(&mut parts, host, body, SystemTime::now()) {
                            hides(&fault, secret);
                        }
                        let mut https = parts;
                        https.uri = "https://h/".parse().unwrap();
                        if injection.apply(&mut https, host, body, SystemTime::now()).is_ok() {
                            let shown = format!("{:?}", https.headers);
                            assert!(!shown.contains(secret), "{shown}");
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_fault_and_no_debug_output_has_the_secret(secret in "[A-Za-z0-9/+]{12,60}", shape in 0..6_u8) {
        let content = match shape {
            0 => secret.clone(),
            1 => format!("{secret}\n\n"),
            2 => format!("user:{secret}"),
            3 => format!("[p]\naws_access_key_id = AKID\naws_secret_access_key = {secret}\n"),
            4 => serde_json::json!({"access_key_id": "A,B", "secret_access_key": secret}).to_string(),
            _ => serde_json::json!({"refresh_token": secret, "client_secret": secret}).to_string(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let log = Log::start();
        runtime.block_on(every_fault(&secret, &content));
        prop_assert!(!log.text().contains(&secret));
    }
}

#[test]
fn types_that_hold_a_secret_show_nothing_of_it() {
    let secret = Secret::copied_from(b"sk-real-0123456789");
    let token = RotatedToken {
        credential: "login".into(),
        source: SecretSource::Env("KEY".into()),
        secret: secret.clone(),
    };
    let bytes = || Zeroizing::new(b"sk-real-0123456789".to_vec());
    let stored = StoredSecret { value: bytes(), version: 3 };
    let answer = TokenAnswer { status: 200, body: bytes() };
    let shown = format!("{secret:?} {token:?} {token:#?} {stored:?} {answer:?}");
    assert!(!shown.contains("sk-real") && !shown.contains(&format!("{:?}", b's')), "{shown}");
}

#[test]
fn headers_that_carry_a_secret_are_marked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let secrets = Secrets::new();
    let aws =
        r#"{"access_key_id":"AKID","secret_access_key":"secret-key-of-aws","session_token":"session-token"}"#;
    let p = "creto-placeholder-key";
    for (kind, content) in
        kinds().into_iter().zip(["sk-real-0123456789", "sk-real-0123456789", "user:sk-real-0123", aws])
    {
        let credential: Credential = secrets.credential("key", kind, content);
        let injection = runtime.block_on(crate::support::injector().prepare(&credential)).unwrap();
        let mut parts = request("/", &[("x-other", p), ("authorization", p)]);
        injection.apply(&mut parts, "h", Some(b""), SystemTime::now()).unwrap();
        let shown = format!("{:?}", parts.headers);
        for part in ["sk-real", "secret-key", "session-token", "Signature"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}

#[test]
fn a_fault_says_which_credential_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let credential =
        Credential::new("openai", CredentialKind::Bearer, SecretSource::File("/none/key".into()));
    let fault: InjectFault = runtime.block_on(crate::support::injector().prepare(&credential)).err().unwrap();
    assert_eq!(
        fault.to_string(),
        "credential openai: the secret file /none/key cannot be read (entity not found): \
         check that it is there and that the sidecar's user may read it"
    );
}
