//! A connection that was opened for one destination, by CONNECT or by the kernel's redirect: TLS is opened, or passed
//! where policy says so; anything else is served as HTTP.

use std::sync::Arc;

use creto_call::{Call, Capture, Details, Kind, Meaning, NormalHost, Scheme};
use creto_proxy_tls::{ClientHelloFacts, Protocol};
use http::HeaderMap;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use tokio_rustls::TlsAcceptor;

use crate::capture::first_bytes::{self, Begins};
use crate::capture::{Connection, Entrance, serve};
use crate::enforcement::AgentStanding;
use crate::http::refuse::Voice;
use crate::path::judge::{self, Case, Judged};
use crate::path::record::Outcome;
use crate::path::reserve;
use crate::splice::{self, Lasts};
use crate::upstream::{Guard, Origin};

/// What the tunnel was opened for.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) capture: Capture,
    pub(crate) named: Named,
    pub(crate) port: u16,
}

/// Who says which host the tunnel goes to.
#[derive(Debug)]
pub(crate) enum Named {
    /// The CONNECT target: the bytes must agree.
    Target(NormalHost),
    /// The bytes; where they name none, the address the connection was sent to.
    Bytes(Option<NormalHost>),
}

/// Looks at the first bytes and goes on accordingly.
pub(crate) async fn run(connection: Arc<Connection>, mut stream: L4Stream, opened: Opened) {
    let timeouts = connection.sidecar.timeouts;
    let Some(begins) = first_bytes::look(&mut stream, timeouts.head).await else { return };
    match begins {
        Begins::Tls(hello) => Box::pin(tls(connection, stream, opened, hello)).await,
        Begins::BrokenTls => {
            tracing::info!(port = opened.port, "a connection began with TLS that cannot be read");
        }
        Begins::Http1 => plain(connection, stream, opened, Protocol::Http1).await,
        Begins::Http2 => plain(connection, stream, opened, Protocol::Http2).await,
    }
}

async fn plain(connection: Arc<Connection>, stream: L4Stream, opened: Opened, protocol: Protocol) {
    let entrance = match opened.named {
        Named::Target(host) => Entrance::Bound {
            capture: opened.capture,
            origin: Arc::new(Origin { scheme: Scheme::Http, host, port: opened.port }),
            mismatch: None,
        },
        Named::Bytes(_) => Entrance::Redirected { port: opened.port },
    };
    let shutdown = connection.sidecar.shutdown();
    serve::serve(inside(&connection, entrance), stream, protocol, shutdown).await;
}

async fn tls(connection: Arc<Connection>, stream: L4Stream, opened: Opened, hello: ClientHelloFacts) {
    let named = match hello.server_name.as_deref().map(NormalHost::parse) {
        None => None,
        Some(Ok(name)) => Some(name),
        Some(Err(error)) => {
            tracing::info!(%error, "a connection is closed: its TLS server name is no host");
            return;
        }
    };
    // The name in the hello must be the one the tunnel was opened for: else policy would judge one and TLS serve the
    // other.
    let mismatch = match (&opened.named, &named) {
        (Named::Target(host), Some(name)) if host != name => {
            Some(Arc::from(format!("TLS asks for {name}, the connection was opened for {host}")))
        }
        _ => None,
    };
    let otherwise = match opened.named {
        Named::Target(host) => Some(host),
        Named::Bytes(address) => address,
    };
    let Some(host) = named.or(otherwise) else {
        tracing::info!("a redirected TLS connection is closed: it names no server");
        return;
    };
    let origin = Arc::new(Origin { scheme: Scheme::Https, host, port: opened.port });
    let destination = {
        let enforcement = connection.sidecar.enforced.load();
        // An agent that calls nothing has nothing contacted for it either.
        let calls = enforcement.standing == AgentStanding::Active && enforcement.chain.is_some();
        enforcement.policy.as_ref().map(|policy| {
            let destination = policy.destination(origin.host.as_str(), origin.port);
            (destination.pass.is_some(), calls && (destination.may_allow || destination.observes))
        })
    };
    let (pass, may_allow) = destination.unwrap_or((false, false));
    if pass && mismatch.is_none() {
        return opaque(connection, stream, opened.capture, origin).await;
    }
    let contact = may_allow && mismatch.is_none();
    let protocol = mirrored(&connection, &origin, &hello, contact).await;
    let config = match connection.sidecar.interception.server_config(origin.host.as_str(), protocol) {
        Ok(config) => config,
        Err(error) => {
            tracing::warn!(%error, "a connection is closed: no certificate");
            return;
        }
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    let stream = match tokio::time::timeout(connection.sidecar.timeouts.handshake, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::info!(%error, %origin, "TLS with the agent failed; does it trust the sidecar's ca.pem?");
            return;
        }
        Err(_) => return,
    };
    let entrance = Entrance::Bound { capture: opened.capture, origin, mismatch };
    let shutdown = connection.sidecar.shutdown();
    serve::serve(inside(&connection, entrance), stream, protocol, shutdown).await;
}

/// The protocol to speak with the agent: HTTP/2 if both it and the upstream do.
async fn mirrored(
    connection: &Connection,
    origin: &Arc<Origin>,
    hello: &ClientHelloFacts,
    contact: bool,
) -> Protocol {
    if !hello.offers_h2 {
        return Protocol::Http1;
    }
    // Nothing is sent to an upstream that no rule could allow; the refusals need no mirror.
    let upstream = if contact {
        let guard = Guard::own(&connection.sidecar.enforced);
        connection.sidecar.upstreams.speaks_http2(origin, &guard).await.unwrap_or(!hello.offers_http1)
    } else {
        !hello.offers_http1
    };
    if upstream { Protocol::Http2 } else { Protocol::Http1 }
}

/// A tunnel that is not opened: decided on its server name.
async fn opaque(connection: Arc<Connection>, stream: L4Stream, capture: Capture, origin: Arc<Origin>) {
    let sidecar = &connection.sidecar;
    let call = Call {
        capture,
        kind: Kind::Opaque,
        scheme: Scheme::Https,
        method: "CONNECT",
        host: origin.host.as_str(),
        port: origin.port,
        path: "",
        details: Details::default(),
    };
    let mut judged_by = sidecar.enforced.load().epoch;
    let judged = {
        let case = Case {
            headers: &HeaderMap::new(),
            call: &call,
            meanings: &[Meaning::Plain],
            voice: &Voice::default(),
            credential: "",
            objection: None,
            reach: None,
        };
        judge::judge(sidecar, &sidecar.enforced.load(), case)
    };
    // What cannot be recorded is closed; the recorder has said why.
    let Ok(Judged { record, verdict }) = judged else { return };
    let leave = match verdict {
        Ok(leave) => leave,
        Err(refused) => {
            // Undecrypted, there is no way to say why but to close; the record says it.
            record.status(refused.code.status());
            record.finish(Outcome::Refused);
            return;
        }
    };
    let lacks = {
        let enforcement = sidecar.enforced.load();
        reserve::at_once(sidecar, &enforcement, &call, &[Meaning::Plain], (None, None), &record)
    };
    let reserved = match lacks {
        Ok(None) => Ok(()),
        Ok(Some(ask)) => reserve::wait(sidecar, ask, &record).await,
        Err(refused) => Err(refused),
    };
    if reserved.is_err() {
        record.finish(Outcome::Refused);
        return;
    }
    let outcome = match sidecar.upstreams.tunnel(&origin, &leave.guard).await {
        Ok((upstream, address)) => {
            record.upstream(address);
            // Nothing in it is ever judged by itself, so it is judged again by each policy that comes.
            let look = || {
                let enforcement = sidecar.enforced.load();
                if enforcement.epoch == judged_by {
                    return Ok(());
                }
                judged_by = enforcement.epoch;
                judge::still(&enforcement, &call)
            };
            let lasts = Lasts { idle: sidecar.timeouts.idle, tenure: &leave.tenure, look };
            splice::both_ways(stream, upstream, &record, lasts, None).await
        }
        Err(error) => {
            tracing::info!(%error, %origin, "a passed tunnel could not be opened");
            record.status(error.refused().code.status());
            Outcome::UpstreamFailed
        }
    };
    record.finish(outcome);
}

fn inside(outer: &Arc<Connection>, entrance: Entrance) -> Arc<Connection> {
    Arc::new(Connection {
        sidecar: Arc::clone(&outer.sidecar),
        entrance,
        counted: Arc::clone(&outer.counted),
    })
}
