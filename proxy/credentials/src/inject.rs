//! From a credential to a request that has it.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
    time::SystemTime,
};

use http::{header, request::Parts};
use parking_lot::Mutex;

use crate::{
    Credential, CredentialKind, InjectFault, RotatedTokens, Scrubber, Secret, SecretSource, StoredSecrets,
    TokenEndpoint, ValueFault,
    oauth::{OAuthFault, TokenClient, TokenFault, TokenKeeper},
    put::{PutFault, Putting},
    scrub::Patterns,
    sigv4::{self, Scope},
    sources::SecretSources,
    stored::StoredCache,
    value::Value,
};

/// Most credentials one sidecar keeps ready.
pub const MAX_CREDENTIALS: usize = 1024;
/// Most places of one request into which a secret is put: else a small request could become a large one.
pub const MAX_PLACES: usize = 16;

/// Loads secrets and keeps them ready: one for a sidecar.
pub struct Injector {
    sources: SecretSources,
    tokens: Option<Arc<dyn TokenEndpoint>>,
    rotated: Option<Arc<dyn RotatedTokens>>,
    slots: Mutex<HashMap<Credential, Arc<Slot>>>,
    /// By what they ask with: two credentials over one refresh token must not use it up twice.
    keepers: Mutex<HashMap<(SecretSource, CredentialKind), Arc<TokenKeeper>>>,
}

struct Slot {
    keeper: Option<Arc<TokenKeeper>>,
    /// What was made from the secret as it was loaded last.
    made: Mutex<Option<Injection>>,
}

/// A credential with its secret, ready to be put into requests. A clone shares it.
#[derive(Clone)]
pub struct Injection(Arc<Prepared>);

struct Prepared {
    credential: Credential,
    /// The secret, or the access token.
    secret: Secret,
    value: Value,
    patterns: Arc<Patterns>,
}

impl Injector {
    /// `stored` fetches from the control plane, `tokens` asks token endpoints, `rotated` keeps new refresh tokens;
    /// a credential that needs one that is missing is refused.
    #[must_use]
    pub fn new(
        stored: Option<Arc<dyn StoredSecrets>>,
        tokens: Option<Arc<dyn TokenEndpoint>>,
        rotated: Option<Arc<dyn RotatedTokens>>,
    ) -> Self {
        Self {
            sources: SecretSources::new(StoredCache::new(stored)),
            tokens,
            rotated,
            slots: Mutex::default(),
            keepers: Mutex::default(),
        }
    }

    /// Loads the secret of the credential that applies to a call. Ready from memory if nothing changed; waits at most
    /// 10 s for the control plane and as long for a token endpoint.
    ///
    /// # Errors
    /// The secret cannot be had or used. The call must not be sent without it.
    pub async fn prepare(&self, credential: &Credential) -> Result<Injection, InjectFault> {
        let slot = self.slot(credential)?;
        let name = || credential.name.clone();
        let value_fault = |fault: ValueFault| InjectFault::Value { credential: name(), fault };
        let mut secret = self
            .sources
            .load(&credential.source)
            .await
            .map_err(|fault| InjectFault::Secret { credential: name(), fault })?;
        if let Some(keeper) = &slot.keeper {
            secret = keeper.token(&secret).await.map_err(|fault| match fault {
                TokenFault::Value(fault) => value_fault(fault),
                TokenFault::OAuth(fault) => InjectFault::OAuth { credential: name(), fault },
            })?;
        }
        let mut made = slot.made.lock();
        if let Some(injection) = made.as_ref().filter(|made| made.0.secret.is_same_load(&secret)) {
            return Ok(injection.clone());
        }
        let value = Value::read(&credential.kind, &secret).map_err(value_fault)?;
        let others = slot.keeper.as_ref().map(|keeper| keeper.other_secrets()).unwrap_or_default();
        let others: Vec<&[u8]> = others.iter().map(|secret| secret.as_slice()).collect();
        let patterns = Arc::new(value.patterns(&others));
        let injection =
            Injection(Arc::new(Prepared { credential: credential.clone(), secret, value, patterns }));
        *made = Some(injection.clone());
        Ok(injection)
    }

    /// The upstream answered 401 to a call with this injection: a secret that may be out of date is fetched again.
    /// Does nothing to one that is younger than 30 s, whatever an agent provokes.
    pub fn refused(&self, injection: &Injection) {
        let credential = &injection.0.credential;
        let slot = self.slots.lock().get(credential).cloned();
        if let Some(keeper) = slot.and_then(|slot| slot.keeper.clone()) {
            keeper.refused(&injection.0.secret);
        }
        if let SecretSource::Stored(name) = &credential.source {
            self.sources.refused(name);
        }
    }

    /// Drops a stored secret: the control plane says that it changed.
    pub fn forget(&self, stored_name: &str) {
        self.sources.forget(stored_name);
    }

    /// Drops everything that belongs to no credential of a new policy.
    pub fn retain(&self, credentials: &[Credential]) {
        let keep: HashSet<&Credential> = credentials.iter().collect();
        self.slots.lock().retain(|credential, _| keep.contains(credential));
        let asks: HashSet<_> = credentials.iter().map(|kept| (&kept.source, &kept.kind)).collect();
        self.keepers.lock().retain(|(source, kind), _| asks.contains(&(source, kind)));
        self.sources.retain(&credentials.iter().map(|kept| &kept.source).collect());
    }

    fn slot(&self, credential: &Credential) -> Result<Arc<Slot>, InjectFault> {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get(credential) {
            return Ok(Arc::clone(slot));
        }
        credential.check()?;
        if slots.len() >= MAX_CREDENTIALS {
            return Err(InjectFault::TooMany { credential: credential.name.clone(), max: MAX_CREDENTIALS });
        }
        let slot = Arc::new(Slot { keeper: self.keeper(credential)?, made: Mutex::default() });
        slots.insert(credential.clone(), Arc::clone(&slot));
        Ok(slot)
    }

    fn keeper(&self, credential: &Credential) -> Result<Option<Arc<TokenKeeper>>, InjectFault> {
        let CredentialKind::OAuth2Refresh { token_url, client_id, scope } = &credential.kind else {
            return Ok(None);
        };
        let endpoint = self.tokens.as_ref().ok_or_else(|| InjectFault::OAuth {
            credential: credential.name.clone(),
            fault: OAuthFault::NoEndpoint,
        })?;
        let client = || TokenClient {
            credential: credential.name.clone(),
            source: credential.source.clone(),
            token_url: token_url.clone(),
            client_id: client_id.clone(),
            scope: scope.clone(),
        };
        let mut keepers = self.keepers.lock();
        let keeper =
            keepers.entry((credential.source.clone(), credential.kind.clone())).or_insert_with(|| {
                Arc::new(TokenKeeper::new(client(), Arc::clone(endpoint), self.rotated.clone()))
            });
        Ok(Some(Arc::clone(keeper)))
    }
}

impl Injection {
    /// The credential's name.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.0.credential.name
    }

    /// Whether [`Injection::apply`] needs the body of this request (AWS signatures cover it).
    #[must_use]
    pub fn needs_body(&self, parts: &Parts) -> bool {
        self.scope().is_some_and(|scope| sigv4::needs_body(&parts.headers, &scope))
    }

    /// Whether the secret may go over `http://`. Checked by [`Injection::apply`] where the request's target says the
    /// scheme, and by the caller where it does not.
    #[must_use]
    pub fn allows_plain_http(&self) -> bool {
        self.0.credential.plain_http
    }

    /// Takes secrets out of the answer: a new one for each answer.
    #[must_use]
    pub fn scrubber(&self) -> Scrubber {
        Scrubber::new(Arc::clone(&self.0.patterns))
    }

    /// Puts the secret in: where its placeholder stands in a header (also in the base64 of a Basic value) or in a
    /// parameter of the query; else as the credential's own header. What the agent sent there otherwise is replaced.
    /// `host` is the host header as it will be sent, with the port if that is not the scheme's own.
    ///
    /// # Errors
    /// The request must not be sent, and may be half changed.
    pub fn apply(
        &self,
        parts: &mut Parts,
        host: &str,
        body: Option<&[u8]>,
        now: SystemTime,
    ) -> Result<(), InjectFault> {
        let credential = &self.0.credential;
        let name = || credential.name.clone();
        if !credential.plain_http && parts.uri.scheme_str().is_some_and(|scheme| scheme == "http") {
            return Err(InjectFault::PlainHttp { credential: name() });
        }
        let put = match &self.0.value {
            Value::Aws(keys) => {
                let Some(scope) = self.scope() else { return Ok(()) };
                return sigv4::sign(parts, host, body, now, keys, &scope)
                    .map_err(|fault| InjectFault::Signing { credential: name(), fault });
            }
            Value::Text { text, header: whole } => {
                let own = match &credential.kind {
                    CredentialKind::Header { name } => name,
                    _ => &header::AUTHORIZATION,
                };
                let mut putting = Putting::new(&credential.placeholder, text.expose(), false);
                putting
                    .put_in_headers(&mut parts.headers, own)
                    .and_then(|()| putting.put_in_query(&mut parts.uri))
                    .and_then(|()| putting.put_in_own(&mut parts.headers, own, whole.expose()))
            }
            Value::Basic { pair, header: whole } => {
                let own = &header::AUTHORIZATION;
                let mut putting = Putting::new(&credential.placeholder, pair.expose(), true);
                putting
                    .put_in_headers(&mut parts.headers, own)
                    .and_then(|()| putting.put_in_query(&mut parts.uri))
                    .and_then(|()| putting.put_whole_in_own(&mut parts.headers, own, whole.expose()))
            }
        };
        put.map_err(|fault| match fault {
            PutFault::TooManyPlaces => InjectFault::TooManyPlaces { credential: name() },
            PutFault::Target => InjectFault::Target { credential: name() },
            PutFault::NotAHeader => InjectFault::Value { credential: name(), fault: ValueFault::NotAHeader },
        })
    }

    fn scope(&self) -> Option<Scope<'_>> {
        match &self.0.credential.kind {
            CredentialKind::AwsSigV4 { region, service, .. } => Some(Scope { region, service }),
            _ => None,
        }
    }
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injector").field("credentials", &self.slots.lock().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injection").field("credential", &self.0.credential.name).finish_non_exhaustive()
    }
}
