//! A model provider that answers as the real ones do, with usage that follows from the request alone.
//!
//! | path | API |
//! |---|---|
//! | `/v1/chat/completions`, `/v1/responses`, `/v1/embeddings`, `/v1/models`, `/v1/realtime` | OpenAI |
//! | `/openai/deployments/{d}/...`, `/openai/v1/...` | Azure OpenAI |
//! | `/v1/messages`, `/v1/messages/count_tokens` | Anthropic |
//! | `/v1beta/models/{m}:generateContent`, `:streamGenerateContent`, `:embedContent`, the same under `/v1` | Gemini, Vertex AI |
//! | `/model/{m}/converse`, `/converse-stream`, `/invoke`, `/invoke-with-response-stream` | Bedrock |
//! | `/base/{any}/...` | any of these, as behind a gateway: paths that are told apart |
//! | `/fake/headers?pieces=` | the request's headers as JSON, in so many pieces: an echo of secrets |
//!
//! The model says `You said: ` and what was said last, a word a token. When tools are offered it calls the first one.
//! A prompt costs a token a word, and three more for each message. The system prompt counts as read from the cache
//! (Anthropic and Bedrock: when it is marked so). Models that reason spend seven tokens on it. A model's name with
//! `rate-limited` or `overloaded` in it is answered by that error, one with `fails-midway` streams half of its answer and
//! an error; names that no such provider has are unknown.

mod anthropic;
mod bedrock;
mod event_stream;
mod fault;
mod gemini;
mod json;
mod openai_chat;
mod openai_lists;
mod openai_responses;
mod prompt;
mod realtime;
mod reply;
mod route;
mod seen;
mod sigv4;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::Value;

use self::fault::Fault;
pub use self::prompt::Tokens;
use self::reply::Reply;
pub use self::reply::{Conduct, Encoding};
pub use self::route::Api;
use self::route::{Operation, Route};
pub use self::seen::SeenCall;
pub use self::sigv4::Signature;
use crate::upstream::{BufferedRequest, StreamedResponse, Upstream, UpstreamBuilder};

/// What all paths of the provider begin with.
const PREFIXES: [&str; 6] = ["/v1/", "/v1beta/", "/openai/", "/model/", "/fake/", "/base/"];

/// The provider: a handle, to be put on an upstream.
///
/// ```no_run
/// # async fn example() {
/// use creto_test_support::{FakeProvider, Upstream};
/// let provider = FakeProvider::new().with_key("sk-real");
/// let upstream = provider.on(Upstream::builder()).start().await;
/// // ... calls of `upstream.url("/v1")` ...
/// assert_eq!(provider.last_call().key.as_deref(), Some("sk-real"));
/// # }
/// ```
#[derive(Clone, Default)]
pub struct FakeProvider(Arc<State>);

#[derive(Default)]
struct State {
    keys: Mutex<Vec<String>>,
    /// Access key and secret key.
    aws: Mutex<Option<(String, String)>>,
    conduct: Mutex<Conduct>,
    calls: Mutex<Vec<SeenCall>>,
    answered: AtomicUsize,
}

impl FakeProvider {
    /// One that takes every key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes this key, and the others named so; no others.
    #[must_use]
    pub fn with_key(self, key: &str) -> Self {
        self.0.keys.lock().push(key.to_owned());
        self
    }

    /// Takes signatures by this AWS key; no others.
    #[must_use]
    pub fn with_aws_key(self, access_key: &str, secret_key: &str) -> Self {
        *self.0.aws.lock() = Some((access_key.to_owned(), secret_key.to_owned()));
        self
    }

    /// Answers so from now on.
    pub fn behave(&self, conduct: Conduct) {
        *self.0.conduct.lock() = conduct;
    }

    /// Puts it on an upstream.
    #[must_use]
    pub fn on(&self, mut upstream: UpstreamBuilder) -> UpstreamBuilder {
        for prefix in PREFIXES {
            let provider = self.clone();
            upstream = upstream.handle_streamed(prefix, move |request| {
                let provider = provider.clone();
                async move { provider.answer(request) }
            });
        }
        upstream
    }

    /// Starts it on an upstream of its own: TLS, HTTP/1.1 and HTTP/2.
    pub async fn start(&self) -> Upstream {
        self.on(Upstream::builder()).start().await
    }

    /// All calls, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<SeenCall> {
        self.0.calls.lock().clone()
    }

    /// The last call; panics when there was none.
    #[must_use]
    pub fn last_call(&self) -> SeenCall {
        self.0.calls.lock().last().cloned().expect("no call came")
    }

    /// Forgets the calls recorded so far.
    pub fn forget(&self) {
        self.0.calls.lock().clear();
    }

    fn answer(&self, request: BufferedRequest) -> StreamedResponse {
        let conduct = self.0.conduct.lock().asked_by(request.headers());
        if request.uri().path() == "/fake/headers" {
            return echo(&request).response(conduct);
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let route = route::route(&request);
        let api = match &route {
            Some(route) => route.api,
            None => route::api(route::without_base(request.uri().path()), request.headers()),
        };
        let model = route.as_ref().map(|route| model(route, &request, &body)).unwrap_or_default();
        let mut seen = SeenCall {
            api,
            operation: route.as_ref().map_or("", |route| route.operation.name()),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: headers(request.headers()),
            body: request.body().clone(),
            model: model.clone(),
            key: key(&request),
            signature: sigv4::signature(&request, self.0.aws.lock().as_ref()),
            status: 101,
            tokens: None,
        };
        let refused = self.refusal(&seen, route.as_ref(), &body);
        if refused.is_none() && seen.operation == Operation::Realtime.name() {
            let number = self.record(seen);
            return realtime::answer(self.clone(), request, model, number);
        }
        let reply = match (refused, route) {
            (None, Some(route)) => {
                let mut reply = reply(&route, &model, &request, &body);
                if reply.streams && model.contains("fails-midway") {
                    reply.pieces.truncate(reply.pieces.len() / 2);
                    reply.pieces.push(fault::midway(api, route.operation));
                    reply.tokens = None;
                }
                reply
            }
            (Some(fault), _) => fault.reply(api),
            (None, None) => Fault::NoSuchPath(seen.path.clone()).reply(api),
        };
        (seen.status, seen.tokens) = (reply.status, reply.tokens);
        self.record(seen);
        with_usual_headers(reply, api, self.0.answered.fetch_add(1, Ordering::SeqCst)).response(conduct)
    }

    fn refusal(&self, seen: &SeenCall, route: Option<&Route>, body: &Value) -> Option<Fault> {
        if let (Some(signature), Api::Bedrock) = (&seen.signature, seen.api) {
            let known = self.0.aws.lock().as_ref().map(|(access_key, _)| access_key.clone());
            if known.is_some_and(|known| known != signature.access_key) {
                return Some(Fault::WrongKey(signature.access_key.clone()));
            }
            if signature.right == Some(false) {
                return Some(Fault::WrongSignature);
            }
        } else {
            let keys = self.0.keys.lock();
            match &seen.key {
                None => return Some(Fault::NoKey),
                Some(key) if !keys.is_empty() && !keys.contains(key) => {
                    return Some(Fault::WrongKey(key.clone()));
                }
                Some(_) => {}
            }
        }
        let Some(route) = route else { return Some(Fault::NoSuchPath(seen.path.clone())) };
        if matches!(route.operation, Operation::Models | Operation::Realtime) {
            return None;
        }
        if !body.is_object() {
            return Some(Fault::Invalid("We could not parse the JSON body of your request.".to_owned()));
        }
        if seen.api == Api::Anthropic && seen.header("anthropic-version").is_none() {
            return Some(Fault::Invalid("anthropic-version: header is required".to_owned()));
        }
        if seen.model.contains("rate-limited") {
            return Some(Fault::RateLimited(seen.model.clone()));
        }
        if seen.model.contains("overloaded") {
            return Some(Fault::Overloaded);
        }
        (!is_known(seen.api, &seen.model)).then(|| Fault::NoSuchModel(seen.model.clone()))
    }

    /// Gives the call's number.
    fn record(&self, seen: SeenCall) -> usize {
        let mut calls = self.0.calls.lock();
        calls.push(seen);
        calls.len() - 1
    }

    /// A message came on the WebSocket of a call.
    fn heard(&self, number: usize, text: &str) {
        if let Some(call) = self.0.calls.lock().get_mut(number) {
            call.body = [&call.body[..], text.as_bytes(), b"\n"].concat().into();
        }
    }

    /// A response was made on the WebSocket of a call.
    fn said(&self, number: usize, tokens: Tokens) {
        if let Some(call) = self.0.calls.lock().get_mut(number) {
            let sum = call.tokens.get_or_insert_default();
            sum.input += tokens.input;
            sum.cached += tokens.cached;
            sum.output += tokens.output;
            sum.reasoning += tokens.reasoning;
        }
    }
}

fn reply(route: &Route, model: &str, request: &BufferedRequest, body: &Value) -> Reply {
    let events = request.uri().query().unwrap_or_default().split('&').any(|pair| pair == "alt=sse");
    match route.operation {
        Operation::Chat => openai_chat::answer(&openai_chat::prompt(model, body), body),
        Operation::Responses => openai_responses::answer(&openai_responses::prompt(model, body), body),
        Operation::Embeddings => openai_lists::embeddings(model, body),
        Operation::Models | Operation::Realtime => openai_lists::models(),
        Operation::Messages => anthropic::answer(&anthropic::asked(model, body), body),
        Operation::CountTokens => anthropic::count(&anthropic::asked(model, body)),
        Operation::Generate => gemini::answer(&gemini::prompt(model, body)),
        Operation::StreamGenerate => gemini::stream(&gemini::prompt(model, body), events),
        Operation::EmbedContent => gemini::embedding(body),
        Operation::BatchEmbedContents => gemini::embeddings(body),
        Operation::Converse => bedrock::converse(&bedrock::prompt(model, body)),
        Operation::ConverseStream => bedrock::converse_stream(&bedrock::prompt(model, body)),
        Operation::Invoke => bedrock::invoke(model, body),
        Operation::InvokeStream => bedrock::invoke_stream(model, body),
    }
}

fn model(route: &Route, request: &BufferedRequest, body: &Value) -> String {
    let asked = body["model"].as_str().map(str::to_owned);
    route.model.clone().or(asked).or_else(|| parameter(request, "model")).unwrap_or_default()
}

fn is_known(api: Api, model: &str) -> bool {
    let begins = |families: &[&str]| families.iter().any(|family| model.starts_with(family));
    match api {
        Api::OpenAi => begins(&["gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "ft:"]),
        // A deployment is called as its owner likes.
        Api::AzureOpenAi => !begins(&["missing"]),
        Api::Anthropic => begins(&["claude-"]),
        Api::Gemini => begins(&["gemini-", "gemma-", "text-embedding-"]),
        Api::Bedrock => {
            ["amazon.", "anthropic.", "meta.", "openai."].iter().any(|maker| model.contains(maker))
        }
    }
}

/// The key in whichever place a provider reads one from.
fn key(request: &BufferedRequest) -> Option<String> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let named = ["x-api-key", "api-key", "x-goog-api-key"].iter().find_map(|name| header(name));
    let found = named.or(bearer).map(str::to_owned).or_else(|| parameter(request, "key"));
    found.filter(|key| !key.is_empty())
}

/// A parameter of the query.
fn parameter(request: &BufferedRequest, name: &str) -> Option<String> {
    let pairs = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| route::percent_decoded(value))
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// All headers of the request, in `pieces` pieces.
fn echo(request: &BufferedRequest) -> Reply {
    let found: serde_json::Map<String, Value> =
        headers(request.headers()).into_iter().map(|(name, value)| (name, value.into())).collect();
    let text = Value::Object(found).to_string();
    let count = parameter(request, "pieces").and_then(|text| text.parse().ok()).unwrap_or(1usize).max(1);
    let size = text.len().div_ceil(count).max(1);
    let pieces = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
    Reply::stream("application/json", pieces)
}

/// The headers that every answer of a provider has.
fn with_usual_headers(reply: Reply, api: Api, number: usize) -> Reply {
    match api {
        Api::OpenAi | Api::AzureOpenAi => reply
            .header("x-request-id", format!("req_{number:032x}"))
            .header("openai-organization", "org-creto")
            .header("openai-processing-ms", "42")
            .header("openai-version", "2020-10-01")
            .header("x-ratelimit-limit-tokens", "30000")
            .header("x-ratelimit-remaining-tokens", "29000")
            .header("x-ratelimit-reset-tokens", "2ms"),
        Api::Anthropic => reply
            .header("request-id", format!("req_{number:024x}"))
            .header("anthropic-organization-id", "00000000-0000-4000-8000-000000000000")
            .header("anthropic-ratelimit-input-tokens-remaining", "29000"),
        Api::Gemini => reply
            .header("vary", "Origin, X-Origin, Referer")
            .header("server-timing", "gfet4t7; dur=42")
            .header("x-content-type-options", "nosniff"),
        Api::Bedrock => reply.header("x-amzn-requestid", format!("00000000-0000-4000-8000-{number:012x}")),
    }
}
