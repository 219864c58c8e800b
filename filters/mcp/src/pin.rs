//! A tool definition as one hash.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::jcs;
use crate::tool::{PINNED, ToolDefinition};

/// SHA-256 over the canonical form (RFC 8785) of what a tool's definition tells a model or a client.
///
/// Covered: `name`, `title`, `description`, `inputSchema`, `outputSchema` and `annotations`. All of them reach the
/// model's context or decide what a client does without asking (`readOnlyHint`). Not covered: `_meta`, `icons`,
/// `execution` and fields no revision knows, which servers fill with what changes from call to call. A field that is
/// null counts as left out.
///
/// The name is part of it: a tool that takes another's text under a name of its own is a new tool, not a changed one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolPin([u8; 32]);

/// A text that is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pin is written sha256: and 64 hexadecimal digits")]
pub struct PinSyntax;

impl ToolPin {
    /// The pin of this SHA-256.
    #[must_use]
    pub fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The pin of a definition.
    #[must_use]
    pub fn of(tool: &ToolDefinition<'_>) -> Self {
        let present = PINNED.iter().filter_map(|name| Some((*name, tool.field(name)?)));
        let mut canonical = String::new();
        jcs::write_object(present.filter(|(_, value)| !value.is_null()), &mut canonical);
        Self(Sha256::digest(canonical.as_bytes()).into())
    }
}

impl fmt::Display for ToolPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ToolPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ToolPin {
    type Err = PinSyntax;

    fn from_str(text: &str) -> Result<Self, PinSyntax> {
        let digits = text.strip_prefix("sha256:").ok_or(PinSyntax)?.as_bytes();
        if digits.len() != 64 {
            return Err(PinSyntax);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Result<u8, PinSyntax> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(PinSyntax),
    }
}
