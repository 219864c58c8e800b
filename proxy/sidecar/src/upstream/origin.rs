//! Scheme, host and port.

use creto_call::{NormalHost, Scheme};

/// An upstream (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: NormalHost,
    pub(crate) port: u16,
}

impl Origin {
    /// As `Host` and `:authority` have it: without the scheme's own port, IPv6 in brackets.
    pub(crate) fn authority(&self) -> String {
        let host = self.host.as_str();
        let bracketed = host.contains(':');
        let mut out = String::with_capacity(host.len() + 8);
        if bracketed {
            out.push('[');
        }
        out.push_str(host);
        if bracketed {
            out.push(']');
        }
        if self.port != self.scheme.default_port() {
            out.push(':');
            out.push_str(&self.port.to_string());
        }
        out
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}
