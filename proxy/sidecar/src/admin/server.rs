//! The admin listener: /live, /ready, /metrics, /config.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use pingora_core::server::ShutdownWatch;
use pingora_core::services::background::BackgroundService;
use tokio::sync::Semaphore;

use crate::sidecar::Sidecar;

/// Operators' connections at once; more wait.
const CONNECTIONS: usize = 32;
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// Answers operators.
pub(crate) struct Admin {
    listener: Mutex<Option<TcpListener>>,
    sidecar: Arc<Sidecar>,
}

impl Admin {
    pub(crate) fn new(listener: TcpListener, sidecar: Arc<Sidecar>) -> Self {
        Self { listener: Mutex::new(Some(listener)), sidecar }
    }
}

#[async_trait]
impl BackgroundService for Admin {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let Some(listener) = self.listener.lock().take() else { return };
        let listener =
            match listener.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(listener)) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(%error, "the admin listener cannot be used");
                    return;
                }
            };
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = shutdown.wait_for(|stop| *stop) => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let sidecar = Arc::clone(&self.sidecar);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let response = answer(&sidecar, &request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let _ = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_WAIT)
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                drop(place);
            });
        }
    }
}

fn answer<B>(sidecar: &Sidecar, request: &Request<B>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".into());
    }
    match request.uri().path() {
        "/live" => text(StatusCode::OK, "text/plain", "live\n".into()),
        "/ready" => match sidecar.enforced.load().epoch {
            0 => text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "no policy has come yet\n".into()),
            _ => text(StatusCode::OK, "text/plain", "ready\n".into()),
        },
        "/metrics" => {
            let body = sidecar.metrics.render(&sidecar.readings());
            text(StatusCode::OK, "text/plain; version=0.0.4", body)
        }
        "/config" => text(StatusCode::OK, "application/json", config(sidecar)),
        _ => text(StatusCode::NOT_FOUND, "text/plain", "/live /ready /metrics /config\n".into()),
    }
}

/// What is in force; no secrets are among it.
fn config(sidecar: &Sidecar) -> String {
    let enforcement = sidecar.enforced.load();
    let readings = sidecar.readings();
    let json = serde_json::json!({
        "policy_epoch": enforcement.epoch,
        "policy_version": enforcement.version,
        "policy": enforcement.policy.is_some(),
        "agent_standing": enforcement.standing.as_str(),
        "delegated": enforcement.chain.is_some(),
        "delegation_expires_at_s": enforcement.chain.as_ref().map(|chain| chain.expires_at_s),
        "control_plane_connected": readings.control_plane_connected,
        "policy_state": readings.policy_state,
        "policy_staleness_seconds": readings.policy_staleness.as_secs(),
        "spool_pending": readings.spool_pending,
    });
    json.to_string()
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
