//! A call that people describe, with all that it owns.

use creto_call::{Call, Capture, Details, Kind};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, UPGRADE};

use super::meaning::Facts;
use super::target::Target;

/// A call as it would leave, all of it.
#[derive(Debug)]
pub(super) struct WholeCall {
    pub(super) target: Target,
    /// `CONNECT` for a tunnel that is not decrypted.
    pub(super) method: String,
    /// None when nothing is known of them.
    pub(super) headers: Option<HeaderMap>,
    /// Bytes of the body, where that is said.
    pub(super) size: Option<u64>,
    pub(super) facts: Facts,
}

impl WholeCall {
    /// The facts that policy decides on.
    pub(super) fn call(&self) -> Call<'_> {
        self.with_method(&self.method)
    }

    /// The same under another method.
    pub(super) fn with_method<'c>(&'c self, method: &'c str) -> Call<'c> {
        let target = &self.target;
        let kind = self.kind();
        let opaque = kind == Kind::Opaque;
        let details = Details {
            query: &target.query,
            headers: self.headers.as_ref(),
            size: self.size,
            body_read: self.facts.body_read,
            meaning: self.facts.meant.meaning(),
        };
        Call {
            capture: Capture::Connect,
            kind,
            scheme: target.scheme,
            method: if opaque { "" } else { method },
            host: target.host.as_str(),
            port: target.port,
            path: if opaque { "" } else { &target.path },
            details: if opaque { Details::default() } else { details },
        }
    }

    /// Methods that headers put in the place of the one sent: a sidecar lets the call through only if each is allowed.
    pub(super) fn overriding_methods(&self) -> Vec<String> {
        let Some(headers) = &self.headers else { return Vec::new() };
        ["x-http-method-override", "x-http-method", "x-method-override"]
            .iter()
            .flat_map(|name| headers.get_all(*name))
            .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_uppercase())
            .filter(|method| !method.is_empty())
            .collect()
    }

    fn kind(&self) -> Kind {
        let says = |name, wanted: &str| {
            let value = self.headers.as_ref().and_then(|headers| headers.get(name));
            value.and_then(|value| value.to_str().ok()).is_some_and(|text| text.starts_with(wanted))
        };
        if self.method == "CONNECT" {
            Kind::Opaque
        } else if says(CONTENT_TYPE, "application/grpc") {
            Kind::Grpc
        } else if self.target.websocket || self.method == "GET" && says(UPGRADE, "websocket") {
            Kind::WebSocket
        } else {
            Kind::Http
        }
    }
}
