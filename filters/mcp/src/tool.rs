//! A tool as a server defines it.

use serde_json::{Map, Value};

use crate::strict_json::looks_like;

/// Longest tool name that is read: a longer one is no tool.
pub const MAX_TOOL_NAME: usize = 1 << 10;

/// What of a definition a model or a client acts on, and therefore what a pin covers.
pub(crate) const PINNED: [&str; 6] =
    ["name", "title", "description", "inputSchema", "outputSchema", "annotations"];

/// One element of a tool list.
#[derive(Clone, Copy, Debug)]
pub struct ToolDefinition<'v> {
    name: &'v str,
    fields: &'v Map<String, Value>,
}

impl<'v> ToolDefinition<'v> {
    /// Reads an element of `result.tools`.
    ///
    /// None when it is no object, has no name or one over [`MAX_TOOL_NAME`], or has a key that differs from a pinned
    /// one only in letter case (a reader that ignores case would take it for that).
    #[must_use]
    pub fn of(value: &'v Value) -> Option<Self> {
        let fields = value.as_object()?;
        let name = fields.get("name")?.as_str()?;
        let twin = |key: &String| PINNED.iter().any(|known| looks_like(key, known));
        if name.is_empty() || name.len() > MAX_TOOL_NAME || fields.keys().any(twin) {
            return None;
        }
        Some(Self { name, fields })
    }

    /// The tool's name.
    #[must_use]
    pub fn name(&self) -> &'v str {
        self.name
    }

    /// Its description, if it has one.
    #[must_use]
    pub fn description(&self) -> Option<&'v str> {
        self.field("description").and_then(Value::as_str)
    }

    /// The JSON Schema of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> Option<&'v Value> {
        self.field("inputSchema")
    }

    /// Any field of the definition.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'v Value> {
        self.fields.get(name)
    }
}
