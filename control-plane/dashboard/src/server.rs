//! The listener: a bounded number of connections, each with an end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use creto_approvals::ApprovalDesk;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::bounds::{
    CONNECTION_TIMEOUT, HEAD_TIMEOUT, MAX_CONNECTIONS, MAX_HEAD_BYTES, MAX_HEADERS, MAX_WHOLE_PAGES,
    STOP_TIMEOUT,
};
use crate::error::DashboardError;
use crate::people::PeopleDesk;
use crate::place::Place;
use crate::shared::Shared;
use crate::throttle::Throttle;
use crate::{gate, pages};

/// How long to wait after the system refused a connection, for want of file descriptors mostly.
const REFUSED: Duration = Duration::from_millis(50);

/// Where the page is.
#[derive(Clone, Debug)]
pub struct DashboardOptions {
    /// Where it listens; port 0 for a free one. Loopback, unless `url` is given.
    pub listen: SocketAddr,
    /// Where people reach it, `https://...`, when a proxy that speaks TLS stands in front.
    pub url: Option<String>,
}

/// A page that is served.
#[derive(Debug)]
pub struct Dashboard {
    address: SocketAddr,
    url: String,
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
}

impl Dashboard {
    /// Serves it; it listens when this returns.
    ///
    /// # Errors
    /// [`DashboardError`], which says what to do.
    pub async fn start(
        options: &DashboardOptions,
        desk: ApprovalDesk,
        people: PeopleDesk,
    ) -> Result<Self, DashboardError> {
        // Refused before anything listens.
        Place::new(options.listen, options.url.as_deref())?;
        let refused = |source| DashboardError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let place = Place::new(address, options.url.as_deref())?;
        let url = place.url();
        let whole_pages = Arc::new(Semaphore::new(MAX_WHOLE_PAGES));
        let shared = Arc::new(Shared { desk, people, place, throttle: Throttle::default(), whole_pages });
        let (stop, stopping) = watch::channel(false);
        let work = tokio::spawn(take(listener, shared, stopping));
        Ok(Self { address, url, stop, work })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where people reach it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops: open connections get a moment to end. The desks are whose they are, and stay open.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        if timeout(STOP_TIMEOUT, &mut self.work).await.is_err() {
            self.work.abort();
        }
    }
}

async fn take(listener: TcpListener, shared: Arc<Shared>, stopping: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let pages = pages::router(Arc::clone(&shared));
    let taking = async {
        // A semaphore that is never closed always gives.
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (shared, pages, stopping) = (Arc::clone(&shared), pages.clone(), stopping.clone());
                    tokio::spawn(async move {
                        serve(stream, peer, (shared, pages), stopping).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the dashboard could not take a connection");
                    sleep(REFUSED).await;
                }
            }
        }
    };
    let mut stops = stopping.clone();
    tokio::select! {
        () = taking => {}
        // A sender that is gone is a page that is gone.
        _ = stops.wait_for(|stops| *stops) => {}
    }
    // Whoever is still served holds a place.
    let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(STOP_TIMEOUT, room.acquire_many(all)).await;
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    (shared, pages): (Arc<Shared>, Router),
    mut stopping: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| gate::answer(Arc::clone(&shared), pages.clone(), request, peer.ip()));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = timeout(CONNECTION_TIMEOUT, async {
        let stops = async {
            // A sender that is gone is a page that is gone.
            let _ = stopping.wait_for(|stops| *stops).await;
        };
        tokio::select! {
            ended = serving.as_mut() => return ended,
            () = stops => serving.as_mut().graceful_shutdown(),
        }
        timeout(STOP_TIMEOUT, serving.as_mut()).await.unwrap_or(Ok(()))
    });
    if let Ok(Err(error)) = ended.await {
        tracing::debug!(%error, "a connection to the dashboard broke");
    }
}
