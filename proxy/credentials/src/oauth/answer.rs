//! The answer of a token endpoint (RFC 6749 sections 5.1 and 5.2).

use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::{MAX_TOKEN_ANSWER_BYTES, OAuthFault, TokenAnswer, grant::Fields};
use crate::{Secret, value::check};

/// A life that is not said (RFC 6749 only recommends it).
const LIFE_UNSAID: Duration = Duration::from_secs(3600);
/// A shorter life than this is taken as this: else every call would refresh.
const MIN_LIFE: Duration = Duration::from_secs(30);
/// A longer life than this is taken as this.
const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What was granted.
pub(super) struct Granted {
    pub(super) access_token: Secret,
    pub(super) life: Duration,
    /// A new refresh token, if there is one.
    pub(super) refresh_token: Option<Zeroizing<String>>,
}

/// Reads an answer. `retry_in_s` is the wait that a fault speaks of.
pub(super) fn read(answer: &TokenAnswer, retry_in_s: u64) -> Result<Granted, OAuthFault> {
    if answer.body.len() > MAX_TOKEN_ANSWER_BYTES {
        return Err(OAuthFault::Answer("longer than 64 KiB"));
    }
    let fields = std::str::from_utf8(&answer.body).ok().and_then(Fields::read);
    let status = answer.status;
    // Some providers say their errors with status 200.
    let error = fields.as_ref().and_then(|fields| fields.text("error"));
    match (error, status) {
        (Some("invalid_grant"), _) => return Err(OAuthFault::LogInAgain),
        (Some("invalid_client" | "unauthorized_client"), _) => return Err(OAuthFault::Client),
        (Some("invalid_scope"), _) => return Err(OAuthFault::Scope),
        (_, 429 | 500..=599) => return Err(OAuthFault::Busy { status, retry_in_s }),
        (Some("temporarily_unavailable" | "server_error" | "slow_down"), _) => {
            return Err(OAuthFault::Busy { status, retry_in_s });
        }
        (Some("invalid_request"), _) => {
            return Err(OAuthFault::Refused { status, code: " (invalid_request)" });
        }
        (Some("unsupported_grant_type"), _) => {
            return Err(OAuthFault::Refused { status, code: " (unsupported_grant_type)" });
        }
        (None, 200..=299) => {}
        (None, 401) => return Err(OAuthFault::Client),
        _ => return Err(OAuthFault::Refused { status, code: "" }),
    }
    let mut fields = fields.ok_or(OAuthFault::Answer("not a JSON object"))?;
    // RFC 6749 section 5.1: the type's case does not count.
    if fields.text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(OAuthFault::Answer("its token_type is not bearer"));
    }
    let life = fields.seconds("expires_in").map_or(LIFE_UNSAID, |life| life.clamp(MIN_LIFE, MAX_LIFE));
    let access_token = fields.take("access_token").ok_or(OAuthFault::Answer("it has no access_token"))?;
    check(access_token.as_bytes())
        .map_err(|_| OAuthFault::Answer("its access_token cannot stand in a header"))?;
    let refresh_token = fields.take("refresh_token").filter(|token| check(token.as_bytes()).is_ok());
    Ok(Granted { access_token: Secret::copied_from(access_token.as_bytes()), life, refresh_token })
}

impl Fields {
    /// A number of seconds, written as a number or as text; anything else counts as unsaid.
    fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds = match self.get(name)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        // A float to integer cast saturates, and takes what is no number for 0.
        Some(Duration::from_secs(seconds as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Granted, OAuthFault> {
        read(&TokenAnswer { status, body: Zeroizing::new(body.into()) }, 4)
    }

    #[test]
    fn lives_are_bounded() {
        let life = |expires_in: &str| {
            let body = format!(r#"{{"access_token":"ya29.abcdef","token_type":"Bearer"{expires_in}}}"#);
            answer(200, &body).unwrap().life.as_secs()
        };
        assert_eq!(life(""), 3600);
        assert_eq!(life(r#","expires_in":3599"#), 3599);
        assert_eq!(life(r#","expires_in":"1800""#), 1800);
        assert_eq!(life(r#","expires_in":1799.5"#), 1799);
        assert_eq!(life(r#","expires_in":0"#), 30);
        assert_eq!(life(r#","expires_in":-5"#), 30);
        assert_eq!(life(r#","expires_in":1e300"#), 86_400);
        assert_eq!(life(r#","expires_in":null"#), 3600);
        assert_eq!(life(r#","expires_in":[1]"#), 3600);
    }

    #[test]
    fn each_error_says_what_to_do() {
        let fault = |status, body| answer(status, body).err().unwrap();
        assert_eq!(fault(400, r#"{"error":"invalid_grant"}"#), OAuthFault::LogInAgain);
        assert_eq!(fault(401, r#"{"error":"invalid_client"}"#), OAuthFault::Client);
        assert_eq!(fault(401, "no json"), OAuthFault::Client);
        assert_eq!(fault(400, r#"{"error":"invalid_scope"}"#), OAuthFault::Scope);
        assert_eq!(
            fault(200, r#"{"error":"bad_refresh_token"}"#),
            OAuthFault::Refused { status: 200, code: "" }
        );
        assert_eq!(fault(503, "<html>"), OAuthFault::Busy { status: 503, retry_in_s: 4 });
        assert_eq!(fault(429, "{}"), OAuthFault::Busy { status: 429, retry_in_s: 4 });
        assert_eq!(fault(302, ""), OAuthFault::Refused { status: 302, code: "" });
        assert_eq!(fault(200, "[]"), OAuthFault::Answer("not a JSON object"));
        assert_eq!(fault(200, "{}"), OAuthFault::Answer("it has no access_token"));
        let body = r#"{"access_token":"line\nbreak-in-it"}"#;
        assert_eq!(fault(200, body), OAuthFault::Answer("its access_token cannot stand in a header"));
        let body = r#"{"access_token":"abcdefgh","token_type":"mac"}"#;
        assert_eq!(fault(200, body), OAuthFault::Answer("its token_type is not bearer"));
        let body = format!(r#"{{"access_token":"abcdefgh","x":"{}"}}"#, "x".repeat(70_000));
        assert_eq!(fault(200, &body), OAuthFault::Answer("longer than 64 KiB"));
        let deep = format!(r#"{{"a":{}"#, "[".repeat(60_000));
        assert_eq!(fault(200, &deep), OAuthFault::Answer("not a JSON object"));
    }
}
