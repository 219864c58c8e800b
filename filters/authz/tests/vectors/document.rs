//! What the file of vectors holds.

use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) format: String,
    /// For whoever implements it.
    pub(crate) description: Vec<String>,
    pub(crate) keys: Vec<Key>,
    pub(crate) vectors: Vec<Vector>,
}

/// Bytes are hexadecimal everywhere but in `header`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) master: String,
    pub(crate) sidecar: String,
    pub(crate) key: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    /// Names of the keys in use.
    pub(crate) accepts: Vec<String>,
    pub(crate) holder: String,
    pub(crate) now_s: u64,
    pub(crate) min_epoch: u32,
    pub(crate) chain: String,
    /// The same in base64url without padding, as a header carries it; of chains that hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<String>,
    #[serde(flatten)]
    pub(crate) expected: Expected,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expected {
    Ok(Holds),
    Error(String),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holds {
    pub(crate) links: usize,
    pub(crate) scope: String,
    pub(crate) expires_at_s: u64,
    pub(crate) epoch: u32,
}
