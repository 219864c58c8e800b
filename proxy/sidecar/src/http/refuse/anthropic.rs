//! Anthropic's errors.

use serde::Serialize;

use super::{Facts, Refused};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    r#type: &'static str,
    error: Error<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    r#type: &'static str,
    message: String,
    creto: Facts<'a>,
}

impl<'a> Body<'a> {
    pub(super) fn of(refused: &'a Refused, call_id: &'a str) -> Self {
        Self {
            r#type: "error",
            error: Error {
                r#type: kind(refused.code.status()),
                message: refused.message(call_id),
                creto: Facts::of(refused, call_id),
            },
            request_id: call_id,
        }
    }
}

fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 | 421 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
