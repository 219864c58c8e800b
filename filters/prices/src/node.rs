//! Text of either format as a tree, with nothing lost: keys that stand twice are refused, numbers with a fraction
//! are marked instead of rounded.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How the toml crate hands over its own dates.
const TOML_DATE: &str = "$__toml_private_datetime";

/// Most fields of one table; no row has as many.
pub const MAX_FIELDS: usize = 64;

/// A value of TOML or JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Text(String),
    Integer(i128),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// Of a sort that no field takes; what it is, for the message.
    Other(&'static str),
}

impl Node {
    /// What it is, for a message.
    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Node::Text(_) => "a string",
            Node::Integer(_) => "an integer",
            Node::List(_) => "a list",
            Node::Table(_) => "a table",
            Node::Other(sort) => sort,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Integer(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Integer(number.into()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other("a floating-point number"))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other("a boolean"))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut table: Vec<(String, Node)> = Vec::new();
        while let Some((key, value)) = entries.next_entry::<String, Node>()? {
            if key == TOML_DATE {
                return Ok(value);
            }
            if table.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format_args!("`{key}` stands twice in one table")));
            }
            if table.len() == MAX_FIELDS {
                return Err(A::Error::custom(format_args!("a table has more than {MAX_FIELDS} fields")));
            }
            table.push((key, value));
        }
        Ok(Node::Table(table))
    }
}
