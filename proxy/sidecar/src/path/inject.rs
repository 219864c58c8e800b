//! inject: the real credential takes the placeholder's place. The agent never sees it: not in the request, which it
//! made without, nor in an answer that echoes it.

use std::sync::Arc;
use std::time::SystemTime;

use creto_call::{Call, RefusalCode};
use creto_credentials::Credential;
use creto_policy::PolicySet;
use http::{Request, Response};

use crate::capture::Connection;
use crate::http::body::AnswerBody;
use crate::http::refuse::Refused;
use crate::path::admitted::{self, Admitted, Payload};
use crate::path::forward;
use crate::path::observe::AnswerPlan;
use crate::sidecar::Sidecar;

/// Whether a credential for this call signs the body.
pub(crate) fn needs_body(policy: &PolicySet, call: &Call<'_>) -> bool {
    policy
        .credential(call.host, call.port, call.path)
        .is_some_and(|bound| matches!(bound.kind(), creto_policy::CredentialKind::AwsSigV4 { .. }))
}

/// The way of a call that may have a credential.
pub(crate) async fn put_in_and_forward(
    connection: Arc<Connection>,
    mut admitted: Admitted,
    mut request: Request<()>,
    payload: Payload,
) -> Response<AnswerBody> {
    let sidecar = &connection.sidecar;
    // Before the credential: what is signed is what is sent.
    forward::address_to_upstream(&admitted.destination, &mut request);
    if let Some(credential) = admitted.credential.take()
        && let Err(refused) = put_in(sidecar, &credential, &mut admitted, &mut request, &payload).await
    {
        return admitted::end_refused(&admitted.record, &refused);
    }
    forward::forward(sidecar, admitted, request, payload).await
}

/// Puts a credential into a request as it will be sent, and has it kept out of the answer.
async fn put_in(
    sidecar: &Sidecar,
    credential: &Arc<Credential>,
    admitted: &mut Admitted,
    request: &mut Request<()>,
    payload: &Payload,
) -> Result<(), Refused> {
    let unavailable = |fault: creto_credentials::InjectFault| {
        // The fault names files and variables: the operator's to see, not the agent's.
        tracing::error!(credential = credential.name, %fault, "a call is refused: its credential cannot be put in");
        Refused::of(RefusalCode::CredentialUnavailable, format!("credential {}", credential.name))
    };
    let injection = sidecar.injector.prepare(credential).await.map_err(unavailable)?;
    // A token may have been waited for: what was taken away meanwhile counts.
    admitted.tenure.may_act().map_err(admitted::taken_away)?;
    let body = match payload {
        Payload::Held { bytes, .. } => Some(bytes.as_ref()),
        // Nothing to sign where nothing is sent.
        Payload::Streamed(body) if hyper::body::Body::is_end_stream(body) => Some(&[][..]),
        Payload::Streamed(_) => None,
    };
    let host = admitted.destination.origin.authority();
    let (mut parts, ()) = std::mem::take(request).into_parts();
    let applied = injection.apply(&mut parts, &host, body, SystemTime::now());
    *request = Request::from_parts(parts, ());
    applied.map_err(unavailable)?;
    let plan = admitted.plan.get_or_insert_with(|| Box::new(AnswerPlan::default()));
    plan.secret = Some(injection);
    Ok(())
}
