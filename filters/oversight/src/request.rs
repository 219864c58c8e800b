//! A request: what never changes about it, and the states it is in.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ActionDigest, Approved, DigestError, Open, Person, Vote};

/// Names a request: 16 random bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(pub [u8; 16]);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

impl FromStr for RequestId {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestError)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for RequestId {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.to_string()
    }
}

/// What never changes about a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What would be approved.
    pub digest: ActionDigest,
    /// People who must not decide: the requester and everybody along the delegation chain.
    pub excluded: BTreeSet<Person>,
    /// Most uses that one approval may give.
    pub most_uses: u16,
    /// How long an approval holds at most, in milliseconds.
    pub most_ms: u64,
    /// When it was made, milliseconds since 1970.
    pub created_at_ms: u64,
}

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    /// People decide.
    Open(Open),
    /// Allowed.
    Approved(Approved),
    /// Not allowed.
    Denied(Denied),
    /// Nobody decided in time: not allowed.
    TimedOut(TimedOut),
    /// Nobody waits for it any more.
    Cancelled(Cancelled),
    /// Was allowed, and is not any more.
    Revoked(Revoked),
}

impl Status {
    /// In one word, as listed: `pending`, `escalated`, `info_requested`, `approved`, `executing`, `executed`, `ambiguous`, `denied`,
    /// `timed_out`, `cancelled` or `revoked`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open(open) => open.word(),
            Self::Approved(approved) => approved.word(),
            Self::Denied(_) => "denied",
            Self::TimedOut(_) => "timed_out",
            Self::Cancelled(_) => "cancelled",
            Self::Revoked(_) => "revoked",
        }
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Open(_) => false,
            Self::Approved(approved) => approved.is_spent(),
            Self::Denied(_) | Self::TimedOut(_) | Self::Cancelled(_) | Self::Revoked(_) => true,
        }
    }
}

/// Who denied it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedBy {
    /// A person.
    Person(Person),
    /// Everybody who could approve is part of the request's own chain.
    NobodyMayDecide,
}

/// Not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denied {
    /// By whom.
    pub by: DeniedBy,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Everything that was said.
    pub votes: Vec<Vote>,
}

/// Nobody decided in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimedOut {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Everything that was said.
    pub votes: Vec<Vote>,
}

/// Nobody waits for it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancelled {
    /// Why.
    pub reason: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Everything that was said.
    pub votes: Vec<Vote>,
}

/// Was allowed, and is not any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Who took it back.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// What it was, with what had been executed under it.
    pub was: Approved,
}
