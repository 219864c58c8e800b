//! `POST /v1/events`: events of third parties, as CloudEvents over HTTP.

mod answer;
mod body;
mod vetting;

use std::sync::Arc;
use std::time::Duration;

use creto_event_store::{EventStore, NamedOutcome, RejectCode, StoreError, cloud_events};
use creto_identity::now_us;
use creto_store::{Store, StoreError as RegistryError};
use http::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::body::Body;

use crate::caller::operator;
use crate::shares::{Holder, Most, Share, Shares, Spent};
pub(crate) use answer::not_found;
use answer::{Item, Problem, results};

/// Where events are posted to.
pub(crate) const PATH: &str = "/v1/events";
/// Requests taken in at once: of all, of a namespace, of one token. A body is at most [`cloud_events::MAX_BODY_BYTES`] in memory,
/// counted as it comes; what is more is let go.
pub(crate) const MAX_AT_ONCE: Most = Most { all: 64, of_namespace: 32, of_caller: 16 };
/// Tokens looked up at once, which may yet be nobody's.
pub(crate) const MAX_LOOKED_UP: usize = 64;
/// How long a body may take to come.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long events may take to be kept. With the body's time it is less than a call may take at all: whatever is cut off
/// by that is answered as gRPC does, which plain HTTP would read as done.
pub(crate) const KEEP_TIMEOUT: Duration = Duration::from_secs(14);
/// How long agents' keys may take to be read.
const VETTING_TIMEOUT: Duration = Duration::from_secs(2);
/// When whoever is told to come again may do so, in seconds.
const COME_AGAIN_S: HeaderValue = HeaderValue::from_static("1");

/// A request whose sender is known.
struct Admitted {
    namespace: String,
    content_type: String,
    _room: Share,
}

/// Takes events in over HTTP.
#[derive(Clone)]
pub(crate) struct EventsHttp {
    store: Arc<dyn Store>,
    events: Arc<dyn EventStore>,
    lookups: Arc<Semaphore>,
    room: Shares,
}

impl EventsHttp {
    pub(crate) fn new(store: Arc<dyn Store>, events: Arc<dyn EventStore>) -> Self {
        let lookups = Arc::new(Semaphore::new(MAX_LOOKED_UP));
        Self { store, events, lookups, room: Shares::new(MAX_AT_ONCE) }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let answered = match self.admit(&head).await {
            Ok(admitted) => self.take(admitted, &head, body).await,
            Err(problem) => {
                body::let_go(body).await;
                Err(problem)
            }
        };
        answered.unwrap_or_else(Problem::answer)
    }

    /// All that is asked before the body is read.
    async fn admit(&self, head: &Parts) -> Result<Admitted, Problem> {
        if head.method != Method::POST {
            let problem = Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "events are sent with POST",
            );
            return Err(problem.with(ALLOW, HeaderValue::from_static("POST")));
        }
        let looked_up = self.lookups.try_acquire().map_err(|_| busy(Spent::All))?;
        let (namespace, caller) = self.namespace(&head.headers, head.uri.query().unwrap_or_default()).await?;
        drop(looked_up);
        let holder = Holder { namespace: namespace.as_str().into(), caller };
        let room = self.room.take(&holder, 1).map_err(busy)?;
        Ok(Admitted { namespace, content_type: content_type(&head.headers)?, _room: room })
    }

    async fn take(&self, admitted: Admitted, head: &Parts, body: Body) -> Result<Response<Body>, Problem> {
        let Admitted { namespace, content_type, _room } = admitted;
        let body =
            body::read(body, cloud_events::MAX_BODY_BYTES, BODY_TIMEOUT).await.map_err(
                |error| match error {
                    body::BodyFault::TooLarge => too_large(),
                    body::BodyFault::TooSlow => Problem::new(
                        StatusCode::REQUEST_TIMEOUT,
                        "too_slow",
                        "the body did not come in time: send it again",
                    ),
                    body::BodyFault::Broken => Problem::new(
                        StatusCode::BAD_REQUEST,
                        "broken_body",
                        "the body broke off: send it again",
                    ),
                },
            )?;
        let headers: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let read = cloud_events::read(&content_type, headers.iter().copied(), &body).map_err(|error| {
            let status = match error.code() {
                "body_too_large" | "too_many_events" => StatusCode::PAYLOAD_TOO_LARGE,
                "unsupported_content_type" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                _ => StatusCode::BAD_REQUEST,
            };
            Problem::new(status, error.code(), error.to_string())
        })?;
        // A batch of one is a batch too: what its sender reads is the list.
        let batch = content_type.to_ascii_lowercase().starts_with(cloud_events::BATCH)
            || (body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
                && !head.headers.contains_key("ce-specversion"));
        let vetted =
            timeout(VETTING_TIMEOUT, vetting::vet(self.store.as_ref(), &namespace, read.events)).await;
        let (events, unfit) = vetted.map_err(|_| away())?.map_err(unread)?;
        let (indices, events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        let ids: Vec<_> =
            events.iter().map(|event| (event.source.to_string(), event.id.to_string())).collect();
        let outcomes = if events.is_empty() {
            Vec::new()
        } else {
            let kept = timeout(KEEP_TIMEOUT, self.events.ingest_named(&namespace, events, now_us())).await;
            kept.map_err(|_| away())?.map_err(unkept)?
        };
        let mut items: Vec<Item> = read
            .refused
            .into_iter()
            .map(|refused| Item::refused(refused.index, refused.problem.code(), refused.problem.to_string()))
            .chain(unfit)
            .collect();
        for ((index, id), outcome) in indices.into_iter().zip(ids).zip(outcomes) {
            items.push(item(index, id, outcome));
        }
        items.sort_by_key(|item| item.index);
        results(&items, batch)
    }

    /// The namespace that the token is for (an admin's may name another), and whose token it is.
    async fn namespace(&self, headers: &HeaderMap, query: &str) -> Result<(String, Arc<str>), Problem> {
        let found = operator(self.store.as_ref(), headers).await.map_err(unread)?;
        let Some(caller) = found else {
            let sent = headers.contains_key(AUTHORIZATION);
            let said = if sent {
                "the token is not known here"
            } else {
                "send a producer's token as `Authorization: Bearer <token>`"
            };
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", said);
            return Err(problem.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"creto\"")));
        };
        let of = caller.holder().caller;
        let mut named = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("namespace", name)) if named.is_none() => named = Some(name),
                _ => {
                    let said = "the one parameter of the query is namespace";
                    return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", said));
                }
            }
        }
        match named {
            None => Ok((caller.namespace, of)),
            Some(named) if named == caller.namespace || caller.admin => {
                let checked = creto_identity::check_name("namespace", named);
                checked
                    .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_query", error.to_string()))?;
                Ok((named.to_owned(), of))
            }
            Some(_) => {
                let said = "this token is for another namespace: leave the parameter out";
                Err(Problem::new(StatusCode::FORBIDDEN, "other_namespace", said))
            }
        }
    }
}

/// The content type, of a body that is not compressed.
fn content_type(headers: &HeaderMap) -> Result<String, Problem> {
    let unsupported =
        |said: &str| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_type", said);
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(unsupported("compressed bodies are not read: send it as it is"));
    }
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.map(str::to_owned).ok_or_else(|| {
        unsupported("say a content type: application/cloudevents+json or application/cloudevents-batch+json")
    })
}

fn too_large() -> Problem {
    let said = format!("a body has at most {} bytes: send smaller batches", cloud_events::MAX_BODY_BYTES);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", said)
}

fn busy(spent: Spent) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", spent.told()).with(RETRY_AFTER, COME_AGAIN_S)
}

/// What is known here of tokens and agents cannot be read.
#[allow(
    clippy::needless_pass_by_value,
    reason = "it ends here: nothing may use the error after it was turned"
)]
fn unread(error: RegistryError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
    away()
}

fn away() -> Problem {
    let said = "events cannot be kept now: send them again, they are counted once";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", said).with(RETRY_AFTER, COME_AGAIN_S)
}

/// Why none of the events is kept.
fn unkept(error: StoreError) -> Problem {
    match error {
        StoreError::TooMany { .. } | StoreError::TooLarge { .. } => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_events", error.to_string())
        }
        StoreError::Full { .. } => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "store_full", error.to_string())
        }
        StoreError::Namespace(_) => Problem::new(StatusCode::BAD_REQUEST, "bad_namespace", error.to_string()),
        error => {
            tracing::error!(error = &error as &dyn std::error::Error, "events cannot be kept");
            away()
        }
    }
}

fn item(index: usize, (source, id): (String, String), outcome: NamedOutcome) -> Item {
    let conflict = "an event of this source and id came before and says something else: that one counts";
    let (status, problem) = match outcome {
        NamedOutcome::Accepted => ("accepted", None),
        NamedOutcome::Duplicate => ("duplicate", None),
        NamedOutcome::Conflict => ("rejected", Some((RejectCode::Conflict.as_str(), conflict.to_owned()))),
        NamedOutcome::Rejected { code, detail } => ("rejected", Some((code.as_str(), detail))),
    };
    Item { index, source, id, status, problem }
}
