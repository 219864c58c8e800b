//! The book of pins as JSON, for a file that outlives the process.

use serde_json::{Map, Value, json};

use crate::mirrored::{MAX_MIRRORED, Mirrored, MirroredParams};
use crate::pin::ToolPin;
use crate::pin_book::{PinBook, Seen};
use crate::strict_json::{self, Bounds, StrictJsonProblem};

/// The form of the file.
const SCHEMA: u64 = 1;
/// Longest file, in bytes.
pub const MAX_PIN_FILE: usize = 16 << 20;

/// A file of pins that cannot be used. Pins would be lost without anybody noticing, so it is an error, not an empty
/// book.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinFileProblem {
    /// Not JSON.
    #[error(
        "the pin file is damaged: {0}; restore it, or remove it to pin all tools anew when they are next seen"
    )]
    Json(#[from] StrictJsonProblem),
    /// Another schema.
    #[error("the pin file has schema {found}, this version reads schema 1; use the version that wrote it")]
    Schema {
        /// What the file says.
        found: String,
    },
    /// An entry is not as it was written.
    #[error(
        "the pin file is damaged at server {server:?}, tool {tool:?}; restore it, or remove it to pin all tools anew \
         when they are next seen"
    )]
    Entry {
        /// The server; empty for the file as a whole.
        server: String,
        /// The tool; empty for the server as a whole.
        tool: String,
    },
    /// More entries than a book holds.
    #[error("the pin file has more servers or tools than a book holds; it was not written by Creto")]
    TooMany,
}

impl PinBook {
    /// Writes the book; the operator's pins are not part of it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let servers: Map<String, Value> = self
            .servers
            .iter()
            .map(|(server, tools)| {
                let tools = tools.iter().map(|(tool, seen)| (tool.clone(), entry(seen)));
                (server.clone(), Value::Object(tools.collect()))
            })
            .collect();
        json!({ "schema": SCHEMA, "servers": servers }).to_string().into_bytes()
    }

    /// Reads a book.
    ///
    /// # Errors
    /// [`PinFileProblem`] for whatever [`to_json`](Self::to_json) did not write.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PinFileProblem> {
        let file = strict_json::parse(bytes, Bounds { bytes: MAX_PIN_FILE, ..Bounds::default() })?;
        let damaged =
            |server: &str, tool: &str| PinFileProblem::Entry { server: server.into(), tool: tool.into() };
        match file.get("schema") {
            Some(schema) if schema.as_u64() == Some(SCHEMA) => {}
            Some(schema) => {
                let found = schema.to_string().chars().take(40).collect();
                return Err(PinFileProblem::Schema { found });
            }
            None => return Err(damaged("", "")),
        }
        let servers = file.get("servers").and_then(Value::as_object).ok_or_else(|| damaged("", ""))?;
        let mut book = Self::new();
        for (server, tools) in servers {
            let tools = tools.as_object().ok_or_else(|| damaged(server, ""))?;
            for (tool, value) in tools {
                let seen = read_entry(value).ok_or_else(|| damaged(server, tool))?;
                if !book.insert(server, tool, seen) {
                    return Err(PinFileProblem::TooMany);
                }
            }
        }
        Ok(book)
    }
}

fn entry(seen: &Seen) -> Value {
    let mut fields = Map::new();
    fields.insert("first".into(), seen.first.to_string().into());
    fields.insert("last".into(), seen.last.to_string().into());
    if !seen.mirrored.is_empty() {
        let headers = seen.mirrored.0.iter().map(|one| (one.token.clone(), json!(one.path)));
        fields.insert("headers".into(), Value::Object(headers.collect()));
    }
    Value::Object(fields)
}

fn read_entry(value: &Value) -> Option<Seen> {
    let pin = |name: &str| value.get(name)?.as_str()?.parse::<ToolPin>().ok();
    let mut mirrored = MirroredParams::default();
    if let Some(headers) = value.get("headers") {
        let headers = headers.as_object().filter(|headers| headers.len() <= MAX_MIRRORED)?;
        for (token, path) in headers {
            let path = path.as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
            let one = Mirrored { token: token.clone(), path: path.collect::<Option<_>>()? };
            mirrored.0.push(Some(one).filter(Mirrored::is_sound)?);
        }
    }
    Some(Seen { first: pin("first")?, last: pin("last")?, mirrored })
}
