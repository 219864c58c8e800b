//! One refresh token and the access token it got: refreshed by one flight at a time, however many calls wait.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use http::HeaderValue;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use zeroize::Zeroizing;

use super::{
    OAuthFault, RotatedToken, RotatedTokens, TokenAnswer, TokenEndpoint, answer, form::encode, grant::Grant,
};
use crate::{
    Secret, SecretSource, ValueFault,
    scrub::{Patterns, Scrubber},
    value::{basic_header, sensitive},
};

/// Longest wait of a call for a refresh.
const CALL_WAIT: Duration = Duration::from_secs(10);
/// Longest wait of a refresh for one answer. Longer than a call waits: an answer with a rotated token must not be lost.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// A token is refreshed this long before it ends, or at half its life if that is less.
const REFRESH_BEFORE: Duration = Duration::from_secs(60);
/// The wait after a failed refresh; doubles with each.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest such wait.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// A token that an upstream refused is thrown away only at this age: else an agent could make us refresh all the time.
const REFUSED_AGE: Duration = Duration::from_secs(30);
/// Digests of refresh tokens that were replaced by newer ones; older ones are forgotten.
const MAX_SUPERSEDED: usize = 16;
/// Times a rotated token is tried to be kept.
const KEEP_TRIES: u32 = 6;
/// Longest wait for one of them.
const KEEP_WAIT: Duration = Duration::from_secs(10);
/// Longest reason in an error, in characters.
const MAX_REASON: usize = 200;

/// Who asks, and where.
#[derive(Clone)]
pub(crate) struct TokenClient {
    pub(crate) credential: String,
    pub(crate) source: SecretSource,
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) scope: Option<String>,
}

/// Why there is no token.
pub(crate) enum TokenFault {
    Value(ValueFault),
    OAuth(OAuthFault),
}

type Outcome = Result<Secret, OAuthFault>;

pub(crate) struct TokenKeeper {
    client: TokenClient,
    endpoint: Arc<dyn TokenEndpoint>,
    rotated: Option<Arc<dyn RotatedTokens>>,
    state: Mutex<State>,
    /// Held by whoever writes a rotated token: an older one must not come last.
    keeping: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The source as it was seen last.
    source: Option<Secret>,
    grant: Option<Grant>,
    /// Goes up when the operator puts in another refresh token: what older flights bring does not count.
    generation: u64,
    superseded: VecDeque<[u8; 32]>,
    access: Option<Access>,
    /// Which way of saying the client secret went well; Basic is tried first (RFC 6749 section 2.3.1).
    secret_in_body: bool,
    failures: u32,
    resting: Option<(Instant, OAuthFault)>,
    flight: Option<watch::Receiver<Option<Outcome>>>,
}

struct Access {
    token: Secret,
    granted: Instant,
    refresh_at: Instant,
    ends_at: Instant,
}

/// What one flight needs to know.
struct Flight {
    grant: Grant,
    generation: u64,
    secret_in_body: bool,
    retry_in: Duration,
}

impl TokenKeeper {
    pub(crate) fn new(
        client: TokenClient,
        endpoint: Arc<dyn TokenEndpoint>,
        rotated: Option<Arc<dyn RotatedTokens>>,
    ) -> Self {
        Self { client, endpoint, rotated, state: Mutex::default(), keeping: tokio::sync::Mutex::default() }
    }

    /// An access token that holds for a while, and what else must not be seen in answers.
    pub(crate) async fn token(self: &Arc<Self>, source: &Secret) -> Result<Secret, TokenFault> {
        let mut flight = {
            let mut state = self.state.lock();
            state.adopt(source).map_err(TokenFault::Value)?;
            let now = Instant::now();
            let valid = state.access.as_ref().filter(|access| now < access.ends_at);
            if let Some(access) = valid {
                let (token, due) = (access.token.clone(), now >= access.refresh_at);
                if due && state.rest(now).is_none() {
                    self.fly(&mut state);
                }
                return Ok(token);
            }
            if let Some(fault) = state.rest(now) {
                return Err(TokenFault::OAuth(fault));
            }
            match self.fly(&mut state) {
                Some(flight) => flight,
                None => return Err(TokenFault::Value(ValueFault::NoRefreshToken)),
            }
        };
        let outcome = match timeout(CALL_WAIT, flight.wait_for(Option::is_some)).await {
            Err(_) => return Err(TokenFault::OAuth(OAuthFault::Slow)),
            Ok(Ok(outcome)) => outcome.clone(),
            Ok(Err(_)) => None,
        };
        match outcome {
            Some(outcome) => outcome.map_err(TokenFault::OAuth),
            None => {
                let fault = OAuthFault::Unreachable { reason: "the refresh broke off".into(), retry_in_s: 0 };
                Err(TokenFault::OAuth(fault))
            }
        }
    }

    /// The refresh token and the client secret, for the scrubber.
    pub(crate) fn other_secrets(&self) -> Vec<Zeroizing<Vec<u8>>> {
        let state = self.state.lock();
        state.grant.as_ref().map(Grant::secrets).unwrap_or_default()
    }

    /// The upstream refused this token: unless it is quite new, the next call gets another.
    pub(crate) fn refused(&self, token: &Secret) {
        let mut state = self.state.lock();
        if state
            .access
            .as_ref()
            .is_some_and(|access| access.token == *token && access.granted.elapsed() >= REFUSED_AGE)
        {
            state.access = None;
        }
    }

    /// The flight under way, or a new one.
    fn fly(self: &Arc<Self>, state: &mut State) -> Option<watch::Receiver<Option<Outcome>>> {
        // A flight that broke off has dropped its sender.
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.has_changed().is_ok()) {
            return Some(flight.clone());
        }
        let flight = Flight {
            grant: state.grant.clone()?,
            generation: state.generation,
            secret_in_body: state.secret_in_body,
            retry_in: retry_in(state.failures),
        };
        let (sender, receiver) = watch::channel(None);
        state.flight = Some(receiver.clone());
        let keeper = Arc::clone(self);
        // Its own task: a caller that goes away must not lose a rotated refresh token.
        tokio::spawn(async move {
            let (outcome, rotated) = keeper.refresh(flight).await;
            sender.send_replace(Some(outcome));
            if let Some((token, grant)) = rotated {
                keeper.keep(&token, &grant).await;
            }
        });
        Some(receiver)
    }

    async fn refresh(&self, mut flight: Flight) -> (Outcome, Option<(RotatedToken, Zeroizing<String>)>) {
        let retry_in_s = flight.retry_in.as_secs();
        let mut granted = self.ask(&flight).await.and_then(|answer| answer::read(&answer, retry_in_s));
        // A client that is not taken one way may be taken the other; the refresh token was not looked at then.
        if matches!(granted, Err(OAuthFault::Client)) && flight.grant.client_secret.is_some() {
            flight.secret_in_body = !flight.secret_in_body;
            granted = self.ask(&flight).await.and_then(|answer| answer::read(&answer, retry_in_s));
        }
        let mut state = self.state.lock();
        if state.generation != flight.generation {
            // The operator put in another refresh token meanwhile; its own flight will come.
            return (granted.map(|granted| granted.access_token), None);
        }
        state.flight = None;
        let now = Instant::now();
        match granted {
            Ok(granted) => {
                state.secret_in_body = flight.secret_in_body;
                state.failures = 0;
                state.resting = None;
                let before = REFRESH_BEFORE.min(granted.life / 2);
                state.access = Some(Access {
                    token: granted.access_token.clone(),
                    granted: now,
                    refresh_at: now + granted.life - before,
                    ends_at: now + granted.life,
                });
                let rotated = granted.refresh_token.and_then(|token| self.rotate(&mut state, token));
                (Ok(granted.access_token), rotated)
            }
            Err(fault) => {
                state.failures = state.failures.saturating_add(1);
                // Asking again does not bring back a revoked token.
                let rest = if fault.is_passing() { flight.retry_in } else { LAST_RETRY };
                state.resting = Some((now + rest, fault.clone()));
                tracing::warn!(credential = %self.client.credential, %fault, "no access token");
                (Err(fault), None)
            }
        }
    }

    /// Takes a new refresh token into use, if it is new.
    fn rotate(
        &self,
        state: &mut State,
        token: Zeroizing<String>,
    ) -> Option<(RotatedToken, Zeroizing<String>)> {
        let grant = state.grant.as_mut()?;
        if grant.refresh_token == token {
            return None;
        }
        let old = std::mem::replace(&mut grant.refresh_token, token.clone());
        if state.superseded.len() == MAX_SUPERSEDED {
            state.superseded.pop_front();
        }
        state.superseded.push_back(digest(&old));
        let source = state.source.as_ref()?;
        let rotated = RotatedToken {
            credential: self.client.credential.clone(),
            source: self.client.source.clone(),
            secret: Grant::rewritten(source, &token),
        };
        Some((rotated, token))
    }

    async fn keep(&self, rotated: &RotatedToken, token: &Zeroizing<String>) {
        let Some(sink) = &self.rotated else {
            tracing::warn!(
                credential = %self.client.credential,
                "the refresh token was replaced and is kept in memory only: after a restart, log in again"
            );
            return;
        };
        let _turn = self.keeping.lock().await;
        for failures in 0..KEEP_TRIES {
            let newest = |grant: &Grant| grant.refresh_token == *token;
            if !self.state.lock().grant.as_ref().is_some_and(newest) {
                return;
            }
            if let Ok(Ok(())) = timeout(KEEP_WAIT, sink.keep(rotated)).await {
                return;
            }
            sleep(retry_in(failures)).await;
        }
        tracing::error!(
            credential = %self.client.credential,
            "the new refresh token could not be written and is kept in memory only: after a restart, log in again"
        );
    }

    async fn ask(&self, flight: &Flight) -> Result<TokenAnswer, OAuthFault> {
        let client_id = self.client.client_id.as_str();
        let mut form =
            vec![("grant_type", "refresh_token"), ("refresh_token", flight.grant.refresh_token.as_str())];
        if let Some(scope) = &self.client.scope {
            form.push(("scope", scope));
        }
        let mut basic = None;
        match &flight.grant.client_secret {
            Some(client_secret) if !flight.secret_in_body => {
                basic = Some(basic_client(client_id, client_secret)?);
            }
            Some(client_secret) => form.extend([("client_id", client_id), ("client_secret", client_secret)]),
            None => form.push(("client_id", client_id)),
        }
        let reason = match timeout(
            ANSWER_WAIT,
            self.endpoint.post_form(&self.client.token_url, &form, basic.as_ref()),
        )
        .await
        {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => flight.grant.scrubbed(&reason),
            Err(_) => "no answer in 30 s".into(),
        };
        Err(OAuthFault::Unreachable { reason, retry_in_s: flight.retry_in.as_secs() })
    }
}

impl State {
    /// Looks whether the source has another refresh token than the one in use.
    fn adopt(&mut self, source: &Secret) -> Result<(), ValueFault> {
        if self.source.as_ref().is_some_and(|seen| seen.is_same_load(source)) {
            return Ok(());
        }
        let mut grant = Grant::read(source)?;
        if let Some(current) = &self.grant {
            // The source may be behind: it still has a token that was replaced, or just got the one in use.
            let ours = current.refresh_token == grant.refresh_token
                || self.superseded.contains(&digest(&grant.refresh_token));
            if ours {
                grant.refresh_token = current.refresh_token.clone();
            }
            if !ours {
                self.generation += 1;
                self.flight = None;
                self.access = None;
            }
            if !ours || current.client_secret != grant.client_secret {
                self.resting = None;
                self.failures = 0;
            }
        }
        self.grant = Some(grant);
        self.source = Some(source.clone());
        Ok(())
    }

    /// The fault of the last refresh, while the next one waits.
    fn rest(&self, now: Instant) -> Option<OAuthFault> {
        self.resting.as_ref().filter(|(until, _)| now < *until).map(|(_, fault)| fault.clone())
    }
}

impl Grant {
    fn secrets(&self) -> Vec<Zeroizing<Vec<u8>>> {
        [Some(&self.refresh_token), self.client_secret.as_ref()]
            .into_iter()
            .flatten()
            .map(|secret| Zeroizing::new(secret.as_bytes().to_vec()))
            .collect()
    }

    /// A reason that came from outside, safe to show.
    fn scrubbed(&self, reason: &str) -> String {
        let secrets = self.secrets();
        let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_slice()).collect();
        let scrubber = Scrubber::new(Arc::new(Patterns::of(&secrets)));
        let reason = scrubber.scrub_text(reason).unwrap_or_else(|| reason.to_owned());
        reason.chars().filter(|letter| !letter.is_control()).take(MAX_REASON).collect()
    }
}

/// The wait after the refresh that follows so many failures, if it fails, too.
fn retry_in(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.min(5)).min(LAST_RETRY)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// RFC 6749 section 2.3.1: both are written as in a form first.
fn basic_client(client_id: &str, client_secret: &str) -> Result<HeaderValue, OAuthFault> {
    let room = (client_id.len() + client_secret.len()) * 3 + 1;
    let mut pair = Zeroizing::new(Vec::with_capacity(room));
    encode(client_id, &mut pair);
    pair.push(b':');
    encode(client_secret, &mut pair);
    sensitive(&basic_header(&pair)).map_err(|_| OAuthFault::Client)
}
