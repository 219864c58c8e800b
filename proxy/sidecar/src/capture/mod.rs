//! capture: the four ways in, and what each tells about the destination.

pub(crate) mod connect;
mod first_bytes;
mod serve;
mod tunnel;
pub(crate) mod ways_in;

use std::sync::Arc;

use creto_call::{Call, Capture, Details, Kind, Scheme};
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
    /// The facts of a request that is refused before it has a destination.
    pub(crate) fn partial_call<'a, B>(&'a self, request: &'a Request<B>, kind: Kind) -> Call<'a> {
        // An HTTP/2 request always carries an authority; to a sidecar it is a base-URL call.
        let absolute = request.uri().authority().is_some() && request.version() != Version::HTTP_2;
        let (capture, scheme, host, port) = match self {
            Self::Bound { capture, origin, .. } => {
                (*capture, origin.scheme, origin.host.as_str(), origin.port)
            }
            Self::Open if absolute => (Capture::AbsoluteForm, Scheme::Http, "", 0),
            Self::Open => (Capture::BaseUrl, Scheme::Http, "", 0),
            Self::Redirected { port } => (Capture::Transparent, Scheme::Http, "", *port),
        };
        let method = request.method().as_str();
        Call {
            capture,
            kind,
            scheme,
            method,
            host,
            port,
            path: request.uri().path(),
            details: Details::default(),
        }
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
