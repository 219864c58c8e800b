//! Stands before every handler: looks the RPC up in the table and asks the caller who it is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use creto_store::Store;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Request, Response, Version};
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::access::{Access, access_to};
use crate::caller::{Caller, operator, peer_certificate, sidecar};
use crate::events_http::{self, EventsHttp};
use crate::status::of_store;

/// Calls handled at once, over all connections; streams count until they are open.
pub(crate) const MAX_CALLS_AT_ONCE: usize = 1_024;

/// Enrolments at once, and how long one may take: they come from anybody, and may hold up each other only.
pub(crate) const MAX_ENROLLING: usize = 256;
const ENROLLING: Duration = Duration::from_secs(5);

/// Room for calls.
#[derive(Clone)]
struct Room {
    calls: Arc<Semaphore>,
    enrolling: Arc<Semaphore>,
}

/// Puts the guard before a service.
#[derive(Clone)]
pub(crate) struct GuardLayer {
    store: Arc<dyn Store>,
    events: EventsHttp,
    room: Room,
}

impl GuardLayer {
    pub(crate) fn new(store: Arc<dyn Store>, events: EventsHttp) -> Self {
        let (calls, enrolling) = (Semaphore::new(MAX_CALLS_AT_ONCE), Semaphore::new(MAX_ENROLLING));
        Self { store, events, room: Room { calls: Arc::new(calls), enrolling: Arc::new(enrolling) } }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        let (store, room) = (Arc::clone(&self.store), self.room.clone());
        Guard { inner, store, events: self.events.clone(), room }
    }
}

/// The guard before one service.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    store: Arc<dyn Store>,
    events: EventsHttp,
    room: Room,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that was polled ready is the one that is called; its clone waits for the next call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let store = Arc::clone(&self.store);
        let enrolls = access_to(request.uri().path()) == Some(Access::EnrollmentToken);
        let room = Arc::clone(if enrolls { &self.room.enrolling } else { &self.room.calls });
        // Events over plain HTTP ask for a token themselves and answer as HTTP does, also that they are busy.
        if request.uri().path() == events_http::PATH {
            let events = self.events.clone();
            return Box::pin(async move { Ok(events.answer(request).await) });
        }
        if request.version() < Version::HTTP_2 {
            return Box::pin(async { Ok(events_http::not_found()) });
        }
        Box::pin(async move {
            let Ok(_permit) = room.try_acquire() else {
                return Ok(
                    Status::resource_exhausted("the control plane is busy: try again later").into_http()
                );
            };
            let (mut head, body) = request.into_parts();
            match admit(store.as_ref(), &head).await {
                Ok(Some(caller)) => {
                    head.extensions.insert(caller);
                }
                Ok(None) => {}
                Err(status) => return Ok(status.into_http()),
            }
            let called = inner.call(Request::from_parts(head, body));
            if !enrolls {
                return called.await;
            }
            match tokio::time::timeout(ENROLLING, called).await {
                Ok(answer) => answer,
                Err(_) => Ok(Status::deadline_exceeded("the enrolment took too long: try again").into_http()),
            }
        })
    }
}

/// The caller, if the table lets it call this; none where the RPC itself takes a token.
async fn admit(store: &dyn Store, head: &Parts) -> Result<Option<Caller>, Status> {
    let access = access_to(head.uri.path())
        .ok_or_else(|| Status::unimplemented("the control plane has no such call"))?;
    match access {
        Access::EnrollmentToken => Ok(None),
        Access::Operator | Access::Admin => {
            let found = operator(store, &head.headers).await.map_err(of_store)?;
            let caller = found.ok_or_else(|| {
                Status::unauthenticated("send a valid operator token as `authorization: Bearer <token>`")
            })?;
            if caller.producer {
                return Err(Status::permission_denied("this token sends events and may do nothing else"));
            }
            if access == Access::Admin && !caller.admin {
                return Err(Status::permission_denied("only operators of role admin may call this"));
            }
            Ok(Some(Caller::Operator(caller)))
        }
        Access::Producer if head.headers.contains_key(AUTHORIZATION) => {
            let found = operator(store, &head.headers).await.map_err(of_store)?;
            let caller = found.ok_or_else(|| {
                Status::unauthenticated("send a valid producer token as `authorization: Bearer <token>`")
            })?;
            Ok(Some(Caller::Operator(caller)))
        }
        Access::Sidecar | Access::Producer => {
            let certificate = peer_certificate(&head.extensions);
            let found = sidecar(store, certificate.as_deref()).await.map_err(of_store)?;
            let caller = found.ok_or_else(|| {
                Status::unauthenticated(
                    "present the client certificate that this control plane issued at enrolment",
                )
            })?;
            Ok(Some(Caller::Sidecar(caller)))
        }
    }
}
