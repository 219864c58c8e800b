//! capture and the first half of classify: a request whose destination is known, under the policy of the moment.

use std::sync::{Arc, Weak};

use creto_call::{Call, Details, Kind, RefusalCode};
use creto_classify::Endpoint;
use creto_swap::Tracked;
use http::{Request, Response};

use crate::capture::Connection;
use crate::enforcement::{Enforcement, Snapshot};
use crate::http::body::AnswerBody;
use crate::http::refuse::Refused;
use crate::http::strict;
use crate::path::classify;
use crate::path::destination::{self, Destination};
use crate::path::recipe::refuse_and_record;

/// A request whose destination is known.
pub(crate) struct Headed {
    pub(crate) enforcement: Snapshot,
    pub(crate) destination: Destination,
    pub(crate) kind: Kind,
    pub(crate) endpoint: Endpoint,
}

impl Headed {
    /// Whether its body can say what it means: gRPC is not read, but a model's JSON is, whatever it calls itself.
    pub(crate) fn reads_body(&self) -> bool {
        self.kind == Kind::Http || (self.kind == Kind::Grpc && self.endpoint.reads_body())
    }

    /// Lets go of the policy.
    pub(crate) fn wait(self) -> Waiting {
        Waiting {
            headed_by: Arc::downgrade(&self.enforcement),
            destination: self.destination,
            kind: self.kind,
            endpoint: self.endpoint,
        }
    }
}

/// The same while its body is read. Nothing here decides.
pub(crate) struct Waiting {
    /// Its place in memory is not used again while this is held, so that it can be told from any other.
    headed_by: Weak<Tracked<Enforcement>>,
    destination: Destination,
    kind: Kind,
    endpoint: Endpoint,
}

impl Waiting {
    /// None when another policy has come into force.
    pub(crate) fn resume(self, connection: &Connection) -> Option<Headed> {
        let enforcement = connection.sidecar.enforced.load_full();
        std::ptr::eq(self.headed_by.as_ptr(), Arc::as_ptr(&enforcement)).then_some(Headed {
            enforcement,
            destination: self.destination,
            kind: self.kind,
            endpoint: self.endpoint,
        })
    }
}

/// capture, and the part of classify that the head tells.
pub(crate) fn head<B>(
    connection: &Connection,
    request: &Request<B>,
    has_body: bool,
) -> Result<Headed, Box<Response<AnswerBody>>> {
    let enforcement = connection.sidecar.enforced.load_full();
    // The kind first: an answer must be in the caller's protocol even when nothing else is clear.
    let kind = classify::kind(request, has_body);
    // A request that can be read in two ways has no facts to decide on.
    let captured = strict::check(request)
        .map_err(|malformed| Refused::of(RefusalCode::MalformedRequest, malformed.to_string()))
        .and_then(|()| destination::resolve(connection, &enforcement, request));
    match captured {
        Ok(destination) => {
            let endpoint = classify::endpoint(&enforcement, &destination, request, has_body);
            Ok(Headed { enforcement, destination, kind, endpoint })
        }
        Err(refused) => {
            let call = connection.entrance.partial_call(request, kind);
            let voice = classify::voice_of(kind);
            let answer = refuse_and_record(connection, &call, &voice, &refused, enforcement.epoch);
            Err(Box::new(answer))
        }
    }
}

/// Its facts, as far as the head and `details` tell them.
pub(crate) fn call<'a, B>(headed: &'a Headed, request: &'a Request<B>, details: Details<'a>) -> Call<'a> {
    Call {
        capture: headed.destination.capture,
        kind: headed.kind,
        scheme: headed.destination.origin.scheme,
        method: request.method().as_str(),
        host: headed.destination.origin.host.as_str(),
        port: headed.destination.origin.port,
        path: headed.destination.path_and_query(request).0,
        details,
    }
}
