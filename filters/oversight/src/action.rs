//! What an approval is bound to: the exact call, who makes it, and under which policy.

use sha2::{Digest as _, Sha256};

use crate::ActionDigest;
use crate::encoding::Writer;

/// Headers of one call that are bound.
pub const MAX_BOUND_HEADERS: usize = 128;

/// Headers that are not bound, in lower case: they belong to the connection, name who asks (the agent's identity and the
/// credential are bound by themselves), or change with each attempt. Every other header is bound, since it may change what the
/// call does (`x-http-method-override`). A session of MCP is a connection too: what is approved in one and sent in the next does
/// no more than the same session could have done by then.
pub const VOLATILE_HEADERS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "baggage",
    "b3",
    "connection",
    "content-length",
    "cookie",
    "creto-delegation",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "last-event-id",
    "mcp-session-id",
    "prefer",
    "proxy-authorization",
    "proxy-connection",
    "sentry-trace",
    "te",
    "trailer",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-api-key",
    "x-goog-api-key",
    "x-request-id",
];

/// Beginnings of names that are not bound either: counters of SDKs, and tracing.
const VOLATILE_PREFIXES: &[&str] = &["x-stainless-", "x-b3-", "x-datadog-", "x-forwarded-", "x-amzn-trace-"];

/// Whether a header (its name in lower case) is left out of the digest.
#[must_use]
pub fn is_volatile(name: &str) -> bool {
    VOLATILE_HEADERS.contains(&name) || VOLATILE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A header as bound.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderPin {
    /// Lower case.
    pub name: String,
    /// As forwarded.
    pub value: Vec<u8>,
}

/// The credential that is put into the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialPin {
    /// Its name in policy.
    pub name: String,
    /// Which of its values.
    pub version: u64,
}

/// A call as it would leave, with who makes it and what allows it to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The namespace of the agent.
    pub namespace: String,
    /// The agent's name.
    pub agent: String,
    /// SHA-256 of the agent's public key.
    pub agent_id: [u8; 32],
    /// SHA-256 over the delegation chain that the call is made under.
    pub chain: [u8; 32],
    /// The policy that holds it.
    pub policy: String,
    /// The rule in it.
    pub rule: String,
    /// SHA-256 over what policy is in force for the agent.
    pub policy_version: [u8; 32],
    /// What is put in; none when the call leaves as it is.
    pub credential: Option<CredentialPin>,
    /// As sent.
    pub method: String,
    /// `https` or `http`.
    pub scheme: String,
    /// In normal form.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query as forwarded, byte for byte.
    pub target: String,
    /// All that are not [`is_volatile`]. Their order does not count, but that of equal names does.
    pub headers: Vec<HeaderPin>,
    /// Length of the body as forwarded, in bytes.
    pub body_length: u64,
    /// SHA-256 of the body as forwarded.
    pub body: [u8; 32],
}

impl Action {
    /// The digest.
    #[must_use]
    pub fn digest(&self) -> ActionDigest {
        let mut writer = Writer::new("creto-action-v1");
        writer.text(1, &self.namespace);
        writer.text(2, &self.agent);
        writer.bytes(3, &self.agent_id);
        writer.bytes(4, &self.chain);
        writer.text(5, &self.policy);
        writer.text(6, &self.rule);
        writer.bytes(7, &self.policy_version);
        if let Some(credential) = &self.credential {
            writer.text(8, &credential.name);
            writer.number(9, credential.version);
        }
        writer.text(10, &self.method);
        writer.text(11, &self.scheme);
        writer.text(12, &self.host);
        writer.number(13, u64::from(self.port));
        writer.text(14, &self.target);
        let mut headers: Vec<&HeaderPin> = self.headers.iter().collect();
        // Stable: equal names keep their order, which has a meaning.
        headers.sort_by(|one, other| one.name.cmp(&other.name));
        writer.number(15, headers.len() as u64);
        for header in headers {
            writer.text(16, &header.name);
            writer.bytes(17, &header.value);
        }
        writer.number(18, self.body_length);
        writer.bytes(19, &self.body);
        ActionDigest(Sha256::digest(writer.finish()).into())
    }
}
