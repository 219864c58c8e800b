//! What people approve: the call exactly as it would leave, with who makes it and under which policy.

use bytes::Bytes;
use creto_call::Scheme;
use creto_classify::Meanings;
use creto_oversight::{Action, ActionDigest, CredentialPin, HeaderPin, MAX_BOUND_HEADERS, is_volatile};
use creto_policy::{Held, RiskClass};
use creto_proto::v1::{ApprovalContext, ApprovalHeader, AskApprovalRequest};
use http::header::EXPECT;
use http::{HeaderMap, Request};
use sha2::{Digest as _, Sha256};

use super::{REASON_HEADER, body};
use crate::enforcement::Enforcement;
use crate::http::hop_by_hop;
use crate::path::destination::Destination;
use crate::path::identify::{DELEGATION_HEADER, Identified};

/// Keeps the digest of a chain apart from every other use of SHA-256.
const CHAIN: &[u8] = b"creto-held-chain-v1";
/// Most of what an agent says about its call, in bytes.
const SAID: usize = 4_096;

/// Everything that a call's digest goes by.
#[derive(Clone, Copy)]
pub(crate) struct Leaving<'a> {
    pub(crate) enforcement: &'a Enforcement,
    pub(crate) identified: Identified<'a>,
    pub(crate) destination: &'a Destination,
    /// Name of the credential that would be put in; empty if none would.
    pub(crate) credential: &'a str,
    pub(crate) request: &'a Request<()>,
    pub(crate) body: &'a Bytes,
    pub(crate) meanings: &'a Meanings,
    pub(crate) class: RiskClass,
    /// The most it can cost, in billionths of a US dollar.
    pub(crate) cost: Option<u64>,
}

/// One hold, and what is to be approved for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToApprove {
    pub(crate) digest: ActionDigest,
    pub(crate) policy: String,
    pub(crate) rule: String,
    /// Why people are asked.
    pub(crate) reason: String,
}

impl Leaving<'_> {
    /// What is to be approved, hold by hold. None when the call has more headers than can be shown.
    pub(crate) fn split_by(&self, held: &[Held<'_>]) -> Option<Vec<ToApprove>> {
        let (path, query) = self.destination.path_and_query(self.request);
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let (body_length, body) = body::bound(self.meanings, self.body);
        let mut action = Action {
            namespace: self.enforcement.namespace.clone(),
            agent: self.enforcement.agent_name.clone(),
            agent_id: self.enforcement.holder.0,
            chain: self.chain(),
            policy: String::new(),
            rule: String::new(),
            policy_version: self.enforcement.policy_digest,
            credential: (!self.credential.is_empty())
                .then(|| CredentialPin { name: self.credential.to_owned(), version: 0 }),
            method: self.request.method().as_str().to_owned(),
            scheme: self.destination.origin.scheme.as_str().to_owned(),
            host: self.destination.origin.host.as_str().to_owned(),
            port: self.destination.origin.port,
            target,
            headers: pins(self.request.headers()),
            body_length,
            body,
        };
        if action.headers.len() > MAX_BOUND_HEADERS {
            return None;
        }
        let each = held.iter().map(|held| {
            action.policy = held.by.policy.to_owned();
            action.rule = held.by.rule.to_owned();
            ToApprove {
                digest: action.digest(),
                policy: action.policy.clone(),
                rule: action.rule.clone(),
                reason: held.reason.unwrap_or_default().to_owned(),
            }
        });
        Some(each.collect())
    }

    /// The question, with all that people are shown but why this hold asks.
    pub(crate) fn question(&self) -> AskApprovalRequest {
        let origin = &self.destination.origin;
        let (path, query) = self.destination.path_and_query(self.request);
        let mark = if query.is_empty() { "" } else { "?" };
        let port = match origin.scheme {
            Scheme::Http if origin.port == 80 => String::new(),
            Scheme::Https if origin.port == 443 => String::new(),
            _ => format!(":{}", origin.port),
        };
        let url = format!("{}://{}{port}{path}{mark}{query}", origin.scheme.as_str(), origin.host);
        let method = self.request.method().as_str();
        let headers = pins(self.request.headers()).into_iter();
        let mut risks = vec![format!("class of the call: {}", self.class.as_str())];
        if !self.credential.is_empty() {
            risks.push(format!("credential {} is put in", self.credential));
        }
        AskApprovalRequest {
            delegation_id: self.identified.delegation_id.to_vec(),
            context: Some(ApprovalContext {
                action: format!("{method} {}://{}{port}{path:.256}", origin.scheme.as_str(), origin.host),
                method: method.to_owned(),
                url,
                headers: headers.map(|pin| ApprovalHeader { name: pin.name, value: pin.value }).collect(),
                body: self.body.to_vec(),
                trigger: String::new(),
                risks,
                cost: self.cost.map(dollars).unwrap_or_default(),
                said_by_agent: said(self.request.headers()),
            }),
            ..AskApprovalRequest::default()
        }
    }

    /// What the call is made under: the delegation, and what of it was handed on.
    fn chain(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(CHAIN);
        hash.update((self.identified.delegation_id.len() as u64).to_be_bytes());
        hash.update(self.identified.delegation_id);
        hash.update(self.identified.scope.digest());
        hash.finalize().into()
    }
}

/// The headers that leave and are bound.
fn pins(headers: &HeaderMap) -> Vec<HeaderPin> {
    let mut leaving = headers.clone();
    hop_by_hop::strip(&mut leaving);
    leaving.remove(DELEGATION_HEADER);
    leaving.remove(REASON_HEADER);
    leaving.remove(EXPECT);
    let bound = leaving.iter().filter(|(name, _)| !is_volatile(name.as_str()));
    bound
        .map(|(name, value)| HeaderPin { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() })
        .collect()
}

/// What the agent says about its call, cut where it is too long.
fn said(headers: &HeaderMap) -> String {
    let text = headers.get(REASON_HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut text = text.unwrap_or_default().into_owned();
    let mut end = text.len().min(SAID);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// `USD 0.15`, rounded up to the millionth.
fn dollars(nano: u64) -> String {
    let micro = nano.div_ceil(1_000);
    let text = format!("USD {}.{:06}", micro / 1_000_000, micro % 1_000_000);
    let cut = text.trim_end_matches('0');
    // Two digits at least, as amounts of money are written.
    let digits = cut.rsplit_once('.').map_or(0, |(_, digits)| digits.len());
    format!("{cut}{}", "0".repeat(2_usize.saturating_sub(digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_money_is() {
        let written = [0, 1, 150_000_000, 2_000_000_000, 1_234_567_000].map(dollars);
        assert_eq!(written, ["USD 0.00", "USD 0.000001", "USD 0.15", "USD 2.00", "USD 1.234567"]);
    }

    #[test]
    fn what_belongs_to_the_connection_or_the_attempt_is_not_bound() {
        let mut headers = HeaderMap::new();
        for name in [
            "host",
            "user-agent",
            "authorization",
            "creto-delegation",
            "creto-reason",
            "connection",
            "x-once",
        ] {
            headers.append(http::HeaderName::from_static(name), "x-once".parse().unwrap());
        }
        headers.append("x-http-method-override", "DELETE".parse().unwrap());
        let bound: Vec<String> = pins(&headers).into_iter().map(|pin| pin.name).collect();
        assert_eq!(bound, ["x-http-method-override"]);
    }
}
