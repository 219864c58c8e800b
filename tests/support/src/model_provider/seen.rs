//! What the provider remembers of a call.

use bytes::Bytes;

use super::prompt::Tokens;
use super::route::Api;
use super::sigv4::Signature;

/// A call as it arrived and how it was answered.
#[derive(Clone, Debug)]
pub struct SeenCall {
    /// The API it is of.
    pub api: Api,
    /// Such as `chat`, `messages` or `converse-stream`; empty when there is none such.
    pub operation: &'static str,
    /// The method.
    pub method: String,
    /// The path as it came, without the query.
    pub path: String,
    /// After the `?`; empty if there is none.
    pub query: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The body's bytes as they came; of a WebSocket, its text messages, a line each.
    pub body: Bytes,
    /// The model that was asked for.
    pub model: String,
    /// The key it came with, whichever header or parameter that was in.
    pub key: Option<String>,
    /// The signature of AWS it came with.
    pub signature: Option<Signature>,
    /// Status of the answer.
    pub status: u16,
    /// What the answer says was used; nothing for errors. Of a WebSocket, the sum of its responses.
    pub tokens: Option<Tokens>,
}

impl SeenCall {
    /// First value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
