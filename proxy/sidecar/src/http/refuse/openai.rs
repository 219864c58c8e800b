//! OpenAI's errors, and those of what is compatible with it.

use serde::Serialize;

use super::{Facts, Refused};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    message: String,
    r#type: &'static str,
    param: Option<&'static str>,
    code: &'static str,
    creto: Facts<'a>,
}

impl<'a> Body<'a> {
    pub(super) fn of(refused: &'a Refused, call_id: &'a str) -> Self {
        let facts = Facts::of(refused, call_id);
        Self {
            error: Error {
                message: refused.message(call_id),
                r#type: kind(refused.code.status()),
                param: None,
                code: facts.code,
                creto: facts,
            },
        }
    }
}

fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 | 421 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}
