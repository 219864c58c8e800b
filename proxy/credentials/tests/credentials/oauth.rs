//! Access tokens: one refresh at a time, rotation, failure and recovery.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use creto_credentials::{
    Credential, CredentialKind, InjectFault, Injector, OAuthFault, RotatedToken, RotatedTokens, SecretSource,
    StoredSecrets, TokenAnswer, TokenEndpoint, ValueFault,
};
use http::HeaderValue;
use parking_lot::Mutex;
use tokio::time::{Instant, advance, sleep};
use zeroize::Zeroizing;

use crate::support::{Secrets, request};

const REFRESH: &str = "refresh-token-0";

type Form = Vec<(String, String)>;

/// A token endpoint: says what it is told to, else grants `access-token-N` for an hour.
#[derive(Default)]
struct Endpoint {
    answers: Mutex<VecDeque<Result<(u16, String), String>>>,
    asked: Mutex<Vec<(Form, Option<String>)>>,
    takes: Mutex<Duration>,
}

#[async_trait]
impl TokenEndpoint for Endpoint {
    async fn post_form(
        &self,
        url: &str,
        form: &[(&str, &str)],
        basic: Option<&HeaderValue>,
    ) -> Result<TokenAnswer, String> {
        assert_eq!(url, "https://login.example.com/token");
        let number = {
            let mut asked = self.asked.lock();
            let form = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let basic = basic.map(|basic| {
                assert!(basic.is_sensitive());
                basic.to_str().unwrap().to_owned()
            });
            asked.push((form, basic));
            asked.len()
        };
        let takes = *self.takes.lock();
        sleep(takes).await;
        let answer = self.answers.lock().pop_front();
        let (status, body) =
            answer.unwrap_or_else(|| Ok((200, granted(&format!("access-token-{number}"), ""))))?;
        Ok(TokenAnswer { status, body: Zeroizing::new(body.into_bytes()) })
    }
}

fn granted(access_token: &str, more: &str) -> String {
    format!(r#"{{"access_token":"{access_token}","token_type":"Bearer","expires_in":3600{more}}}"#)
}

fn rotated(access_token: &str, refresh_token: &str) -> Result<(u16, String), String> {
    Ok((200, granted(access_token, &format!(r#","refresh_token":"{refresh_token}""#))))
}

/// Where rotated tokens are written; fails as often as it is told to.
#[derive(Default)]
struct Sink {
    kept: Mutex<Vec<(SecretSource, String)>>,
    failures: Mutex<u32>,
}

#[async_trait]
impl RotatedTokens for Sink {
    async fn keep(&self, token: &RotatedToken) -> Result<(), String> {
        let mut failures = self.failures.lock();
        if *failures > 0 {
            *failures -= 1;
            return Err("disk full".into());
        }
        assert_eq!(token.credential, "login");
        let secret = String::from_utf8(token.secret.expose().to_vec()).unwrap();
        self.kept.lock().push((token.source.clone(), secret));
        Ok(())
    }
}

struct Login {
    endpoint: Arc<Endpoint>,
    sink: Arc<Sink>,
    injector: Arc<Injector>,
    credential: Credential,
    secrets: Secrets,
}

impl Login {
    fn new(secret: &str) -> Self {
        let (endpoint, sink, secrets) = (Arc::<Endpoint>::default(), Arc::<Sink>::default(), Secrets::new());
        let kind = CredentialKind::OAuth2Refresh {
            token_url: "https://login.example.com/token".into(),
            client_id: "client id".into(),
            scope: Some("read write".into()),
        };
        let credential = secrets.credential("login", kind, secret);
        let injector = Arc::new(Injector::new(
            None::<Arc<dyn StoredSecrets>>,
            Some(Arc::clone(&endpoint) as Arc<dyn TokenEndpoint>),
            Some(Arc::clone(&sink) as Arc<dyn RotatedTokens>),
        ));
        Self { endpoint, sink, injector, credential, secrets }
    }

    async fn sent(&self) -> Result<String, InjectFault> {
        let injection = self.injector.prepare(&self.credential).await?;
        let mut parts = request("/", &[("authorization", "Bearer creto-placeholder-login")]);
        injection.apply(&mut parts, "h", None, SystemTime::now())?;
        let sent = parts.headers["authorization"].to_str().unwrap().replace("Bearer ", "");
        // Lets a refresh behind the call end.
        sleep(Duration::from_millis(1)).await;
        Ok(sent)
    }

    async fn fault(&self) -> OAuthFault {
        match self.sent().await.err().unwrap() {
            InjectFault::OAuth { fault, credential } => {
                assert_eq!(credential, "login");
                fault
            }
            other => panic!("{other}"),
        }
    }

    fn answers(&self, answer: Result<(u16, String), String>) {
        self.endpoint.answers.lock().push_back(answer);
    }

    fn asked(&self) -> usize {
        self.endpoint.asked.lock().len()
    }

    /// The refresh token of the last question.
    fn asked_with(&self) -> String {
        let asked = self.endpoint.asked.lock();
        let (form, _) = asked.last().unwrap();
        form.iter().find(|(name, _)| name == "refresh_token").unwrap().1.clone()
    }
}

async fn seconds(count: u64) {
    advance(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_is_got_once_and_refreshed_a_minute_before_it_ends() {
    let login = Login::new(REFRESH);
    for _ in 0..10 {
        assert_eq!(login.sent().await.unwrap(), "access-token-1");
    }
    seconds(3530).await;
    assert_eq!(login.sent().await.unwrap(), "access-token-1");
    assert_eq!(login.asked(), 1);
    seconds(15).await;
    assert_eq!(login.sent().await.unwrap(), "access-token-1", "no call waits while the token holds");
    assert_eq!(login.sent().await.unwrap(), "access-token-2");
    seconds(3601).await;
    assert_eq!(login.sent().await.unwrap(), "access-token-3", "an ended token is never sent");
    assert_eq!(login.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_question_is_that_of_the_rfc() {
    let pairs = |pairs: &[(&str, &str)]| -> Form {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let login = Login::new(REFRESH);
    login.sent().await.unwrap();
    let base = [("grant_type", "refresh_token"), ("refresh_token", REFRESH), ("scope", "read write")];
    let public = [&base[..], &[("client_id", "client id")]].concat();
    assert_eq!(*login.endpoint.asked.lock(), [(pairs(&public), None)]);

    let login = Login::new(r#"{"refresh_token":"refresh-token-0","client_secret":"client:secret"}"#);
    login.sent().await.unwrap();
    // base64 of `client+id:client%3Asecret`
    let basic = Some("Basic Y2xpZW50K2lkOmNsaWVudCUzQXNlY3JldA==".to_owned());
    assert_eq!(*login.endpoint.asked.lock(), [(pairs(&base), basic)]);
}

#[tokio::test(start_paused = true)]
async fn a_client_secret_that_is_not_taken_as_basic_is_sent_in_the_body() {
    let login = Login::new(r#"{"refresh_token":"refresh-token-0","client_secret":"client-secret"}"#);
    login.answers(Ok((401, r#"{"error":"invalid_client"}"#.into())));
    assert_eq!(login.sent().await.unwrap(), "access-token-2");
    seconds(3600).await;
    assert_eq!(login.sent().await.unwrap(), "access-token-3", "what went well is tried first");
    let asked = login.endpoint.asked.lock();
    assert!(asked[0].1.is_some() && asked[1].1.is_none() && asked[2].1.is_none());
    assert_eq!(asked[1].0.last().unwrap(), &("client_secret".to_owned(), "client-secret".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_calls_wait_for_one_refresh() {
    let login = Login::new(REFRESH);
    *login.endpoint.takes.lock() = Duration::from_secs(3);
    let login = Arc::new(login);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let login = Arc::clone(&login);
            tokio::spawn(async move { login.sent().await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "access-token-1");
    }
    assert_eq!(login.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_credentials_over_one_refresh_token_use_it_once() {
    let login = Login::new(REFRESH);
    let mut other = login.credential.clone();
    other.name = "other".into();
    let both = tokio::join!(login.injector.prepare(&login.credential), login.injector.prepare(&other));
    assert!(both.0.is_ok() && both.1.is_ok());
    assert_eq!(login.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_longer_than_ten_seconds_and_the_refresh_goes_on() {
    let login = Login::new(REFRESH);
    *login.endpoint.takes.lock() = Duration::from_secs(25);
    login.answers(rotated("access-token-a", "refresh-token-1"));
    let started = Instant::now();
    assert_eq!(login.fault().await, OAuthFault::Slow);
    assert!(started.elapsed() < Duration::from_secs(11));
    assert_eq!(login.fault().await, OAuthFault::Slow);
    assert_eq!(login.sent().await.unwrap(), "access-token-a");
    assert_eq!(login.asked(), 1);
    assert_eq!(login.sink.kept.lock()[0].1, "refresh-token-1", "the new refresh token was not lost");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answers_is_given_up() {
    let login = Login::new(REFRESH);
    *login.endpoint.takes.lock() = Duration::from_secs(3600);
    assert_eq!(login.fault().await, OAuthFault::Slow);
    assert_eq!(login.fault().await, OAuthFault::Slow);
    let fault = login.fault().await;
    assert!(matches!(fault, OAuthFault::Slow | OAuthFault::Unreachable { .. }), "{fault}");
    *login.endpoint.takes.lock() = Duration::ZERO;
    sleep(Duration::from_secs(35)).await;
    login.sent().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rotated_refresh_token_is_used_next_and_kept() {
    let login =
        Login::new(r#"{"client_secret":"client-secret","note":"x","refresh_token":"refresh-token-0"}"#);
    for round in 1..=3 {
        login.answers(rotated(&format!("access-token-{round}"), &format!("refresh-token-{round}")));
        assert_eq!(login.sent().await.unwrap(), format!("access-token-{round}"));
        assert_eq!(login.asked_with(), format!("refresh-token-{}", round - 1));
        seconds(3601).await;
    }
    let kept = login.sink.kept.lock();
    assert_eq!(kept.len(), 3);
    let (source, secret) = &kept[2];
    assert_eq!(*source, login.credential.source);
    let secret: serde_json::Value = serde_json::from_str(secret).unwrap();
    let wanted = serde_json::json!({"client_secret": "client-secret", "note": "x", "refresh_token": "refresh-token-3"});
    assert_eq!(secret, wanted, "in the form of the old one");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_lags_behind_does_not_bring_back_a_used_up_token() {
    let login = Login::new(REFRESH);
    login.answers(rotated("access-token-a", "refresh-token-1"));
    login.sent().await.unwrap();
    seconds(3601).await;
    login.answers(rotated("access-token-b", "refresh-token-2"));
    login.sent().await.unwrap();
    // The sink's writes come to the file late, the older one now.
    login.secrets.file("login", "refresh-token-1");
    seconds(10).await;
    assert_eq!(login.sent().await.unwrap(), "access-token-b");
    seconds(3601).await;
    login.sent().await.unwrap();
    assert_eq!(login.asked_with(), "refresh-token-2");
    // And then the newer one.
    login.secrets.file("login", "refresh-token-2\n");
    seconds(3601).await;
    login.sent().await.unwrap();
    assert_eq!(login.asked_with(), "refresh-token-2");
    assert_eq!(login.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_new_login_is_used_at_once() {
    let login = Login::new(REFRESH);
    login.answers(Ok((400, r#"{"error":"invalid_grant"}"#.into())));
    assert_eq!(login.fault().await, OAuthFault::LogInAgain);
    assert!(login.fault().await.to_string().contains("log in again"));
    assert_eq!(login.asked(), 1, "asking again brings nothing back");
    login.secrets.file("login", "refresh-token-of-new-login");
    seconds(2).await;
    assert_eq!(login.sent().await.unwrap(), "access-token-2");
    assert_eq!(login.asked_with(), "refresh-token-of-new-login");
    // Another login while the token still holds.
    login.secrets.file("login", "refresh-token-of-third-login");
    seconds(2).await;
    assert_eq!(login.sent().await.unwrap(), "access-token-3");
}

#[tokio::test(start_paused = true)]
async fn a_new_token_that_cannot_be_written_is_tried_again_and_calls_go_on() {
    let login = Login::new(REFRESH);
    *login.sink.failures.lock() = 3;
    login.answers(rotated("access-token-a", "refresh-token-1"));
    assert_eq!(login.sent().await.unwrap(), "access-token-a");
    assert!(login.sink.kept.lock().is_empty());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(login.sink.kept.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_older_token_is_not_written_over_a_newer_one() {
    let login = Login::new(REFRESH);
    *login.sink.failures.lock() = 2;
    login.answers(Ok((
        200,
        r#"{"access_token":"access-token-a","expires_in":1,"refresh_token":"refresh-token-1"}"#.into(),
    )));
    login.answers(rotated("access-token-b", "refresh-token-2"));
    login.sent().await.unwrap();
    *login.sink.failures.lock() = 100;
    seconds(31).await;
    assert_eq!(login.sent().await.unwrap(), "access-token-b");
    *login.sink.failures.lock() = 0;
    sleep(Duration::from_secs(100)).await;
    let kept: Vec<String> = login.sink.kept.lock().iter().map(|(_, secret)| secret.clone()).collect();
    assert_eq!(kept, ["refresh-token-2"]);
}

#[tokio::test(start_paused = true)]
async fn failures_wait_longer_and_longer_and_recovery_is_at_once() {
    let login = Login::new(REFRESH);
    for _ in 0..8 {
        login.answers(Ok((503, String::new())));
    }
    let started = Instant::now();
    let mut waits = Vec::new();
    for round in 1..=8 {
        let fault = login.fault().await;
        assert_eq!(login.asked(), round);
        assert!(fault.is_passing());
        let OAuthFault::Busy { status: 503, retry_in_s } = fault else { panic!("{fault}") };
        waits.push(retry_in_s);
        // Calls meanwhile hear the same and ask nobody.
        assert!(login.sent().await.is_err());
        assert_eq!(login.asked(), round);
        seconds(retry_in_s).await;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(login.sent().await.unwrap(), "access-token-9");
    assert!(started.elapsed() < Duration::from_secs(125));
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_before_the_end_hurts_no_call() {
    let login = Login::new(REFRESH);
    login.sent().await.unwrap();
    seconds(3545).await;
    for _ in 0..4 {
        login.answers(Err("connection refused".into()));
    }
    while login.asked() < 5 {
        assert_eq!(login.sent().await.unwrap(), "access-token-1");
        seconds(1).await;
    }
    seconds(16).await;
    login.sent().await.unwrap();
    assert_eq!(login.sent().await.unwrap(), "access-token-6");
}

#[tokio::test(start_paused = true)]
async fn a_reason_from_outside_shows_no_token() {
    let login = Login::new(r#"{"refresh_token":"refresh-token-0","client_secret":"client-secret"}"#);
    login.answers(Err(format!(
        "POST refresh_token=refresh-token-0&client_secret=client-secret\n{}",
        "x".repeat(500)
    )));
    let OAuthFault::Unreachable { reason, retry_in_s: 1 } = login.fault().await else { panic!() };
    assert!(
        reason.starts_with("POST refresh_token=***************&client_secret=*************x"),
        "{reason}"
    );
    assert_eq!(reason.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_upstream_refuses_is_replaced_but_not_at_an_agents_pleasure() {
    let login = Login::new(REFRESH);
    let injection = login.injector.prepare(&login.credential).await.unwrap();
    for _ in 0..10 {
        login.injector.refused(&injection);
        assert_eq!(login.sent().await.unwrap(), "access-token-1");
    }
    seconds(31).await;
    login.injector.refused(&injection);
    assert_eq!(login.sent().await.unwrap(), "access-token-2");
    // The old one is refused again by a late answer: the new one stays.
    seconds(31).await;
    login.injector.refused(&injection);
    assert_eq!(login.sent().await.unwrap(), "access-token-2");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_work_is_said_before_anybody_is_asked() {
    let login = Login::new(r#"{"client_secret":"client-secret"}"#);
    let fault = InjectFault::Value { credential: "login".into(), fault: ValueFault::NoRefreshToken };
    assert_eq!(login.sent().await, Err(fault));
    assert_eq!(login.asked(), 0);
    let fault = Injector::new(None, None, None).prepare(&login.credential).await.err();
    assert_eq!(fault, Some(InjectFault::OAuth { credential: "login".into(), fault: OAuthFault::NoEndpoint }));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_echoes_any_of_the_tokens_is_scrubbed() {
    let login = Login::new(r#"{"refresh_token":"refresh-token-0","client_secret":"client-secret"}"#);
    let injection = login.injector.prepare(&login.credential).await.unwrap();
    let echoed = "access-token-1 refresh-token-0 client-secret other-text";
    let scrubbed = injection.scrubber().scrub_text(echoed).unwrap();
    assert_eq!(scrubbed, "************** *************** ************* other-text");
}
