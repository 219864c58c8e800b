//! capture, second half: which destination a request names, and whether its connection was opened for it.

use std::net::SocketAddr;
use std::sync::Arc;

use creto_call::{Capture, NormalHost, RefusalCode, Scheme};
use http::uri::PathAndQuery;
use http::{Request, Version};

use crate::capture::{Connection, Entrance};
use crate::enforcement::Enforcement;
use crate::http::authority::Authority;
use crate::http::refuse::Refused;
use crate::upstream::Origin;

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) capture: Capture,
    pub(crate) origin: Arc<Origin>,
    /// Path and query for the upstream, where they are not the request's own.
    pub(crate) target: Option<PathAndQuery>,
}

impl Destination {
    /// Path and query as the upstream gets them; the query without `?`, empty when there is none.
    pub(crate) fn path_and_query<'a, B>(&'a self, request: &'a Request<B>) -> (&'a str, &'a str) {
        match &self.target {
            Some(target) => (target.path(), target.query().unwrap_or_default()),
            None => (request.uri().path(), request.uri().query().unwrap_or_default()),
        }
    }
}

/// Whether a request is for the sidecar's own address, however it is written: for a route of a base URL, or for the sidecar.
pub(crate) fn is_own<B>(connection: &Connection, request: &Request<B>) -> bool {
    if !matches!(connection.entrance, Entrance::Open) {
        return false;
    }
    let Some(written) = request.uri().authority().filter(|_| !is_own_http2(request)) else { return true };
    parse(written.as_str()).is_ok_and(|named| {
        let port = named.port.unwrap_or(Scheme::Http.default_port());
        is_own_address(&Origin { scheme: Scheme::Http, host: named.host, port }, connection.sidecar.address)
    })
}

/// Reads the destination out of the request and its connection, which must agree.
pub(crate) fn resolve<B>(
    connection: &Connection,
    enforcement: &Enforcement,
    request: &Request<B>,
) -> Result<Destination, Refused> {
    match &connection.entrance {
        Entrance::Open if request.uri().authority().is_none() || is_own_http2(request) => {
            base_url(enforcement, request)
        }
        Entrance::Open => {
            let destination = absolute_form(request)?;
            // An agent with both a proxy and a base URL set asks the proxy for the proxy's own address.
            if is_own_address(&destination.origin, connection.sidecar.address) {
                return base_url(enforcement, request);
            }
            Ok(destination)
        }
        Entrance::Bound { capture, origin, mismatch } => {
            if let Some(mismatch) = mismatch {
                return Err(Refused::of(RefusalCode::DestinationMismatch, mismatch.as_ref()));
            }
            if let Some(named) = authority(request)? {
                let port = named.port.unwrap_or(origin.scheme.default_port());
                if named.host != origin.host || port != origin.port {
                    return Err(mismatch_with(&named, &origin.to_string()));
                }
            }
            Ok(Destination { capture: *capture, origin: Arc::clone(origin), target: None })
        }
        Entrance::Redirected { port } => {
            let Some(named) = authority(request)? else {
                return Err(Refused::of(RefusalCode::MalformedRequest, "the request names no host"));
            };
            if named.port.unwrap_or(Scheme::Http.default_port()) != *port {
                return Err(mismatch_with(&named, &format!("port {port}")));
            }
            let origin = Origin { scheme: Scheme::Http, host: named.host, port: *port };
            Ok(Destination { capture: Capture::Transparent, origin: Arc::new(origin), target: None })
        }
    }
}

/// HTTP/2 requests always carry an authority; on the sidecar's own address only `http` ones name an upstream when
/// they were sent to a proxy, and clients do not speak HTTP/2 to proxies. So these are base-URL requests.
fn is_own_http2<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_2
}

fn is_own_address(origin: &Origin, own: SocketAddr) -> bool {
    let same_host = match origin.host.ip() {
        Some(ip) => ip == own.ip(),
        None => origin.host.as_str() == "localhost" && own.ip().is_loopback(),
    };
    same_host && origin.port == own.port()
}

fn absolute_form<B>(request: &Request<B>) -> Result<Destination, Refused> {
    let uri = request.uri();
    if uri.scheme_str() != Some("http") {
        return Err(Refused::of(
            RefusalCode::NotSupported,
            "an absolute target has the scheme http; use CONNECT for https",
        ));
    }
    let written = uri.authority().map_or("", |authority| authority.as_str());
    let named = parse(written)?;
    let port = named.port.unwrap_or(Scheme::Http.default_port());
    // RFC 9112 section 3.2.2 lets the target win; two destinations in one request are refused here.
    if let Some(host) = request.headers().get(http::header::HOST) {
        let host = parse(host.to_str().map_err(|_| unreadable_host())?)?;
        if host.host != named.host || host.port.unwrap_or(Scheme::Http.default_port()) != port {
            return Err(mismatch_with(&host, written));
        }
    }
    let origin = Origin { scheme: Scheme::Http, host: named.host, port };
    Ok(Destination { capture: Capture::AbsoluteForm, origin: Arc::new(origin), target: None })
}

fn base_url<B>(enforcement: &Enforcement, request: &Request<B>) -> Result<Destination, Refused> {
    let path = request.uri().path();
    let Some(policy) = &enforcement.policy else {
        return Err(Refused::of(RefusalCode::NoPolicy, "no policy has come that applies to this agent"));
    };
    let Some(route) = policy.route(path) else {
        return Err(Refused::of(RefusalCode::NoRoute, format!("no route begins {path:.64}")));
    };
    let host = NormalHost::parse(route.host)
        .map_err(|error| Refused::of(RefusalCode::NoRoute, format!("the route's host: {error}")))?;
    let mut target = String::with_capacity(route.base.len() + route.rest.len() + 1);
    target.push_str(route.base);
    target.push_str(route.rest);
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    if let Some(query) = request.uri().query() {
        target.push('?');
        target.push_str(query);
    }
    let target = PathAndQuery::try_from(target)
        .map_err(|_| Refused::of(RefusalCode::MalformedRequest, "the path does not fit behind the route"))?;
    Ok(Destination {
        capture: Capture::BaseUrl,
        origin: Arc::new(Origin { scheme: route.scheme, host, port: route.port }),
        target: Some(target),
    })
}

/// The one authority of a request: `:authority` and `Host` agree where both are there.
fn authority<B>(request: &Request<B>) -> Result<Option<Authority>, Refused> {
    let from_target = request.uri().authority().map(|authority| parse(authority.as_str())).transpose()?;
    let from_header = match request.headers().get(http::header::HOST) {
        None => None,
        Some(value) => Some(parse(value.to_str().map_err(|_| unreadable_host())?)?),
    };
    match (from_target, from_header) {
        (Some(target), Some(header)) if target != header => Err(mismatch_with(&header, target.host.as_str())),
        (Some(named), _) | (None, Some(named)) => Ok(Some(named)),
        (None, None) => Ok(None),
    }
}

fn parse(text: &str) -> Result<Authority, Refused> {
    Authority::parse(text).map_err(|error| {
        Refused::of(RefusalCode::MalformedRequest, format!("the host {text:.80?} cannot be used: {error}"))
    })
}

fn unreadable_host() -> Refused {
    Refused::of(RefusalCode::MalformedRequest, "the Host header is not text")
}

fn mismatch_with(named: &Authority, opened: &str) -> Refused {
    let port = named.port.map(|port| format!(":{port}")).unwrap_or_default();
    Refused::of(
        RefusalCode::DestinationMismatch,
        format!("the request names {}{port}, its connection was opened for {opened}", named.host),
    )
}
