//! What is to be read of the answer, planned before the call leaves.

use std::sync::Arc;

use creto_call::Call;
use creto_classify::Meanings;
use creto_policy::ToolsChanged;
use http::header::ACCEPT;

use crate::enforcement::Enforcement;
use crate::path::classify::Understood;
use crate::path::destination::Destination;
use crate::path::observe::{AnswerPlan, ToolGate, shape_of};
use crate::sidecar::Sidecar;

/// None for a call whose answer nobody reads.
pub(crate) fn of(
    sidecar: &Sidecar,
    enforcement: &Enforcement,
    call: &Call<'_>,
    destination: &Destination,
    understood: &Understood,
) -> Option<Box<AnswerPlan>> {
    match &understood.meanings {
        Meanings::Model(model) => {
            let shape = shape_of(model)?;
            Some(Box::new(AnswerPlan { shape: Some(shape), ..AnswerPlan::default() }))
        }
        Meanings::Mcp { calls, .. } => {
            let policy = enforcement.policy.as_deref();
            let named = policy.and_then(|policy| policy.mcp_server(call.host, call.port, call.path));
            // What a tool answers can be large, and is no list: it is not held.
            let lists = !calls.iter().all(|call| call.method == "tools/call");
            let gate = ToolGate {
                lists,
                awaits_stream: call.method == "GET" && accepts_events(call),
                enforced: Arc::clone(&sidecar.enforced),
                pins: Arc::clone(&sidecar.pins),
                room: Arc::clone(&sidecar.answers),
                capture: call.capture,
                origin: Arc::clone(&destination.origin),
                path: call.path.to_owned(),
                server: calls.first().map(|call| call.server.clone()).unwrap_or_default(),
                changed: named.map_or(ToolsChanged::Refuse, |server| server.tools_changed()),
            };
            Some(Box::new(AnswerPlan { tools: Some(gate), ..AnswerPlan::default() }))
        }
        Meanings::Plain | Meanings::A2a { .. } => None,
    }
}

fn accepts_events(call: &Call<'_>) -> bool {
    let accepts = call.details.headers.into_iter().flat_map(|headers| headers.get_all(ACCEPT));
    accepts.filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/event-stream"))
}
