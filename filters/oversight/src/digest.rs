//! The digest that stands for an action.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// SHA-256 over everything an approval is bound to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ActionDigest(pub [u8; 32]);

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the digest of an action is `sha256:` and 64 hexadecimal digits")]
pub struct DigestError;

impl fmt::Display for ActionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for ActionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionDigest({self})")
    }
}

impl FromStr for ActionDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix("sha256:").ok_or(DigestError)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| DigestError)?;
        // One spelling only, so that texts may be compared.
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(DigestError);
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for ActionDigest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<ActionDigest> for String {
    fn from(digest: ActionDigest) -> Self {
        digest.to_string()
    }
}
