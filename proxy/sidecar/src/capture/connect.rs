//! CONNECT: a tunnel to one destination. What flows in it is looked at again.

use std::sync::Arc;

use creto_call::{Call, Capture, Details, Kind, NormalHost, RefusalCode, Scheme};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::upgrade::Parts;
use hyper_util::rt::TokioIo;
use pingora_core::protocols::l4::stream::Stream as L4Stream;

use crate::capture::tunnel::{self, Named, Opened};
use crate::capture::{Connection, Entrance};
use crate::http::authority::Authority;
use crate::http::body::AnswerBody;
use crate::http::refuse::{Refused, Voice};
use crate::path::recipe;

/// Answers a CONNECT and takes the tunnel over.
pub(crate) fn open(connection: &Arc<Connection>, request: Request<Incoming>) -> Response<AnswerBody> {
    let (host, port) = match target(connection, &request) {
        Ok(target) => target,
        Err((host, port, refused)) => {
            let call = Call {
                capture: Capture::Connect,
                kind: Kind::Opaque,
                scheme: Scheme::Https,
                method: "CONNECT",
                host: &host,
                port,
                path: "",
                details: Details::default(),
            };
            let epoch = connection.sidecar.enforced.load().epoch;
            return recipe::refuse_and_record(connection, &call, &Voice::default(), &refused, epoch);
        }
    };
    let connection = Arc::clone(connection);
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        // Always this type: only the plain listener takes CONNECT.
        let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<L4Stream>>() else { return };
        let mut stream = io.into_inner();
        // Bytes that came with the request head belong to the tunnel.
        stream.rewind(&read_buf);
        let opened = Opened { capture: Capture::Connect, named: Named::Target(host), port };
        tunnel::run(connection, stream, opened).await;
    });
    Response::new(AnswerBody::empty())
}

type RefusedTarget = (String, u16, Refused);

fn target(connection: &Connection, request: &Request<Incoming>) -> Result<(NormalHost, u16), RefusedTarget> {
    let written = request.uri().authority().map_or("", |authority| authority.as_str());
    if !matches!(connection.entrance, Entrance::Open) || request.version() == Version::HTTP_2 {
        let refused =
            Refused::of(RefusalCode::NotSupported, "CONNECT is taken on the proxy's own address, by HTTP/1");
        return Err((String::new(), 0, refused));
    }
    let named = Authority::parse(written).map_err(|error| {
        let words = format!("the CONNECT target {written:.80?} cannot be used: {error}");
        (String::new(), 0, Refused::of(RefusalCode::MalformedRequest, words))
    })?;
    let Some(port) = named.port else {
        let refused = Refused::of(RefusalCode::MalformedRequest, "a CONNECT target has a port");
        return Err((named.host.into_string(), 0, refused));
    };
    if let Some(host) = request.headers().get(http::header::HOST) {
        let same = host
            .to_str()
            .ok()
            .and_then(|host| Authority::parse(host).ok())
            .is_some_and(|host| host.host == named.host && host.port.is_none_or(|other| other == port));
        if !same {
            let refused = Refused::of(RefusalCode::DestinationMismatch, "Host and CONNECT target differ");
            return Err((named.host.into_string(), port, refused));
        }
    }
    let enforcement = connection.sidecar.enforced.load();
    let refusal = match &enforcement.policy {
        None => Some(RefusalCode::NoPolicy),
        // Where the client speaks second (mail, SSH) it would wait for words that never come: said at once.
        Some(policy) => {
            let destination = policy.destination(named.host.as_str(), port);
            let forbidden = !destination.port_known && !destination.observes;
            forbidden.then_some(RefusalCode::PortForbidden)
        }
    };
    match refusal {
        Some(code) => {
            let refused = Refused::of(code, format!("CONNECT {}:{port}", named.host));
            Err((named.host.into_string(), port, refused))
        }
        None => Ok((named.host, port)),
    }
}
