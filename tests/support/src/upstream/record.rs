//! What the upstream remembers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Head of a request as it arrived.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// After the `?`; empty if there is none.
    pub query: String,
    /// `http/1.0`, `http/1.1` or `h2`.
    pub protocol: String,
    /// Host header or `:authority`.
    pub authority: String,
    /// Names in lower case, in order; values that are not text are shown with escapes.
    pub headers: Vec<(String, String)>,
    /// TLS server name, when there was one.
    pub sni: Option<String>,
    /// ALPN, when there was one.
    pub alpn: Option<String>,
    /// Number of the connection, from 1.
    pub connection: usize,
}

impl RecordedRequest {
    /// First value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
pub(super) struct Records {
    requests: Mutex<Vec<RecordedRequest>>,
    connections: AtomicUsize,
    open: Arc<AtomicUsize>,
    in_flight: Arc<AtomicUsize>,
}

/// Counts down when dropped.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Records {
    pub(super) fn add(&self, request: RecordedRequest) {
        self.requests.lock().push(request);
    }

    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.lock().clone()
    }

    pub(super) fn forget(&self) {
        self.requests.lock().clear();
    }

    pub(super) fn count(&self, id: &str) -> usize {
        self.requests.lock().iter().filter(|request| request.header("x-id") == Some(id)).count()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn open_connections(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Number of the connection, and what counts it as open.
    pub(super) fn connection_opens(&self) -> (usize, Counted) {
        let number = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
        self.open.fetch_add(1, Ordering::SeqCst);
        (number, Counted(self.open.clone()))
    }

    pub(super) fn request_begins(&self) -> Counted {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Counted(self.in_flight.clone())
    }
}
