//! The facts of a call.

use crate::Details;

/// One outbound call, as far as it is understood before it leaves.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// How the call reached the sidecar.
    pub capture: Capture,
    /// What kind of call it is.
    pub kind: Kind,
    /// Plain or secured towards the upstream.
    pub scheme: Scheme,
    /// The method as sent, for HTTP; empty for [`Kind::Opaque`].
    pub method: &'a str,
    /// Destination name or address in normal form ([`crate::NormalHost`]).
    pub host: &'a str,
    /// Destination port.
    pub port: u16,
    /// Path without the query, as sent; empty for [`Kind::Opaque`].
    pub path: &'a str,
    /// Everything else that a rule may ask.
    pub details: Details<'a>,
}

/// The four ways into the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capture {
    /// `CONNECT host:port` (`HTTPS_PROXY`).
    Connect,
    /// `GET http://host/…` (`HTTP_PROXY`).
    AbsoluteForm,
    /// A path on the sidecar's own address that policy routes to an upstream.
    BaseUrl,
    /// A connection redirected by the kernel, its original destination recovered.
    Transparent,
}

impl Capture {
    /// Name as written in policies and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::AbsoluteForm => "absolute-form",
            Self::BaseUrl => "base-url",
            Self::Transparent => "transparent",
        }
    }
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// HTTP without a closer reading.
    Http,
    /// gRPC over HTTP/2.
    Grpc,
    /// An HTTP request that asks to become a WebSocket (RFC 6455).
    WebSocket,
    /// Bytes not looked into: a passed TLS tunnel.
    Opaque,
}

impl Kind {
    /// Name as written in policies and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
            Self::WebSocket => "websocket",
            Self::Opaque => "opaque",
        }
    }
}

/// The upstream scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// URI scheme.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The scheme's own port.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The registered methods as single bits, so that a rule's methods are one mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Method(u16);

impl Method {
    /// A method outside the registered ones; policies name it through `*` only.
    pub const OTHER: Self = Self(1 << 15);
    /// Every method.
    pub const ANY_MASK: u16 = u16::MAX;

    const NAMES: [&'static str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

    /// The bit of a method; case-sensitive as RFC 9110 section 9.1 has it.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match Self::NAMES.iter().position(|known| *known == name) {
            Some(at) => Self(1 << at),
            None => Self::OTHER,
        }
    }

    /// This method's bit in a mask.
    #[must_use]
    pub fn mask(self) -> u16 {
        self.0
    }
}
