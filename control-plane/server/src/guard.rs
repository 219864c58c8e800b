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
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::access::{AWAIT, Access, access_to};
use crate::caller::{Caller, operator, peer_certificate, sidecar};
use crate::events_http::{self, EventsHttp};
use crate::frames_in::FramesIn;
use crate::shares::{Most, Shares, Spent};
use crate::status::of_store;

/// Calls handled at once, over all connections: of all, of a namespace, of one sidecar or token. Streams count until they
/// are open; those of frames have room of their own.
pub(crate) const MAX_CALLS: Most = Most { all: 1_024, of_namespace: 768, of_caller: 256 };

/// Sidecars that wait for people at once, each for all of its agent's requests: those hold nothing else up. Of one sidecar a few,
/// for one that comes back finds its earlier call there for a while.
pub(crate) const MAX_AWAITING: Most = Most { all: 12_000, of_namespace: 10_000, of_caller: 4 };

/// Callers looked up at once, who may yet be nobody.
pub(crate) const MAX_LOOKED_UP: usize = 1_024;

/// Enrolments at once, and how long one may take: they come from anybody, and may hold up each other only.
pub(crate) const MAX_ENROLLING: usize = 256;
const ENROLLING: Duration = Duration::from_secs(5);

/// Room for calls.
#[derive(Clone)]
struct Room {
    lookups: Arc<Semaphore>,
    calls: Shares,
    awaiting: Shares,
    frames: FramesIn,
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
        let room = Room {
            lookups: Arc::new(Semaphore::new(MAX_LOOKED_UP)),
            calls: Shares::new(MAX_CALLS),
            awaiting: Shares::new(MAX_AWAITING),
            frames: FramesIn::default(),
            enrolling: Arc::new(Semaphore::new(MAX_ENROLLING)),
        };
        Self { store, events, room }
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
        let room = self.room.clone();
        // Events over plain HTTP ask for a token themselves and answer as HTTP does, also that they are busy.
        if request.uri().path() == events_http::PATH {
            let events = self.events.clone();
            return Box::pin(async move { Ok(events.answer(request).await) });
        }
        if request.version() < Version::HTTP_2 {
            return Box::pin(async { Ok(events_http::not_found()) });
        }
        Box::pin(async move {
            let access = access_to(request.uri().path());
            let busy = || Ok(Status::resource_exhausted(Spent::All.told()).into_http());
            if access == Some(Access::EnrollmentToken) {
                let Ok(_permit) = room.enrolling.try_acquire() else { return busy() };
                return match timeout(ENROLLING, inner.call(request)).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        Ok(Status::deadline_exceeded("the enrolment took too long: try again").into_http())
                    }
                };
            }
            let (mut head, body) = request.into_parts();
            let admitted = match room.lookups.try_acquire() {
                Ok(_permit) => admit(store.as_ref(), access, &head).await,
                Err(_) => return busy(),
            };
            let caller = match admitted {
                Ok(caller) => caller,
                Err(status) => return Ok(status.into_http()),
            };
            let holder = caller.holder();
            head.extensions.insert(caller);
            if access == Some(Access::Producer) {
                return match room.frames.enter(holder, body) {
                    Ok(body) => inner.call(Request::from_parts(head, body)).await,
                    Err(status) => Ok(status.into_http()),
                };
            }
            let kind = if head.uri.path() == AWAIT { &room.awaiting } else { &room.calls };
            let _share = match kind.take(&holder, 1) {
                Ok(share) => share,
                Err(spent) => return Ok(Status::resource_exhausted(spent.told()).into_http()),
            };
            inner.call(Request::from_parts(head, body)).await
        })
    }
}

/// The caller, if the table lets it call this.
async fn admit(store: &dyn Store, access: Option<Access>, head: &Parts) -> Result<Caller, Status> {
    let access = access.ok_or_else(|| Status::unimplemented("the control plane has no such call"))?;
    match access {
        Access::EnrollmentToken => Err(Status::unauthenticated("the call itself takes its token")),
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
            Ok(Caller::Operator(caller))
        }
        Access::Producer if head.headers.contains_key(AUTHORIZATION) => {
            let found = operator(store, &head.headers).await.map_err(of_store)?;
            let caller = found.ok_or_else(|| {
                Status::unauthenticated("send a valid producer token as `authorization: Bearer <token>`")
            })?;
            Ok(Caller::Operator(caller))
        }
        Access::Sidecar | Access::Producer => {
            let certificate = peer_certificate(&head.extensions);
            let found = sidecar(store, certificate.as_deref()).await.map_err(of_store)?;
            let caller = found.ok_or_else(|| {
                Status::unauthenticated(
                    "present the client certificate that this control plane issued at enrolment",
                )
            })?;
            Ok(Caller::Sidecar(caller))
        }
    }
}
