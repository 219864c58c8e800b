//! What speaks against a call whatever the rules say: nothing here can be allowed by a rule, nor observed only.

use std::sync::Arc;

use creto_call::{Call, RefusalCode, Scheme};
use creto_classify::Meanings;
use creto_credentials::Credential;
use http::Request;

use crate::enforcement::Enforcement;
use crate::http::refuse::Refused;
use crate::path::classify::Understood;
use crate::path::destination::Destination;
use crate::path::key_places;
use crate::path::observe::ToolGate;
use crate::pins::ToolPins;

/// The first objection.
pub(crate) fn to<B>(
    pins: &ToolPins,
    enforcement: &Enforcement,
    call: &Call<'_>,
    destination: &Destination,
    request: &Request<B>,
    understood: &Understood,
    credential: Option<&Arc<Credential>>,
) -> Option<Refused> {
    to_placeholders(enforcement, request, credential)
        .or_else(|| to_plain_text(call, credential))
        .or_else(|| to_tools(pins, destination, request, understood))
}

/// A placeholder goes where its credential is bound to, as a key, and nowhere else.
fn to_placeholders<B>(
    enforcement: &Enforcement,
    request: &Request<B>,
    credential: Option<&Arc<Credential>>,
) -> Option<Refused> {
    let allowed = credential.map(|bound| bound.placeholder.as_str());
    let placeholders = &enforcement.placeholders;
    if let Some(foreign) = placeholders.find_foreign(request.headers(), request.uri(), allowed) {
        return Some(Refused::of(RefusalCode::PlaceholderMisplaced, foreign.to_string()));
    }
    let stray = key_places::stray_placeholder(placeholders, request, credential?)?;
    let words =
        format!("the placeholder {} stands in {}, which takes no keys", stray.placeholder, stray.place);
    Some(Refused::of(RefusalCode::PlaceholderMisplaced, words))
}

fn to_plain_text(call: &Call<'_>, credential: Option<&Arc<Credential>>) -> Option<Refused> {
    let bound = credential.filter(|bound| call.scheme == Scheme::Http && !bound.plain_http)?;
    Some(Refused::of(RefusalCode::CredentialNeedsTls, format!("credential {}", bound.name)))
}

/// A tool that is not the one that was seen, and headers that repeat its arguments wrongly.
fn to_tools<B>(
    pins: &ToolPins,
    destination: &Destination,
    request: &Request<B>,
    understood: &Understood,
) -> Option<Refused> {
    let Meanings::Mcp { calls, request: asked } = &understood.meanings else { return None };
    let server = calls.first().map_or("", |call| call.server.as_str());
    let server = ToolGate::pinned_as(server, &destination.origin);
    for message in &asked.messages {
        if let Some(tool) = &message.tool
            && !pins.may_call(&server, tool)
        {
            return Some(Refused::of(RefusalCode::ToolChanged, format!("tool {tool:.128} of {server}")));
        }
        if let Err(mismatch) = pins.check_mirrored(&server, request.headers(), message) {
            return Some(Refused::of(RefusalCode::HeaderMismatch, mismatch.to_string()));
        }
    }
    None
}
