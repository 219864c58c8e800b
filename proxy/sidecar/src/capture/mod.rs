//! capture: the four ways in, and what each tells about the destination.

pub(crate) mod connect;
mod first_bytes;
mod serve;
mod tunnel;
pub(crate) mod ways_in;

use std::sync::Arc;

use creto_call::{Call, Capture, Kind, Scheme};
use http::{Request, Version};

use crate::admin::metrics::Metrics;
use crate::sidecar::Sidecar;
use crate::upstream::Origin;

/// What is known of a connection's destination before its first request.
#[derive(Clone, Debug)]
pub(crate) enum Entrance {
    /// The sidecar's own address: HTTP proxy and base URL.
    Open,
    /// A tunnel, or a redirected TLS connection: every request in it goes to this origin.
    Bound {
        capture: Capture,
        origin: Arc<Origin>,
        /// Set when SNI and CONNECT target disagree: then every request is refused with these words.
        mismatch: Option<Arc<str>>,
    },
    /// A redirected plain connection: requests name the host, the port is that of the connection.
    Redirected { port: u16 },
}

impl Entrance {
    fn capture(&self) -> Capture {
        match self {
            Self::Open => Capture::BaseUrl,
            Self::Bound { capture, .. } => *capture,
            Self::Redirected { .. } => Capture::Transparent,
        }
    }

    /// The facts of a request that is refused before it has a destination.
    pub(crate) fn partial_call<'a, B>(&'a self, request: &'a Request<B>, kind: Kind) -> Call<'a> {
        let (scheme, host, port) = match self {
            Self::Bound { origin, .. } => (origin.scheme, origin.host.as_str(), origin.port),
            Self::Open => (Scheme::Http, "", 0),
            Self::Redirected { port } => (Scheme::Http, "", *port),
        };
        let capture = match self {
            // An HTTP/2 request always carries an authority; to a sidecar it is a base-URL call.
            Self::Open if request.uri().authority().is_some() && request.version() != Version::HTTP_2 => {
                Capture::AbsoluteForm
            }
            other => other.capture(),
        };
        let method = request.method().as_str();
        Call { capture, kind, scheme, method, host, port, path: request.uri().path() }
    }
}

/// One connection from the agent, or one tunnel inside it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sidecar: Arc<Sidecar>,
    pub(crate) entrance: Entrance,
    /// Held until the last task of the connection is gone.
    pub(crate) counted: Arc<Counted>,
}

/// A place among the connections that are open at once.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Metrics>);

impl Counted {
    /// Takes a place; none at the bound.
    pub(crate) fn take(metrics: &Arc<Metrics>, bound: i64) -> Option<Arc<Self>> {
        metrics.connection_opened(bound).then(|| Arc::new(Self(Arc::clone(metrics))))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}
