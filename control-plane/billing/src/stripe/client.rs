//! A small client of Stripe's API: the calls the export makes, and what their answers mean.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use rustls::ClientConfig;
use serde_json::Value;

use super::connection::{Broken, allowed, exchange, tls};
use super::key::ApiKey;
use super::rate::{Bucket, EVENT_BURST, EVENTS_PER_SECOND};

/// The version of the API that requests are written for.
pub const STRIPE_VERSION: &str = "2025-09-30.clover";
/// Seconds a server may ask us to wait; more is cut.
const MAX_RETRY_AFTER_SECONDS: u64 = 3_600;

/// Where the API is.
#[derive(Clone, Debug)]
pub struct StripeAddress {
    /// The base of all calls but the stream's.
    pub api: Uri,
    /// The base of the meter event stream.
    pub stream: Uri,
}

/// An address that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Stripe cannot be reached: {0}")]
pub struct StripeSetupError(String);

impl StripeAddress {
    /// Stripe's own.
    #[must_use]
    pub fn live() -> Self {
        let api = Uri::from_static("https://api.stripe.com");
        Self { api, stream: Uri::from_static("https://meter-events.stripe.com") }
    }

    /// Both at one base, for a server of the same interface.
    #[must_use]
    pub fn at(base: Uri) -> Self {
        Self { api: base.clone(), stream: base }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    /// It was not received: it can be sent again at any time.
    #[error("not received: {cause}")]
    NotReceived {
        /// Why.
        cause: String,
        /// How long the server asks to wait.
        after: Option<Duration>,
    },
    /// It may have been received: it must be sent again under the same identifier.
    #[error("outcome unknown: {cause}")]
    Unknown {
        /// What happened.
        cause: String,
        /// How long the server asks to wait.
        after: Option<Duration>,
    },
    /// It was refused for good.
    #[error("refused with status {status}, code `{code}`: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// Stripe's code.
        code: String,
        /// What it says.
        message: String,
    },
}

/// The client. Holds the key; waits so that no more than 1,000 events a second pass.
pub struct StripeClient {
    address: StripeAddress,
    key: ApiKey,
    tls: Option<Arc<ClientConfig>>,
    events: Bucket,
}

impl std::fmt::Debug for StripeClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StripeClient({})", self.address.api)
    }
}

/// A call.
pub(super) struct Call<'c> {
    pub(super) path: &'c str,
    pub(super) body: Body,
    /// The key under which it happens once.
    pub(super) idempotency: Option<&'c str>,
    /// A token of the stream in place of the API key.
    pub(super) token: Option<&'c str>,
}

pub(super) enum Body {
    Json(Value),
    Form(Vec<(String, String)>),
}

impl StripeClient {
    /// A client of an address.
    ///
    /// # Errors
    /// [`StripeSetupError`] for an address without TLS that is not this machine, or without root certificates.
    pub fn new(address: StripeAddress, key: ApiKey) -> Result<Self, StripeSetupError> {
        allowed(&address.api).and_then(|()| allowed(&address.stream)).map_err(StripeSetupError)?;
        let secure = [&address.api, &address.stream].iter().any(|base| base.scheme_str() == Some("https"));
        let tls = if secure { Some(tls().map_err(StripeSetupError)?) } else { None };
        Ok(Self { address, key, tls, events: Bucket::new(EVENTS_PER_SECOND, EVENT_BURST) })
    }

    /// Waits until so many events may be sent.
    pub(super) async fn pace(&self, events: usize) {
        self.events.take(u32::try_from(events).unwrap_or(u32::MAX)).await;
    }

    pub(super) async fn call(&self, call: Call<'_>) -> Result<Value, StripeError> {
        let base = if call.token.is_some() { &self.address.stream } else { &self.address.api };
        let request =
            self.request(base, &call).map_err(|cause| StripeError::NotReceived { cause, after: None })?;
        let tls = self.tls.as_ref().filter(|_| base.scheme_str() == Some("https"));
        let answer = exchange(base, tls, request).await.map_err(|broken| match broken {
            Broken::NotSent(cause) => StripeError::NotReceived { cause, after: None },
            Broken::Unknown(cause) => StripeError::Unknown { cause, after: None },
        })?;
        let status = answer.status();
        let asked =
            answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let after = asked.map(|seconds| Duration::from_secs(seconds.min(MAX_RETRY_AFTER_SECONDS)));
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(body);
        }
        let text = |name: &str| {
            let text = body.pointer(&format!("/error/{name}")).and_then(Value::as_str).unwrap_or_default();
            text.chars().take(300).collect::<String>()
        };
        let cause = format!("status {}: {}", status.as_u16(), text("message"));
        match status {
            StatusCode::TOO_MANY_REQUESTS => Err(StripeError::NotReceived { cause, after }),
            // The same key is being worked on by an earlier request.
            StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT => Err(StripeError::Unknown { cause, after }),
            _ if status.is_server_error() => Err(StripeError::Unknown { cause, after }),
            _ => Err(StripeError::Refused {
                status: status.as_u16(),
                code: text("code"),
                message: text("message"),
            }),
        }
    }

    fn request(&self, base: &Uri, call: &Call<'_>) -> Result<Request<Full<Bytes>>, String> {
        let (kind, body) = match &call.body {
            Body::Json(value) => ("application/json", value.to_string()),
            Body::Form(fields) => ("application/x-www-form-urlencoded", form(fields)),
        };
        let bearer = match call.token {
            Some(token) => zeroize::Zeroizing::new(format!("Bearer {token}")),
            None => self.key.bearer(),
        };
        let mut authorization =
            HeaderValue::from_str(&bearer).map_err(|_| "the key is no header".to_owned())?;
        authorization.set_sensitive(true);
        let host = base.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let mut request = Request::post(call.path)
            .header(HOST, host)
            .header(USER_AGENT, concat!("creto-billing/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, kind)
            .header("stripe-version", STRIPE_VERSION)
            .header(AUTHORIZATION, authorization);
        if let Some(key) = call.idempotency {
            request = request.header("idempotency-key", key);
        }
        request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())
    }
}

/// `application/x-www-form-urlencoded` (URL Standard, 5.2), with every byte outside the unreserved set escaped.
fn form(fields: &[(String, String)]) -> String {
    let escaped = |text: &str| {
        let mut escaped = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    escaped.push(char::from(byte));
                }
                other => escaped.push_str(&format!("%{other:02X}")),
            }
        }
        escaped
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}
