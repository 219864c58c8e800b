//! Signatures of AWS requests, version 4, computed anew from what arrived.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::upstream::BufferedRequest;

/// What the `Authorization` header of a signed request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The access key's name.
    pub access_key: String,
    /// Such as `us-east-1`.
    pub region: String,
    /// Such as `bedrock`.
    pub service: String,
    /// Names of the headers that are signed.
    pub signed_headers: Vec<String>,
    /// Whether it is the right one; nothing when the secret key is not known.
    pub right: Option<bool>,
}

/// The signature of a request, checked against the secret key of `(access key, secret key)`.
pub(super) fn signature(request: &BufferedRequest, known: Option<&(String, String)>) -> Option<Signature> {
    let authorization = request.headers().get("authorization")?.to_str().ok()?;
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let part = |name: &str| {
        parts.split(',').filter_map(|part| part.trim().split_once('=')).find(|(key, _)| *key == name)
    };
    let scope: Vec<&str> = part("Credential")?.1.split('/').collect();
    let [access_key, date, region, service, "aws4_request"] = scope[..] else { return None };
    let signed_headers: Vec<String> = part("SignedHeaders")?.1.split(';').map(str::to_owned).collect();
    let right = known.map(|(known_access, secret)| {
        let wanted = computed(request, &signed_headers, secret, [date, region, service]);
        known_access == access_key && part("Signature").is_some_and(|(_, given)| given == wanted)
    });
    Some(Signature {
        access_key: access_key.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signed_headers,
        right,
    })
}

fn computed(request: &BufferedRequest, signed: &[String], secret: &str, scope: [&str; 3]) -> String {
    let header = |name: &str| -> String {
        let values: Vec<_> = request
            .headers()
            .get_all(name)
            .iter()
            .map(|value| {
                String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        values.join(",")
    };
    let mut canonical = format!("{}\n{}\n", request.method(), encoded_path(request.uri().path()));
    let mut query: Vec<&str> =
        request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    canonical.push_str(&query.join("&"));
    canonical.push('\n');
    for name in signed {
        // HTTP/2 has no Host header: its authority is the host.
        let value = match name.as_str() {
            "host" if !request.headers().contains_key("host") => {
                request.uri().authority().map(ToString::to_string).unwrap_or_default()
            }
            _ => header(name),
        };
        canonical.push_str(&format!("{name}:{value}\n"));
    }
    // A stated digest that is not the body's makes another signature, as the service refuses it.
    let stated = header("x-amz-content-sha256");
    let payload = match stated.as_str() {
        "UNSIGNED-PAYLOAD" => stated,
        _ => hex::encode(Sha256::digest(request.body())),
    };
    canonical.push_str(&format!("\n{}\n{payload}", signed.join(";")));

    let [date, region, service] = scope;
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{date}/{region}/{service}/aws4_request\n{}",
        header("x-amz-date"),
        hex::encode(Sha256::digest(&canonical))
    );
    let mut key = mac(format!("AWS4{secret}").as_bytes(), date);
    for step in [region, service, "aws4_request"] {
        key = mac(&key, step);
    }
    hex::encode(mac(&key, &to_sign))
}

fn mac(key: &[u8], text: &str) -> Bytes {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(text.as_bytes());
    Bytes::copy_from_slice(&mac.finalize().into_bytes())
}

/// The path as it arrived, encoded once more: all services but S3 sign it so.
fn encoded_path(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
