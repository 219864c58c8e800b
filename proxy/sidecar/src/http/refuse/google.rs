//! Google's errors: `google.rpc.Status` with an `ErrorInfo`.

use serde::Serialize;

use super::{Facts, Refused};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    error: Status<'a>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    message: String,
    status: &'static str,
    details: [ErrorInfo<'a>; 1],
}

#[derive(Serialize)]
struct ErrorInfo<'a> {
    #[serde(rename = "@type")]
    r#type: &'static str,
    reason: String,
    domain: &'static str,
    metadata: Facts<'a>,
}

impl<'a> Body<'a> {
    pub(super) fn of(refused: &'a Refused, call_id: &'a str) -> Self {
        let code = refused.code;
        Self {
            error: Status {
                code: code.status(),
                message: refused.message(call_id),
                status: name(code.status()),
                details: [ErrorInfo {
                    r#type: "type.googleapis.com/google.rpc.ErrorInfo",
                    // Reasons are in upper case: AIP-193.
                    reason: code.as_str().to_ascii_uppercase(),
                    domain: "creto",
                    metadata: Facts::of(refused, call_id),
                }],
            },
        }
    }
}

fn name(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 | 421 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        501 => "UNIMPLEMENTED",
        504 => "DEADLINE_EXCEEDED",
        500.. => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}
