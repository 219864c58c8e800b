//! Connections that wait for their next call.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use creto_call::Scheme;
use http::{Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use crate::admin::metrics::Metrics;
use crate::http::body::Outgoing;
use crate::upstream::dial::{Dialed, SharedDialer};
use crate::upstream::sender::Sender;
use crate::upstream::{DialError, Guard, Origin, SendError};

/// Idle connections kept to one origin; more are closed.
const IDLE_PER_ORIGIN: usize = 128;
/// Origins with idle connections; at the bound all idle ones are closed.
const ORIGINS: usize = 512;
/// An idle connection this old is not used again: upstreams close theirs after a minute or so.
const IDLE: Duration = Duration::from_secs(50);
/// What an origin negotiates is remembered this long.
const ALPN_MEMORY: Duration = Duration::from_secs(600);

/// The connections of one sidecar.
#[derive(Debug)]
pub(crate) struct Upstreams {
    dialer: SharedDialer,
    pool: Arc<Pool>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Pool {
    slots: Mutex<HashMap<Arc<Origin>, Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    idle: Vec<Idle>,
    /// HTTP/2 connections are shared while they are used.
    shared: Option<Shared>,
    alpn: Option<(bool, Instant)>,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    address: SocketAddr,
    epoch: u64,
    since: Instant,
}

#[derive(Debug)]
struct Shared {
    sender: hyper::client::conn::http2::SendRequest<Outgoing>,
    address: SocketAddr,
    epoch: u64,
}

/// A connection in use for one call.
#[derive(Debug)]
pub(crate) struct Lease {
    sender: Sender,
    address: SocketAddr,
    epoch: u64,
    origin: Arc<Origin>,
    pool: Arc<Pool>,
}

impl Upstreams {
    pub(crate) fn new(dialer: SharedDialer, metrics: Arc<Metrics>) -> Self {
        Self { dialer, pool: Arc::default(), metrics }
    }

    /// A connection for one call: an idle one, or a new one.
    pub(crate) async fn lease(
        &self,
        origin: &Arc<Origin>,
        http2: bool,
        guard: &Guard,
    ) -> Result<Lease, DialError> {
        if let Some(lease) = self.pool.take(origin, http2, guard) {
            return Ok(lease);
        }
        // Boxed: most calls find a connection, and none should carry room for a handshake.
        Box::pin(self.dial(origin, http2, guard)).await
    }

    /// Whether the origin negotiates HTTP/2 with us: remembered, or found out by a connection that is then kept.
    pub(crate) async fn speaks_http2(&self, origin: &Arc<Origin>, guard: &Guard) -> Result<bool, DialError> {
        if let Some((http2, at)) = self.pool.slots.lock().get(origin).and_then(|slot| slot.alpn)
            && at.elapsed() < ALPN_MEMORY
        {
            return Ok(http2);
        }
        let lease = Box::pin(self.dial(origin, true, guard)).await?;
        let http2 = lease.is_http2();
        lease.give_back();
        Ok(http2)
    }

    /// A plain connection, for bytes that are not looked into.
    pub(crate) async fn tunnel(
        &self,
        origin: &Origin,
        guard: &Guard,
    ) -> Result<(TcpStream, SocketAddr), DialError> {
        self.metrics.dialed();
        self.dialer.tcp(origin, guard).await
    }

    async fn dial(&self, origin: &Arc<Origin>, http2: bool, guard: &Guard) -> Result<Lease, DialError> {
        self.metrics.dialed();
        let (dialed, address) = self.dialer.dial(origin, http2, guard).await?;
        let failed = |error| DialError::Handshake(origin.to_string(), error);
        let sender = match dialed {
            // Without TLS there is no ALPN: an HTTP/2 agent means an HTTP/2 upstream (gRPC in plain text).
            Dialed::Plain(stream) if http2 => Sender::http2(stream).await.map_err(failed)?,
            Dialed::Plain(stream) => Sender::http1(stream).await.map_err(failed)?,
            Dialed::Tls { stream, http2: true } => Sender::http2(*stream).await.map_err(failed)?,
            Dialed::Tls { stream, http2: false } => Sender::http1(*stream).await.map_err(failed)?,
        };
        let lease = Lease {
            sender,
            address,
            epoch: guard.epoch(),
            origin: Arc::clone(origin),
            pool: Arc::clone(&self.pool),
        };
        self.pool.learn(&lease, http2 && origin.scheme == Scheme::Https);
        Ok(lease)
    }
}

impl Pool {
    fn take(self: &Arc<Self>, origin: &Arc<Origin>, http2: bool, guard: &Guard) -> Option<Lease> {
        let mut slots = self.slots.lock();
        let slot = slots.get_mut(origin)?;
        let lease = |sender, address| Lease {
            sender,
            address,
            epoch: guard.epoch(),
            origin: Arc::clone(origin),
            pool: Arc::clone(self),
        };
        if http2 && let Some(shared) = &slot.shared {
            let usable = !shared.sender.is_closed()
                && (shared.epoch == guard.epoch() || guard.allows(origin, shared.address.ip()));
            if usable {
                return Some(lease(Sender::Http2(shared.sender.clone()), shared.address));
            }
            slot.shared = None;
        }
        while let Some(idle) = slot.idle.pop() {
            let usable = idle.since.elapsed() < IDLE
                && idle.sender.is_ready()
                // A connection made under another policy is judged again: its address may no longer be allowed.
                && (idle.epoch == guard.epoch() || guard.allows(origin, idle.address.ip()));
            if usable {
                return Some(lease(idle.sender, idle.address));
            }
        }
        None
    }

    /// Remembers what a new connection negotiated, and shares it if it can be shared.
    fn learn(&self, lease: &Lease, offered_http2: bool) {
        if !offered_http2 && !lease.sender.is_http2() {
            return;
        }
        let mut slots = self.slots.lock();
        make_room(&mut slots, &lease.origin);
        let slot = slots.entry(Arc::clone(&lease.origin)).or_default();
        slot.alpn = Some((lease.sender.is_http2(), Instant::now()));
        if let Sender::Http2(sender) = &lease.sender {
            slot.shared = Some(Shared { sender: sender.clone(), address: lease.address, epoch: lease.epoch });
        }
    }
}

fn make_room(slots: &mut HashMap<Arc<Origin>, Slot>, origin: &Arc<Origin>) {
    if slots.len() >= ORIGINS && !slots.contains_key(origin) {
        slots.clear();
    }
}

impl Lease {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.sender.is_http2()
    }

    pub(crate) async fn send(&mut self, request: Request<Outgoing>) -> Result<Response<Incoming>, SendError> {
        self.sender.send(request).await
    }

    /// The call is over: the next may use the connection.
    pub(crate) fn give_back(self) {
        if self.sender.is_http2() {
            return;
        }
        let mut slots = self.pool.slots.lock();
        make_room(&mut slots, &self.origin);
        let slot = slots.entry(self.origin).or_default();
        if slot.idle.len() < IDLE_PER_ORIGIN {
            slot.idle.push(Idle {
                sender: self.sender,
                address: self.address,
                epoch: self.epoch,
                since: Instant::now(),
            });
        }
    }
}
