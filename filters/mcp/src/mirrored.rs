//! Which arguments of a tool are repeated in which headers: the `x-mcp-header` annotations of its input schema.

use http::header::HeaderMap;
use serde_json::{Map, Value};

use crate::header_value;
use crate::headers::{HeaderMismatch, PARAM_HEADER_PREFIX, canonical_decimal, rendered, single};
use crate::message::McpMessage;
use crate::tool::ToolDefinition;

/// Most annotated parameters of a tool; a tool with more has none for us.
pub const MAX_MIRRORED: usize = 32;
/// Longest path of property names to an annotated parameter.
pub const MAX_MIRROR_DEPTH: usize = 16;
/// Longest property name or header name of an annotation, in bytes.
pub const MAX_MIRROR_NAME: usize = 256;

/// The arguments of one tool that have a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirroredParams(pub(crate) Vec<Mirrored>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirrored {
    /// Header name in lower case, without `mcp-param-`.
    pub(crate) token: String,
    /// Property names from the arguments down.
    pub(crate) path: Vec<String>,
}

impl Mirrored {
    pub(crate) fn is_sound(&self) -> bool {
        let token = |byte: u8| {
            byte.is_ascii_digit() || byte.is_ascii_lowercase() || b"!#$%&'*+-.^_`|~".contains(&byte)
        };
        (1..=MAX_MIRROR_NAME).contains(&self.token.len())
            && self.token.bytes().all(token)
            && (1..=MAX_MIRROR_DEPTH).contains(&self.path.len())
            && self.path.iter().all(|name| name.len() <= MAX_MIRROR_NAME)
    }
}

impl MirroredParams {
    /// Reads the annotations that are reached from the schema's root through `properties` alone.
    ///
    /// A schema with an annotation that the specification does not accept (no header name, the same name twice, not a
    /// string, integer or boolean) gives none: clients drop such a tool and send no header for it. One that lies deeper
    /// or has longer names than the bounds is passed over.
    #[must_use]
    pub fn of(tool: &ToolDefinition<'_>) -> Self {
        let mut found = Vec::new();
        let mut open: Vec<(Vec<String>, &Map<String, Value>)> = Vec::new();
        open.extend(properties(tool.input_schema()).map(|members| (Vec::new(), members)));
        while let Some((path, members)) = open.pop() {
            for (name, schema) in members {
                let inner = properties(Some(schema));
                let token = schema.get("x-mcp-header");
                let out_of_reach = path.len() >= MAX_MIRROR_DEPTH || name.len() > MAX_MIRROR_NAME;
                if (token.is_none() && inner.is_none()) || out_of_reach {
                    continue;
                }
                let mut path = path.clone();
                path.push(name.clone());
                if let Some(token) = token {
                    let kind = schema.get("type").and_then(Value::as_str);
                    let Some(token) = token.as_str().filter(|_| scalar(kind)) else { return Self::default() };
                    found.push(Mirrored { token: token.to_ascii_lowercase(), path: path.clone() });
                }
                open.extend(inner.map(|inner| (path, inner)));
                if found.len() > MAX_MIRRORED || open.len() > MAX_OPEN {
                    return Self::default();
                }
            }
        }
        found.sort_by(|one, other| one.token.cmp(&other.token));
        let twice = found.windows(2).any(|pair| pair[0].token == pair[1].token);
        if twice || !found.iter().all(Mirrored::is_sound) { Self::default() } else { Self(found) }
    }

    /// Whether no argument has a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Holds the headers of a call of this tool against the very arguments they repeat.
    ///
    /// # Errors
    /// A header whose argument is another, null or missing. A missing header is no error, as in
    /// [`check_headers`](crate::check_headers).
    pub fn check(&self, headers: &HeaderMap, call: &McpMessage) -> Result<(), HeaderMismatch> {
        for Mirrored { token, path } in &self.0 {
            let header = format!("{PARAM_HEADER_PREFIX}{token}");
            let Some(said) = single(headers, &header)? else { continue };
            let arguments = call.arguments.as_ref();
            let value =
                arguments.and_then(|root| path.iter().try_fold(root, |value, name| value.get(name.as_str())));
            let body = value.and_then(rendered);
            let agrees = match (header_value::decode(said), &body) {
                (Some(said), Some(body)) => {
                    said == body.as_str()
                        || (value.is_some_and(Value::is_number) && canonical_decimal(&said) == body)
                }
                _ => false,
            };
            if !agrees {
                return Err(HeaderMismatch::new(
                    &header,
                    said,
                    body.as_deref().unwrap_or("(no such argument)"),
                ));
            }
        }
        Ok(())
    }
}

/// Most objects of properties waiting to be looked at.
const MAX_OPEN: usize = 4_096;

fn properties(schema: Option<&Value>) -> Option<&Map<String, Value>> {
    schema?.get("properties")?.as_object()
}

fn scalar(kind: Option<&str>) -> bool {
    matches!(kind, Some("string" | "integer" | "boolean"))
}
