//! classify: what a request means to the service that it goes to. The head is read first, the body only where the
//! service, a rule or a credential asks for it.

use std::sync::Arc;

use creto_call::{Details, Dialect, Kind, Meaning, RefusalCode};
use creto_classify::{Endpoint, Known, Meanings};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};

use crate::enforcement::Enforcement;
use crate::http::body::AnswerBody;
use crate::http::refuse::{self, Asker, Refused, Voice};
use crate::http::websocket;
use crate::path::destination::Destination;

/// The kind, from the head alone. A request with a body is no handshake of a WebSocket: nobody would read what it says.
pub(crate) fn kind<B>(request: &Request<B>, has_body: bool) -> Kind {
    if request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
    {
        Kind::Grpc
    } else if !has_body && websocket::is_requested(request) {
        Kind::WebSocket
    } else {
        Kind::Http
    }
}

/// How a caller is spoken to of whom nothing but the kind is known.
pub(crate) fn voice_of(kind: Kind) -> Voice {
    Voice::from(if kind == Kind::Grpc { Dialect::Grpc } else { Dialect::Problem })
}

/// The service that a request goes to. One with a body is taken for a POST where only that makes it a call of a model, a
/// tool or an agent: servers may do so, by a header that says so or of themselves, and being taken for one only means being read.
pub(crate) fn endpoint<B>(
    enforcement: &Enforcement,
    destination: &Destination,
    request: &Request<B>,
    has_body: bool,
) -> Endpoint {
    let (host, port) = (destination.origin.host.as_str(), destination.origin.port);
    let (path, query) = destination.path_and_query(request);
    let policy = enforcement.policy.as_deref();
    let known = Known {
        provider: policy
            .and_then(|policy| policy.provider(host, port, path))
            .map(|provider| (provider.name(), provider.api(), provider.base())),
        mcp_server: policy.and_then(|policy| policy.mcp_server(host, port, path)).map(|server| server.name()),
        a2a_agent: policy.and_then(|policy| policy.a2a_agent(host, port, path)).map(|agent| agent.name()),
    };
    let of = |method| Endpoint::of(method, host, path, query, request.headers(), known);
    match of(request.method().as_str()) {
        Endpoint::Mcp { server, posted } => Endpoint::Mcp { server, posted: posted || has_body },
        Endpoint::Plain if has_body && request.method() != Method::POST => of("POST"),
        found => found,
    }
}

/// What a request means, and how its caller is spoken to.
#[derive(Debug)]
pub(crate) struct Understood {
    pub(crate) meanings: Meanings,
    pub(crate) voice: Voice,
}

impl Understood {
    /// As far as the head tells.
    pub(crate) fn head(endpoint: &Endpoint) -> Self {
        Self { meanings: endpoint.head(), voice: Voice::from(endpoint.dialect()) }
    }

    /// With the body. What cannot be understood is refused in the words of the service all the same.
    pub(crate) fn body<B>(
        endpoint: &Endpoint,
        request: &Request<B>,
        body: &[u8],
    ) -> Result<Self, (Refused, Voice)> {
        let meanings = endpoint.read(request.headers(), body).map_err(|problem| {
            let asker = Asker::of_unclear(&problem, request.headers(), body).map(Arc::new);
            let dialect = if asker.is_some() { Dialect::JsonRpc } else { endpoint.dialect() };
            (Refused::of(problem.code(), problem.to_string()), Voice { dialect, asker })
        })?;
        let voice = match &meanings {
            Meanings::Mcp { request: asked, .. } => Voice {
                dialect: Dialect::JsonRpc,
                asker: Some(Arc::new(Asker::of_mcp(asked, request.headers()))),
            },
            Meanings::A2a { ids, batch, .. } if endpoint.dialect() == Dialect::JsonRpc || !ids.is_empty() => {
                Voice { dialect: Dialect::JsonRpc, asker: Some(Arc::new(Asker::of_a2a(ids, *batch))) }
            }
            _ => Voice::from(endpoint.dialect()),
        };
        Ok(Self { meanings, voice })
    }

    /// Each message by itself; one for a call that is no batch.
    pub(crate) fn with_each<R>(&self, judge: impl FnOnce(&[Meaning<'_>]) -> R) -> R {
        match &self.meanings {
            // Most calls: nothing is allocated for them.
            Meanings::Plain => judge(&[Meaning::Plain]),
            Meanings::Model(call) => judge(&[Meaning::Model(call)]),
            Meanings::Mcp { calls, .. } => judge(&calls.iter().map(Meaning::Mcp).collect::<Vec<_>>()),
            Meanings::A2a { calls, .. } => judge(&calls.iter().map(Meaning::A2a).collect::<Vec<_>>()),
        }
    }
}

/// The details of a call, all but its meaning.
pub(crate) fn details<'a, B>(
    destination: &'a Destination,
    request: &'a Request<B>,
    size: Option<u64>,
    body_read: bool,
) -> Details<'a> {
    Details {
        query: destination.path_and_query(request).1,
        headers: Some(request.headers()),
        size,
        body_read,
        meaning: Meaning::Plain,
    }
}

/// The answer to a request that was not recorded: there is nothing to say but why.
pub(crate) fn unrecorded(error: &creto_spool::SpoolError, voice: &Voice) -> Response<AnswerBody> {
    let refused = Refused::of(RefusalCode::RecordUnavailable, error.to_string());
    refuse::answer(&refused, voice, "")
}
