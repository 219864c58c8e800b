//! Signing a request.

use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use jiff::{Timestamp, tz::TimeZone};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    AwsKeys,
    canonical::{self, PathStyle},
};
use crate::target::{TargetError, set_query};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const BODY_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What S3 takes in the place of a body's hash.
const UNSIGNED: [&[u8]; 2] = [b"UNSIGNED-PAYLOAD", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"];

/// Why a request cannot be signed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SigningFault {
    /// The body was not given.
    #[error("an AWS signature covers the body, so the body must be read before the call is sent")]
    BodyNeeded,
    /// The body has signatures inside.
    #[error(
        "the body is signed piece by piece (x-amz-content-sha256: STREAMING-...) and cannot be signed again; send it with unsigned chunks or as a whole"
    )]
    SignedPieces,
    /// The clock is before 1970 or after 9999.
    #[error("the machine's clock is outside of what AWS can sign: set it")]
    Clock,
    /// The host cannot stand in a header.
    #[error("the call's host cannot stand in a header")]
    Host,
    /// The target would not be one without the agent's signature.
    #[error("the request's target is malformed")]
    Target,
}

impl From<TargetError> for SigningFault {
    fn from(_: TargetError) -> Self {
        Self::Target
    }
}

/// Where a signature counts.
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

impl Scope<'_> {
    /// `s3`, `s3-outposts`, `s3-object-lambda`: they read paths and bodies in their own way.
    fn is_s3(&self) -> bool {
        self.service == "s3" || self.service.starts_with("s3-")
    }
}

/// Whether signing needs the body's bytes.
pub(crate) fn needs_body(headers: &HeaderMap, scope: &Scope<'_>) -> bool {
    unsigned_body(headers, scope).is_none()
}

fn unsigned_body(headers: &HeaderMap, scope: &Scope<'_>) -> Option<&'static [u8]> {
    let sent = headers.get(BODY_HASH).filter(|_| scope.is_s3())?.as_bytes();
    UNSIGNED.into_iter().find(|unsigned| sent == *unsigned)
}

/// Takes the agent's signature off and puts ours on. `host` is the host header as it will be sent.
pub(crate) fn sign(
    parts: &mut Parts,
    host: &str,
    body: Option<&[u8]>,
    now: SystemTime,
    keys: &AwsKeys,
    scope: &Scope<'_>,
) -> Result<(), SigningFault> {
    let time = Timestamp::try_from(now).map_err(|_| SigningFault::Clock)?.to_zoned(TimeZone::UTC);
    if !(1970..=9999).contains(&time.year()) {
        return Err(SigningFault::Clock);
    }
    let time = time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let hash = match (unsigned_body(&parts.headers, scope), body) {
        (Some(unsigned), _) => String::from_utf8_lossy(unsigned).into_owned(),
        (None, _) if has_signed_pieces(&parts.headers) => return Err(SigningFault::SignedPieces),
        (None, Some(body)) => hex::encode(Sha256::digest(body)),
        (None, None) => return Err(SigningFault::BodyNeeded),
    };
    let send_hash = scope.is_s3() || parts.headers.contains_key(BODY_HASH);
    strip(parts)?;
    let headers = &mut parts.headers;
    headers.insert(DATE, value(&time)?);
    if send_hash {
        headers.insert(BODY_HASH, value(&hash)?);
    }
    if let Some(token) = keys.session_token() {
        let mut token = HeaderValue::from_bytes(token).map_err(|_| SigningFault::Host)?;
        token.set_sensitive(true);
        headers.insert(TOKEN, token);
    }
    let style = if scope.is_s3() { PathStyle::Once } else { PathStyle::Twice };
    let request = Canonical::of(parts, host, &hash, style, &is_signed)?;
    let mut authorization = value(&request.authorization(keys, scope, &time))?;
    authorization.set_sensitive(true);
    parts.headers.insert(header::AUTHORIZATION, authorization);
    Ok(())
}

fn value(text: &str) -> Result<HeaderValue, SigningFault> {
    HeaderValue::from_str(text).map_err(|_| SigningFault::Host)
}

fn has_signed_pieces(headers: &HeaderMap) -> bool {
    headers.get(BODY_HASH).is_some_and(|hash| hash.as_bytes().starts_with(b"STREAMING-AWS4-"))
}

/// Takes off whatever the agent signed with.
fn strip(parts: &mut Parts) -> Result<(), SigningFault> {
    for name in [header::AUTHORIZATION, DATE, BODY_HASH, TOKEN] {
        parts.headers.remove(name);
    }
    let Some(query) = parts.uri.query() else { return Ok(()) };
    let old = query.split('&').any(|pair| is_named(pair, &["AWSAccessKeyId"]));
    let is_signature = |pair: &str| {
        is_named(
            pair,
            &[
                "X-Amz-Algorithm",
                "X-Amz-Credential",
                "X-Amz-Date",
                "X-Amz-Expires",
                "X-Amz-SignedHeaders",
                "X-Amz-Signature",
                "X-Amz-Security-Token",
                "X-Amz-Content-Sha256",
            ],
        ) || (old && is_named(pair, &["AWSAccessKeyId", "Signature", "Expires"]))
    };
    if query.split('&').any(is_signature) {
        let kept: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
        let kept = kept.join("&");
        set_query(&mut parts.uri, &kept)?;
    }
    Ok(())
}

fn is_named(pair: &str, names: &[&str]) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name).as_bytes();
    // Most names are not encoded; one that is must not slip through.
    names.iter().any(|wanted| {
        let mut at = 0;
        wanted.bytes().all(|wanted| {
            let Some(_) = name.get(at) else { return false };
            let (byte, width) = crate::placeholder::percent_decoded_at(name, at);
            at += width;
            byte.eq_ignore_ascii_case(&wanted)
        }) && at == name.len()
    })
}

/// Signed are the host, what AWS reads, and what says what the body is; proxies may change the rest.
fn is_signed(name: &str) -> bool {
    name.starts_with("x-amz-")
        || (name.starts_with("x-amzn-") && name != "x-amzn-trace-id")
        || matches!(name, "content-type" | "content-encoding" | "content-md5")
}

struct Canonical {
    /// Has the session token in it.
    request: Zeroizing<String>,
    signed_headers: String,
}

impl Canonical {
    fn of(
        parts: &Parts,
        host: &str,
        hash: &str,
        style: PathStyle,
        is_signed: &dyn Fn(&str) -> bool,
    ) -> Result<Self, SigningFault> {
        let host = value(host)?;
        let chosen = parts
            .headers
            .iter()
            .filter(|(name, _)| is_signed(name.as_str()) && *name != header::HOST)
            .chain([(&header::HOST, &host)]);
        let headers = canonical::headers(chosen);
        let path = canonical::path(parts.uri.path(), style);
        let query = canonical::query(parts.uri.query().unwrap_or_default());
        let length: usize = headers.iter().map(|(name, value)| name.len() * 2 + value.len() * 3 + 3).sum();
        // All room at once: a text that grows leaves unwiped copies behind.
        let room = parts.method.as_str().len() + path.len() + query.len() + length + hash.len() + 8;
        let mut request = Zeroizing::new(String::with_capacity(room));
        for line in [parts.method.as_str(), &path, &query] {
            request.push_str(line);
            request.push('\n');
        }
        for (name, value) in &headers {
            request.push_str(name);
            request.push(':');
            // Header values are seldom other than ASCII; AWS reads UTF-8.
            request.push_str(&String::from_utf8_lossy(value));
            request.push('\n');
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let signed_headers = names.join(";");
        request.push('\n');
        request.push_str(&signed_headers);
        request.push('\n');
        request.push_str(hash);
        Ok(Self { request, signed_headers })
    }

    fn string_to_sign(&self, scope: &str, time: &str) -> String {
        format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(self.request.as_bytes())))
    }

    fn authorization(&self, keys: &AwsKeys, scope: &Scope<'_>, time: &str) -> String {
        let date = &time[..8];
        let path = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
        let key = signing_key(keys.secret_access_key(), date, scope);
        let signature = hex::encode(mac(&*key, self.string_to_sign(&path, time).as_bytes()));
        format!(
            "{ALGORITHM} Credential={}/{path}, SignedHeaders={}, Signature={signature}",
            keys.id(),
            self.signed_headers
        )
    }
}

fn signing_key(secret: &[u8], date: &str, scope: &Scope<'_>) -> Zeroizing<[u8; 32]> {
    let first = Zeroizing::new([b"AWS4", secret].concat());
    let mut key = Zeroizing::new(mac(&first, date.as_bytes()));
    for part in [scope.region, scope.service, "aws4_request"] {
        key = Zeroizing::new(mac(&*key, part.as_bytes()));
    }
    key
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(text).finalize().into_bytes().into(),
        // HMAC takes keys of every length.
        Err(_) => [0; 32],
    }
}

#[cfg(test)]
#[path = "vectors.rs"]
mod vectors;
