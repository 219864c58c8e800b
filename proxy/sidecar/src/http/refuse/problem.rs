//! Problem details (RFC 9457).

use serde::Serialize;

use super::{Facts, Refused, Voice};

#[derive(Serialize)]
pub(super) struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    #[serde(flatten)]
    facts: Facts<'a>,
}

impl<'a> Body<'a> {
    pub(super) fn of(refused: &'a Refused, call_id: &'a str) -> Self {
        Self {
            r#type: "about:blank",
            title: refused.code.title(),
            status: super::status(refused, &Voice::default()),
            detail: &refused.detail,
            facts: Facts::of(refused, call_id),
        }
    }
}
