//! Errors of AWS's JSON services: the type in a header, the message in the body.

use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::{Facts, Refused};
use crate::http::body::AnswerBody;

#[derive(Serialize)]
struct Body<'a> {
    message: String,
    creto: Facts<'a>,
}

pub(super) fn response(status: StatusCode, refused: &Refused, call_id: &str) -> Response<AnswerBody> {
    let body = Body { message: refused.message(call_id), creto: Facts::of(refused, call_id) };
    let mut response = super::json(status, "application/json", &body);
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(name(status.as_u16())));
    response
}

fn name(status: u16) -> &'static str {
    match status {
        401 | 403 | 421 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}
